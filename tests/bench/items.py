"""What an item of 20 bytes appended to a list costs: bytes of journal, time; first items against last ones.

Two sessions side by side, one with an empty list and one with a long one, take turns, so that both meet the same disk.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.bench.figures import Figure, rounded, single
from tests.bench.participants import Participant, join_all
from tests.bench.restarts import journal_files
from tests.bench.servers import Product
from tests.bench.workbench import Workbench, discard

PART = "items"
_ITEM = b'["twenty bytes it has!"]'
_TARGET = "≤ 105 %"
_TURN = 25  # items
_SETTLING = 50  # calls of each before anything is measured


class Growth(NamedTuple):
    """Of one session, for the measured items."""

    size: float  # bytes of journal for each item
    seconds: float  # for each item
    cpu: float  # seconds of the server for each item


async def measure(bench: Workbench) -> list[Figure]:
    scale = bench.scale
    first: list[Growth] = []
    last: list[Growth] = []
    for number in range(scale.items_rounds):
        bench.say(f"items: round {number + 1}")
        early, late = await _round(bench)
        first.append(early)
        last.append(late)
    measured = scale.items_measured
    ranges = f"items {scale.items - measured + 1:,}-{scale.items:,} against 1-{measured:,}"
    largest = max(growth.size for growth in first + last)
    rounds = list(zip(last, first, strict=True))
    seconds = [(late.seconds * 1e3, early.seconds * 1e3) for late, early in rounds]
    cpu = [(late.cpu * 1e3, early.cpu * 1e3) for late, early in rounds]
    return [
        single(PART, "bytes of journal per item", "B", [largest], target="≤ 600 B", note="the most of all rounds"),
        _against(f"{ranges}: bytes", "B", [(late.size, early.size) for late, early in rounds], _TARGET),
        _against(f"{ranges}: time", "ms", seconds, _TARGET),
        _against(f"{ranges}: server CPU time", "ms", cpu, ""),
    ]


def _against(name: str, unit: str, runs: list[tuple[float, float]], target: str) -> Figure:
    """Last items beside first ones (in the column of the bare server, which stores nothing)."""
    return Figure(
        PART,
        name,
        unit,
        rounded(median(late for late, _ in runs)),
        rounded(median(early for _, early in runs)),
        rounded(median(late / early for late, early in runs)),
        target,
        "compared with the first items",
        [[rounded(late), rounded(early)] for late, early in runs],
    )


async def _round(bench: Workbench) -> tuple[Growth, Growth]:
    scale = bench.scale
    with bench.product(1) as empty, bench.product(1) as long:
        (early,) = await join_all(empty.port, empty.players)
        (late,) = await join_all(long.port, long.players)
        for _ in range(_SETTLING):
            await early.asked(b"put", b"[1]")
            await late.asked(b"put", b"[1]")
        for _ in range(scale.items - scale.items_measured):
            await late.asked(b"append", _ITEM)
        growing = [_Growing(empty, early), _Growing(long, late)]
        left = scale.items_measured
        while left:
            turn = min(_TURN, left)
            for one in growing:
                await one.append(turn)
            left -= turn
        found = tuple(one.growth(scale.items_measured) for one in growing)
        length = await late.asked(b"append", _ITEM)
        if b'"ok":%d}' % (scale.items + 1) not in length:
            raise RuntimeError(f"expected {scale.items + 1} items, found {length.decode()}")
    discard(empty.database)
    discard(long.database)
    return found[0], found[1]


class _Growing:
    """One session's list, from when this is made."""

    def __init__(self, product: Product, participant: Participant) -> None:
        self._product = product
        self._participant = participant
        self._size = journal_size(product.database)
        self._seconds = 0.0
        self._cpu = 0.0

    async def append(self, items: int) -> None:
        cpu = self._product.cpu()
        began = time.perf_counter()
        for _ in range(items):
            await self._participant.asked(b"append", _ITEM)
        self._seconds += time.perf_counter() - began
        self._cpu += self._product.cpu() - cpu

    def growth(self, items: int) -> Growth:
        grown = journal_size(self._product.database) - self._size
        return Growth(grown / items, self._seconds / items, self._cpu / items)


def journal_size(database: Path) -> int:
    """Bytes of the whole journal, with the write-ahead log folded into the file."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=10)) as connection:
        (blocked, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if blocked:
        raise RuntimeError("the write-ahead log could not be folded into the file")
    return sum(file.stat().st_size for file in journal_files(database))
