"""Evidence 22, 23: a partner who never comes back is declared lost, and whoever waits goes on, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.examples.stage import Server
from tests.faults.test_partners import LONG, Person


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("GRIMOIRE_GRACE_AWAY", "0.5")
    started = Server(Path(__file__).parent / "dropouts", tmp_path / "database.sqlite3", 2)
    yield started
    log = started.stop()
    assert "ERROR" not in log, log


@pytest_asyncio.fixture
async def pair(server: Server) -> AsyncIterator[tuple[Person, Person]]:
    """Both have come."""
    async with httpx.AsyncClient(follow_redirects=True, timeout=LONG, trust_env=False) as http:
        one, two = (Person(link, http) for link in server.players)
        for person in (one, two):
            assert await person.load() == "Start"
        yield one, two
        for person in (one, two):
            await person.leave()


async def test_evidence_23_a_partner_who_left_for_ever_does_not_leave_the_other_waiting_for_ever(
    pair: tuple[Person, Person],
) -> None:
    one, two = pair
    assert await one.press_next() == "Please wait"
    await two.leave()
    assert await one.sent_on() == "End"
    assert "Calls: 1. Lost: 1. Noted: 1." in one.text


async def test_evidence_22_a_partner_who_left_is_noticed_though_the_server_is_killed(
    pair: tuple[Person, Person], server: Server
) -> None:
    one, two = pair
    assert await one.press_next() == "Please wait"
    await two.leave()
    server.kill_and_restart()
    await one.load()
    assert await one.sent_on(30) == "End"
    assert "Calls: 1. Lost: 1. Noted: 1." in one.text
