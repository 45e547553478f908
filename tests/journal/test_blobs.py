"""Large values beside the journal: durable before their entry, given back with it, never silently another or none."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from promptgrimoire.errors import JournalDamaged, JournalUnavailable, TooLarge
from promptgrimoire.journal import blobs as blobs_module
from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.blobs import Blobs, FolderBlobs, MemoryBlobs
from promptgrimoire.journal.entries import TOMBSTONE, Chain, Row, check_row, decode_row, forget_slots
from promptgrimoire.journal.large_values import LARGE
from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.journal.verify import verify
from tests.journal.conftest import Storage
from tests.journal.samples import Ear, entry, large_row, large_text

ROOT = Path(__file__).resolve().parents[2]


def name_of(text: bytes) -> str:
    return sha256(text).hexdigest()


def contents(row: Row) -> list[bytes]:
    return [bytes(value) for value in decode_row(row)[1]]


# ---------------------------------------------------------------- what every blob store promises


@pytest.fixture(params=["memory", "folder"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return MemoryBlobs() if request.param == "memory" else FolderBlobs(tmp_path / "journal.db.blobs")


def test_what_was_kept_is_read_back(blobs: Blobs) -> None:
    texts = [b'"one"', b'"two"', large_text(1_000_000)]
    for text in [*texts, *texts]:
        blobs.keep(name_of(text), text)
    for text in texts:
        assert blobs.read(name_of(text), len(text)) == text


def test_what_was_never_kept_is_missing(blobs: Blobs) -> None:
    blobs.keep(name_of(b"1"), b"1")
    assert blobs.find(name_of(b"2")) is None
    with pytest.raises(JournalDamaged, match="is missing") as error:
        blobs.read(name_of(b"2"), 1)
    assert blobs.place(name_of(b"2")) in str(error.value)


@pytest.mark.parametrize("found", [b'"ona"', b'"on', b""])
def test_another_text_under_the_name_is_damage(blobs: Blobs, found: bytes) -> None:
    name = name_of(b'"one"')
    blobs.keep(name, found)
    with pytest.raises(JournalDamaged) as error:
        blobs.read(name, 5)
    assert blobs.place(name) in str(error.value)
    blobs.keep(name, b'"one"')  # whoever writes it again mends it
    assert blobs.read(name, 5) == b'"one"'


# ---------------------------------------------------------------- files


def test_a_text_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "journal.db.blobs"
    text = large_text(300_000)
    name = name_of(text)
    FolderBlobs(folder).keep(name, text)
    before = (folder / name[:2] / name[2:]).stat()
    FolderBlobs(folder).keep(name, text)
    after = (folder / name[:2] / name[2:]).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == [name[2:]]


def test_a_file_is_synced_before_it_has_its_name_and_the_name_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loss of power cannot be had here; in which order the system was told can be seen."""
    folder = tmp_path / "journal.db.blobs"
    text = b'"text"'
    path = folder / name_of(text)[:2] / name_of(text)[2:]
    told: list[tuple[str, bool]] = []
    sync, sync_folder = blobs_module._sync, blobs_module._sync_folder

    def tell(file: int) -> None:
        told.append(("content", path.exists()))
        sync(file)

    def tell_folder(which: Path) -> None:
        told.append((which.name, path.exists()))
        sync_folder(which)

    monkeypatch.setattr(blobs_module, "_sync", tell)
    monkeypatch.setattr(blobs_module, "_sync_folder", tell_folder)
    store = FolderBlobs(folder)
    store.keep(name_of(text), text)
    made = [(tmp_path.name, False), (folder.name, False), ("content", False), (path.parent.name, True)]
    assert told == made
    told.clear()
    store.keep(name_of(text), text)
    assert told == [(path.parent.name, True)]


def test_a_folder_that_was_moved_away_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "journal.db.blobs"
    store = FolderBlobs(folder)
    store.keep(name_of(b"1"), b"1")
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(JournalUnavailable, match="storage does not work"):
        store.keep(name_of(b"1"), b"1")
    store.keep(name_of(b"1"), b"1")
    assert store.read(name_of(b"1"), 1) == b"1"


# ---------------------------------------------------------------- what every journal does with them


@pytest.mark.parametrize("slot", [0, 1, 3])
async def test_a_large_value_comes_back_and_the_entry_stays_small(storage: Storage, slot: int) -> None:
    journal = storage.journal()
    await journal.open()
    ear = Ear("a")
    written = [b"[]", b'"small"', b'"sent"', b"null"]
    written[slot] = large_text(LARGE + 1)
    row = ear.chain.row(entry(1, sends=1), written)
    assert len(row.text) + len(row.values) < 1000
    journal.append(ear, row)
    await journal.close()
    again = storage.journal()
    await again.open()
    (found,) = await again.read("a")
    assert found == row
    assert contents(found) == written
    reference = {"$": "blob", "sha256": name_of(written[slot]), "size": LARGE + 1}
    assert msgspec.json.decode(found.values)[slot] == reference
    assert msgspec.json.decode(found.text)["blobs"] == [slot]
    assert check_row(found, b"") == row.digest
    assert (await verify(again)).problems == []
    (without,) = await again.read("a", large=False)
    assert without.blobs == ()
    assert check_row(without, b"") == row.digest
    assert decode_row(without)[0] == decode_row(found)[0]
    await again.close()


async def test_what_is_not_large_and_what_is_sent_stays_in_the_entry(journal: Journal) -> None:
    ear = Ear("a")
    written = [large_text(LARGE), large_text(LARGE), large_text(LARGE + 1), large_text(LARGE)]
    row = ear.chain.row(entry(1, sends=1), written)
    assert row.blobs == ()
    assert b"blobs" not in row.text
    journal.append(ear, row)
    await journal.flush()
    assert [contents(row) for row in await journal.read("a")] == [written]


async def test_a_value_that_looks_like_a_reference_is_none(journal: Journal) -> None:
    """A participant may send what they like, and a method may return it."""
    ear = Ear("a")
    invented = b'{"$":"blob","sha256":"%s","size":5}' % (b"0" * 64)
    lie = b'"\\"blobs\\":[1]"'
    for written in ([invented, lie, invented], [b'{"blobs":[1]}', large_text(LARGE + 1), invented]):
        journal.append(ear, ear.chain.row(entry(ear.chain.seq + 1), written))
        await journal.flush()
        assert contents((await journal.read("a"))[-1]) == written
    assert (await verify(journal)).problems == []


async def test_a_forgotten_large_value_is_gone_and_the_chain_holds() -> None:
    chain = Chain("a")
    row = large_row(chain, LARGE + 1)
    kept = forget_slots(row, {1})
    assert kept.blobs == ()
    assert check_row(kept, b"") == row.digest
    assert contents(kept)[1] == TOMBSTONE
    stored = MemoryJournal()
    await stored.open()
    stored.append(Ear("a"), kept)
    await stored.flush()
    (found,) = await stored.read("a")
    assert contents(found)[1] == TOMBSTONE
    await stored.close()


def test_beyond_the_limit_is_refused_by_name_and_the_chain_is_as_it_was() -> None:
    chain = Chain("a")
    chain.largest = 500_000
    first = chain.row(entry(1), [b"[]", large_text(500_000), b"null"])
    with pytest.raises(TooLarge, match=r"'items' of s \(market/__init__\.py:23\) has 500,001 bytes.* 500,000 fit"):
        chain.row(entry(2), [b"[]", large_text(500_001), b"null"])
    with pytest.raises(TooLarge, match="what was answered"):
        chain.row(entry(2), [b"[]", b"1", large_text(500_001)])
    with pytest.raises(TooLarge, match="several steps"):
        chain.row(entry(2, patches=4), [b"[]", *[large_text(500_000)] * 4, b"null"])
    assert (chain.seq, chain.digest) == (1, first.digest)


async def test_one_larger_than_the_queue_is_stored_where_nothing_waits(storage: Storage) -> None:
    journal = storage.journal(max_bytes=100_000)
    await journal.open()
    ear = Ear("a")
    journal.append(ear, large_row(ear.chain, 300_000))
    before = ear.chain.seq, ear.chain.digest
    with pytest.raises(JournalUnavailable, match="wait"):  # what waits counts with its large values
        journal.append(ear, ear.row())
    ear.chain.back_to(*before)
    await journal.flush()
    for _ in range(3):  # and is taken off again
        journal.append(ear, large_row(ear.chain, 300_000))
        await journal.flush()
    await journal.close()


async def test_reading_much_gives_fewer_rows_and_all_of_them_in_the_end(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    await journal.open()
    ear = Ear("a")
    for _ in range(5):
        journal.append(ear, large_row(ear.chain, 12_000_000))
        journal.append(ear, ear.row())
        await journal.flush()
    first = await journal.read("a")
    assert [row.seq for row in first] == [1, 2, 3, 4, 5]
    rest = await journal.read("a", after=5)
    assert [row.seq for row in [*first, *rest]] == list(range(1, 11))
    assert (await verify(journal)).streams[0].entries == 10
    await journal.close()


# ---------------------------------------------------------------- faults


class Failing(MemoryBlobs):
    """Has no space."""

    full = True

    def keep(self, sha256: str, text: bytes) -> None:
        if self.full:
            raise JournalUnavailable("blobs: the disk is full; free some space")
        super().keep(sha256, text)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_where_a_large_value_cannot_be_stored_its_batch_fails(tmp_path: Path, kind: str) -> None:
    store = Failing()
    path = tmp_path / "journal.db"
    journal = MemoryJournal(blobs=store) if kind == "memory" else SqliteJournal(path, blobs=store)
    await journal.open()
    ear, other = Ear("a"), Ear("b")
    journal.append(other, other.row())
    journal.append(ear, large_row(ear.chain, 300_000))
    with pytest.raises(JournalUnavailable):
        await journal.flush()
    assert other.failures == ear.failures
    assert "free some space" in str(ear.failures[0])
    assert ear.heard == other.heard == []
    with pytest.raises(JournalUnavailable):
        journal.append(other, other.row())
    assert await journal.read("a") == await journal.read("b") == []
    store.full = False
    await journal.revive()
    assert await journal.load("a") is None
    assert await journal.load("b") is None
    ear = Ear("a")
    journal.append(ear, large_row(ear.chain, 300_000))
    await journal.flush()
    assert (await verify(journal)).problems == []
    await journal.close()


def run_until_killed(path: Path, moment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.journal.killed", str(path), moment]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_killed_between_large_value_and_commit(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "journal.db"
    process = run_until_killed(path, moment)
    assert (process.returncode, process.stdout) == (-signal.SIGKILL, "stored\n"), process.stderr
    name = name_of(large_text(1_000_000))
    assert (FolderBlobs(tmp_path / "journal.db.blobs").find(name) is not None) == (moment == "after")
    journal = SqliteJournal(path)
    await journal.open()
    assert (await verify(journal)).problems == []
    loaded = await journal.load("a")
    assert loaded is not None
    assert loaded.stream.seq == 1  # no entry names what may not be there
    ear = Ear("a", Chain("a", 1, loaded.digest))
    journal.append(ear, large_row(ear.chain, 1_000_000))  # the browser sends it again
    await journal.flush()
    assert contents((await journal.read("a"))[-1])[1] == large_text(1_000_000)
    assert (await verify(journal)).problems == []
    await journal.close()


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (Path.unlink, "is missing"),
        (flip, "SHA-256"),
        (lambda file: file.write_bytes(b""), "has 0 bytes, expected 300,000"),
    ],
)
@pytest.mark.parametrize("readonly", [False, True])
async def test_missing_or_damaged_is_said_with_entry_field_and_file(
    tmp_path: Path, damage: Callable[[Path], None], said: str, readonly: bool
) -> None:
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path)
    await journal.open()
    ear, other = Ear("a"), Ear("b")
    for one in (ear, other):
        journal.append(one, one.row())
        journal.append(one, large_row(one.chain, 300_000 if one is ear else 300_001))
        journal.append(one, one.row())
    await journal.close()
    name = name_of(large_text(300_000))
    file = tmp_path / "journal.db.blobs" / name[:2] / name[2:]
    damage(file)
    again = SqliteJournal(path, readonly=readonly)
    await again.open()
    rows = await again.read("a")
    with pytest.raises(JournalDamaged) as error:
        decode_row(rows[1])
    for part in ("'a'", "entry 2", "'items' of s (market/__init__.py:23)", str(file), said):
        assert part in str(error.value)
    first, second = (await verify(again)).streams
    assert (first.entries, second.entries, second.problem) == (1, 3, "")
    assert str(file) in first.problem
    await again.close()


async def test_a_reader_beside_the_server_gets_large_values(tmp_path: Path) -> None:
    server = SqliteJournal(tmp_path / "journal.db")
    await server.open()
    reader = SqliteJournal(tmp_path / "journal.db", readonly=True)
    await reader.open()
    ear = Ear("a")
    journal_row = large_row(ear.chain, 300_000)
    server.append(ear, journal_row)
    await server.flush()
    assert await reader.read("a") == [journal_row]
    await reader.close()
    await server.close()


# ---------------------------------------------------------------- blobs that come in pieces


def test_what_came_in_pieces_is_read_back_as_a_whole(blobs: Blobs) -> None:
    text = large_text(1_000_000)
    one, other = blobs.incoming(), blobs.incoming()
    for start in range(0, len(text), 100_000):
        one.write(text[start : start + 100_000])
        other.write(text[start : start + 100_000])  # somebody else sends the same at the same time
    assert blobs.find(name_of(text)) is None
    assert [one.keep(), other.keep()] == [name_of(text)] * 2
    one.drop()  # does nothing any more
    assert one.size == len(text)
    assert blobs.read(name_of(text), len(text)) == text


def test_what_is_dropped_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    incoming = blobs.incoming()
    incoming.write(b"the beginning of a file that is too large")
    incoming.drop()
    assert blobs.find(name_of(b"the beginning of a file that is too large")) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_killed_server_left_of_an_upload_is_removed_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "journal.db.blobs"
    FolderBlobs(folder).keep(name_of(b'"kept"'), b'"kept"')
    (folder / "incoming-0123456789abcdef").write_bytes(b"never finished")
    again = FolderBlobs(folder)
    going = again.incoming()
    going.write(b"under way")
    again.incoming().drop()  # a second one does not clean away the first
    assert len(list(folder.glob("incoming-*"))) == 1
    assert again.find(going.keep()) == b"under way"
    assert list(folder.glob("incoming-*")) == []
    assert again.find(name_of(b'"kept"')) == b'"kept"'


def test_a_piece_that_does_not_fit_on_the_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    incoming = FolderBlobs(tmp_path / "journal.db.blobs").incoming()
    incoming.write(b"x" * 100)

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(blobs_module, "_sync", full)
    with pytest.raises(JournalUnavailable, match="the disk is full"):
        incoming.keep()
    incoming.drop()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
