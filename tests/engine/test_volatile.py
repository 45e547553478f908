"""Calls of `@live(volatile=True)`: worthless when late, so none is numbered, recorded, answered or repeated."""

from __future__ import annotations

import pytest

from promptgrimoire.settings import Limits, Settings
from tests.engine.conftest import Serve
from tests.engine.stage import Browser, Server, code_of, settle

LAB = '''
class Lab(Page):
    """# Lab"""

    @live(volatile=True)
    def point(page, player, x: int, y: int = 0):
        ran.append((x, y))
        notify(player, others_in_session(player), [x, y], event="Pointer", volatile=True)
        return "nobody hears this"

    @live(volatile=True, rate=2)
    def seldom(page, player):
        ran.append("seldom")

    @live(volatile=True)
    def write(page, player, how: str):
        ran.append("write")
        if how == "field":
            player.x = 1
        elif how == "list":
            player.items.append(1)
        elif how == "group":
            create_group(player.session, [player])
        elif how == "after":
            after(1, late)
        elif how == "draw":
            rng().random()
        elif how == "label":
            player.label = "P7"

    @live(volatile=True)
    async def write_later(page, player):
        await gates.wait("later")
        player.x = 1

    @live(volatile=True)
    async def write_early(page, player):
        player.x = 1
        await gates.wait("never")

    @live(volatile=True)
    def fail(page, player, how: str):
        raise Reject("no") if how == "reject" else ValueError("on purpose")

    @live
    def ordinary(page, player):
        ran.append("ordinary")
        return "answered"

    @live
    async def slow(page, player):
        await gates.wait("slow")

class Two(Page):
    """# Two"""

    @live(volatile=True)
    def point(page, player, x: int, y: int = 0):
        ran.append("the other page's")

def late():
    ran.append("late")

def new_player(player):
    player.items = []

page_order = [Lab, Two]
'''


def say(browser: Browser, method: str, *arguments: object) -> None:
    """What `grimoire.send` does: a call with the number 0, only while there is a connection."""
    browser._post(0, method, list(arguments), 0)


async def entries(server: Server) -> int:
    host = await server.host()
    await host.durable()
    return len(await server.journal.read(host.id))


async def test_a_volatile_call_leaves_no_entry_no_number_and_no_answer(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    await settle()
    before, heard = await entries(server), len(one.messages)
    for x in range(3):
        say(one, "point", x)
    await settle()
    assert server.module.ran == [(0, 0), (1, 0), (2, 0)]
    assert two.events == [[0, 0], [1, 0], [2, 0]]
    assert await entries(server) == before
    assert one.messages[heard:] == []
    assert await one.ask("ordinary") == "answered"  # it is the document's first call
    assert list(one.settled) == [1]


async def test_it_is_neither_repeated_nor_kept_for_whoever_was_away(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    two.lose()
    say(one, "point", 1)
    one.lose()
    say(one, "point", 2)  # without a connection it is not even sent
    await settle()
    for browser in (one, two):
        await browser.connect()
    await server.restart()
    for browser in (one, two):
        await browser.connect()
    later = await server.opened(2)
    assert server.module.ran == [(1, 0)]
    assert two.events == later.events == []


async def test_nothing_of_it_waits_in_outboxes(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    for _ in range(50):
        say(one, "point", 1)
    await settle()
    assert len(two.events) == 50
    host = await server.host()
    assert [len(document.outbox) for document in host.deliveries.live(2)] == [0]
    assert two.handled == two.base  # seq 0: they move no counter


@pytest.mark.parametrize("how", ["field", "list", "group", "after", "draw", "label"])
async def test_what_it_writes_is_refused_and_the_author_told_the_line(
    serve: Serve, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await settle()
    before = await entries(server)
    say(one, "write", how)
    await settle()
    assert server.module.ran == ["write"]
    assert "is @live(volatile=True), which may write nothing; it wrote" in caplog.text
    assert "lab.py:" in caplog.text
    assert "Use @live for what must be kept" in caplog.text
    await server.clock.advance(5)
    assert server.module.ran == ["write"]
    for host in (await server.host(), await server.restart()):
        player = host.state.player(1)
        assert (player.get("x"), list(player.items), player.label, host.state.groups) == (None, [], "", [])
        assert host.state.labels == {}
    assert (await entries(server)) <= before + 1  # the one of coming back after the restart


@pytest.mark.parametrize("method", ["write_later", "write_early"])
async def test_what_it_writes_around_waiting_is_refused_too(
    serve: Serve, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await settle()
    before = await entries(server)
    say(one, method)
    await settle()
    server.gates.open("later")
    await settle()
    assert "may write nothing" in caplog.text
    assert (await server.player()).get("x") is None
    assert await entries(server) == before


async def test_its_failures_are_the_authors_affair_alone(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await settle()
    before, heard = await entries(server), len(one.messages)
    say(one, "fail", "reject")
    say(one, "fail", "error")
    await settle()
    assert caplog.text.count("Lab.fail failed") == 1
    assert "ValueError: on purpose" in caplog.text
    assert one.messages[heard:] == []
    assert await entries(server) == before
    assert await one.ask("ordinary") == "answered"


async def test_it_waits_for_no_call_and_no_call_for_it(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("slow")
    await settle()
    say(one, "point", 1)
    assert server.module.ran == [(1, 0)]
    say(one, "write_later")  # waits
    server.gates.open("slow")
    await settle()
    assert one.settled == {n: None}


async def test_too_many_are_dropped_without_a_word_and_count_like_any_call(serve: Serve) -> None:
    settings = Settings(limits=Limits(calls_per_second=10, call_burst=5))
    server = await serve(LAB, settings=settings)
    one = await server.opened()
    heard = len(one.messages)
    for _ in range(4):
        say(one, "seldom")  # two of these a second
    assert server.module.ran == ["seldom"] * 2
    for x in range(10):
        say(one, "point", x)
    assert len(server.module.ran) == 3  # five in all; what a method's own rate has refused counts as well
    assert one.messages[heard:] == []
    assert code_of(await one.ask("ordinary")) == "rate"
    await server.clock.advance(1)
    assert await one.ask("ordinary") == "answered"


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [
        ("ordinary", [], "unknown"),
        ("nothing", [], "unknown"),
        ("point", ["x"], "arguments"),
        ("point", [], "arguments"),
    ],
)
async def test_what_cannot_be_called_so_is_refused_and_not_executed(
    serve: Serve, method: str, arguments: list[object], code: str
) -> None:
    server = await serve(LAB)
    one = await server.opened()
    say(one, method, *arguments)
    await settle()
    assert (one.messages[-1]["type"], one.messages[-1]["n"], one.messages[-1]["code"]) == ("error", 0, code)
    assert server.module.ran == []
    assert await one.ask("ordinary") == "answered"


async def test_evidence_13_a_volatile_call_of_a_page_that_is_over_runs_nothing_of_the_next(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await server.submit()
    await settle()
    say(one, "point", 1)
    await settle()
    assert server.module.ran == []


async def test_a_numbered_call_of_a_volatile_method_may_write_no_more(serve: Serve) -> None:
    """`invoke` instead of `send`: it gets its answer, and what the method may do stays the same."""
    server = await serve(LAB)
    one = await server.opened()
    assert await one.ask("point", 1) == "nobody hears this"
    for how in ("field", "list", "group", "after"):
        assert code_of(await one.ask("write", how)) == "error"
    n = one.invoke("write_later")
    await settle()
    server.gates.open("later")
    await settle()
    assert code_of(one.settled[n]) == "error"
    assert code_of(await one.ask("write_early")) == "error"
    assert server.gates.waiting == []
    assert (await server.player()).get("x") is None
