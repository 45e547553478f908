"""Large values beside the journal, by the hash of their content: the contract, and where they can be kept.

Owns that they are durable and whole. Never knows which entry names them (`entries.py` does), and never deletes one:
what no entry names, because the server ended in between, takes up space and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
from abc import ABC, abstractmethod
from hashlib import sha256 as compute
from pathlib import Path
from typing import BinaryIO

from promptgrimoire.errors import JournalDamaged, JournalUnavailable

if sys.platform == "darwin":
    from fcntl import F_FULLFSYNC, fcntl

_UNFINISHED = "unfinished"  # one name is enough, as one thread writes; what a killed server left there is overwritten
_INCOMING = "incoming-"  # these come side by side; what a killed server left is removed by the next one


class Incoming(ABC):
    """A blob that comes in pieces, so that no more than a piece is in memory. For one thread at a time.

    Nothing is stored before `keep`; whoever does not call it calls `drop`.
    """

    def __init__(self) -> None:
        self._hash = compute()
        self.size = 0  # bytes so far

    def write(self, piece: bytes) -> None:
        """The next piece. Raises JournalUnavailable."""
        self._hash.update(piece)
        self.size += len(piece)
        self._add(piece)

    def keep(self) -> str:
        """Store it, and give its SHA-256: it would survive loss of power then. Raises JournalUnavailable."""
        sha256 = self._hash.hexdigest()
        self._finish(sha256)
        return sha256

    @abstractmethod
    def drop(self) -> None:
        """Leave nothing of it. After `keep` this does nothing."""

    @abstractmethod
    def _add(self, piece: bytes) -> None: ...

    @abstractmethod
    def _finish(self, sha256: str) -> None: ...


class Blobs(ABC):
    """Texts by their SHA-256 (64 hexadecimal digits). All methods wait for storage: the journal's thread calls them.

    Guarantees: when `keep` returns, the text would survive loss of power; `read` gives what was kept or raises. The
    same text is kept once, whoever wrote it and however often.
    """

    @abstractmethod
    def keep(self, sha256: str, text: bytes) -> None:
        """Store a text, whole or not at all; one that is there already, and whole, is not written again.

        Raises JournalUnavailable.
        """

    @abstractmethod
    def incoming(self) -> Incoming:
        """A blob that is going to come in pieces. Unlike everything else here this may be called from any thread."""

    @abstractmethod
    def find(self, sha256: str) -> bytes | None:
        """What is stored under this hash, None where there is nothing; not checked. Raises JournalUnavailable."""

    @abstractmethod
    def place(self, sha256: str) -> str:
        """Where a person would look for it."""

    def read(self, sha256: str, size: int) -> bytes:
        """The text with this hash. Raises JournalDamaged, naming its place, where it is missing or another one."""
        text = self.find(sha256)
        place = self.place(sha256)
        if text is None:
            raise JournalDamaged(f"{place} is missing; put it back from a backup (it belongs to the journal)")
        if len(text) != size:
            raise JournalDamaged(f"{place} has {len(text):,} bytes, expected {size:,}; put it back from a backup")
        found = compute(text).hexdigest()
        if found != sha256:
            raise JournalDamaged(f"{place} has the SHA-256 {found}, which is not its name; put it back from a backup")
        return text


class MemoryBlobs(Blobs):
    """As long as the object lives."""

    def __init__(self) -> None:
        self.texts: dict[str, bytes] = {}

    def keep(self, sha256: str, text: bytes) -> None:
        self.texts[sha256] = text

    def incoming(self) -> Incoming:
        return _InMemory(self.texts)

    def find(self, sha256: str) -> bytes | None:
        return self.texts.get(sha256)

    def place(self, sha256: str) -> str:
        return f"memory: {sha256}"


class FolderBlobs(Blobs):
    """Files in a folder, which is made with the first one: `ab/cdef…` for the hash abcdef…"""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready: set[Path] = set()  # folders that are known to survive loss of power
        self._cleaned = False

    def keep(self, sha256: str, text: bytes) -> None:
        path = self._path(sha256)
        try:
            self._make_ready(self._folder)
            self._make_ready(path.parent)
            if self.find(sha256) != text:  # a damaged one is mended
                self._write(path, text)
            # Also where it was there: its name may be younger than the last loss of power that would take it.
            _sync_folder(path.parent)
        except OSError as error:
            self._ready.clear()  # somebody may have moved the folder away
            raise _unavailable(path, error) from error

    def incoming(self) -> Incoming:
        try:
            self._make_ready(self._folder)
            if not self._cleaned:  # the journal's lock says that nobody else is writing here
                self._cleaned = True
                for left in self._folder.glob(f"{_INCOMING}*"):
                    left.unlink()
            return _InFolder(self, self._folder / f"{_INCOMING}{secrets.token_hex(8)}")
        except OSError as error:
            self._ready.clear()
            raise _unavailable(self._folder, error) from error

    def put(self, unfinished: Path, sha256: str) -> None:
        """Give a file in this folder, which is durable already, the name of its content. Raises OSError."""
        path = self._path(sha256)
        self._make_ready(path.parent)
        unfinished.rename(path)
        _sync_folder(path.parent)

    def find(self, sha256: str) -> bytes | None:
        path = self._path(sha256)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unavailable(path, error) from error

    def place(self, sha256: str) -> str:
        return str(self._path(sha256))

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256[2:]

    def _make_ready(self, folder: Path) -> None:
        if folder not in self._ready:
            folder.mkdir(exist_ok=True)
            _sync_folder(folder.parent)
            self._ready.add(folder)

    def _write(self, path: Path, text: bytes) -> None:
        """Under another name first: a file under a hash is always a whole one."""
        unfinished = self._folder / _UNFINISHED
        try:
            with unfinished.open("wb") as file:
                file.write(text)
                file.flush()
                _sync(file.fileno())
            unfinished.rename(path)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink()  # on a full disk this gives the space back
            raise


class _InMemory(Incoming):
    def __init__(self, texts: dict[str, bytes]) -> None:
        super().__init__()
        self._texts = texts
        self._pieces: list[bytes] = []

    def drop(self) -> None:
        self._pieces.clear()

    def _add(self, piece: bytes) -> None:
        self._pieces.append(bytes(piece))

    def _finish(self, sha256: str) -> None:
        self._texts[sha256] = b"".join(self._pieces)


class _InFolder(Incoming):
    def __init__(self, blobs: FolderBlobs, path: Path) -> None:
        super().__init__()
        self._blobs = blobs
        self._path = path
        self._file: BinaryIO | None = path.open("wb")

    def drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _add(self, piece: bytes) -> None:
        assert self._file is not None
        try:
            self._file.write(piece)
        except OSError as error:
            raise _unavailable(self._path, error) from error

    def _finish(self, sha256: str) -> None:
        assert self._file is not None
        try:
            self._file.flush()
            _sync(self._file.fileno())
            self._file.close()
            self._file = None
            self._blobs.put(self._path, sha256)
        except OSError as error:
            raise _unavailable(self._path, error) from error


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _sync(file: int) -> None:
    if sys.platform == "darwin":
        fcntl(file, F_FULLFSYNC)  # there an ordinary sync does not reach the disk
    else:
        os.fsync(file)


def _unavailable(path: Path, error: OSError) -> JournalUnavailable:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    mend = "the disk is full; free some space" if full else "storage does not work"
    return JournalUnavailable(f"{path}: {mend} ({error.strerror or error})")
