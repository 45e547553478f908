"""Nothing leaves the server before everything that was executed when it was computed is durable.

What was told stays true.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from promptgrimoire.commands import Administered
from promptgrimoire.errors import JournalError, JournalUnavailable
from promptgrimoire.journal.base import Journal
from promptgrimoire.runtime.activities import Awaited
from tests.engine.conftest import Serve
from tests.engine.stage import Server, code_of, settle

LAB = '''
class Lab(Page):
    """# Lab
    {{ session.count }}
    """

    @live
    def add(page, player, by: int = 1):
        player.session.count += by
        notify(player, others_in_session(player), by)
        return player.session.count

    @live
    def look(page, player):
        return player.session.count

    @live
    def fail(page, player):
        raise ValueError("on purpose")

    @live
    def keep(page, player, data: str):
        send_to(player.session, data, keep=True)

    @live
    def volatile(page, player):
        notify(player, players(player.session), "volatile", volatile=True)

    @live
    def instruct(page, player):
        show_message(player.other_in_session, "hello")
        redirect(player.other_in_session, "https://example.org/")
        reload(player.other_in_session)

    @live
    def move(page, player):
        move_to_page(player.other_in_session, Broken)

class Broken(Page):
    """# Broken"""

    def before_once(page, player):
        raise ValueError("on purpose")

def new_session(session):
    session.count = 0

page_order = [Lab, Broken]
'''


async def held_up(server: Server, action: Callable[[], Awaitable[Any]]) -> Any:
    """Whether the action waits while the disk is held; gives what it gives once the disk goes on."""
    server.journal.hold()
    host = await server.host()
    player = host.state.player(1)

    def write() -> None:
        host.state.session.count = 1000

    host.step(write, Awaited(host, Administered("test", "write"), host.activity(player, "test")))
    task = asyncio.ensure_future(action())
    await settle()
    assert not task.done(), "it was told before what it is computed from was durable"
    server.journal.release()
    return await task


@pytest.mark.parametrize(
    "what", ["page", "join", "join again", "submit", "stale submit", "retry", "visitor", "hello", "history", "at"]
)
async def test_answers_wait_for_the_disk(serve: Serve, what: str) -> None:
    server = await serve(LAB)
    host = await server.host()
    await host.join(visitor="somebody")
    player = host.state.player(1)
    token = host._token(1)
    browser = server.browser(1)
    await browser.load()
    actions: dict[str, Callable[[], Awaitable[Any]]] = {
        "page": lambda: host.page(token),
        "join": lambda: host.join(visitor="newcomer"),
        "join again": lambda: host.join(visitor="somebody"),
        "submit": lambda: host.submit(token, player._about["stay"], "x", {}),
        "stale submit": lambda: host.submit(token, 99, "x", {}),
        "retry": lambda: host.retry(token),
        "visitor": lambda: host.visitor_token("somebody"),
        "hello": browser.connect,
        "history": lambda: host.state.session.history("count"),
        "at": lambda: host.state.session.at(server.clock.now()),
    }
    result = await held_up(server, actions[what])
    if what == "page":
        assert "1000" in result.html
    elif what == "history":
        assert [change.value for change in result] == [0, 1000]
    elif what == "at":
        assert result.count == 1000


async def test_pages_that_could_not_be_made_wait_for_the_disk_too(serve: Serve) -> None:
    server = await serve(LAB)
    host = await server.host()
    token = host._token(1)
    await host.submit(token, 1, "x", {})
    rendering = await held_up(server, lambda: host.page(token))
    assert rendering.kind == "held"


async def test_evidence_3_nothing_is_sent_before_the_commit_and_nothing_of_it_is_known_after_a_crash(
    serve: Serve,
) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    server.journal.hold()
    silence = len(one.texts), len(two.texts)
    calls: list[tuple[str, list[Any]]] = [
        ("add", [5]),
        ("look", []),
        ("add", ["x"]),
        ("nothing", []),
        ("fail", []),
        ("keep", ["k"]),
        ("volatile", []),
        ("instruct", []),
        ("move", []),
    ]
    for method, arguments in calls:
        one.invoke(method, *arguments)
    await settle()
    assert (len(one.texts), len(two.texts)) == silence
    host = await server.restart()
    assert host.state.session.count == 0
    assert host.state.player(2)._about["page"] == "lab/Lab"
    assert not host.deliveries.of(1).kept
    assert two.events == []

    await two.connect()
    await one.connect()
    await settle()
    assert one.settled[1] == 5
    assert two.events.count(5) == 1


async def test_everything_held_up_is_told_in_order_when_the_disk_goes_on(serve: Serve) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    server.journal.hold()
    for by in (1, 2, 3):
        one.invoke("add", by)
    one.invoke("look")
    one.invoke("instruct")
    await settle()
    assert one.settled == {}
    server.journal.release()
    assert one.settled == {1: 1, 2: 3, 3: 6, 4: 6, 5: None}
    assert two.events == [1, 2, 3]
    assert [message["type"] for message in two.messages[-3:]] == ["message", "go", "go"]


async def test_a_reply_comes_after_the_events_of_its_commit_in_the_same_frame(serve: Serve) -> None:
    server = await serve(LAB, players=1)
    one = await server.opened(1)
    one.invoke("keep", "mine")
    await settle()
    assert [message["type"] for message in one.messages[-2:]] == ["event", "reply"]
    assert one.texts[-1].count('"seq"') == 1


async def test_evidence_1_what_was_acknowledged_is_there_after_a_crash(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    told = 0
    for round in range(12):
        if round % 3 == 2:
            server.journal.hold()
        n = one.invoke("add")
        await settle()
        if n in one.settled:
            told = one.settled[n]
        host = await server.restart()
        assert host.state.session.count == told
        await one.connect()
        await settle()
        told = max(told, *(outcome for outcome in one.settled.values() if isinstance(outcome, int)))
    assert told == 12


async def test_evidence_1_what_was_acknowledged_is_in_the_file(serve: Serve, journal: Journal) -> None:
    server = await serve(LAB, journal=journal)
    one = await server.opened()
    assert await one.ask("add", 7) == 7
    host = await server.restart()
    assert host.state.session.count == 7
    assert [change.value for change in await host.state.session.history("count")] == [0, 7]


# ---------------------------------------------------------------- storage fails


async def test_evidence_50_while_storage_is_away_participants_are_told_and_nothing_acknowledged_is_lost(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    assert await one.ask("add", 1) == 1
    server.journal.break_storage()

    n = one.invoke("add", 10)
    await settle()

    assert one.byes == two.byes == ["storage"]
    assert one.sink.closed_with[0] == two.sink.closed_with[0] == 1013  # type: ignore[union-attr,index]
    assert one.settled == {1: 1}
    with pytest.raises(JournalError):
        await server.host()
    with pytest.raises(JournalError):
        await server.create()
    one.lose()
    two.lose()

    server.journal.mend_storage()
    await server.clock.advance(10)
    host = await server.host()
    assert host.state.session.count == 1
    await one.connect()
    await two.connect()
    await settle()
    assert one.settled[n] == 11
    assert two.events == [1, 10]
    assert "storage is back" in caplog.text


async def test_a_session_with_nothing_to_store_is_not_disturbed_by_a_failure_that_passes(serve: Serve) -> None:
    server = await serve(LAB)
    other = await server.gateway.create_session("lab", 1)
    one = await server.opened()
    server.session, mine = other.id, server.session
    two = await server.opened()
    server.session = mine
    await settle()
    server.journal.break_storage()
    one.invoke("add")
    await settle()
    n = two.invoke("add")
    await settle()
    assert code_of(two.settled[n]) == "busy"
    server.journal.mend_storage()
    await server.clock.advance(10)
    assert two.byes == []
    n = two.invoke("add")
    await settle()
    assert two.settled[n] == 1


async def test_deadlines_go_on_after_storage_is_back_also_where_nobody_comes(serve: Serve) -> None:
    server = await serve(
        '''
        class Lab(Page):
            """# Lab"""

        def new_session(session):
            after(60, rung, session)

        def rung(session):
            session.rung = True

        page_order = [Lab]
        '''
    )
    one = await server.opened()
    server.journal.break_storage()
    one.lose()
    await server.clock.advance(6)  # the disconnect cannot be stored
    assert not server.gateway._hosts
    await server.clock.advance(120)
    server.journal.mend_storage()
    await server.clock.advance(30)
    (host,) = server.gateway._hosts.values()
    assert host.state.session.rung is True


async def test_what_waits_for_the_disk_hears_of_the_failure(serve: Serve) -> None:
    server = await serve(LAB)
    host = await server.host()
    server.journal.hold()
    submitting = asyncio.ensure_future(host.submit(host._token(1), 1, "x", {}))
    joining = asyncio.ensure_future(host.join(visitor="new"))
    await settle()
    server.journal.break_storage()
    server.journal.release()
    for task in (submitting, joining):
        with pytest.raises(JournalUnavailable):
            await task
