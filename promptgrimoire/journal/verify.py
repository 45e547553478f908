"""Checks what is stored against its chain of digests, stream by stream.

Owns the walk along a chain. Never changes anything, and never looks into values; whether snapshots agree with the
entries is the runtime's to check, which can apply them.
"""

from __future__ import annotations

import msgspec

from promptgrimoire.errors import JournalDamaged, JournalError
from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.entries import check_row, decode_row

_ROWS_AT_ONCE = 500


class Verdict(msgspec.Struct, frozen=True):
    """On one stream. `entries` were found in order; `problem` is "" or says what is wrong with the next one."""

    stream: str
    entries: int
    digest: bytes
    problem: str = ""


class Report(msgspec.Struct, frozen=True):
    """On a whole journal. `storage` is what the storage itself finds wrong."""

    streams: list[Verdict]
    storage: list[str]

    @property
    def problems(self) -> list[str]:
        return [*self.storage, *(verdict.problem for verdict in self.streams if verdict.problem)]


async def verify_stream(journal: Journal, stream: str) -> Verdict:
    """Every entry from the first on: present, readable, and chained to the one before.

    A chain cannot show that its newest entries were cut off; whoever needs that keeps `digest` elsewhere and compares.
    """
    seq, digest = 0, b""
    try:
        while rows := await journal.read(stream, after=seq, limit=_ROWS_AT_ONCE):
            for row in rows:
                if row.seq != seq + 1:
                    raise JournalDamaged(f"stream {stream!r}: expected entry {seq + 1}, found {row.seq}")
                digest = check_row(row, digest)
                decode_row(row)
                seq = row.seq
        if not seq:
            raise JournalDamaged(f"stream {stream!r}: has no entries")
    except JournalError as error:
        return Verdict(stream, seq, digest, str(error))
    return Verdict(stream, seq, digest)


async def verify(journal: Journal) -> Report:
    """All streams, and the storage below them. Reads everything: best beside a running server, opened `readonly`."""
    storage = await journal.inspect()
    try:
        names = [stream.id for stream in await journal.streams()]
    except JournalError as error:
        return Report([], [*storage, str(error)])
    return Report([await verify_stream(journal, name) for name in names], storage)
