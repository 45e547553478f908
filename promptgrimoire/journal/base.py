"""The contract of a journal. `memory.py` is its reference, `tests/journal/test_contract.py` runs over every journal."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import msgspec

from promptgrimoire.errors import JournalError
from promptgrimoire.journal.blobs import Blobs
from promptgrimoire.journal.entries import Row

T = TypeVar("T")


class Listener(Protocol):
    """Who appended; called on the event loop, in order, never from within `append`."""

    def stored(self, seq: int) -> None:
        """All rows of this listener's stream up to `seq` are durable. Called once per group commit."""

    def failed(self, error: JournalError) -> None:
        """Rows after the last `stored` are not durable and will not be. Called once; the stream must be loaded anew."""


class Stream(msgspec.Struct):
    """What the journal's index knows of a stream without reading it."""

    id: str
    app: str
    created: float
    seq: int = 0  # last durable entry
    joined: bool = False  # somebody has joined
    due: float | None = None  # next deadline, seconds since 1970; wakes the session


class Description(msgspec.Struct):
    """Changes to a stream's index line; goes with the row it is appended with, in one commit.

    `app` and `created` stay as they are where "" and 0; `joined` never goes back to false; `due` is set as it stands
    here.
    """

    app: str = ""
    created: float = 0.0
    joined: bool = False
    due: float | None = None


class Snapshot(msgspec.Struct):
    """Records as of their own `seq`. Entries up to `mark` are in all of them.

    On loading, a patch of entry n applies to a record only where n > records[key][0].
    """

    mark: int
    records: Mapping[str, tuple[int, bytes]]


class Loaded(msgspec.Struct):
    stream: Stream
    snapshot: Snapshot | None
    digest: bytes  # of the last row; b"" where there is none


class Journal(ABC):
    """Append-only log of many streams.

    Guarantees: rows of a stream are durable in the order of their `seq`, without gaps (an append out of order raises
    JournalError at once); a row is either wholly there or not at all; `stored` is called only when the row would
    survive loss of power. Rows of different streams share one commit (group commit), so a slow disk delays everybody
    equally and nobody alone. Large values of a row (`row.blobs`) are stored beside it and durable before it is; `read`
    gives them back with it. Nothing is lost silently: after a failure every listener with unstored rows hears
    `failed`, and appends raise JournalUnavailable until `revive` succeeds.
    """

    @abstractmethod
    async def open(self) -> None:
        """Never starts empty over a damaged file.

        Raises JournalLocked, JournalTooNew, JournalDamaged, JournalUnavailable.
        """

    @abstractmethod
    async def close(self) -> None:
        """Everything appended is durable (or its listener has heard `failed`) when this returns."""

    @abstractmethod
    def append(self, listener: Listener, row: Row, description: Description | None = None) -> None:
        """Take a row; returns at once.

        Raises JournalUnavailable when closed, failed, or when more than the bound waits.
        A stream that was there before `open` (or that has heard `failed`) has to be loaded first: JournalError.
        """

    @abstractmethod
    async def flush(self) -> None:
        """Returns when everything appended before the call is durable; raises JournalUnavailable where it cannot be."""

    @abstractmethod
    async def revive(self) -> None:
        """Try storage again after a failure. Raises JournalUnavailable as long as it does not work."""

    @abstractmethod
    async def load(self, stream: str) -> Loaded | None:
        """A stream's index line, newest complete snapshot and last digest; None where there is no such stream."""

    @abstractmethod
    async def read(self, stream: str, *, after: int = 0, limit: int = 1000, large: bool = True) -> list[Row]:
        """Durable rows with seq > after, in order, at most `limit`, fewer where they have many large values.

        None means that there are no more. `large` is false for whoever does not need large values: then rows come
        without them. One that is missing or damaged is found out by `decode_row` (JournalDamaged).
        """

    @property
    @abstractmethod
    def blobs(self) -> Blobs:
        """Where large values and uploads are kept. Its methods wait for storage: not for the event loop's thread."""

    @abstractmethod
    async def save(self, stream: str, snapshot: Snapshot) -> None:
        """Store the changed records of a snapshot over the older ones, and its mark not before them.

        A large one may take several commits; `load` is right after each. Waits until entries up to the highest seq in
        it are durable. Raises JournalError; a failing snapshot loses nothing.
        """

    @abstractmethod
    async def streams(self) -> list[Stream]:
        """All streams, oldest first. Reads the index only."""

    async def inspect(self) -> list[str]:
        """What the storage itself finds wrong, below rows and digests; may take long. See `verify.py` for the whole."""
        return []


def call_listener(method: Callable[[T], None], argument: T) -> None:
    """For journals: call a listener's `stored` or `failed`; its exception goes to the event loop's handler."""
    try:
        method(argument)
    except Exception as error:  # boundary: one listener's fault must not keep the others waiting for ever
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"a listener of the journal failed: {method!r}", "exception": error}
        )
