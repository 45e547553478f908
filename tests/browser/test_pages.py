"""Pages with forms, back and forth, in Chromium on the real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.examples.stage import Server, looks_right

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

NEXT, BACK = "#grimoire-button-next", "#grimoire-button-back"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    servers: list[Server] = []

    def start() -> Server:
        servers.append(Server(Path(__file__).parent / "pages", tmp_path / "database.sqlite3", 1))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


async def is_at(page: Page, heading: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading)


async def test_errors_stand_beside_what_was_entered_and_back_keeps_it(
    serve: Callable[[], Server], visit: Visit, axe_source: str
) -> None:
    page = await visit(serve().players[0])
    await expect(page.locator(BACK)).to_have_count(0)
    await page.get_by_label("Nickname").fill("admin")
    await page.click(NEXT)
    await expect(page.locator(".grimoire-errors")).to_contain_text("This name is taken.")
    await expect(page.get_by_label("Nickname")).to_have_value("admin")
    await looks_right(page, axe_source)
    await page.get_by_label("Nickname").fill("Ada")
    await page.click(NEXT)
    await is_at(page, "Age")
    await looks_right(page, axe_source)
    await page.get_by_label("Age").fill("41")
    await page.click(BACK)
    await is_at(page, "Name")
    await expect(page.get_by_label("Nickname")).to_have_value("Ada")
    await page.click(NEXT)
    await expect(page.get_by_label("Age")).to_have_value("41")
    await page.click(NEXT)
    await is_at(page, "Slow")
    await expect(page.locator("main")).to_contain_text("Ada, 41")


async def test_next_after_a_back_that_came_to_nothing_is_next(serve: Callable[[], Server], visit: Visit) -> None:
    server = serve()
    page = await visit(server.players[0])
    await page.get_by_label("Nickname").fill("Ada")
    await page.click(NEXT)
    await is_at(page, "Age")
    await page.evaluate(
        """document.getElementById("grimoire-form").addEventListener("submit", () => {
          window.real = HTMLFormElement.prototype.submit;
          HTMLFormElement.prototype.submit = () => {};  // a post that never gets through
        }, { once: true })"""
    )
    await page.click(BACK)
    await page.wait_for_selector("input[type=hidden][name=_back]", state="attached")
    shown_again = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"
    await page.evaluate(f"HTMLFormElement.prototype.submit = real; {shown_again}")
    await page.get_by_label("Age").fill("41")
    await page.click(NEXT)
    await is_at(page, "Slow")


async def test_the_browsers_own_back_and_another_answer_is_another_submission(
    serve: Callable[[], Server], visit: Visit
) -> None:
    page = await visit(serve().players[0])
    await page.get_by_label("Nickname").fill("admin")
    await page.click(NEXT)
    await expect(page.locator(".grimoire-errors")).to_be_visible()
    await page.go_back()
    await page.get_by_label("Nickname").fill("Ada")
    await page.click(NEXT)
    await is_at(page, "Age")
