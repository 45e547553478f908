"""Evidence 1, 11, 12, 50: the server ends, politely or not, and comes back."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.faults.checks import all_is_well
from tests.faults.people import Person, code_of
from tests.faults.servers import QUICK, UNLIMITED, serving

pytestmark = pytest.mark.usefixtures("hasty")
HOW = pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])


@HOW
@pytest.mark.parametrize("method", ["add", "add_slowly"])
async def test_evidence_12_calls_that_wait_for_others_run_after_the_restart(
    tmp_path: Path, how: signal.Signals, method: str
) -> None:
    """One call is under way, others wait behind it in their lane."""
    with serving(tmp_path, 1) as server:
        async with Person(server, 1) as person:
            first = person.ask("add_around")
            waiting = [person.ask(method) for _ in range(5)]
            await person.now.until(lambda: person.now.named("Begun"))
            await server.restart(how)
            items = await all_is_well(server, [person])
            outcomes = [code_of(call) for call in (first, *waiting)]
            # One at most was under way when the server ended; on a slow machine that may be a later one.
            assert sorted(outcomes)[1:] == ["ok"] * 5, outcomes
            done = [n for n, outcome in enumerate(outcomes, 1) if outcome == "ok"]
            assert [n for _, _, n in items if n in done] == done


@HOW
async def test_evidence_50_what_is_said_while_the_server_is_away_is_done_when_it_is_back(
    tmp_path: Path, how: signal.Signals
) -> None:
    with serving(tmp_path, 2) as server:
        async with Person(server, 1) as person, Person(server, 2) as other:
            await asyncio.to_thread(server.stop if how is signal.SIGTERM else server.kill)
            calls = [person.ask() for _ in range(3)]
            await asyncio.to_thread(server.start)
            assert len(await all_is_well(server, [person, other])) == 3
            assert [code_of(call) for call in calls] == ["ok"] * 3


@HOW
async def test_evidence_1_an_acknowledged_call_outlives_the_server_at_once(tmp_path: Path, how: signal.Signals) -> None:
    """The server is idle when it is killed: nothing comes after the call that could have flushed it."""
    with serving(tmp_path, 1) as server:
        async with Person(server, 1) as person:
            for _ in range(3):
                await person.ask()
                await server.restart(how)
                await all_is_well(server, [person])


async def test_evidence_11_kept_events_reach_whoever_was_away_across_restarts(tmp_path: Path) -> None:
    with serving(tmp_path, 2, settings={**QUICK, **UNLIMITED}) as server:
        async with Person(server, 1) as giver:
            for n in range(5):
                await giver.now.invoke("give", 2, n)
                await server.restart(signal.SIGKILL if n % 2 else signal.SIGTERM)
            async with Person(server, 2) as taker:
                await taker.now.until(lambda: len(taker.given) >= 5)
                await taker.reload()
                await giver.now.invoke("give", 2, 5)
                await taker.now.until(lambda: len(taker.given) >= 6)
            assert taker.given == [[1, n] for n in range(6)]
        assert server.complaints() == ""
