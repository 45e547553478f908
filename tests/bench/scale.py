"""How much is measured: the whole, or just enough to see that everything runs. Owns numbers only."""

from __future__ import annotations

from typing import NamedTuple


class Scale(NamedTuple):
    callers: tuple[int, ...]  # one caller is compared in pairs of short runs
    calls_rounds: int
    calls_seconds: float  # of one run
    pairs: int  # of runs with one caller
    pair_seconds: float
    syncs: int  # in each of these rounds
    recipients: tuple[int, ...]
    deliveries: int  # in one run
    fanout_rounds: int
    http_connections: int
    http_rounds: int
    http_seconds: float
    joins: int  # in one run
    thinkers: int
    thinking_rounds: int
    thinking_seconds: float
    connections: int  # for memory
    memory_settled: float  # seconds without growth before it is read
    restarts: int
    calls_in_journal: int
    sessions_in_journal: int
    patches_in_journal: int  # of all these sessions together
    items: int  # in the list, at the end
    items_measured: int  # the first and the last of them
    items_rounds: int


WHOLE = Scale(
    callers=(1, 50, 500),
    calls_rounds=5,
    calls_seconds=2.0,
    pairs=40,
    pair_seconds=0.2,
    syncs=30,
    recipients=(50, 200, 1000),
    deliveries=50_000,
    fanout_rounds=5,
    http_connections=10,
    http_rounds=5,
    http_seconds=1.5,
    joins=400,
    thinkers=200,
    thinking_rounds=3,
    thinking_seconds=6.0,
    connections=1000,
    memory_settled=0.5,
    restarts=5,
    calls_in_journal=100_000,
    sessions_in_journal=100,
    patches_in_journal=1_000_000,
    items=10_000,
    items_measured=1_000,
    items_rounds=3,
)
QUICK = Scale(
    callers=(1, 5),
    calls_rounds=2,
    calls_seconds=0.1,
    pairs=2,
    pair_seconds=0.05,
    syncs=3,
    recipients=(10,),
    deliveries=100,
    fanout_rounds=2,
    http_connections=3,
    http_rounds=2,
    http_seconds=0.1,
    joins=20,
    thinkers=5,
    thinking_rounds=1,
    thinking_seconds=1.2,
    connections=10,
    memory_settled=0.05,
    restarts=1,
    calls_in_journal=200,
    sessions_in_journal=3,
    patches_in_journal=300,
    items=200,
    items_measured=50,
    items_rounds=1,
)
