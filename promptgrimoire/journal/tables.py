"""What is written into the journal's tables and read from them, in pieces that never take long.

Owns every statement of the running journal and when the write-ahead log is folded into the file. Knows nothing of
threads; whatever reads or writes much is a generator that pauses, so that commits go on in between.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

from promptgrimoire.journal.base import Description, Listener, Loaded, Snapshot, Stream
from promptgrimoire.journal.blobs import Blobs
from promptgrimoire.journal.database import find_damage
from promptgrimoire.journal.entries import Row, with_blobs

T = TypeVar("T")
Pieces = Generator[None, None, T]  # pauses at each yield; returns its result
Waiting = tuple[Listener, Row, Description | None, int]  # the last: the row's size, in bytes

_ROWS_PER_PIECE = 200
_BYTES_PER_PIECE = 1024 * 1024
_LARGE_AT_ONCE = 32 * 1024 * 1024  # bytes of large values, after which reading gives what it has
_STREAMS_PER_PIECE = 200
_ROWS_PER_STATEMENT = 128  # 6 values each: below the 999 variables that every SQLite takes
_FRAMES_WHEN_IDLE = 1000  # 4 MB of log: folding it in takes a few milliseconds
_FRAMES_AT_MOST = 8000
_PAGE = 4096

_READ = """
SELECT seq, CAST(text AS BLOB), CAST("values" AS BLOB), salt, digest, length(text) + length("values")
FROM entries WHERE stream = ? AND seq > ? ORDER BY seq LIMIT ?
"""
_DESCRIBE = """
UPDATE streams SET
    app = CASE WHEN ?1 = '' THEN app ELSE ?1 END,
    created = CASE WHEN ?2 = 0 THEN created ELSE ?2 END,
    joined = max(joined, ?3),
    due = ?4
WHERE id = ?5
"""
_STREAMS = """
SELECT id, name, app, created, joined, due, coalesce((SELECT max(seq) FROM entries WHERE stream = streams.id), 0)
FROM streams WHERE id > ? ORDER BY id LIMIT ?
"""
_RECORDS = "SELECT record, seq, body FROM snapshots WHERE stream = ? AND record > ? ORDER BY record LIMIT ?"
_SAVE = """
INSERT INTO snapshots (stream, record, seq, body) VALUES (?, ?, ?, ?)
ON CONFLICT (stream, record) DO UPDATE SET seq = excluded.seq, body = excluded.body WHERE excluded.seq >= seq
"""
_INSERTS = tuple(
    f"INSERT INTO entries VALUES {', '.join(['(?, ?, ?, ?, ?, ?)'] * rows)}" for rows in range(_ROWS_PER_STATEMENT + 1)
)


class Tables:
    """The journal's tables behind one connection, and the blobs beside them."""

    def __init__(self, connection: sqlite3.Connection, path: Path, blobs: Blobs) -> None:
        self.path = path
        self._blobs = blobs
        self._connection = connection
        self._frames = 0  # about how many pages were written to the log since it was last folded in
        self._numbers: dict[str, int] = {
            name: number for number, name in connection.execute("SELECT id, name FROM streams")
        }

    @property
    def names(self) -> list[str]:
        """Of all streams."""
        return list(self._numbers)

    def close(self) -> None:
        self._connection.close()

    def store(self, batch: list[Waiting]) -> None:
        """All of it in one commit, or nothing; large values before, as entries must not name what is not there."""
        news: list[tuple[Row, Description | None]] = []
        for _, row, description, _ in batch:
            if row.blobs:
                for blob in row.blobs:
                    self._blobs.keep(blob.sha256, blob.text)
            if description is not None or row.stream not in self._numbers:
                news.append((row, description))
        if not news and len(batch) <= _ROWS_PER_STATEMENT:
            # One statement is a transaction by itself. Each statement gives up the interpreter's lock and has to get it
            # back from a busy event loop, so fewer statements also mean earlier acknowledgements.
            self._insert(batch)
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._describe(news)
            self._insert(batch)
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def checkpoint(self, *, idle: bool) -> None:
        """Fold the write-ahead log into the file when it has grown, preferably when nobody waits."""
        if self._frames < (_FRAMES_WHEN_IDLE if idle else _FRAMES_AT_MOST):
            return
        self._frames = 0
        # Where it fails (disk full, a reader in the way) nothing is lost, the log still has it; the next one tries
        # again.
        with contextlib.suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def load(self, name: str) -> Pieces[Loaded | None]:
        # The mark is read before the records: these may then be newer than it, which loading allows for, never older.
        line = self._connection.execute(
            "SELECT id, app, created, joined, due, mark FROM streams WHERE name = ?", (name,)
        ).fetchone()
        if line is None:
            return None
        number, app, created, joined, due, mark = line
        snapshot = None
        if mark is not None:
            records: dict[str, tuple[int, bytes]] = {}
            last_record = ""
            while lines := self._connection.execute(_RECORDS, (number, last_record, _ROWS_PER_PIECE)).fetchall():
                records.update({record: (seq, body) for record, seq, body in lines})
                last_record = lines[-1][0]
                yield
            snapshot = Snapshot(mark, records)
        last = self._connection.execute(
            "SELECT seq, digest FROM entries WHERE stream = ? ORDER BY seq DESC LIMIT 1", (number,)
        ).fetchone()
        seq, digest = last or (0, b"")
        return Loaded(Stream(name, app, created, seq, bool(joined), due), snapshot, digest)

    def read(self, name: str, after: int, limit: int, large: bool) -> Pieces[list[Row]]:
        rows = yield from self._rows(name, after, limit)
        if not large:
            return rows
        size = 0
        for index, row in enumerate(rows):
            rows[index] = whole = with_blobs(row, self._blobs.read)
            if whole is not row:
                size += sum(len(blob.text) for blob in whole.blobs)
                if size > _LARGE_AT_ONCE:
                    return rows[: index + 1]
                yield
        return rows

    def _rows(self, name: str, after: int, limit: int) -> Pieces[list[Row]]:
        rows: list[Row] = []
        number = self._number(name)
        while number is not None and len(rows) < limit:
            size = 0
            complete = True
            piece = min(_ROWS_PER_PIECE, limit - len(rows))
            count = 0
            cursor = self._connection.execute(_READ, (number, after, piece))
            for seq, text, values, salt, digest, length in cursor:
                rows.append(Row(name, seq, text, values, salt, digest))
                count += 1
                after = seq
                size += length
                if size > _BYTES_PER_PIECE:
                    complete = False
                    break
            cursor.close()
            if complete and count < piece:
                break
            yield
        return rows

    def save(self, name: str, snapshot: Snapshot) -> Pieces[None]:
        """Large ones in several commits, the mark in the last.

        Until then the old mark holds, and the records are newer than it, which loading allows for.
        """
        number = self._number(name)
        piece: list[tuple[int | None, str, int, bytes]] = []
        size = 0
        for record, (seq, body) in snapshot.records.items():
            piece.append((number, record, seq, body))
            size += len(body)
            if size > _BYTES_PER_PIECE:
                self._save_piece(piece)
                piece, size = [], 0
                yield
        self._save_piece(piece, (snapshot.mark, number))

    def streams(self) -> Pieces[list[Stream]]:
        found: list[Stream] = []
        last = 0
        while True:
            lines = self._connection.execute(_STREAMS, (last, _STREAMS_PER_PIECE)).fetchall()
            found += [
                Stream(name, app, created, seq, bool(joined), due) for _, name, app, created, joined, due, seq in lines
            ]
            if len(lines) < _STREAMS_PER_PIECE:
                return found
            last = lines[-1][0]
            yield

    def inspect(self) -> Pieces[list[str]]:
        found = find_damage(self._connection, thorough=True)
        yield
        for table in ("entries", "snapshots"):
            found += [
                f"table {table} has rows of stream number {number}, which is not in table streams"
                for (number,) in self._connection.execute(
                    f"SELECT DISTINCT stream FROM {table} WHERE stream NOT IN (SELECT id FROM streams)"
                )
            ]
            yield
        return found

    def _number(self, name: str) -> int | None:
        # Looked up anew where it is unknown: a server may have made the stream since this file was opened to be read.
        number = self._numbers.get(name)
        if number is None:
            found = self._connection.execute("SELECT id FROM streams WHERE name = ?", (name,)).fetchone()
            if found is not None:
                number = self._numbers[name] = found[0]
        return number

    def _describe(self, news: list[tuple[Row, Description | None]]) -> None:
        for row, description in news:
            number = self._numbers.get(row.stream)
            if number is None:
                number = self._connection.execute(
                    "INSERT INTO streams (name, app, created, joined) VALUES (?, '', 0, 0)", (row.stream,)
                ).lastrowid
                assert number is not None
                self._numbers[row.stream] = number
            if description is not None:
                self._connection.execute(
                    _DESCRIBE, (description.app, description.created, description.joined, description.due, number)
                )

    def _insert(self, batch: list[Waiting]) -> None:
        """In statements of up to 128 rows; each number of rows has a statement that stays prepared.

        JSON is kept as text that people can read. The digests as byte arrays: for `bytes`, the sqlite3 module looks
        whether somebody has registered an adapter, which takes longer than the copy.
        """
        numbers = self._numbers
        size = 0
        for start in range(0, len(batch), _ROWS_PER_STATEMENT):
            part = batch[start : start + _ROWS_PER_STATEMENT]
            parameters: list[object] = []
            for _, (stream, seq, text, values, salt, digest, _), _, _ in part:
                parameters += (numbers[stream], seq, text.decode(), values.decode(), bytearray(salt), bytearray(digest))
                size += len(text) + len(values)
            # `executemany` does not ask for the last row's number, and so gives up the interpreter once less.
            self._connection.executemany(_INSERTS[len(part)], [parameters])
        self._frames += 2 + size // _PAGE

    def _save_piece(
        self, piece: list[tuple[int | None, str, int, bytes]], mark: tuple[int, int | None] | None = None
    ) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(_SAVE, piece)
            if mark is not None:
                self._connection.execute("UPDATE streams SET mark = max(coalesce(mark, 0), ?) WHERE id = ?", mark)
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._frames += 2 + sum(len(body) for _, _, _, body in piece) // _PAGE

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # some errors have rolled back already
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
