"""The SQLite file: its tables, how it is made and opened, and which errors mean what.

Owns the schema, its version and every check before the first statement. Never starts empty over a file that it does not
understand, never changes such a file, and knows nothing of threads or the event loop.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from promptgrimoire.errors import JournalDamaged, JournalError, JournalTooNew, JournalUnavailable

APPLICATION_ID = 0x50474A31  # "PGJ1"
USER_VERSION = 1

_MAGIC = b"SQLite format 3\0"
_HEADER = 100
_PAGE_SIZE = 4096  # measured: larger pages make each small commit write more and save nothing
_CACHE = 16 * 1024  # kB
_LARGEST_LOG = 16 * 1024 * 1024  # bytes the write-ahead log may keep on disk when it is empty
_ROOM = 1024 * 1024  # bytes that must be free, else a full disk would be opened, fail, be opened, fail, ...
_CHECKED_WHOLE = 16 * 1024 * 1024  # bytes; a file up to this size is checked page by page when it is opened

# An ordinary table rather than WITHOUT ROWID: rows lie in the order of arrival, so that a commit of 50 sessions fills
# one page after the other instead of touching 50 of them (measured: half the time, 5 % less space).
_SCHEMA = """
CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    app TEXT NOT NULL,
    created REAL NOT NULL,
    joined INTEGER NOT NULL,
    due REAL,
    mark INTEGER
);
CREATE TABLE entries (
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    text TEXT NOT NULL,
    "values" TEXT NOT NULL,
    salt BLOB NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (stream, seq)
);
CREATE TABLE snapshots (
    stream INTEGER NOT NULL,
    record TEXT NOT NULL,
    seq INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (stream, record)
);
"""
_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "streams": ("id", "name", "app", "created", "joined", "due", "mark"),
        "entries": ("stream", "seq", "text", "values", "salt", "digest"),
        "snapshots": ("stream", "record", "seq", "body"),
    }
)
_AS_IT_IS = "The file is left as it is"


def open_for_writing(path: Path, patience: float) -> sqlite3.Connection:
    """A connection to the journal at `path`, which is made where there is none. The caller holds the file's lock.

    `patience` is how many seconds another program's lock (a shell, a backup) is waited for.
    Raises JournalTooNew, JournalDamaged, JournalUnavailable.
    """
    try:
        free = shutil.disk_usage(path.parent).free
        if free < _ROOM:
            raise JournalUnavailable(f"{path}: the disk is full ({free} bytes are free); free some space")
        if not path.exists():
            _create(path)
        _check(path)
        connection = _connect(path, "rw", patience)
        try:
            _configure(connection)
            connection.execute("BEGIN IMMEDIATE")  # fails at once where the file is not writable
            # Writes a page and syncs it, so that a disk without space is noticed here and not by the first participant.
            connection.execute(f"PRAGMA user_version = {USER_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise storage_error(path, error) from error
    return connection


def open_for_reading(path: Path, patience: float) -> sqlite3.Connection:
    """A connection that cannot change anything; works beside a server. Raises as `open_for_writing` does."""
    try:
        if not path.exists():
            raise JournalUnavailable(f"{path}: there is no such journal")
        _check(path)
        return _connect_for_reading(path, patience)
    except (sqlite3.Error, OSError) as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: Exception) -> JournalError:
    """What an error of SQLite or the operating system means for a journal, with what to do about it."""
    if isinstance(error, JournalError):
        return error
    if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.ProgrammingError):
        # Errors that Python itself raises while reading (text that is not UTF-8) have no code.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_ERROR):
            return _damaged(path, str(error))
        if code == sqlite3.SQLITE_CONSTRAINT:
            return _damaged(path, f"an entry was already there ({error}); something else has written into this file")
        mend = {
            sqlite3.SQLITE_FULL: "the disk is full; free some space",
            sqlite3.SQLITE_READONLY: "the file or its directory is read-only; make both writable for the server",
            sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; it and its directory must be writable for the server",
            sqlite3.SQLITE_BUSY: "another program holds a lock on it; close that program (a shell, a backup, a viewer)",
            sqlite3.SQLITE_IOERR: "the disk reported an error; look at the disk before anything else",
        }.get(code, "storage does not work")
        return JournalUnavailable(f"{path}: {mend} (SQLite: {error})")
    if isinstance(error, OSError):
        return JournalUnavailable(f"{path}: storage does not work ({error.strerror or error})")
    return JournalUnavailable(f"{path}: the journal stopped unexpectedly ({type(error).__name__}: {error})")


def find_damage(connection: sqlite3.Connection, *, thorough: bool) -> list[str]:
    """What SQLite itself finds wrong with the file's pages; `thorough` also compares every index with its table."""
    pragma = "integrity_check" if thorough else "quick_check"
    try:
        found = [str(line) for (line,) in connection.execute(f"PRAGMA {pragma}(20)")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def _create(path: Path) -> None:
    """Made beside it and then renamed: a file under the journal's name is always a whole one."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise _damaged(path, f"the file is missing, but {log.name} with its newest entries is there; put the file back")
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    connection = sqlite3.connect(fresh, isolation_level=None)
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {USER_VERSION}")
        connection.executescript(_SCHEMA)
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    os.rename(fresh, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # else loss of power could take the new name, and with it everything acknowledged
    finally:
        os.close(directory)


def _check(path: Path) -> None:
    _check_header(path)
    connection = _connect_for_reading(path, 1.0)
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        _check_version(path, version)
        for table, expected in _COLUMNS.items():
            found = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
            if found != list(expected):
                raise _damaged(
                    path, f"table {table} has the columns ({', '.join(found)}), expected ({', '.join(expected)})"
                )
        if path.stat().st_size <= _CHECKED_WHOLE and (damage := find_damage(connection, thorough=False)):
            raise _damaged(path, "; ".join(damage[:3]))
    finally:
        connection.close()


def _check_header(path: Path) -> None:
    """Before SQLite sees the file, which might take its write-ahead log for its own."""
    with path.open("rb") as file:
        header = file.read(_HEADER)
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise _damaged(
            path, f"expected an SQLite database, found {(len(header) and repr(header[:16])) or 'an empty file'}"
        )
    version, application = struct.unpack(">4xI4xI", header[56:72])
    if application != APPLICATION_ID:
        raise _damaged(
            path, f"this database belongs to another program (application id {application:#x}, not {APPLICATION_ID:#x})"
        )
    _check_version(path, version)


def _check_version(path: Path, version: int) -> None:
    if version > USER_VERSION:
        raise JournalTooNew(
            f"{path}: written by a newer promptgrimoire (file version {version}, this one reads {USER_VERSION});"
            f" install that version. {_AS_IT_IS}"
        )
    if version != USER_VERSION:
        raise _damaged(path, f"expected file version {USER_VERSION}, found {version}")


def _connect_for_reading(path: Path, patience: float) -> sqlite3.Connection:
    connection = _connect(path, "ro", patience)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        log = path.with_name(path.name + "-wal")
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) or log.exists():
            raise
        # SQLite wants to share memory with a server through a file beside this one, which cannot be made here; and as
        # there is no write-ahead log, there is no server either.
        return _connect(path, "ro&immutable=1", patience)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, mode: str, patience: float) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=patience, cached_statements=192)


def _configure(connection: sqlite3.Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise JournalUnavailable(f"SQLite cannot keep a write-ahead log here (it says {mode!r}); use a local disk")
    connection.execute("PRAGMA synchronous = FULL")  # each commit is on the disk before it is acknowledged
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer checkpoints after acknowledging, not before
    connection.execute(f"PRAGMA journal_size_limit = {_LARGEST_LOG}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE}")
    connection.execute("PRAGMA secure_delete = ON")  # a forgotten value is overwritten, not only unlinked
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA fullfsync = ON")  # on macOS an ordinary sync does not reach the disk


def _damaged(path: Path, what: str) -> JournalDamaged:
    return JournalDamaged(f"{path}: {what}. {_AS_IT_IS}; restore a backup, or give the server another file")
