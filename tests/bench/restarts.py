"""From a restart after `kill -9` to the first answered call, by a client that tries again every 10 ms.

Once with many calls in the session's own journal, once with many patches in other sessions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.calls import Putting
from tests.bench.closed_loop import closed_loop
from tests.bench.figures import Figure, single
from tests.bench.other_sessions import write_other_sessions
from tests.bench.participants import PageConfig, Participant, join_all, load_page
from tests.bench.servers import Product, Server, product_command
from tests.bench.workbench import Workbench, discard

PART = "restarts"
_RETRY = 0.01  # seconds
_PATIENCE = 60.0
_CALLERS = 50


async def measure(bench: Workbench) -> list[Figure]:
    return [await _after_calls(bench), await _beside_other_sessions(bench)]


async def _after_calls(bench: Workbench) -> Figure:
    scale = bench.scale
    bench.say(f"restarts: making {scale.calls_in_journal:,} calls")
    callers = min(_CALLERS, scale.calls_in_journal)
    with bench.product(callers) as product:
        participants = await join_all(product.port, product.players)
        puttings = [Putting(participant) for participant in participants]
        await closed_loop(puttings, product, answers=scale.calls_in_journal)
        page = await load_page(product.port, product.players[0])
    bench.say("restarts: after these calls")
    taken = await _restarts(product, page, scale.restarts)
    name = f"kill -9 to first answered call, {scale.calls_in_journal:,} calls in the session's journal"
    note = _size_note(product.database)
    discard(product.database)
    return single(PART, name, "s", taken, target="≤ 0.5 s", note=note)


async def _beside_other_sessions(bench: Workbench) -> Figure:
    scale = bench.scale
    bench.say(f"restarts: writing {scale.patches_in_journal:,} patches of other sessions")
    database = bench.database()
    await write_other_sessions(database, scale.sessions_in_journal, scale.patches_in_journal)
    bench.say("restarts: beside these sessions")
    with Product(database, 1) as product:
        (participant,) = await join_all(product.port, product.players)
        await participant.asked(b"put", b"[1]")
        page = await load_page(product.port, product.players[0])
    taken = await _restarts(product, page, scale.restarts)
    name = f"kill -9 to first answered call, {scale.patches_in_journal:,} patches in other sessions"
    note = f"{scale.sessions_in_journal} sessions; {_size_note(database)}"
    discard(database)
    return single(PART, name, "s", taken, target="≤ 1 s", note=note)


async def _restarts(killed: Product, page: PageConfig, times: int) -> list[float]:
    """Seconds from each start to the first answer. `killed` has been killed; so is each of these."""
    taken = []
    for number in range(times):
        command = product_command(killed.database, killed.port)
        began = time.perf_counter()
        with Server(command, killed.port) as server:
            await _first_answer(killed.port, page, f"restart{number}", server)
            taken.append(time.perf_counter() - began)
    return taken


async def _first_answer(port: int, page: PageConfig, document: str, server: Server) -> None:
    """A document with one call that has not settled, which comes back until that is answered."""
    until = time.monotonic() + _PATIENCE
    while True:
        tick = time.perf_counter()
        participant = Participant(port, page)
        try:
            async with asyncio.timeout(_PATIENCE):
                await participant.open(document, pending=[1])
                await participant.asked(b"put", b"[2]")
            await participant.socket.close()
            return
        except OSError:  # refused, or lost again
            if server.process.poll() is not None or time.monotonic() > until:
                raise
        await asyncio.sleep(max(0.0, tick + _RETRY - time.perf_counter()))


def journal_files(database: Path) -> Sequence[Path]:
    """The database and its write-ahead log."""
    return [file for file in (database, database.with_name(database.name + "-wal")) if file.exists()]


def _size_note(database: Path) -> str:
    size = sum(file.stat().st_size for file in journal_files(database))
    return f"{size / 1e6:.1f} MB of journal"
