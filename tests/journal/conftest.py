"""Storages that a journal can be opened on, opened again, broken and mended: one for each journal."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.journal.sqlite import SqliteJournal


class Storage(ABC):
    """What outlives a server."""

    @abstractmethod
    def journal(self, *, max_rows: int = 10_000, max_bytes: int = 64 * 1024 * 1024) -> Journal:
        """A journal on this storage, not yet open. Only one at a time is to be open."""

    @abstractmethod
    def break_it(self) -> None:
        """From now on nothing can be written."""

    @abstractmethod
    def mend_it(self) -> None: ...


class MemoryStorage(Storage):
    def __init__(self) -> None:
        self._journal: MemoryJournal | None = None

    def journal(self, *, max_rows: int = 10_000, max_bytes: int = 64 * 1024 * 1024) -> Journal:
        if self._journal is None:
            self._journal = MemoryJournal(max_rows=max_rows, max_bytes=max_bytes)
        return self._journal

    def break_it(self) -> None:
        assert self._journal is not None
        self._journal.break_storage()

    def mend_it(self) -> None:
        assert self._journal is not None
        self._journal.mend_storage()


class SqliteStorage(Storage):
    """Broken by another program that holds a lock on the file and does not let go."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "journal.db"
        self._other: sqlite3.Connection | None = None

    def journal(self, *, max_rows: int = 10_000, max_bytes: int = 64 * 1024 * 1024) -> Journal:
        return SqliteJournal(self.path, max_rows=max_rows, max_bytes=max_bytes, patience=0)

    def break_it(self) -> None:
        self._other = sqlite3.connect(self.path, isolation_level=None)
        self._other.execute("BEGIN IMMEDIATE")

    def mend_it(self) -> None:
        if self._other is not None:
            self._other.close()
            self._other = None


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return MemoryStorage() if request.param == "memory" else SqliteStorage(tmp_path)


@pytest.fixture
async def journal(storage: Storage) -> AsyncGenerator[Journal]:
    """An open journal."""
    journal = storage.journal()
    await journal.open()
    yield journal
    storage.mend_it()
    await journal.close()
