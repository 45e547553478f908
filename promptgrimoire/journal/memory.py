"""The journal in memory: the reference that every other journal is measured against, and what most tests run on.

Owns the rows as long as the object lives, so that closing and opening it again is like restarting a server. Never
durable; in exchange storage can be held up, broken and cut off at will.
"""

from __future__ import annotations

import asyncio
from collections import deque

from promptgrimoire.errors import JournalError, JournalUnavailable
from promptgrimoire.journal.base import Description, Journal, Listener, Loaded, Snapshot, Stream, call_listener
from promptgrimoire.journal.blobs import Blobs, MemoryBlobs
from promptgrimoire.journal.entries import Row, with_blobs


class MemoryJournal(Journal):
    """Rows "reach the disk" once per turn of the event loop, all that wait at once, unless `hold` is in force."""

    def __init__(
        self, *, max_rows: int = 10_000, max_bytes: int = 64 * 1024 * 1024, blobs: Blobs | None = None
    ) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        # What a disk would keep.
        self._blobs = blobs or MemoryBlobs()
        self._rows: dict[str, list[Row]] = {}
        self._index: dict[str, Stream] = {}
        self._snapshots: dict[str, Snapshot] = {}
        # What a process would lose.
        self._open = False
        self._holding = False
        self._broken: JournalError | None = None
        self._failure: JournalError | None = None
        self._waiting: deque[tuple[Listener, Row, Description | None]] = deque()
        self._bytes_waiting = 0
        self._tails: dict[str, int] = {}
        self._commit_due: asyncio.Handle | None = None
        self._settled: list[asyncio.Future[None]] = []

    @property
    def blobs(self) -> Blobs:
        return self._blobs

    # For tests: a disk that can be told what to do.

    def hold(self) -> None:
        """From now on nothing becomes durable, as if the disk were very slow."""
        self._holding = True

    def release(self) -> None:
        """The end of `hold`: what waited becomes durable now, in one commit; `stored` is called before this returns."""
        self._holding = False
        self._commit()

    def break_storage(self, error: JournalError | None = None) -> None:
        """The next commit fails, and `revive` fails, until `mend_storage`."""
        self._broken = error or JournalUnavailable("memory: the disk is full; free some space")

    def mend_storage(self) -> None:
        """`revive` will succeed."""
        self._broken = None

    def crash(self) -> None:
        """Like `kill -9`: what is not durable is gone, nobody is told. `open` starts anew."""
        self._forget_process()

    # The contract.

    async def open(self) -> None:
        if self._open:
            raise JournalError("expected a closed journal, but it is open")
        self._forget_process()
        self._open = True

    async def close(self) -> None:
        if self._open:
            self.release()
            self._forget_process()

    def append(self, listener: Listener, row: Row, description: Description | None = None) -> None:
        self._check_usable()
        size = row.size
        if len(self._waiting) >= self._max_rows or (self._waiting and self._bytes_waiting + size > self._max_bytes):
            raise JournalUnavailable(
                f"{len(self._waiting)} entries with {self._bytes_waiting} bytes wait, more than {self._max_rows}"
                f" entries or {self._max_bytes} bytes are not taken"
            )
        tail = self._tails.get(row.stream)
        if tail is None:
            if row.stream in self._index:
                raise JournalError(f"stream {row.stream!r}: load it before appending to it")
            tail = 0
        if row.seq != tail + 1:
            raise JournalError(f"stream {row.stream!r}: expected entry {tail + 1}, got {row.seq}; seq has no gaps")
        self._tails[row.stream] = row.seq
        self._waiting.append((listener, row, description))
        self._bytes_waiting += size
        if self._commit_due is None:
            self._commit_due = asyncio.get_running_loop().call_soon(self._commit)

    async def flush(self) -> None:
        self._check_usable()
        await self._all_settled()
        if self._failure is not None:
            raise self._unavailable()

    async def revive(self) -> None:
        self._check_open()
        if self._failure is None:
            return
        if self._broken is not None:
            raise JournalUnavailable(f"storage does not work yet: {self._broken}")
        self._failure = None

    async def load(self, stream: str) -> Loaded | None:
        self._check_open()
        await self._all_settled()
        line = self._index.get(stream)
        self._tails.setdefault(stream, line.seq if line else 0)
        if line is None:
            return None
        snapshot = self._snapshots.get(stream)
        if snapshot is not None:
            snapshot = Snapshot(snapshot.mark, dict(snapshot.records))
        rows = self._rows[stream]
        return Loaded(_copy(line), snapshot, rows[-1].digest)

    async def read(self, stream: str, *, after: int = 0, limit: int = 1000, large: bool = True) -> list[Row]:
        self._check_open()
        rows = self._rows.get(stream, [])[max(after, 0) : max(after, 0) + limit]
        return [with_blobs(row, self.blobs.read) for row in rows] if large else rows

    async def save(self, stream: str, snapshot: Snapshot) -> None:
        self._check_usable()
        highest = max(snapshot.mark, *(seq for seq, _ in snapshot.records.values()), 0)
        tail = self._tails.get(stream, 0)
        if highest > tail:
            raise JournalError(f"stream {stream!r}: a snapshot as of entry {highest}, but only {tail} were appended")
        await self.flush()
        if self._broken is not None:
            raise JournalUnavailable(str(self._broken))
        older = self._snapshots.get(stream, Snapshot(0, {}))
        records = dict(older.records)
        for key, record in snapshot.records.items():
            if key not in records or records[key][0] <= record[0]:
                records[key] = record
        self._snapshots[stream] = Snapshot(max(older.mark, snapshot.mark), records)

    async def streams(self) -> list[Stream]:
        self._check_open()
        return sorted(map(_copy, self._index.values()), key=lambda stream: stream.created)

    def _commit(self) -> None:
        if self._commit_due is not None:
            self._commit_due.cancel()
            self._commit_due = None
        if self._holding:
            return
        batch = list(self._waiting)
        self._waiting.clear()
        self._bytes_waiting = 0
        if batch and self._broken is not None and self._failure is None:
            self._failure = self._broken
        if self._failure is None:
            self._keep_blobs(batch)
        settled, self._settled = self._settled, []
        for future in settled:
            if not future.done():
                future.set_result(None)
        if self._failure is None:
            self._store(batch)
        else:
            self._fail(batch, self._failure)

    def _keep_blobs(self, batch: list[tuple[Listener, Row, Description | None]]) -> None:
        try:
            for _, row, _ in batch:
                for blob in row.blobs:
                    self.blobs.keep(blob.sha256, blob.text)
        except JournalError as error:
            self._failure = error

    def _store(self, batch: list[tuple[Listener, Row, Description | None]]) -> None:
        highest: dict[int, tuple[Listener, int]] = {}
        for listener, row, description in batch:
            self._rows.setdefault(row.stream, []).append(row._replace(blobs=()) if row.blobs else row)
            line = self._index.setdefault(row.stream, Stream(row.stream, "", 0.0))
            line.seq = row.seq
            if description is not None:
                line.app = description.app or line.app
                line.created = description.created or line.created
                line.joined = line.joined or description.joined
                line.due = description.due
            highest[id(listener)] = (listener, row.seq)
        for listener, seq in highest.values():
            call_listener(listener.stored, seq)

    def _fail(self, batch: list[tuple[Listener, Row, Description | None]], failure: JournalError) -> None:
        told = {}
        for listener, row, _ in batch:
            self._tails.pop(row.stream, None)
            told[id(listener)] = listener
        for listener in told.values():
            call_listener(listener.failed, failure)

    async def _all_settled(self) -> None:
        if self._waiting:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._settled.append(future)
            await future

    def _forget_process(self) -> None:
        if self._commit_due is not None:
            self._commit_due.cancel()
        for future in self._settled:
            future.cancel()
        self._open = self._holding = False
        self._failure = self._commit_due = None
        self._waiting.clear()
        self._bytes_waiting = 0
        self._tails.clear()
        self._settled = []

    def _check_open(self) -> None:
        if not self._open:
            raise JournalUnavailable("expected an open journal, but it is closed")

    def _check_usable(self) -> None:
        self._check_open()
        if self._failure is not None:
            raise self._unavailable()

    def _unavailable(self) -> JournalUnavailable:
        return JournalUnavailable(f"storage has failed and is not revived yet: {self._failure}")


def _copy(line: Stream) -> Stream:
    return Stream(line.id, line.app, line.created, line.seq, line.joined, line.due)
