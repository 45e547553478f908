"""The journal in one SQLite file: the side that lives on the event loop.

Owns the bounds of what waits, who is to be told, and the state between failure and revival. Never touches the file; the
writer's thread does (`writer.py`), with the statements of `tables.py` on the file of `database.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from promptgrimoire.errors import JournalError, JournalUnavailable
from promptgrimoire.journal.base import Description, Journal, Listener, Loaded, Snapshot, Stream, call_listener
from promptgrimoire.journal.blobs import Blobs, FolderBlobs
from promptgrimoire.journal.database import open_for_reading, open_for_writing
from promptgrimoire.journal.entries import Row
from promptgrimoire.journal.file_lock import FileLock
from promptgrimoire.journal.tables import Pieces, Tables, Waiting
from promptgrimoire.journal.writer import Writer

T = TypeVar("T")


class SqliteJournal(Journal):
    """A journal in the file `path` (with `path`-wal, `path`-shm, `path`.lock and the folder `path`.blobs beside it).

    `readonly` needs no lock and works while a server runs; `append` and `save` are refused. `max_rows` and `max_bytes`
    bound what waits to be stored. `blobs` is where large values go, if not into that folder. `patience` is
    how many seconds another program's lock on the file is waited for.
    All methods belong to the event loop on which `open` ran.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        readonly: bool = False,
        max_rows: int = 10_000,
        max_bytes: int = 64 * 1024 * 1024,
        patience: float = 5.0,
        blobs: Blobs | None = None,
    ) -> None:
        self.path = Path(path)
        self.readonly = readonly
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._patience = patience
        self._blobs = blobs or FolderBlobs(self.path.with_name(self.path.name + ".blobs"))
        self._lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        self._state: Literal["closed", "open", "closing"] = "closed"
        self._failure: JournalError | None = None
        self._told: dict[int, Listener] = {}  # who has heard of this failure
        self._writer: Writer | None = None
        self._known: set[str] = set()  # streams that the file may have
        self._tails: dict[str, int] = {}  # seq of the last row appended to each stream that was loaded or begun
        self._appended = 0  # rows ever taken
        self._settled = 0  # of these, stored or failed
        self._bytes_waiting = 0  # of the others
        self._flushes: list[tuple[int, asyncio.Future[None]]] = []
        self._changing = asyncio.Lock()  # two sessions may ask for revival at once, and closing may come in between

    async def open(self) -> None:
        async with self._changing:
            await self._open()

    async def close(self) -> None:
        async with self._changing:
            await self._close()

    @property
    def blobs(self) -> Blobs:
        return self._blobs

    def append(self, listener: Listener, row: Row, description: Description | None = None) -> None:
        tail = self._tails.get(row.stream)
        size = row.size if row.blobs else len(row.text) + len(row.values)
        if (
            tail is None
            or row.seq != tail + 1
            or self._failure is not None
            or self._state != "open"
            or self._appended - self._settled >= self._max_rows
            or self._bytes_waiting + size > self._max_bytes
            or self._writer is None
        ):
            self._check_append(row, size)
        self._tails[row.stream] = row.seq
        self._bytes_waiting += size
        self._appended += 1
        assert self._writer is not None
        self._writer.put((listener, row, description, size))

    async def flush(self) -> None:
        self._check_writable()
        await self._all_settled()
        if self._failure is not None:
            raise self._unavailable()

    async def revive(self) -> None:
        async with self._changing:
            await self._revive()

    async def load(self, stream: str) -> Loaded | None:
        self._check_open()
        # The writer does things in the order of asking: rows that wait now are stored, or have failed, before it loads.
        loaded: Loaded | None = await self._run(lambda tables: tables.load(stream))
        if stream not in self._tails:
            self._tails[stream] = loaded.stream.seq if loaded else 0
        return loaded

    async def read(self, stream: str, *, after: int = 0, limit: int = 1000, large: bool = True) -> list[Row]:
        self._check_open()
        rows: list[Row] = await self._run(lambda tables: tables.read(stream, after, limit, large))
        return rows

    async def save(self, stream: str, snapshot: Snapshot) -> None:
        self._check_writable()
        highest = max((seq for seq, _ in snapshot.records.values()), default=0)
        highest = max(highest, snapshot.mark)
        tail = self._tails.get(stream, 0)
        if highest > tail:
            raise JournalError(f"stream {stream!r}: a snapshot as of entry {highest}, but only {tail} were appended")
        await self.flush()  # and raises where the entries were not stored: the snapshot would tell what never happened
        await self._run(lambda tables: tables.save(stream, snapshot))

    async def streams(self) -> list[Stream]:
        self._check_open()
        found: list[Stream] = await self._run(lambda tables: tables.streams())
        return sorted(found, key=lambda stream: stream.created)

    async def inspect(self) -> list[str]:
        self._check_open()
        found: list[str] = await self._run(lambda tables: tables.inspect())
        return found

    # What the writer's thread reports, on the event loop.

    def batch_stored(self, highest: dict[Listener, int], count: int, size: int) -> None:
        self._settle(count, size)
        for listener, seq in highest.items():
            call_listener(listener.stored, seq)

    def batch_failed(self, batch: list[Waiting], error: JournalError) -> None:
        if self._failure is None:
            self._failure = error
        self._settle(len(batch), sum(size for _, _, _, size in batch))
        for listener, row, _, _ in batch:
            self._tails.pop(row.stream, None)  # only what loading finds counts now
            if id(listener) in self._told:
                continue
            self._told[id(listener)] = listener
            call_listener(listener.failed, self._failure)

    def writer_ended(self, writer: Writer) -> None:
        unexpected = self._writer is writer and self._state == "open" and not writer.stopping
        rows = writer.leftovers()
        if unexpected or rows:
            self.batch_failed(rows, JournalUnavailable(f"{self.path}: the journal's thread ended unexpectedly"))

    # Below: what the above needs.

    async def _open(self) -> None:
        if self._state != "closed":
            raise JournalError(f"{self.path}: expected a closed journal, but it is {self._state}")
        if not self.readonly:
            self._lock.acquire(self.path)
        self._failure = None
        self._told = {}
        self._tails = {}
        try:
            await self._start_writer()
        except BaseException:
            self._lock.release()
            raise
        self._state = "open"

    async def _close(self) -> None:
        if self._state != "open":
            return
        self._state = "closing"
        try:
            if self._writer is not None:
                await self._writer.stop()
        finally:
            self._writer = None
            self._lock.release()
            self._state = "closed"

    async def _revive(self) -> None:
        if self._state != "open" or self.readonly:
            self._check_writable()
        if self._failure is None:
            return
        if self._writer is not None:
            await self._writer.stop()
            self._writer = None
        try:
            await self._start_writer()
        except JournalError as error:
            raise JournalUnavailable(f"storage does not work yet: {error}") from error
        self._failure = None
        self._told = {}

    async def _start_writer(self) -> None:
        opened = open_for_reading if self.readonly else open_for_writing
        path, patience, blobs = self.path, self._patience, self._blobs
        writer = Writer(lambda: Tables(opened(path, patience), path, blobs), asyncio.get_running_loop(), self)
        try:
            self._known = set(await writer.start())
        except asyncio.CancelledError:
            await writer.stop()
            raise
        self._writer = writer

    async def _run(self, work: Callable[[Tables], Pieces[T]]) -> Any:
        if self._writer is None:
            raise self._unavailable()
        return await self._writer.run(work)

    async def _all_settled(self) -> None:
        """Returns when every row appended before the call is stored or has failed."""
        if self._settled < self._appended:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._flushes.append((self._appended, future))
            await future

    def _settle(self, count: int, size: int) -> None:
        self._bytes_waiting -= size
        self._settled += count
        if self._flushes:
            for target, future in self._flushes:
                if target <= self._settled and not future.done():
                    future.set_result(None)
            self._flushes = [waiting for waiting in self._flushes if not waiting[1].done()]

    def _check_append(self, row: Row, size: int) -> None:
        """The slow way of `append`: says what is wrong, or that this is the first row of a new stream."""
        self._check_writable()
        # One that is larger than all that may wait is taken where nothing waits: else it could never be stored.
        waiting = self._appended - self._settled
        full = waiting > 0 and self._bytes_waiting + size > self._max_bytes
        if waiting >= self._max_rows or full:
            raise JournalUnavailable(
                f"{self.path}: {waiting} entries with {self._bytes_waiting} bytes wait for the disk, more"
                f" than {self._max_rows} entries or {self._max_bytes} bytes are not taken; the disk is too slow"
            )
        tail = self._tails.get(row.stream)
        if tail is None:
            if row.stream in self._known:
                raise JournalError(f"stream {row.stream!r}: load it before appending to it")
            tail = 0
        if row.seq != tail + 1:
            raise JournalError(f"stream {row.stream!r}: expected entry {tail + 1}, got {row.seq}; seq has no gaps")
        self._known.add(row.stream)

    def _check_open(self) -> None:
        if self._state != "open":
            raise JournalUnavailable(f"{self.path}: expected an open journal, but it is {self._state}")

    def _check_writable(self) -> None:
        self._check_open()
        if self.readonly:
            raise JournalUnavailable(f"{self.path}: this journal was opened for reading only")
        if self._failure is not None:
            raise self._unavailable()

    def _unavailable(self) -> JournalUnavailable:
        return JournalUnavailable(f"storage has failed and is not revived yet: {self._failure}")
