"""Wait pages in Chromium: they say who is here, move on by push, and ask the server for nothing meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Request, expect

from tests.browser.conftest import Visit
from tests.examples.stage import Server, looks_right

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NEXT = "#grimoire-button-next"
QUIET = 7_000  # milliseconds: longer than wait pages elsewhere take between two reloads


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(Path(__file__).parent / "waits", tmp_path / "database.sqlite3", 3)
    yield started
    log = started.stop()
    assert "ERROR" not in log, log


@pytest.fixture
def crashing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Server]]:
    """`crashing("arrived")`: a server that is killed once, where the app says what that means."""
    crash, database, servers = tmp_path / "crash", tmp_path / "database.sqlite3", []
    monkeypatch.setenv("WAITS_CRASH", str(crash))
    monkeypatch.setenv("WAITS_DATABASE", str(database))

    def start(where: str) -> Server:
        crash.write_text(where)
        servers.append(Server(Path(__file__).parent / "waits", database, 3))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def requests_of(page: Page) -> list[str]:
    """Addresses that the page asks for from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(f"{request.method} {request.url}")

    page.on("request", note)
    return asked


async def test_evidence_28_and_49_wait_pages_say_who_is_here_and_move_on_by_push(
    server: Server, visit: Visit, axe_source: str
) -> None:
    one, two, three = [await visit(link) for link in server.players]
    await one.click(NEXT)
    await expect(one.get_by_role("heading", level=1)).to_have_text("Please wait")
    status = one.get_by_role("status")
    await expect(status).to_contain_text("1 of 3 participants here")
    await expect(status).to_contain_text("You will wait for at most 10 more minutes.")
    await expect(one.locator(NEXT)).to_have_count(0)
    await one.wait_for_load_state("networkidle")
    asked = requests_of(one)
    await two.click(NEXT)
    await expect(status).to_contain_text("2 of 3 participants here")
    await one.wait_for_timeout(QUIET)
    assert asked == []
    await looks_right(one, axe_source)
    await three.click(NEXT)
    for page in (one, two, three):
        await expect(page.get_by_role("heading", level=1)).to_have_text("Play")
    documents = [line for line in asked if "/p/" in line]
    assert len(documents) == 1, "one load, of the next page"

    await one.click(NEXT)
    await expect(one.get_by_role("heading", level=1)).to_have_text("Nearly there")
    await expect(one.get_by_role("status")).to_contain_text("1 of 3 participants here")
    await looks_right(one, axe_source)
    await two.click(NEXT)
    await three.click(NEXT)
    for page in (one, two, three):
        await expect(page.get_by_role("heading", level=1)).to_have_text("Results")
        await expect(page.locator("main")).to_contain_text("1 1")


async def test_evidence_28_a_push_that_was_lost_is_made_good_when_the_connection_is_back(
    server: Server, visit: Visit
) -> None:
    one, two, three = [await visit(link) for link in server.players]
    for page in (one, two):
        await page.click(NEXT)
    await expect(one.get_by_role("status")).to_contain_text("2 of 3")
    await three.wait_for_load_state("networkidle")
    await one.context.set_offline(True)
    await three.click(NEXT)
    await expect(two.get_by_role("heading", level=1)).to_have_text("Play")
    await one.context.set_offline(False)
    await expect(one.get_by_role("heading", level=1)).to_have_text("Play")


async def _last_one_crashes(server: Server, visit: Visit) -> list[Page]:
    """Two wait, the third one's Next kills the server, which is there again when this returns."""
    one, two, three = [await visit(link) for link in server.players]
    for page in (one, two):
        await page.click(NEXT)
    await expect(one.get_by_role("status")).to_contain_text("2 of 3")
    await expect(three.locator(NEXT)).to_be_visible()
    await three.click(NEXT)
    await asyncio.to_thread(server._process.communicate, timeout=20)
    assert server._process.returncode == 9
    server.restart()
    return [one, two, three]


async def test_evidence_28_wait_pages_move_on_also_when_the_last_arrival_crashed_the_server(
    crashing: Callable[[str], Server], visit: Visit
) -> None:
    server = crashing("arrived")
    one, two, three = await _last_one_crashes(server, visit)
    for page in (one, two):
        await expect(page.get_by_role("heading", level=1)).to_have_text("Play", timeout=15_000)
    await three.goto(server.players[2])  # it was on its way from one page to the next: the browser's own error stays
    await expect(three.get_by_role("heading", level=1)).to_have_text("Play")
    for page in (one, two, three):
        await page.click(NEXT)
    await expect(one.locator("main")).to_contain_text("1 1")


async def test_evidence_28_wait_pages_move_on_when_what_the_crash_has_lost_is_posted_again(
    crashing: Callable[[str], Server], visit: Visit
) -> None:
    """Nothing of it was stored: the last one has still to come, and does so by loading the browser's error anew."""
    one, two, three = await _last_one_crashes(crashing("posted"), visit)
    for page in (one, two):
        await expect(page.get_by_role("heading", level=1)).to_have_text("Please wait")
    await three.reload()
    for page in (one, two, three):
        await expect(page.get_by_role("heading", level=1)).to_have_text("Play", timeout=15_000)


async def test_evidence_28_wait_pages_move_on_also_when_the_server_was_killed_meanwhile(
    server: Server, visit: Visit
) -> None:
    one, two, three = [await visit(link) for link in server.players]
    for page in (one, two):
        await page.click(NEXT)
    await expect(one.get_by_role("status")).to_contain_text("2 of 3")
    await expect(three.locator(NEXT)).to_be_visible()
    server.kill_and_restart()
    await three.click(NEXT)
    for page in (one, two, three):
        await expect(page.get_by_role("heading", level=1)).to_have_text("Play", timeout=15_000)
