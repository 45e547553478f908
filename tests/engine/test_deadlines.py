"""Durable deadlines of the framework: what an outage of any length does to each policy, exactly once, at scale."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptgrimoire.commands import DeadlineReached
from promptgrimoire.journal.base import Journal
from promptgrimoire.runtime.activities import Run
from promptgrimoire.runtime.deadlines import Deadlines
from promptgrimoire.runtime.host import Host
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

LAB = '''
class Lab(Page):
    """# Lab"""

page_order = [Lab]
'''
ALIVE = 15.0  # seconds between two signs that the server is there, while an outage must not count


class Bell:
    """Clears each deadline of its kind that it is called for, and notes when; `clears` = False: only notes."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.rang: list[tuple[str, float]] = []
        self.clears = True
        host.deadlines.on("bell", self.ring)

    def ring(self, rest: str) -> None:
        self.rang.append((rest, self.host.clock.now()))
        if self.clears:
            run = Run(self.host, DeadlineReached(f"bell:{rest}"), self.host.activity(self.host.state.session, "bell"))
            self.host.step(lambda: self.host.deadlines.clear(f"bell:{rest}"), run)


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> dict[Host, Bell]:
    """Every host has a bell from its beginning, as parts of the framework register theirs."""
    made: dict[Host, Bell] = {}
    usual = Deadlines.__init__

    def with_bell(self: Deadlines, host: Host) -> None:
        usual(self, host)
        host.deadlines = self
        made[host] = Bell(host)

    monkeypatch.setattr(Deadlines, "__init__", with_bell)
    return made


async def _set(server: Server, key: str, seconds: float, policy: Any = "at_once") -> float:
    host = await server.host()
    due = server.clock.now() + seconds
    await server.act(lambda: host.deadlines.set(key, due, policy))
    return due


async def test_a_deadline_is_called_when_it_is_due_and_once(serve: Serve, bells: dict[Host, Bell]) -> None:
    server = await serve(LAB)
    due = await _set(server, "bell:a", 10)
    later = await _set(server, "bell:b", 20)
    bell = bells[await server.host()]
    await server.clock.advance(9.9)
    assert bell.rang == []
    await server.clock.advance(100)
    assert bell.rang == [("a", due), ("b", later)]


async def test_a_deadline_that_is_set_again_or_cleared_is_not_called_at_its_old_time(
    serve: Serve, bells: dict[Host, Bell]
) -> None:
    server = await serve(LAB)
    host = await server.host()
    for key, seconds in (("bell:a", 10), ("bell:b", 10), ("bell:a", 30)):
        await _set(server, key, seconds)
    await server.act(lambda: host.deadlines.clear("bell:b"))
    await server.act(lambda: host.deadlines.clear("bell:unheard of"))
    await server.clock.advance(29)
    assert bells[host].rang == []
    await server.clock.advance(1)
    assert [name for name, _ in bells[host].rang] == ["a"]


@pytest.mark.parametrize("undone", ["set", "clear"])
async def test_what_is_undone_leaves_deadlines_as_they_were(serve: Serve, bells: dict[Host, Bell], undone: str) -> None:
    server = await serve(LAB)
    host = await server.host()
    due = await _set(server, "bell:a", 10)

    def fails() -> None:
        if undone == "set":
            host.deadlines.set("bell:a", due + 50)
            host.deadlines.set("bell:b", due - 5)
        else:
            host.deadlines.clear("bell:a")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await server.act(fails)
    await server.clock.advance(60)
    assert bells[host].rang == [("a", due)]


async def test_what_was_called_and_not_cleared_is_called_again_without_hurry(
    serve: Serve, bells: dict[Host, Bell]
) -> None:
    server = await serve(LAB)
    bell = bells[await server.host()]
    bell.clears = False
    await _set(server, "bell:a", 10)
    await server.clock.advance(35)
    assert len(bell.rang) == 3
    bell.clears = True
    await server.clock.advance(100)
    assert len(bell.rang) == 4


async def test_evidence_27_a_deadline_of_the_framework_wakes_a_session_that_nobody_touches(
    serve: Serve, journal: Journal, bells: dict[Host, Bell]
) -> None:
    server = await serve(LAB, journal=journal)
    due = await _set(server, "bell:a", 5000)
    await server.clock.advance(700)
    assert server.session not in server.gateway._hosts
    (stream,) = await server.gateway.sessions()
    assert stream.due == due
    await server.clock.advance(4310)
    async with asyncio.timeout(30):
        while not server.gateway._hosts:  # noqa: ASYNC110 - it is the disk that is waited for, not the clock
            await asyncio.sleep(0.005)
        await server.clock.advance(1)
    (rang,) = bells[await server.host()].rang
    assert rang[0] == "a"
    assert due <= rang[1] <= due + 20


@pytest.mark.parametrize("outage", [3.0, 20.0, 3600.0, 90 * 86_400.0])
async def test_evidence_27_what_fell_due_during_an_outage_is_called_according_to_its_policy(
    serve: Serve, bells: dict[Host, Bell], outage: float
) -> None:
    server = await serve(LAB)
    dues: dict[str, float] = {}
    for policy in ("at_once", "grace", "pause"):
        dues[policy] = await _set(server, f"bell:{policy}", 40, policy)
    await server.clock.advance(39)
    down = server.clock.now()
    await server.crash()
    server.clock.jump(outage)
    back = server.clock.now()
    await server.start()
    host = await server.host()
    await server.clock.advance(200)
    rang = dict(bells[host].rang)
    assert len(bells[host].rang) == 3
    assert rang["at_once"] == max(dues["at_once"], back)
    assert rang["grace"] == max(dues["grace"], back + server.settings.grace.reconnect)
    # Never sooner than the time that was left, and later by less than what lies between two signs of life.
    assert back + dues["pause"] - down <= rang["pause"] <= back + dues["pause"] - down + ALIVE


async def test_an_outage_does_not_count_twice_when_there_is_a_second_one(serve: Serve, bells: dict[Host, Bell]) -> None:
    server = await serve(LAB)
    due = await _set(server, "bell:a", 100, "pause")
    for _ in range(5):
        await server.clock.advance(10)
        await server.crash()
        server.clock.jump(1000)
        await server.start()
        await server.host()
    host = await server.host()
    await server.clock.advance(200)
    ((_, rang),) = bells[host].rang
    assert due + 5000 <= rang <= due + 5000 + 5 * ALIVE


async def test_a_session_that_is_loaded_long_after_the_outage_was_not_away_for_longer(
    serve: Serve, bells: dict[Host, Bell]
) -> None:
    server = await serve(LAB)
    due = await _set(server, "bell:a", 500, "pause")
    await server.crash()
    server.clock.jump(100)
    await server.start()
    await server.clock.advance(300)  # nobody has asked for the session so far
    host = await server.host()
    assert host.deadlines.due("bell:a") == due + 100


async def test_a_session_stays_loaded_while_a_deadline_runs_for_which_outages_do_not_count(
    serve: Serve, bells: dict[Host, Bell]
) -> None:
    server = await serve(LAB)
    due = await _set(server, "bell:a", 2000, "pause")
    host = await server.host()
    await server.clock.advance(1900)
    assert server.gateway._hosts[server.session] is host
    await server.clock.advance(101)
    assert bells[host].rang == [("a", due)]
    await server.clock.advance(700)
    assert server.session not in server.gateway._hosts


async def test_signs_of_life_are_journaled_only_while_an_outage_must_not_count(
    serve: Serve, bells: dict[Host, Bell]
) -> None:
    server = await serve(LAB)
    host = await server.host()
    await _set(server, "bell:a", 100)
    before = host.chain.seq
    await server.clock.advance(90)
    assert host.chain.seq == before
    await _set(server, "bell:b", 60, "pause")
    before = host.chain.seq
    await server.clock.advance(59)
    assert host.chain.seq == before + 3 + 1  # four quarters of a minute, less the last; and a
    await server.clock.advance(60)
    after = host.chain.seq
    await server.clock.advance(400)
    assert host.chain.seq == after


async def test_deadlines_go_on_after_storage_was_away(serve: Serve, bells: dict[Host, Bell]) -> None:
    server = await serve(LAB)
    due = await _set(server, "bell:a", 60, "pause")
    once = await _set(server, "bell:b", 60)
    await server.clock.advance(20)
    down = server.clock.now()
    server.journal.break_storage()
    await _set(server, "bell:c", 5000)
    await settle()
    assert server.session not in server.gateway._hosts
    await server.clock.advance(500)
    server.journal.mend_storage()
    await server.clock.advance(10)
    back = server.gateway._back
    assert back >= down + 500
    host = await server.host()
    await server.clock.advance(100)
    rang = dict(bells[host].rang)
    assert rang["b"] >= max(once, back)
    assert back + due - down <= rang["a"] <= back + due - down + ALIVE
