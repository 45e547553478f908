"""A server reduced to its journal: appends to three streams for ever, prints what was acknowledged, until it is killed.

Run as `python -m tests.journal.appender FILE`. Each line of its output: stream, seq, digest of an acknowledged entry.
"""

from __future__ import annotations

import asyncio
import sys

from promptgrimoire.journal.base import Snapshot
from promptgrimoire.journal.entries import Chain
from promptgrimoire.journal.sqlite import SqliteJournal
from tests.journal.samples import Ear


async def append_for_ever(path: str) -> None:
    journal = SqliteJournal(path)
    await journal.open()
    ears = []
    digests: dict[tuple[str, int], str] = {}
    for name in ("a", "b", "c"):
        loaded = await journal.load(name)
        chain = Chain(name, loaded.stream.seq, loaded.digest) if loaded else Chain(name)
        ear = Ear(name, chain)

        def acknowledge(seq: int, name: str = name) -> None:
            print(name, seq, digests[name, seq], flush=True)

        ear.on_stored = acknowledge
        ears.append(ear)
    while True:
        for number, ear in enumerate(ears):
            for _ in range(number + 1):
                row = ear.row()
                digests[row.stream, row.seq] = row.digest.hex()
                journal.append(ear, row)
        await journal.flush()
        if ears[0].chain.seq % 50 == 0:
            await journal.save("a", Snapshot(ears[0].chain.seq, {"s": (ears[0].chain.seq, b"x" * 5000)}))


if __name__ == "__main__":
    asyncio.run(append_for_ever(sys.argv[1]))
