"""What the SQLite journal promises beyond the contract: durability, one server per file, readers, its thread."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from promptgrimoire.errors import JournalError, JournalLocked, JournalUnavailable
from promptgrimoire.journal.base import Snapshot
from promptgrimoire.journal.database import open_for_writing
from promptgrimoire.journal.entries import Chain
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.journal.tables import Tables, Waiting
from promptgrimoire.journal.verify import verify
from tests.journal.samples import Ear

ROOT = Path(__file__).resolve().parents[2]


def start_appender(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.journal.appender", str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


async def test_evidence_1_acknowledged_is_durable_after_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    acknowledged: dict[tuple[str, int], str] = {}
    for lines in (1, 40, 300, 1200):  # from the very first entry to beyond the first checkpoint
        process = start_appender(path)
        assert process.stdout is not None
        for _ in range(lines):
            line = process.stdout.readline()
            assert line, "the appender ended by itself"
            stream, seq, digest = line.split()
            acknowledged[stream, int(seq)] = digest
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().splitlines()
        for line in rest[:-1]:  # the last line may be cut
            stream, seq, digest = line.split()
            acknowledged[stream, int(seq)] = digest
        kill(process)
        journal = SqliteJournal(path)
        await journal.open()
        report = await verify(journal)
        assert report.problems == []
        for stream in {name for name, _ in acknowledged}:
            rows = {row.seq: row.digest.hex() for row in await journal.read(stream, limit=1_000_000)}
            missing = [key for key, digest in acknowledged.items() if key[0] == stream and rows.get(key[1]) != digest]
            assert missing == []
        await journal.close()


async def test_stored_is_not_called_before_others_can_see_the_row(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path)
    await journal.open()
    reader = sqlite3.connect(path)
    seen: list[tuple[int, int]] = []
    ear = Ear("a")

    def look(seq: int) -> None:
        seen.append((seq, reader.execute("SELECT max(seq) FROM entries").fetchone()[0]))

    ear.on_stored = look
    for _ in range(50):
        journal.append(ear, ear.row())
        await ear.something()
    reader.close()
    await journal.close()
    assert seen
    assert all(visible >= seq for seq, visible in seen)


def test_evidence_1_each_commit_is_synced_before_it_is_acknowledged(tmp_path: Path) -> None:
    """Loss of power cannot be had here; that SQLite was told to sync each commit can be asked."""
    connection = open_for_writing(tmp_path / "journal.db", 0)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)
    connection.close()


async def test_evidence_9_two_servers_on_one_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    process = start_appender(path)
    assert process.stdout is not None
    process.stdout.readline()
    second = SqliteJournal(path)
    with pytest.raises(JournalLocked, match=rf"journal\.db: another server .*\(process {process.pid}\)"):
        await second.open()
    kill(process)
    await second.open()  # the lock of a killed server holds nobody up
    third = SqliteJournal(path)
    with pytest.raises(JournalLocked, match=f"process {os.getpid()}"):
        await third.open()
    await second.close()
    await third.open()
    await third.close()


async def test_a_reader_works_beside_a_server_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    server = SqliteJournal(path)
    await server.open()
    ear = Ear("a")
    reader = SqliteJournal(path, readonly=True)
    await reader.open()
    assert await reader.streams() == []
    for _ in range(3):
        journal_row = ear.row()
        server.append(ear, journal_row)
        await server.flush()
        assert (await reader.read("a"))[-1] == journal_row
    assert (await verify(reader)).problems == []
    other = Ear("b")
    row = other.row()
    with pytest.raises(JournalUnavailable, match="for reading only"):
        reader.append(other, row)
    with pytest.raises(JournalUnavailable, match="for reading only"):
        await reader.save("a", Snapshot(1, {}))
    with pytest.raises(JournalUnavailable, match="for reading only"):
        await reader.flush()
    await reader.close()
    server.append(ear, ear.row())
    await server.flush()
    await server.close()


async def test_a_reader_does_not_make_a_journal(tmp_path: Path) -> None:
    reader = SqliteJournal(tmp_path / "journal.db", readonly=True)
    with pytest.raises(JournalUnavailable, match="there is no such journal"):
        await reader.open()
    assert os.listdir(tmp_path) == []


async def test_a_killed_creation_leaves_no_half_journal(tmp_path: Path) -> None:
    """Made beside and renamed: a left-over of a creation that was cut off is thrown away, not opened."""
    (tmp_path / "journal.db.new").write_bytes(b"half")
    journal = SqliteJournal(tmp_path / "journal.db")
    await journal.open()
    await journal.close()
    assert sorted(os.listdir(tmp_path)) == ["journal.db", "journal.db.lock"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the thread is meant to die
async def test_a_dead_writer_thread_is_a_failure_not_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    await journal.open()
    ear, late = Ear("a"), Ear("late")
    journal.append(ear, ear.row())
    await journal.flush()

    (thread,) = (thread for thread in threading.enumerate() if thread.name == "promptgrimoire journal")

    def die(tables: Tables, batch: list[Waiting]) -> None:
        raise SystemExit  # not an Exception, so nothing in the thread takes it for an error of storage

    with monkeypatch.context() as patch:
        patch.setattr(Tables, "store", die)
        reading = asyncio.create_task(journal.read("a"))
        journal.append(ear, ear.row())
        journal.append(late, late.row())
        with pytest.raises(JournalUnavailable, match="ended unexpectedly"):
            await journal.flush()
        await asyncio.wait([reading])  # answered or refused, but not left waiting
        if reading.exception() is not None:
            assert isinstance(reading.exception(), JournalUnavailable)
    thread.join()  # its last words belong to this test, not to the next
    assert len(ear.failures) == len(late.failures) == 1
    with pytest.raises(JournalUnavailable, match="ended unexpectedly"):
        journal.append(ear, ear.row())
    with pytest.raises(JournalUnavailable, match="ended"):
        await journal.read("a")
    await journal.revive()
    loaded = await journal.load("a")
    assert loaded is not None
    fresh = Ear("a", Chain("a", loaded.stream.seq, loaded.digest))
    journal.append(fresh, fresh.row())
    await journal.flush()
    assert [row.seq for row in await journal.read("a")] == [1, 2]
    await journal.close()


async def test_a_snapshot_is_not_kept_where_its_entries_were_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    await journal.open()
    ear = Ear("a")
    journal.append(ear, ear.row())
    await journal.flush()

    def fail(tables: Tables, batch: list[Waiting]) -> None:
        raise OSError(5, "only entries cannot be written")

    with monkeypatch.context() as patch:
        patch.setattr(Tables, "store", fail)
        journal.append(ear, ear.row())
        with pytest.raises(JournalUnavailable, match="only entries cannot be written"):
            await journal.save("a", Snapshot(2, {"s": (2, b"never happened")}))
    await journal.revive()
    loaded = await journal.load("a")
    assert loaded is not None
    assert (loaded.stream.seq, loaded.snapshot) == (1, None)
    await journal.close()


async def test_a_batch_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path)
    await journal.open()
    ear = Ear("a")
    journal.append(ear, ear.row())
    await journal.flush()
    intruder = sqlite3.connect(path, isolation_level=None)
    intruder.execute("INSERT INTO entries VALUES (1, 4, '{}', '[]', x'00', x'00')")
    intruder.close()
    for _ in range(3):  # 2 and 3 go in, 4 does not
        journal.append(ear, ear.row())
    await ear.something()
    assert "something else has written into this file" in str(ear.failures[0])
    assert [row.seq for row in await journal.read("a")] == [1, 4]
    assert [verdict.problem for verdict in (await verify(journal)).streams] == ["stream 'a': expected entry 2, found 4"]
    await journal.close()


async def test_reading_a_lot_does_not_hold_up_commits(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.db", max_rows=100_000)
    await journal.open()
    long, live = Ear("long"), Ear("live")
    for _ in range(20_000):
        journal.append(long, long.row())
    await journal.flush()
    reading = asyncio.create_task(journal.read("long", limit=20_000))
    during = 0
    while not reading.done():
        journal.append(live, live.row())
        await live.something()
        during += not reading.done()
    assert len(reading.result()) == 20_000
    assert during >= 10  # one long statement would have let one commit through, or none
    await journal.close()


async def test_the_log_does_not_grow_without_bound(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    await journal.open()
    ear = Ear("a")
    for _ in range(4000):  # each commit writes at least one page of 4 kB: 16 MB if nothing were folded in
        journal.append(ear, ear.row())
        await ear.something()
    assert (tmp_path / "journal.db-wal").stat().st_size < 12_000_000
    await journal.close()
    assert not (tmp_path / "journal.db-wal").exists()


async def test_evidence_5_an_entry_costs_what_it_should(tmp_path: Path) -> None:
    """A call that appends an item of 20 bytes: at most 600 bytes of file, the ten-thousandth like the first."""
    journal = SqliteJournal(tmp_path / "journal.db")
    sizes = []
    ear = Ear("a")
    for _ in range(10):
        await journal.open()
        await journal.load("a")
        for _ in range(1000):
            journal.append(ear, ear.row())
        await journal.close()
        sizes.append((tmp_path / "journal.db").stat().st_size)
    assert sizes[0] <= 600_000
    assert sizes[9] - sizes[8] <= 1.1 * sizes[0]


async def test_people_can_read_it_with_the_sqlite_shell(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    await journal.open()
    ear = Ear("a")
    journal.append(ear, ear.row())
    await journal.close()
    connection = sqlite3.connect(tmp_path / "journal.db")
    found = connection.execute(
        "SELECT json_extract(text, '$.cause.method'), json_extract(\"values\", '$[1]'),"
        " typeof(text), typeof(\"values\") FROM entries JOIN streams ON entries.stream = streams.id WHERE name = 'a'"
    ).fetchone()
    connection.close()
    assert found == ("add_item", '["item 1 of twenty"]', "text", "text")


async def test_a_large_snapshot_and_large_entries_go_through(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    await journal.open()
    ear = Ear("a")
    row = ear.row()._replace(values=b'["' + b"x" * 1_000_000 + b'"]')
    journal.append(ear, row)
    await journal.flush()
    assert await journal.read("a") == [row]
    records = {f"p{number}": (1, bytes([number % 256]) * 2000) for number in range(3000)}
    await journal.save("a", Snapshot(1, records))
    loaded = await journal.load("a")
    assert loaded is not None
    assert loaded.snapshot == Snapshot(1, records)
    await journal.close()


async def test_a_journal_that_cannot_be_opened_can_be_opened_later(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "missing" / "journal.db")
    with pytest.raises(JournalUnavailable, match="directory must exist"):
        await journal.open()
    (tmp_path / "missing").mkdir()
    await journal.open()
    with pytest.raises(JournalError):
        await journal.open()
    await journal.close()
