"""Entries, rows and listeners for the tests of the journal. Owns no journal and asserts nothing by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from promptgrimoire.commands import Called
from promptgrimoire.errors import JournalError
from promptgrimoire.journal.entries import Chain, Entry, Outcome, Row, Send
from promptgrimoire.state.patches import Patch


def entry(seq: int, *, patches: int = 1, sends: int = 0) -> Entry:
    """What a live call leaves that appends an item to a list."""
    return Entry(
        seq=seq,
        at=1_790_000_000.123456,
        cause=Called(player=12, stay=3, document="abcdefghjkmn", n=seq, method="add_item"),
        patches=[Patch("s", "splice", ["items"], seq - 1, 0, "market", 1, "market/__init__.py:23")] * patches,
        sends=[Send("added", None)] * sends,
        outcome=Outcome("ok"),
    )


def values(seq: int, *, patches: int = 1, sends: int = 0) -> list[bytes]:
    item = b'["item %d of twenty"]' % seq
    return [item, *[item] * patches, *[b"null"] * sends, b"null"]


def large_text(size: int) -> bytes:
    """JSON of so many bytes."""
    return b'"' + b"x" * (size - 2) + b'"'


def large_row(chain: Chain, size: int) -> Row:
    """The next row; what it writes has so many bytes."""
    seq = chain.seq + 1
    return chain.row(entry(seq), [b"[]", large_text(size), b"null"])


class Ear:
    """A listener that writes down what it hears, and the chain of its stream."""

    def __init__(self, stream: str, chain: Chain | None = None) -> None:
        self.chain = chain or Chain(stream)
        self.heard: list[int] = []
        self.failures: list[JournalError] = []
        self.on_stored: Callable[[int], None] = lambda seq: None
        self._changed = asyncio.Event()

    def row(self) -> Row:
        """The next row; what was heard before does not count for `something`."""
        self._changed.clear()
        seq = self.chain.seq + 1
        return self.chain.row(entry(seq), values(seq))

    def stored(self, seq: int) -> None:
        self.on_stored(seq)
        self.heard.append(seq)
        self._changed.set()

    def failed(self, error: JournalError) -> None:
        self.failures.append(error)
        self._changed.set()

    async def something(self) -> None:
        """Until it has heard anything since the last row was made."""
        async with asyncio.timeout(20):
            await self._changed.wait()
        self._changed.clear()
