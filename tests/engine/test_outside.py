"""What author code awaits outside: `external` and `in_thread`; outcomes kept, failures, ends, and other threads."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.entries import decode_row
from promptgrimoire.state.patches import Patch
from tests.engine.conftest import Serve
from tests.engine.stage import Server, code_of, settle

LAB = '''
import threading

working, held, tried = threading.Event(), threading.Event(), threading.Event()

async def model(question):
    ran.append(f"asked {question}")
    await gates.wait(question)
    if question == "fail":
        raise ConnectionError("no route to the model")
    return object() if question == "odd" else question.upper()

def compute(value):
    working.set()
    held.wait(20)
    if value < 0:
        raise ArithmeticError("below zero")
    ran.append(f"computed {value}")
    return value * 2

def meddle(player, method):
    """From a thread: everything that belongs to a transaction."""
    working.set()
    held.wait(20)
    ways = {
        "set": lambda: setattr(player, "stolen", 1),
        "delete": lambda: delattr(player, "begun"),
        "append": lambda: player.session.items.append(1),
        "group": lambda: create_group(player.session, [player]),
        "notify": lambda: notify(player, player, "stolen"),
        "after": lambda: after(1, meddle),
    }
    try:
        ways[method]()
        ran.append("nothing was said")
    except Exception as error:
        ran.append(error)
    tried.set()

class Lab(Page):
    """# Lab"""

    @live
    async def ask(page, player, question: str):
        player.begun = question
        player.answer = await external(model(question))
        return player.answer

    @live
    async def ask_carefully(page, player, question: str):
        player.busy = True
        try:
            player.answer = await external(model(question))
        except ConnectionError as error:
            player.problem = str(error)
        finally:
            player.busy = False
        return player.get("problem")

    @live(deadline=5)
    async def ask_briefly(page, player, question: str):
        player.busy = True
        try:
            player.answer = await external(model(question))
        finally:
            player.busy = False

    @live
    async def ask_two(page, player):
        return await asyncio.gather(external(model("a")), external(model("b")))

    @live
    async def double(page, player, value: int):
        player.begun = value
        player.answer = await in_thread(compute, value)
        return player.answer

    @live
    async def double_carefully(page, player, value: int):
        try:
            return await in_thread(compute, value)
        except ArithmeticError as error:
            player.problem = str(error)

    @live(deadline=5)
    async def double_briefly(page, player, value: int):
        player.answer = await in_thread(compute, value)

    @live
    async def hand_over(page, player):
        await in_thread(print, player)

    @live
    async def invite(page, player, method: str):
        player.begun = 1
        await in_thread(lambda: meddle(player, method))

    @live
    def hold(page, player):
        """Keeps a transaction of this session open until the thread has tried."""
        player.mine = 1
        held.set()
        tried.wait(20)

    @live
    def look(page, player):
        return "looked"

def new_session(session):
    session.items = []

page_order = [Lab]
'''


@pytest.fixture
async def lab(serve: Serve) -> AsyncIterator[Server]:
    """Two players; whatever a thread waits for is over with the test."""
    server = await serve(LAB, players=2)
    module = server.module
    yield server
    module.held.set()
    module.tried.set()


async def until(happens: Callable[[], object]) -> None:
    """Wait for what another thread does, while the loop goes on."""
    end = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < end, "this never came true"
        await asyncio.sleep(0.002)


async def recorded(server: Server) -> list[list[tuple[Patch, Any]]]:
    """The patches of each entry that holds the outcome of an `external`."""
    host = await server.host()
    found = []
    for row in await server.journal.read(host.id):
        entry, values = decode_row(row)
        patches = list(zip(entry.patches, values[1:], strict=False))
        if any(patch.path == ["external"] for patch, _ in patches):
            found.append(patches)
    return found


# ---------------------------------------------------------------- external


async def test_the_outcome_of_external_is_journaled_with_what_follows_from_it(serve: Serve, journal: Journal) -> None:
    server = await serve(LAB, journal=journal)
    one = await server.opened()
    n = one.invoke("ask", "hello")
    await settle()
    await (await server.host()).durable()
    assert await recorded(server) == []
    server.gates.open("hello")
    await settle()
    await (await server.host()).durable()
    await settle()
    assert one.settled == {n: "HELLO"}
    (patches,) = await recorded(server)
    assert [(patch.record, patch.path, bytes(value)) for patch, value in patches] == [
        ("!s", ["external"], b'{"of":"lab/Lab.ask","value":"HELLO"}'),
        ("p1", ["answer"], b'"HELLO"'),
    ]


async def test_after_a_crash_the_outcome_is_there_and_nothing_outside_is_asked_again(serve: Serve) -> None:
    server = await serve(LAB)
    server.gates.open("hello")
    one = await server.opened()
    n = one.invoke("ask", "hello")
    one.lose()  # the answer never arrives
    await settle()
    await (await server.host()).durable()
    host = await server.restart()
    assert host.state.hidden.external == {"of": "lab/Lab.ask", "value": "HELLO"}
    await one.connect()
    assert one.settled == {n: "HELLO"}
    assert server.module.ran == ["asked hello"]


async def test_a_crash_while_external_waits_is_an_interrupted_call(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("ask", "hello")
    await settle()
    await server.restart()
    server.gates.open("hello")
    await one.connect()
    await settle()
    assert code_of(one.settled[n]) == "interrupted"
    player = await server.player()
    assert (player.begun, player.get("answer")) == ("hello", None)
    assert server.module.ran == ["asked hello"]
    assert await recorded(server) == []


async def test_what_fails_outside_is_the_methods_to_handle_and_records_nothing(serve: Serve) -> None:
    server = await serve(LAB)
    server.gates.open("fail")
    one = await server.opened()
    assert await one.ask("ask_carefully", "fail") == "no route to the model"
    player = await server.player()
    assert (player.busy, player.problem, player.get("answer")) == (False, "no route to the model", None)
    assert code_of(await one.ask("ask", "fail")) == "error"
    assert await recorded(server) == []


async def test_an_outcome_that_cannot_be_stored_is_refused_by_its_type(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(LAB)
    server.gates.open("odd")
    one = await server.opened()
    assert code_of(await one.ask("ask", "odd")) == "error"
    assert "object" in caplog.text
    assert "NotStorable" in caplog.text
    assert (await server.player()).get("answer") is None
    assert await recorded(server) == []


async def test_external_ends_with_its_methods_deadline_and_what_was_busy_is_not(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("ask_briefly", "hello")
    await settle()
    assert (await server.player()).busy
    await server.clock.advance(6)
    assert code_of(one.settled[n]) == "deadline"
    server.gates.open("hello")
    await settle()
    player = await server.player()
    assert (player.busy, player.get("answer")) == (False, None)
    assert server.gates.waiting == []
    assert await recorded(server) == []


async def test_two_at_once_are_both_recorded(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    n = one.invoke("ask_two")
    await settle()
    server.gates.open("b")
    await settle()
    server.gates.open("a")
    await settle()
    assert one.settled[n] == ["A", "B"]
    outcomes = [bytes(value) for entry in await recorded(server) for _, value in entry]
    assert outcomes == [b'{"of":"lab/Lab.ask_two","value":"B"}', b'{"of":"lab/Lab.ask_two","value":"A"}']


# ---------------------------------------------------------------- in_thread


async def test_nobody_waits_for_a_thread_but_who_asked_it(lab: Server) -> None:
    one, two = await lab.opened(1), await lab.opened(2)
    n, behind = one.invoke("double", 21), one.invoke("look")
    await until(lab.module.working.is_set)
    assert (await lab.player()).begun == 21
    assert await two.ask("look") == "looked"
    assert one.settled == {}
    lab.module.held.set()
    await until(lambda: behind in one.settled)
    assert one.settled == {n: 42, behind: "looked"}
    assert (await lab.restart()).state.player(1).answer == 42


async def test_what_fails_in_a_thread_is_the_methods_to_handle(lab: Server) -> None:
    lab.module.held.set()
    one = await lab.opened()
    careful, careless = one.invoke("double_carefully", -1), one.invoke("double", -1)
    await until(lambda: careless in one.settled)
    assert one.settled[careful] is None
    assert code_of(one.settled[careless]) == "error"
    player = await lab.player()
    assert (player.problem, player.get("answer")) == ("below zero", None)


async def test_a_record_is_not_handed_to_a_thread(lab: Server, caplog: pytest.LogCaptureFixture) -> None:
    one = await lab.opened()
    assert code_of(await one.ask("hand_over")) == "error"
    assert "in_thread: expected plain values, found <player" in caplog.text
    assert "Pass the fields that are needed" in caplog.text


MEDDLING = ["set", "delete", "append", "group", "notify", "after"]


@pytest.mark.parametrize("method", MEDDLING)
async def test_a_write_from_another_thread_is_refused_with_the_way_to_do_it(lab: Server, method: str) -> None:
    one = await lab.opened()
    n = one.invoke("invite", method)
    await until(lab.module.working.is_set)
    lab.module.held.set()
    await until(lambda: n in one.settled)
    (error,) = lab.module.ran
    assert type(error).__name__ == "NoTransaction"
    assert "spawn" in str(error) or "works only in hooks" in str(error)
    await untouched(lab)


@pytest.mark.parametrize("method", MEDDLING)
async def test_a_write_from_another_thread_never_slips_into_a_transaction_that_happens_to_be_open(
    lab: Server, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Else it would write into whichever call is running, and be undone or kept with it."""
    caplog.set_level(logging.CRITICAL, "promptgrimoire.watchdog")
    one, two = await lab.opened(1), await lab.opened(2)
    n = one.invoke("invite", method)
    await until(lab.module.working.is_set)
    assert await two.ask("hold") is None
    await until(lambda: n in one.settled)
    (error,) = lab.module.ran
    assert type(error).__name__ == "NoTransaction"
    assert (await lab.player(2)).mine == 1
    await untouched(lab)


async def untouched(server: Server) -> None:
    for _ in range(2):  # in memory, and as the journal has it
        host = await server.host()
        player = host.state.player(1)
        assert (player.begun, player.get("stolen"), list(host.state.session.items)) == (1, None, [])
        assert host.state.groups == []
        assert not any("stolen" in text for browser in server.browsers for text in browser.texts)
        await server.restart()


async def test_what_a_thread_gives_after_its_methods_deadline_goes_nowhere(lab: Server) -> None:
    one = await lab.opened()
    n, behind = one.invoke("double_briefly", 1), one.invoke("look")
    await until(lab.module.working.is_set)
    await lab.clock.advance(6)
    await until(lambda: behind in one.settled)
    assert code_of(one.settled[n]) == "deadline"
    lab.module.held.set()
    await until(lambda: lab.module.ran == ["computed 1"])
    await settle()
    assert (await lab.player()).get("answer") is None


async def test_a_server_that_dies_while_a_thread_works_answers_interrupted_and_hears_nothing_of_it(
    lab: Server,
) -> None:
    one = await lab.opened()
    n = one.invoke("double", 21)
    await until(lab.module.working.is_set)
    await settle()  # that it has begun is durable: else it would begin again
    host = await lab.restart()
    before = host.chain.seq
    lab.module.held.set()
    await until(lambda: lab.module.ran == ["computed 21"])
    await settle()
    await one.connect()
    await settle()
    assert code_of(one.settled[n]) == "interrupted"
    player = await lab.player()
    assert (player.begun, player.get("answer")) == (21, None)
    assert [row.seq for row in await lab.journal.read(host.id, after=before)] in ([], [before + 1])  # coming back


async def test_a_server_that_is_stopped_waits_for_no_thread(lab: Server) -> None:
    one = await lab.opened()
    n = one.invoke("double", 21)
    await until(lab.module.working.is_set)
    async with asyncio.timeout(20):
        await lab.stop()
    await lab.start()
    await one.connect()
    await settle()
    assert code_of(one.settled[n]) == "interrupted"
    assert (await lab.player()).get("answer") is None
