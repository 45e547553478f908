"""The journal's thread: takes all rows that wait, commits them at once, tells the event loop; reads in between.

Owns the connection, from opening to closing, and the order of work: first what waits to be stored, then one piece of
one reading or saving job. Never touches the listeners, which live on the event loop, and never drops a row silently.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from promptgrimoire.errors import JournalError, JournalUnavailable
from promptgrimoire.journal.base import Listener
from promptgrimoire.journal.database import storage_error
from promptgrimoire.journal.tables import Pieces, Tables, Waiting


class Owner(Protocol):
    """What the thread reports to, always on the event loop."""

    def batch_stored(self, highest: dict[Listener, int], count: int, size: int) -> None:
        """`count` rows with `size` bytes are durable; the highest seq of each listener among them."""

    def batch_failed(self, batch: list[Waiting], error: JournalError) -> None:
        """None of these rows is stored, and nothing will be any more by this writer."""

    def writer_ended(self, writer: Writer) -> None:
        """The thread has ended: asked to, or because of an error that nobody foresaw."""


class Job:
    """Something to do between commits: a generator that pauses, and the future that gets what it returns."""

    def __init__(self, work: Callable[[Tables], Pieces[Any]], future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future
        self.pieces: Pieces[Any] | None = None


class Writer:
    """One thread with one connection; when either is broken, it is thrown away and another one is made."""

    def __init__(self, opened: Callable[[], Tables], loop: asyncio.AbstractEventLoop, owner: Owner) -> None:
        self._opened = opened
        self._loop = loop
        self._owner = owner
        self._queue: SimpleQueue[list[Waiting] | Job | None] = SimpleQueue()
        self._gathered: list[Waiting] = []  # appended in this turn of the loop
        self._batch: list[Waiting] = []  # taken from the queue and not yet reported
        self._jobs: deque[Job] = deque()
        self._thread = threading.Thread(target=self._run, name="promptgrimoire journal", daemon=True)
        self._started: asyncio.Future[list[str]] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self.stopping = False
        self._context = Context()

    async def start(self) -> list[str]:
        """The names of all streams in the file. Raises what opening raises."""
        self._thread.start()
        return await self._started

    def put(self, waiting: Waiting) -> None:
        """Take a row. The thread gets all rows of one turn of the loop at once.

        Woken by each row, it would commit the first one alone, and take the interpreter from the loop to do so.
        """
        gathered = self._gathered
        if not gathered:
            self._loop.call_soon(self._hand_over, context=self._context)
        gathered.append(waiting)

    def _hand_over(self) -> None:
        gathered = self._gathered
        if gathered:
            self._gathered = []
            self._queue.put(gathered)

    async def stop(self) -> None:
        """Returns when everything put before is stored or reported as failed, and the file is closed."""
        self.stopping = True
        self._hand_over()
        self._queue.put(None)
        await asyncio.shield(self._ended)

    async def run(self, work: Callable[[Tables], Pieces[Any]]) -> Any:
        """What `work` returns. Jobs take turns, piece by piece; rows that wait go before each piece."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._ended.done():
            raise JournalUnavailable("the journal's thread has ended; revive the journal or open it again")
        self._hand_over()
        self._queue.put(Job(work, future))
        return await future

    def leftovers(self) -> list[Waiting]:
        """After the end: rows that were never reported. Jobs that were never finished hear of it here."""
        self._hand_over()
        rows, self._batch = self._batch, []
        while True:
            try:
                item = self._queue.get_nowait()
            except Empty:
                break
            if isinstance(item, list):
                rows += item
            elif item is not None:
                self._jobs.append(item)
        while self._jobs:
            future = self._jobs.popleft().future
            _finish(future, None, JournalUnavailable("the journal was closed before this was done"))
        if not self._ended.done():
            self._ended.set_result(None)
        return rows

    def _run(self) -> None:
        tables: Tables | None = None
        try:
            try:
                tables = self._opened()
            except Exception as error:  # boundary: whatever it is, it belongs to whoever opened the journal
                self._tell(_finish, self._started, None, error)
                return
            self._tell(_finish, self._started, tables.names, None)
            self._serve(tables)
        finally:
            try:
                if tables is not None:
                    tables.close()
            finally:
                self._tell(self._owner.writer_ended, self)

    def _serve(self, tables: Tables) -> None:
        failure: JournalError | None = None
        going = True
        while going:
            going = self._take()
            batch = self._batch
            if batch:
                failure = failure or self._attempt(tables, lambda: tables.store(self._batch))
                if failure is None:
                    highest = {listener: row.seq for listener, row, _, _ in batch}
                    self._tell(self._owner.batch_stored, highest, len(batch), sum([size for _, _, _, size in batch]))
                else:
                    self._tell(self._owner.batch_failed, batch, failure)
                self._batch = []
            if failure is None:  # after telling: whoever waits for an acknowledgement does not wait for this as well
                failure = self._attempt(tables, lambda: tables.checkpoint(idle=self._queue.empty()))
                if failure is not None:
                    self._tell(self._owner.batch_failed, [], failure)
            if going and self._jobs:
                self._step(tables, self._jobs.popleft())

    def _take(self) -> bool:
        """All that waits. False when asked to end."""
        going = True
        wait = not self._jobs
        while True:
            try:
                item = self._queue.get(wait)
            except Empty:
                return going
            wait = False
            if isinstance(item, list):
                self._batch += item
            elif item is None:
                going = False
            else:
                self._jobs.append(item)

    def _attempt(self, tables: Tables, work: Callable[[], None]) -> JournalError | None:
        try:
            work()
        except Exception as error:  # boundary: a thread that dies here would leave everybody waiting
            return storage_error(tables.path, error)
        return None

    def _step(self, tables: Tables, job: Job) -> None:
        if job.future.cancelled():
            if job.pieces is not None:
                job.pieces.close()
            return
        try:
            if job.pieces is None:
                job.pieces = job.work(tables)
            next(job.pieces)
        except StopIteration as end:
            self._tell(_finish, job.future, end.value, None)
        except Exception as error:  # boundary: a job that fails is its caller's affair, the thread goes on
            self._tell(_finish, job.future, None, storage_error(tables.path, error))
        else:
            self._jobs.append(job)

    def _tell(self, function: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            if not self._loop.is_closed():
                raise
            self._queue.put(None)  # nobody is there any more to tell


def _finish(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.done():  # its caller was cancelled
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
