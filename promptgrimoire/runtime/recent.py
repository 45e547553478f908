"""The newest messages of a session, for browsers that come back: in memory, and read from the journal once for all.

Bounded by number and bytes; whoever has missed more than is held here reads the journal for themselves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.entries import Row, Send, decode_row, may_send

PAGE = 500  # entries that are read at a time
_BYTES = 2_000_000
_SENDS = 10_000


class Recent:
    """Every message of an entry after `floor`."""

    def __init__(self, journal: Journal, stream: str, floor: int) -> None:
        self.floor = floor
        self._journal = journal
        self._stream = stream
        self._messages: deque[tuple[int, Send, bytes]] = deque()
        self._bytes = 0
        self._full = False  # nothing older can be held any more
        self._reading: asyncio.Future[None] | None = None

    def add(self, seq: int, send: Send, text: bytes) -> None:
        self._messages.append((seq, send, text))
        self._bytes += len(text)
        while self._bytes > _BYTES or len(self._messages) > _SENDS:
            old = self._messages.popleft()
            self._bytes -= len(old[2])
            self.floor = old[0]
            self._full = True

    def after(self, since: int) -> Iterator[tuple[int, Send, bytes]]:
        """(seq, send, text) of each message after `since` that is held, oldest first."""
        return (message for message in self._messages if message[0] > since)

    async def reach(self, since: int) -> None:
        """Hold what was said after `since`, as far as the bounds allow. Raises JournalError.

        After a restart everybody comes back at once, and some have heard nothing for long: one of them reads, the
        others wait for it.
        """
        while since < self.floor and not self._full:
            if self._reading is not None:
                await asyncio.wait([self._reading])
                continue
            self._reading = asyncio.get_running_loop().create_future()
            try:
                await self._read(since)
            finally:
                self._reading.set_result(None)
                self._reading = None
            return

    async def _read(self, since: int) -> None:
        end, at = self.floor, since
        found: deque[tuple[int, Send, bytes]] = deque()
        size = 0
        while at < end:
            rows = await self._journal.read(self._stream, after=at, limit=PAGE, large=False)
            if not rows:
                return
            for row in rows:
                at = row.seq
                for send, text in messages_of(row) if at <= end else ():
                    found.append((at, send, text))
                    size += len(text)
            while size + self._bytes > _BYTES or len(found) + len(self._messages) > _SENDS:
                if not found:
                    break
                since, _, text = found.popleft()
                size -= len(text)
                self._full = True
        # No await from here on.
        if self.floor == end:  # else so much was said meanwhile that these are not the next older ones any more
            self._messages.extendleft(reversed(found))
            self._bytes += size
            self.floor = since


def messages_of(row: Row) -> list[tuple[Send, bytes]]:
    """What an entry says, and the data of each message."""
    if not may_send(row):
        return []
    entry, values = decode_row(row)
    return [(send, bytes(raw)) for send, raw in zip(entry.sends, values[1 + len(entry.patches) : -1], strict=True)]
