"""Evidence 1, 8: the disk is full while participants are there: they wait a moment, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.faults.checks import all_is_well
from tests.faults.people import Person
from tests.faults.servers import PATIENCE, Server, serving

pytestmark = pytest.mark.usefixtures("hasty")
SIZE = 12  # MB


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of a few megabytes; not inside tmp_path, which pytest removes while it may still be mounted."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = Path(tempfile.mkdtemp(prefix="promptgrimoire-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode:
        place.rmdir()
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(place)], capture_output=True)
        subprocess.run(["umount", "-l", str(place)], check=True)
        place.rmdir()


def fill(disk: Path) -> Path:
    """Take all space that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    return filler


async def page_status(server: Server, path: str) -> tuple[int, str]:
    async with httpx.AsyncClient(base_url=server.url, timeout=10, trust_env=False, verify=False) as browser:
        answer = await browser.get(path)
        return answer.status_code, answer.text


async def call_until_it_fails(people: list[Person]) -> None:
    """Ask until storage has failed: somebody is told to come back, and calls stay open."""
    async with asyncio.timeout(60):
        while not any("storage" in person.now.byes for person in people):
            for person in people:
                await asyncio.wait([person.ask(), person.now.call("swallow", "x" * 30_000)], timeout=0.2)


async def test_evidence_1_a_full_disk_loses_nothing_and_service_resumes_when_there_is_space(
    tmp_path: Path, small_disk: Path
) -> None:
    with serving(tmp_path, 3, database=small_disk / "journal.sqlite3") as server:
        process = server.pid
        async with Person(server, 1) as one, Person(server, 2) as two:
            people = [one, two]
            for fills in (1, 2):
                for person in people:
                    await person.ask()
                filler = fill(small_disk)
                await call_until_it_fails(people)
                status, text = await page_status(server, one.path)
                assert status == 503
                assert "One moment" in text
                late = [person.ask() for person in people]  # made while there is no space
                status, _ = await page_status(server, server.path(3))
                assert status == 503
                filler.unlink()
                await asyncio.wait(late, timeout=PATIENCE)
                assert all(call.done() for call in late), "service did not resume"
                await all_is_well(server, people)
                for person in people:
                    person.now.byes.clear()
                assert (await page_status(server, server.path(3)))[0] == 200
                assert server.pid == process, fills
        assert "Traceback" not in server.log()
        server.stop()
        server.verify()


async def test_evidence_1_what_was_acknowledged_before_the_disk_was_full_outlives_kill_9(
    tmp_path: Path, small_disk: Path
) -> None:
    with serving(tmp_path, 2, database=small_disk / "journal.sqlite3") as server:
        async with Person(server, 1) as one, Person(server, 2) as two:
            filler = fill(small_disk)
            await call_until_it_fails([one, two])
            server.kill()
            filler.unlink()
            server.start()
            await all_is_well(server, [one, two])
        server.stop()
        server.verify()


def test_a_disk_that_is_full_or_read_only_from_the_start_is_refused_with_what_to_do(
    tmp_path: Path, small_disk: Path
) -> None:
    server = Server(tmp_path, database=small_disk / "journal.sqlite3")
    filler = fill(small_disk)
    assert "disk is full" in _refusal(server)
    filler.unlink()
    server.start(1)
    server.stop()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    said = _refusal(server)
    assert "read-only" in said or "writable" in said
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    server.start()
    server.stop()


def _refusal(server: Server) -> str:
    before = server.log()
    output, _ = server.begin().communicate(timeout=20)
    assert output == ""
    said = server.log().removeprefix(before)
    assert "Traceback" not in said
    return said
