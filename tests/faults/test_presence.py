"""Evidence 22, 23: who is here, over real sockets: tabs, clean closes, clients that die, servers that restart."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults.network import networks
from tests.faults.people import Person, end, open_raw
from tests.faults.servers import PATIENCE, serving

pytestmark = pytest.mark.usefixtures("hasty")


async def presence(watcher: Person, player: int) -> list[list[Any]]:
    """What the author's hooks were told of a player: [what, reason]."""
    lines = await watcher.now.invoke("present")
    return [[what, reason] for what, who, reason in lines if who == player]


async def until_presence(watcher: Person, player: int, *expected: list[Any]) -> None:
    """Wait until the author has been told exactly this, never more."""
    async with asyncio.timeout(PATIENCE):
        while (lines := await presence(watcher, player)) != list(expected):
            assert lines == list(expected)[: len(lines)], lines
            await asyncio.sleep(0.05)


async def until_last(watcher: Person, player: int, what: str) -> None:
    """Wait until this is the last that the author has been told."""
    async with asyncio.timeout(PATIENCE):
        lines = await presence(watcher, player)
        while lines[-1][0] != what:
            await asyncio.sleep(0.05)
            lines = await presence(watcher, player)


HERE = (["join", ""], ["connect", ""])


async def test_evidence_22_closing_one_of_two_tabs_changes_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, 3) as server:
        async with Person(server, 1) as watcher, Person(server, 2) as first:
            async with Person(server, 2) as second:
                await until_presence(watcher, 2, *HERE)
                await second.now.close()
            # A third participant comes and goes: by then the absence of the second tab would have counted as well.
            async with Person(server, 3) as third:
                await third.now.close()
                await until_presence(watcher, 3, *HERE, ["disconnect", "closed"])
            assert await presence(watcher, 2) == list(HERE)
            assert await first.now.invoke("echo", 1) == 1


async def test_evidence_22_a_tab_that_is_closed_cleanly_is_noticed(tmp_path: Path) -> None:
    with serving(tmp_path, 2) as server:
        async with Person(server, 1) as watcher, Person(server, 2) as leaver:
            await until_presence(watcher, 2, *HERE)
            await leaver.now.close()
            await until_presence(watcher, 2, *HERE, ["disconnect", "closed"])


async def test_evidence_22_a_client_that_is_killed_is_noticed(tmp_path: Path) -> None:
    with serving(tmp_path, 2) as server:
        async with Person(server, 1) as watcher, Person(server, 2) as victim:
            await until_presence(watcher, 2, *HERE)
            await end(victim.now)
            await until_presence(watcher, 2, *HERE, ["disconnect", "lost"])


async def test_evidence_22_a_participant_whose_network_vanishes_is_noticed(tmp_path: Path) -> None:
    """Nothing is closed, nothing arrives: only the server's own pings find out."""
    with serving(tmp_path, 2) as server:
        async with networks(server.port, 1) as (line,), Person(server, 1) as watcher:
            victim = await open_raw(server, 2, port=line.port)
            await victim.hello()
            await until_presence(watcher, 2, *HERE)
            line.swallow()
            await until_presence(watcher, 2, *HERE, ["disconnect", "lost"])


async def test_evidence_22_a_late_end_of_the_old_socket_touches_only_itself(tmp_path: Path) -> None:
    with serving(tmp_path, 3) as server:
        async with (
            networks(server.port, 1) as (line,),
            Person(server, 1) as watcher,
            Person(server, 2, line.port) as wanderer,
        ):
            # A third participant vanishes at the same moment: when that is noticed, so is the old socket's end.
            victim = await open_raw(server, 3, port=line.port)
            await victim.hello()
            await until_presence(watcher, 2, *HERE)
            await until_presence(watcher, 3, *HERE)
            line.swallow()
            await wanderer.now.until(lambda: wanderer.now.connections == 2)  # by another connection
            await until_presence(watcher, 3, *HERE, ["disconnect", "lost"])
            assert await wanderer.now.invoke("echo", 1) == 1
            assert await presence(watcher, 2) == list(HERE)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_evidence_22_a_restart_makes_nobody_leave_but_who_has_left_is_noticed_after_it(
    tmp_path: Path, how: signal.Signals
) -> None:
    with serving(tmp_path, 3) as server:
        async with Person(server, 1) as watcher, Person(server, 2) as stays:
            leaver = Person(server, 3)
            await leaver.open()
            await until_presence(watcher, 3, *HERE)
            await end(leaver.now)
            await server.restart(how)
            lines = await presence(watcher, 3)
            assert lines[:2] == list(HERE)
            await until_last(watcher, 3, "disconnect")
            assert await presence(watcher, 2) == list(HERE)
            assert await stays.now.invoke("echo", 1) == 1
            async with Person(server, 3):
                await until_last(watcher, 3, "connect")
                assert [what for what, _ in await presence(watcher, 3)].count("join") == 1
