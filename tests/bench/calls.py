"""Durable live calls (a field set, a small dict returned) next to a bare echo, with as many connections.

One caller is compared in pairs of short runs, with the disk's own time for a record as large measured in between.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.closed_loop import closed_loop
from tests.bench.figures import Figure, Pair, compared, percentile, single
from tests.bench.participants import Participant, join_all
from tests.bench.servers import Product
from tests.bench.wire import Socket, connect
from tests.bench.workbench import Workbench, discard

PART = "calls"
_ECHOED = b'{"type":"call","n":%d,"method":"put","args":[%d],"done":%d,"handled":%d}'
_LATENCY_TARGET = "≤ one fsync + 0.15 ms"
_SETTLING = 50  # calls before one caller is measured


class Putting:
    """A participant that calls `put`."""

    def __init__(self, participant: Participant) -> None:
        self._participant = participant
        self._then: Callable[[bool], None] = lambda expected: None

    def ask(self, then: Callable[[bool], None]) -> None:
        self._then = then
        participant = self._participant
        participant.call(b"put", b"[%d]" % participant.n, self._answered)

    def _answered(self, text: bytes) -> None:
        self._then(b'"type":"reply"' in text)


class Echoing:
    """A bare connection that sends as much as a call is."""

    def __init__(self) -> None:
        self.socket: Socket = None  # type: ignore[assignment]
        self._n = 0
        self._then: Callable[[bool], None] = lambda expected: None

    async def open(self, port: int) -> None:
        self.socket = await connect(port, "/echo", self._answered)

    def ask(self, then: Callable[[bool], None]) -> None:
        self._then = then
        n = self._n = self._n + 1
        self.socket.send(_ECHOED % (n, n, n - 1, n))

    def _answered(self, text: bytes) -> None:
        self._then(True)


async def echoes(port: int, count: int) -> list[Echoing]:
    opened = [Echoing() for _ in range(count)]
    for echoing in opened:
        await echoing.open(port)
    return opened


async def measure(bench: Workbench) -> list[Figure]:
    figures: list[Figure] = []
    for callers in bench.scale.callers:
        bench.say(f"calls: {callers}")
        with bench.product(callers) as product:
            participants = await join_all(product.port, product.players)
            bare = await echoes(bench.bare.port, callers)
            if callers == 1:
                figures += await _one_caller(bench, product, participants[0], bare)
            else:
                figures += await _many_callers(bench, product, participants, bare)
            for echoing in bare:
                await echoing.socket.close()
        discard(product.database)
    return figures


async def _many_callers(
    bench: Workbench, product: Product, participants: Sequence[Participant], bare: Sequence[Echoing]
) -> list[Figure]:
    puttings = [Putting(participant) for participant in participants]
    seconds = bench.scale.calls_seconds
    pairs: list[Pair] = []
    for number in range(bench.scale.calls_rounds + 1):
        echoed = await closed_loop(bare, bench.bare, seconds=seconds)
        pair = Pair(await closed_loop(puttings, product, seconds=seconds), echoed)
        if number:  # the first is for warming up
            pairs.append(pair)
    return _rates(f"{len(participants)} callers", pairs, "≥ 40 % of bare")


def _rates(who: str, pairs: Sequence[Pair], target: str) -> list[Figure]:
    return [
        compared(PART, f"{who}: calls per server CPU second", "1/s", pairs, lambda run: run.per_cpu, target=target),
        compared(PART, f"{who}: calls per second", "1/s", pairs, lambda run: run.rate),
        compared(PART, f"{who}: latency p50", "ms", pairs, lambda run: run.p50, scale=1e3),
        compared(PART, f"{who}: latency p99", "ms", pairs, lambda run: run.p99, scale=1e3),
    ]


async def _one_caller(
    bench: Workbench, product: Product, participant: Participant, bare: Sequence[Echoing]
) -> list[Figure]:
    putting = [Putting(participant)]
    log = product.database.with_name(product.database.name + "-wal")
    before = log.stat().st_size
    await closed_loop(putting, product, answers=_SETTLING)
    record = max(1, (log.stat().st_size - before) // _SETTLING)
    scale = bench.scale
    pairs: list[Pair] = []
    syncs: list[float] = []
    appends: list[float] = []
    for _ in range(scale.pairs):
        echoed = await closed_loop(bare, bench.bare, seconds=scale.pair_seconds)
        pairs.append(Pair(await closed_loop(putting, product, seconds=scale.pair_seconds), echoed))
        syncs.append(sync_seconds(bench.folder, record, scale.syncs, grow=False))
        appends.append(sync_seconds(bench.folder, record, scale.syncs, grow=True))
    differences = [(pair.here.p50 - pair.bare.p50) * 1e3 for pair in pairs]
    beyond = [difference - sync * 1e3 for difference, sync in zip(differences, syncs, strict=True)]
    wrote = f"write + fdatasync of {record:,} bytes, as one call writes to the log"
    return [
        *_rates("1 caller", pairs, ""),
        single(PART, "1 caller: p50 beyond bare p50, paired", "ms", differences, target=_LATENCY_TARGET),
        single(PART, "one fsync, in place, p50", "ms", [sync * 1e3 for sync in syncs], note=wrote),
        single(PART, "one fsync, growing file, p50", "ms", [sync * 1e3 for sync in appends], note=wrote),
        single(PART, "1 caller: p50 beyond bare p50 and one fsync in place", "ms", beyond, target="≤ 0.15 ms"),
    ]


def sync_seconds(folder: Path, size: int, times: int, *, grow: bool) -> float:
    """Median time of a write of `size` bytes and its fdatasync; into what is there already, or at the file's end.

    A write-ahead log does both: it grows until its first checkpoint, then is written over from the beginning.
    """
    path = folder / "fsync"
    record = os.urandom(size)
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        if not grow:
            os.write(file, bytes(size * times))
            os.fsync(file)
            os.lseek(file, 0, os.SEEK_SET)
        taken = []
        for _ in range(times):
            began = time.perf_counter()
            os.write(file, record)
            os.fdatasync(file)
            taken.append(time.perf_counter() - began)
    finally:
        os.close(file)
        path.unlink()
    return percentile(taken, 0.5)
