"""What presence, `new_player`, hooks and timers are after a restart, wherever it comes: nothing is lost, nothing twice.

The clock is the test's. Each of these was on its way when the process died: not stored yet, stored, or waiting.
"""

from __future__ import annotations

import asyncio

import pytest

from promptgrimoire.journal.base import Journal
from promptgrimoire.runtime.recovery import Snapshots
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def later(page, player, seconds: float, waits: bool = False):
        after(seconds, rung_slowly if waits else rung, player)

    @live
    def write(page, player):
        player.session.written = True

def new_player(player):
    ran.append("new_player")
    player.session.made += 1

def on_join(player):
    player.session.log.append(["join", player.id])

def on_connect(player):
    player.session.log.append(["connect", player.id])

def on_disconnect(player, reason):
    player.session.log.append(["disconnect", player.id])

def rung(player):
    player.session.rung += 1

async def rung_slowly(player):
    player.session.rung += 1
    await gates.wait("rung")
    player.session.rung += 10

@every(10)
def tick(session):
    session.ticks += 1

def new_session(session):
    session.made = session.ticks = session.rung = 0
    session.log = []

page_order = [Lab]
'''

SLOW = '''
class Lab(Page):
    """# Lab"""

async def on_connect(player):
    player.session.log.append("coming")
    await gates.wait("connect")
    player.session.log.append("come")

async def on_disconnect(player):
    player.session.log.append("going")
    await gates.wait("disconnect")
    player.session.log.append("gone")

def new_session(session):
    session.log = []

page_order = [Lab]
'''


async def log(server: Server) -> list[object]:
    found: list[object] = (await server.host()).state.session.log
    return list(found)


async def again(server: Server, snapshot: bool = False) -> None:
    """Everything that has happened is stored; then the server is another."""
    host = await server.host()
    await host.durable()
    if snapshot:
        await Snapshots(host).take()
    await server.restart()


# ---------------------------------------------------------------- presence


@pytest.mark.parametrize("snapshot", [False, True])
async def test_presence_is_after_a_restart_what_it_was_and_who_is_away_has_the_grace_anew(
    serve: Serve, journal: Journal, snapshot: bool
) -> None:
    server = await serve(LAB, players=3, journal=journal)
    one, two, three = [await server.opened(player) for player in (1, 2, 3)]
    three.lose()
    await server.clock.advance(6)
    two.lose()
    await server.clock.advance(4)  # of the five that it may be away
    known = [["join", 1], ["connect", 1], ["join", 2], ["connect", 2], ["join", 3], ["connect", 3], ["disconnect", 3]]
    assert await log(server) == known

    await again(server, snapshot)
    host = await server.host()
    assert [player.online for player in host.state.everybody] == [True, True, False]
    await one.connect()
    await server.clock.advance(4.9)
    assert [player.online for player in host.state.everybody] == [True, True, False]
    await server.clock.advance(0.2)
    assert [player.online for player in host.state.everybody] == [True, False, False]
    await two.connect()
    await three.connect()
    await again(server, snapshot)
    await server.clock.advance(1)
    assert await log(server) == [*known, ["disconnect", 2], ["connect", 2], ["connect", 3]]


async def test_who_comes_and_goes_unstored_comes_and_goes_once(serve: Serve) -> None:
    server = await serve(LAB)
    one = server.browser()
    await one.load()
    await settle()
    server.journal.hold()
    coming = asyncio.ensure_future(one.connect())
    await settle()
    coming.cancel()
    await server.restart()
    assert await log(server) == []
    await one.connect()
    assert await log(server) == [["join", 1], ["connect", 1]]
    await (await server.host()).durable()

    server.journal.hold()
    one.lose()
    await server.clock.advance(6)
    assert (await log(server))[-1] == ["disconnect", 1]
    await server.restart()
    assert (await server.player()).online is True
    await server.clock.advance(6)
    assert await log(server) == [["join", 1], ["connect", 1], ["disconnect", 1]]
    await again(server)
    await server.clock.advance(60)
    assert await log(server) == [["join", 1], ["connect", 1], ["disconnect", 1]]


async def test_hooks_of_coming_and_going_that_were_cut_off_while_they_waited_count_as_run(serve: Serve) -> None:
    server = await serve(SLOW)
    one = await server.opened()
    assert await log(server) == ["coming"]
    await again(server)
    await one.connect()
    server.gates.open("connect")
    await server.clock.advance(60)
    assert await log(server) == ["coming"]
    one.lose()
    await server.clock.advance(6)
    assert await log(server) == ["coming", "going"]
    await again(server)
    server.gates.open("disconnect")
    await server.clock.advance(60)
    assert await log(server) == ["coming", "going"]
    await one.connect()
    await settle()
    assert await log(server) == ["coming", "going", "coming", "come"]


# ---------------------------------------------------------------- new_player


async def test_evidence_24_a_player_whose_joining_was_not_stored_is_made_when_they_ask_again(serve: Serve) -> None:
    server = await serve(LAB, players=0)
    server.journal.hold()
    joining = asyncio.ensure_future((await server.host()).join(visitor="me"))
    await settle()
    assert server.module.ran == ["new_player"]
    assert not joining.done()  # nobody has been told
    await server.restart()
    joining.cancel()
    host = await server.host()
    assert (len(host.state.everybody), host.state.session.made) == (0, 0)
    token = await host.join(visitor="me")
    assert (len(host.state.everybody), host.state.session.made) == (1, 1)
    await again(server)
    host = await server.host()
    assert await host.join(visitor="me") == token
    assert (len(host.state.everybody), host.state.session.made) == (1, 1)


# ---------------------------------------------------------------- timers


async def rung(server: Server) -> int:
    found: int = (await server.host()).state.session.rung
    return found


async def test_evidence_27_a_timer_whose_entry_was_not_stored_fires_again_and_one_that_was_does_not(
    serve: Serve,
) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("later", 5)
    server.journal.hold()
    await server.clock.advance(6)
    assert await rung(server) == 1
    await server.restart()
    await settle()
    assert await rung(server) == 1
    await again(server)
    await server.clock.advance(60)
    assert await rung(server) == 1


async def test_evidence_27_a_timer_that_was_cut_off_while_it_waited_does_not_fire_again(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("later", 5, True)
    await server.clock.advance(6)
    assert server.gates.waiting == ["rung"]
    await again(server)
    server.gates.open("rung")
    await server.clock.advance(60)
    assert await rung(server) == 1
    assert (await server.host()).timers.next_due() is None


async def test_evidence_27_a_timer_of_a_call_that_was_not_stored_was_never_set(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    server.journal.hold()
    one.invoke("later", 5)
    await settle()
    assert (await server.host()).timers.next_due() is not None
    await server.restart()
    assert (await server.host()).timers.next_due() is None
    await one.connect()  # and makes the call again
    await settle()
    await server.clock.advance(6)
    assert await rung(server) == 1


async def test_every_goes_on_after_a_restart_for_as_long_as_somebody_may_come_back(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await server.clock.advance(8)
    await again(server)
    await server.clock.advance(4)  # within the grace
    session = (await server.host()).state.session
    assert session.ticks == 1
    await server.clock.advance(100)
    assert session.ticks == 1  # nobody came
    await again(server)
    await server.clock.advance(100)
    assert (await server.host()).state.session.ticks == 1
    await one.connect()
    await server.clock.advance(9.9)
    assert (await server.host()).state.session.ticks == 1
    await server.clock.advance(0.2)
    assert (await server.host()).state.session.ticks == 2
