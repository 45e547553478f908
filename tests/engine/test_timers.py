"""Deadlines: across restarts, once; sessions that sleep and are woken by them."""

from __future__ import annotations

import asyncio

import pytest

from promptgrimoire.commands import Administered
from promptgrimoire.journal.base import Journal, Snapshot
from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.runtime.activities import Awaited
from promptgrimoire.runtime.recovery import Snapshots
from tests.engine.conftest import Serve
from tests.engine.stage import Server, code_of, settle

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def later(page, player, seconds: float, text: str):
        return after(seconds, rung, player, text)

    @live
    def forgotten(page, player):
        after(1, rung, player, "never")
        raise ValueError("on purpose")

    @live
    def nowhere(page, player):
        after(1, lambda: None)

    @live
    async def long(page, player):
        await gates.wait("long")
        player.long = True

def rung(player, text):
    player.session.rung.append(text)
    send_to(player, text, keep=True)
    if text == "fail":
        raise ValueError("on purpose")
    if text == "chain":
        after(2, rung, player, "second")

@every(10)
def tick(session):
    session.ticks += 1

def new_session(session):
    session.rung = []
    session.ticks = 0

page_order = [Lab]
'''


async def rung(server: Server) -> list[str]:
    return list((await server.host()).state.session.rung)


async def test_after_fires_once_in_order_and_not_early(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("later", 10, "b")
    await one.ask("later", 5, "a")
    await one.ask("later", 5, "a too")
    await server.clock.advance(4.9)
    assert await rung(server) == []
    await server.clock.advance(0.2)
    assert await rung(server) == ["a", "a too"]
    await server.clock.advance(100)
    assert await rung(server) == ["a", "a too", "b"]
    assert one.events == ["a", "a too", "b"]


@pytest.mark.parametrize("downtime", [3, 1000])
async def test_evidence_27_what_fell_due_while_the_server_was_away_fires_at_once_once(
    serve: Serve, downtime: float
) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("later", 2, "during")
    await one.ask("later", 2000, "after")
    await server.crash()
    server.clock.jump(downtime)
    await server.start()
    await server.host()
    await settle()
    assert await rung(server) == ["during"]
    await server.restart()
    await settle()
    assert await rung(server) == ["during"]
    await server.clock.advance(2000)
    assert await rung(server) == ["during", "after"]


async def test_evidence_27_a_deadline_wakes_a_session_that_nobody_touches(serve: Serve, journal: Journal) -> None:
    server = await serve(LAB, journal=journal)
    one = await server.opened()
    await one.ask("later", 60, "woken")
    await server.stop()
    await server.start()
    assert server.gateway._hosts == {}
    await server.clock.advance(61)
    await durable(server)
    await server.clock.advance(5)
    async with asyncio.timeout(30):
        while not server.gateway._hosts:  # noqa: ASYNC110 - it is the disk that is waited for, not the clock
            await asyncio.sleep(0.005)
        (host,) = server.gateway._hosts.values()
        await server.clock.advance(1)
        while list(host.state.session.get("rung", ())) != ["woken"]:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.005)


async def durable(server: Server) -> None:
    await server.journal.flush()
    await settle()


async def test_a_timer_set_in_a_timer(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("later", 1, "chain")
    await server.clock.advance(2)
    await server.restart()
    await server.clock.advance(2)
    assert await rung(server) == ["chain", "second"]


async def test_a_timer_that_fails_is_undone_reported_and_not_tried_again(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("later", 1, "fail")
    await one.ask("later", 2, "next")
    await server.clock.advance(5)
    host = await server.host()
    assert await rung(server) == ["next"]
    assert host.errors[-1][2:] == ("after:rung", "ValueError('on purpose')")
    assert host.timers.next_due() is None
    host = await server.restart()
    await settle()
    assert await rung(server) == ["next"]
    assert host.timers.next_due() is None


async def test_a_timer_of_an_undone_transaction_never_fires_and_of_a_local_function_is_refused(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    assert code_of(await one.ask("forgotten")) == "error"
    outcome = await one.ask("nowhere")
    assert "top level" in outcome["message"]
    await server.clock.advance(5)
    assert await rung(server) == []


# ---------------------------------------------------------------- every


async def ticks(server: Server) -> int:
    found: int = (await server.host()).state.session.ticks
    return found


async def test_every_runs_while_somebody_is_here(serve: Serve) -> None:
    server = await serve(LAB)
    await server.clock.advance(100)
    assert await ticks(server) == 0
    one = await server.opened()
    await server.clock.advance(32)
    assert await ticks(server) == 3
    one.lose()
    await server.clock.advance(100)
    assert await ticks(server) == 3
    await one.connect()
    await server.clock.advance(9)
    assert await ticks(server) == 3
    await server.clock.advance(2)
    assert await ticks(server) == 4


async def test_evidence_27_restarts_do_not_put_off_every(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    for _ in range(4):
        await server.clock.advance(4)
        await server.restart()
        await one.connect()
    assert await ticks(server) == 1  # after 16 seconds
    await server.clock.advance(4.1)
    assert await ticks(server) == 2


async def test_evidence_27_a_tick_that_fell_due_while_the_server_was_away_fires_at_once_once(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await server.clock.advance(3)
    await server.crash()
    server.clock.jump(500)
    await server.start()
    await server.host()
    await settle()
    assert await ticks(server) == 1
    await one.connect()
    await server.clock.advance(6.9)
    assert await ticks(server) == 1
    await server.clock.advance(0.2)
    assert await ticks(server) == 2


SELDOM = '''
class Lab(Page):
    """# Lab"""

    @live
    def set(page, player, what: str):
        player.session.what = what

@every(10)
def tick(session):
    ran.append("tick")
    if session.what == "fail":
        raise ValueError("on purpose")
    if session.what == "fail elsewhere":
        raise ValueError("on purpose too")
    if session.what == "count":
        session.ticks += 1
    if session.what == "volatile":
        send_to(session, "volatile", volatile=True)
    if session.what == "say":
        send_to(session, "said")

@every(10)
async def slow(session):
    if session.what == "begin":
        session.ticks += 1
    await gates.wait("slow")

def new_session(session):
    session.ticks = 0
    session.what = ""

page_order = [Lab]
'''


@pytest.mark.parametrize("what", ["", "volatile"])
async def test_ticks_that_write_nothing_leave_no_entry(serve: Serve, what: str) -> None:
    server = await serve(SELDOM)
    one = await server.opened()
    await one.ask("set", what)
    host = await server.host()
    server.gates.open("slow")
    before = host.chain.seq
    await server.clock.advance(1000)
    assert server.module.ran.count("tick") == 100
    assert host.chain.seq == before
    await one.ask("set", "say")
    await server.clock.advance(10)
    assert host.chain.seq == before + 2
    assert one.events[-1] == "said"


@pytest.mark.parametrize("snapshot", [False, True])
async def test_evidence_27_a_restart_brings_no_tick_back_that_was_had_and_wrote_nothing(
    serve: Serve, snapshot: bool
) -> None:
    """What tells that it was had is that the session has an entry from after it."""
    server = await serve(SELDOM)
    one = await server.opened()
    await server.clock.advance(35)
    await one.ask("set", "count")
    if snapshot:
        await Snapshots(await server.host()).take()
    await server.clock.advance(1)
    await server.restart()
    await one.connect()
    await settle()
    assert await ticks(server) == 0
    await server.clock.advance(3.9)
    assert await ticks(server) == 0
    await server.clock.advance(0.2)
    assert await ticks(server) == 1


async def test_evidence_27_a_tick_after_many_that_wrote_nothing_is_not_lost_in_an_outage(serve: Serve) -> None:
    server = await serve(SELDOM)
    one = await server.opened()
    await server.clock.advance(35)
    await one.ask("set", "count")
    await server.crash()
    server.clock.jump(500)
    await server.start()
    await server.host()
    await settle()
    assert await ticks(server) == 1
    await one.connect()
    await server.clock.advance(4.9)
    assert await ticks(server) == 1
    await server.clock.advance(0.2)
    assert await ticks(server) == 2


async def test_evidence_27_a_tick_is_not_lost_where_the_loop_was_late_and_something_else_came_first(
    serve: Serve,
) -> None:
    server = await serve(SELDOM)
    one = await server.opened()
    await server.clock.advance(9)
    (await server.host()).timers.stop()  # the loop does not get round to it
    await server.clock.advance(1.5)
    await one.ask("set", "count")
    await server.restart()
    await settle()
    assert await ticks(server) == 1


@pytest.mark.parametrize("what", ["count", "begin"])
async def test_evidence_27_a_tick_that_wrote_something_is_not_had_again_after_a_crash(serve: Serve, what: str) -> None:
    server = await serve(SELDOM)
    one = await server.opened()
    await one.ask("set", what)
    await server.clock.advance(10.1)
    assert await ticks(server) == 1
    await server.restart()
    await one.connect()
    await server.clock.advance(9.8)
    assert await ticks(server) == 1
    await server.clock.advance(0.2)
    assert await ticks(server) == 2


async def test_a_tick_that_fails_is_reported_in_full_once_and_then_counted(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(SELDOM)
    one = await server.opened()
    await one.ask("set", "fail")

    async def logged(seconds: float) -> list[str]:
        caplog.clear()
        await server.clock.advance(seconds)
        return [record.getMessage() for record in caplog.records if "every:tick" in record.getMessage()]

    first, *others = await logged(30)
    assert "Traceback" in first
    assert [text.split(" (session")[0] for text in others] == [
        "every:tick failed as before, 2 times in a row",
        "every:tick failed as before, 3 times in a row",
    ]
    assert len((await server.host()).errors) == 1
    await one.ask("set", "fail elsewhere")
    assert ["Traceback" in text for text in await logged(20)] == [True, False]
    await one.ask("set", "")
    assert await logged(10) == []
    await one.ask("set", "fail elsewhere")
    assert ["Traceback" in text for text in await logged(20)] == [True, False]


# ---------------------------------------------------------------- sleeping sessions


async def test_an_idle_session_is_put_away_and_comes_back_as_it_was(serve: Serve, journal: Journal) -> None:
    server = await serve(LAB, journal=journal)
    one = await server.opened()
    await one.ask("later", 5000, "woken")
    await durable(server)
    one.lose()
    await server.clock.advance(6)
    host = await server.host()
    before = {key: host.state.snapshot(key) for key in host.state.records}
    await server.clock.advance(620)
    for _ in range(100):
        await settle()
        if not server.gateway._hosts and not server.gateway._leaving:
            break
    assert server.gateway._hosts == {}
    again = await server.host()
    assert again is not host
    assert {key: again.state.snapshot(key) for key in again.state.records} == before
    assert await one.connect()
    assert await one.ask("later", 1, "x") == 2


async def test_a_session_where_a_call_is_under_way_is_not_put_away(serve: Serve) -> None:
    server = await serve(LAB.replace("@live\n    async def long", "@live(deadline=None)\n    async def long"))
    one = await server.opened()
    n = one.invoke("long")
    await settle()
    host = await server.host()
    one.lose()
    await server.clock.advance(2000)
    assert await server.host() is host
    server.gates.open("long")
    await settle()
    await one.connect()
    assert one.settled == {n: None}
    assert (await server.player()).long is True


async def test_a_session_touched_while_it_is_put_away_has_one_host(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("later", 5000, "x")
    one.lose()
    await server.clock.advance(10)
    old = await server.host()
    late = server.browser()  # it has found the host, and says hello when that is over
    await late.load()
    server.journal.hold()
    await write_something(server)
    server.gateway._touched.clear()
    server.gateway._keep_house()
    await settle(3)
    assert server.gateway._leaving
    loading = asyncio.ensure_future(server.host())
    await settle()
    assert not loading.done()
    server.journal.release()
    new = await loading
    assert new is not old
    assert new.chain.seq == old.chain.seq
    assert old.failure is not None
    assert await late.connect()
    assert await late.ask("later", 1, "y") == 2


class SlowToSave(MemoryJournal):
    """Snapshots take their time."""

    async def save(self, stream: str, snapshot: Snapshot) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        await super().save(stream, snapshot)


async def test_a_request_that_comes_late_to_a_session_being_put_away_gives_it_no_second_writer(serve: Serve) -> None:
    server = await serve(LAB, journal=SlowToSave())
    await server.clock.advance(10)
    old = await server.host()
    server.gateway._touched.clear()
    server.gateway._keep_house()
    await settle(5)
    loading = asyncio.ensure_future(server.host())
    await settle(5)
    late = asyncio.ensure_future(old.join(visitor="late"))
    await settle(100)
    new = await loading
    assert late.exception() is None
    assert len(new.state.everybody) == 2
    await new.join(visitor="later")
    assert (await server.restart()).chain.seq == new.chain.seq


async def write_something(server: Server) -> None:
    host = await server.host()
    session = host.state.session
    run = Awaited(host, Administered("t", "t"), host.activity(session, "t"))
    host.step(lambda: session.rung.append("written"), run)


async def test_a_clean_stop_lets_calls_clean_up_and_says_that_they_were_interrupted(
    serve: Serve, journal: Journal
) -> None:
    server = await serve(
        '''
        class Lab(Page):
            """# Lab"""

            @live
            async def long(page, player):
                player.busy = True
                spawn(background(player))
                try:
                    await gates.wait("long")
                finally:
                    player.busy = False

        async def background(player):
            player.working = True
            try:
                await gates.wait("background")
            finally:
                player.working = False

        page_order = [Lab]
        ''',
        journal=journal,
    )
    one = await server.opened()
    n = one.invoke("long")
    await settle()
    assert (await server.player()).fields() == {"busy": True, "working": True}
    await server.stop()
    await server.start()
    assert (await server.player()).fields() == {"busy": False, "working": False}
    await one.connect()
    assert code_of(one.settled[n]) == "interrupted"
    assert not (await server.host()).errors
