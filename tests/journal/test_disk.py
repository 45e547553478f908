"""A disk that is full or read-only: refused in words, nothing half-written; everything goes on when it works again."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Generator
from pathlib import Path

import pytest

from promptgrimoire.errors import JournalError, JournalUnavailable
from promptgrimoire.journal.entries import Chain
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.journal.verify import verify
from tests.journal.samples import Ear, large_row

NOBODY = 65534


class Disk(ABC):
    said = ""  # what a full one is called in the message

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def fill(self) -> None: ...

    @abstractmethod
    def free(self) -> None: ...


class SmallDisk(Disk):
    """A real file system of four megabytes; filled up with another file."""

    said = "free some space"

    def fill(self) -> None:
        with (self.folder / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                return

    def free(self) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)


class LimitedProcess(Disk):
    """Where no file system can be mounted: files of this process cannot grow."""

    said = "the disk reported an error"

    def fill(self) -> None:
        log = next(self.folder.glob("*-wal"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, resource.RLIM_INFINITY))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.fixture(params=["mounted", "limited"])
def disk(request: pytest.FixtureRequest) -> Generator[Disk]:
    folder = Path(tempfile.mkdtemp())  # not pytest's: a mount left by a killed run would be in the way of the next ones
    mount = shutil.which("mount")
    mounted = False
    if request.param == "mounted" and os.geteuid() == 0 and mount:
        command = [mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    disk: Disk = SmallDisk(folder) if mounted else LimitedProcess(folder)
    yield disk
    disk.free()
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    shutil.rmtree(folder)


async def test_disk_full_refuses_and_recovers(disk: Disk) -> None:
    journal = SqliteJournal(disk.folder / "journal.db")
    await journal.open()
    ear, idle = Ear("a"), Ear("idle")
    for one in (ear, idle):
        journal.append(one, one.row())
    await journal.flush()
    for _ in range(2):  # the second time the log is there already
        disk.fill()
        stored = 0
        while not ear.failures:
            journal.append(ear, ear.row())
            await ear.something()
        stored = ear.heard[-1]
        assert disk.said in str(ear.failures[0])
        before = (idle.chain.seq, idle.chain.digest)
        with pytest.raises(JournalUnavailable, match=disk.said):
            journal.append(idle, idle.row())
        idle.chain.back_to(*before)
        with pytest.raises(JournalUnavailable, match=disk.said):
            await journal.flush()
        disk.free()
        await journal.revive()
        assert len(ear.failures) == 1
        assert idle.failures == []
        loaded = await journal.load("a")
        assert loaded is not None
        assert loaded.stream.seq == stored  # what was acknowledged, and nothing else
        ear = Ear("a", Chain("a", loaded.stream.seq, loaded.digest))
        for one in (ear, idle):
            journal.append(one, one.row())
        await journal.flush()
    assert (await verify(journal)).problems == []
    await journal.close()


async def test_a_disk_that_is_still_full_does_not_count_as_mended(disk: Disk) -> None:
    journal = SqliteJournal(disk.folder / "journal.db")
    await journal.open()
    ear = Ear("a")
    journal.append(ear, ear.row())
    await journal.flush()
    for _ in range(20):  # folding in the log may make room, which is used up again
        disk.fill()
        while not ear.failures:
            journal.append(ear, ear.row())
            await ear.something()
        disk.fill()
        try:
            await journal.revive()
        except JournalUnavailable:
            break
        loaded = await journal.load("a")
        assert loaded is not None
        ear = Ear("a", Chain("a", loaded.stream.seq, loaded.digest))
    else:
        pytest.fail("a full disk was taken for a working one")
    with pytest.raises(JournalUnavailable, match="does not work yet"):
        await journal.revive()
    with pytest.raises(JournalUnavailable):
        await journal.flush()
    disk.free()
    await journal.revive()
    assert (await verify(journal)).problems == []
    await journal.close()


async def test_a_server_killed_on_a_full_disk_has_lost_nothing(disk: Disk, tmp_path: Path) -> None:
    journal = SqliteJournal(disk.folder / "journal.db")
    await journal.open()
    ear = Ear("a")
    journal.append(ear, ear.row())
    await journal.flush()
    disk.fill()
    while not ear.failures:
        journal.append(ear, ear.row())
        await ear.something()
    disk.free()
    for name in ("journal.db", "journal.db-wal"):  # what a killed process leaves
        shutil.copy(disk.folder / name, tmp_path / name)
    await journal.close()
    again = SqliteJournal(tmp_path / "journal.db")
    await again.open()
    report = await verify(again)
    assert report.problems == []
    assert report.streams[0].entries >= ear.heard[-1]
    await again.close()


async def test_a_disk_that_is_full_during_a_large_value(disk: Disk) -> None:
    journal = SqliteJournal(disk.folder / "journal.db")
    await journal.open()
    ear = Ear("a")
    journal.append(ear, ear.row())
    await journal.flush()
    disk.fill()
    if isinstance(disk, SmallDisk):  # room for entries, and for a part of the value
        with (disk.folder / "ballast").open("rb+") as ballast:
            ballast.truncate(ballast.seek(0, os.SEEK_END) - 400_000)
    journal.append(ear, large_row(ear.chain, 900_000))
    with pytest.raises(JournalUnavailable):
        await journal.flush()
    assert ("free some space" if isinstance(disk, SmallDisk) else "storage does not work") in str(ear.failures[0])
    left = {name for _, _, names in os.walk(disk.folder / "journal.db.blobs") for name in names}
    assert left == set()  # neither it nor a part of it, which would take up the space
    disk.free()
    await journal.revive()
    loaded = await journal.load("a")
    assert loaded is not None
    assert loaded.stream.seq == 1
    ear = Ear("a", Chain("a", loaded.stream.seq, loaded.digest))
    journal.append(ear, large_row(ear.chain, 900_000))
    await journal.flush()
    assert (await verify(journal)).problems == []
    await journal.close()


@pytest.fixture
def locked_folder() -> Generator[Path]:
    """A folder whose permissions a test takes away; root has to become somebody else to notice."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


async def refused(journal: SqliteJournal) -> str:
    with pytest.raises(JournalUnavailable) as refusal:
        await journal.open()
    return str(refusal.value)


async def test_a_read_only_file_or_folder_is_refused(locked_folder: Path) -> None:
    path = locked_folder / "journal.db"
    journal = SqliteJournal(path)
    await journal.open()
    ear = Ear("a")
    journal.append(ear, ear.row())
    await journal.close()
    before = path.read_bytes()
    root = os.geteuid() == 0
    os.chmod(path, 0o444)
    os.chmod(locked_folder / "journal.db.lock", 0o666)
    os.chmod(locked_folder, 0o777)
    try:
        if root:
            os.setresuid(NOBODY, NOBODY, 0)
        assert "read-only" in await refused(SqliteJournal(path))
    finally:
        if root:
            os.setresuid(0, 0, 0)
    for name in os.listdir(locked_folder):
        if name != "journal.db":
            os.unlink(locked_folder / name)
    os.chmod(locked_folder, 0o555)
    try:
        if root:
            os.setresuid(NOBODY, NOBODY, 0)
        assert "must exist and be writable" in await refused(SqliteJournal(path))
        reader = SqliteJournal(path, readonly=True)  # an archive can be read
        await reader.open()
        assert (await verify(reader)).problems == []
        await reader.close()
    finally:
        if root:
            os.setresuid(0, 0, 0)
    assert path.read_bytes() == before


async def test_a_folder_that_vanishes_is_noticed(tmp_path: Path) -> None:
    """Whatever SQLite makes of it, the journal neither hangs nor acknowledges and forgets."""
    folder = tmp_path / "gone"
    folder.mkdir()
    journal = SqliteJournal(folder / "journal.db")
    await journal.open()
    ear = Ear("a")
    journal.append(ear, ear.row())
    await journal.flush()
    shutil.rmtree(folder)
    async with asyncio.timeout(20):
        await journal.close()
    with pytest.raises(JournalError):
        await SqliteJournal(folder / "journal.db").open()
