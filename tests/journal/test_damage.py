"""Files that are damaged, foreign or newer: refused, left byte for byte as they are; what changed in them is found."""

from __future__ import annotations

import random
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from promptgrimoire.errors import JournalDamaged, JournalError, JournalTooNew
from promptgrimoire.journal.entries import Row
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.journal.verify import verify
from tests.journal.samples import Ear

PAGE = 4096


async def make(path: Path, streams: int = 3, entries: int = 60) -> dict[str, list[Row]]:
    journal = SqliteJournal(path)
    await journal.open()
    ears = [Ear(f"stream {number}") for number in range(streams)]
    for _ in range(entries):
        for ear in ears:
            journal.append(ear, ear.row())
    await journal.flush()
    rows = {ear.chain.stream: await journal.read(ear.chain.stream) for ear in ears}
    await journal.close()
    return rows


def alter(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    return change


def cut(size: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:size])

    return change


def overwrite(start: int, content: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        whole = bytearray(path.read_bytes())
        whole[start : start + len(content)] = content
        path.write_bytes(whole)

    return change


def replace_by_other_database(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE holidays (day TEXT)")
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param(lambda path: path.write_bytes(b"Dear diary, " * 1000), "expected an SQLite database", id="text"),
        pytest.param(cut(0), "an empty file", id="empty"),
        pytest.param(cut(50), "expected an SQLite database", id="half a header"),
        pytest.param(cut(5 * PAGE), "malformed", id="truncated"),
        pytest.param(cut(5 * PAGE + 17), "malformed", id="truncated within a page"),
        pytest.param(overwrite(2 * PAGE, bytes(3 * PAGE)), "journal.db: ", id="zeroed pages"),
        pytest.param(overwrite(0, bytes(100)), "expected an SQLite database", id="zeroed header"),
        pytest.param(replace_by_other_database, "belongs to another program", id="another program's"),
        pytest.param(alter("PRAGMA application_id = 1"), "application id 0x1", id="foreign application_id"),
        pytest.param(alter("PRAGMA user_version = 0"), "expected file version 1, found 0", id="no version"),
        pytest.param(alter("ALTER TABLE entries DROP COLUMN salt"), "table entries has the columns", id="no salt"),
        pytest.param(alter("ALTER TABLE streams ADD COLUMN mood TEXT"), "mood", id="unknown column"),
        pytest.param(alter("DROP TABLE snapshots"), r"table snapshots has the columns \(\)", id="no table"),
    ],
)
async def test_evidence_8_a_damaged_file_is_refused_and_left_untouched(
    tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    path = tmp_path / "journal.db"
    await make(path)
    sound = path.read_bytes()
    damage(path)
    before = path.read_bytes()
    for readonly in (False, True):
        with pytest.raises(JournalDamaged, match=said) as refusal:
            await SqliteJournal(path, readonly=readonly).open()
        assert "left as it is" in str(refusal.value)
        assert path.read_bytes() == before
    path.write_bytes(sound)  # a restored backup; and no lock is left behind
    journal = SqliteJournal(path)
    await journal.open()
    assert (await verify(journal)).problems == []
    await journal.close()


async def test_evidence_8_a_file_from_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await make(path)
    alter("PRAGMA user_version = 2")(path)
    before = path.read_bytes()
    with pytest.raises(JournalTooNew, match=r"file version 2, this one reads 1.*install that version"):
        await SqliteJournal(path).open()
    assert path.read_bytes() == before


async def test_a_newer_version_is_noticed_in_the_write_ahead_log(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await make(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA user_version = 2")
    assert struct.unpack(">I", path.read_bytes()[60:64]) == (1,)  # not in the file itself yet
    with pytest.raises(JournalTooNew):
        await SqliteJournal(path).open()
    connection.close()


async def test_a_lost_file_is_not_replaced_by_an_empty_one_while_its_log_is_there(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await make(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA user_version = 1")
    log = tmp_path / "journal.db-wal"
    newest = log.read_bytes()
    connection.close()
    path.unlink()
    log.write_bytes(newest)
    with pytest.raises(JournalDamaged, match=r"the file is missing, but journal\.db-wal"):
        await SqliteJournal(path).open()
    assert log.read_bytes() == newest
    assert not path.exists()


async def test_flipped_bytes_are_found(tmp_path: Path) -> None:
    """Anywhere in the file: opening refuses it, or verifying finds it, or every row still reads as it was written."""
    path = tmp_path / "journal.db"
    rows = await make(path)
    sound = path.read_bytes()
    chance = random.Random(20)
    found = harmless = 0
    for _ in range(150):
        place = chance.randrange(len(sound))
        overwrite(place, bytes([sound[place] ^ (1 << chance.randrange(8))]))(path)
        journal = SqliteJournal(path, readonly=True)
        try:
            await journal.open()
        except JournalError:
            found += 1
        else:
            if (await verify(journal)).problems:
                found += 1
            else:
                harmless += 1
                for stream, written in rows.items():
                    assert await journal.read(stream) == written
            await journal.close()
        path.write_bytes(sound)
    assert found > 75  # the rest fell on space that is not in use
    assert harmless > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE entries SET \"values\" = replace(\"values\", 'item 7', 'item 8') WHERE seq = 7", "entry 7 has digest"),
        ("UPDATE entries SET text = replace(text, 'add_item', 'del_item') WHERE seq = 9", "entry 9 has digest"),
        ("UPDATE entries SET text = replace(text, '{\"format\":1,', '{') WHERE seq = 9", "entry 9 is not readable"),
        ("DELETE FROM entries WHERE seq = 9", "expected entry 9, found 10"),
        ("DELETE FROM entries WHERE seq <= 9", "expected entry 1, found 10"),
        ("UPDATE entries SET digest = zeroblob(32) WHERE seq = 60", "entry 60 has digest 0000"),
        ("UPDATE streams SET name = 'renamed' WHERE id = 2", "stream 'renamed': entry 1 has digest"),
        ("DELETE FROM streams WHERE id = 2", "rows of stream number 2"),
        ("DELETE FROM entries WHERE stream = 2", "stream 'stream 1': has no entries"),
    ],
)
async def test_what_was_changed_by_hand_is_found_and_named(tmp_path: Path, change: str, said: str) -> None:
    path = tmp_path / "journal.db"
    await make(path)
    alter(change)(path)
    journal = SqliteJournal(path, readonly=True)
    await journal.open()
    assert any(said in problem for problem in (await verify(journal)).problems)
    await journal.close()


async def test_damage_found_while_running_is_damage_of_that_stream_only(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    await make(path)
    alter("UPDATE entries SET text = CAST(x'ff00' AS TEXT) WHERE stream = 1 AND seq = 3")(path)
    journal = SqliteJournal(path)
    await journal.open()
    verdicts = (await verify(journal)).streams
    assert [(verdict.entries, bool(verdict.problem)) for verdict in verdicts] == [(2, True), (60, False), (60, False)]
    await journal.close()
