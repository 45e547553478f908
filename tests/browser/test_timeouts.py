"""Time limits in Chromium on the real server: seen, heard, posted; whatever the participant's clock says."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_pages import NEXT, is_at
from tests.examples.stage import Server, looks_right

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

TIMER = "#grimoire-timeout"
SAID = "p.visually-hidden[role=status]"
LATEST = 30_000  # milliseconds; the longest limit of the pages here is 25 seconds
# The participant's clock is two hours wrong, and half a second later it is set another day ahead.
WRONG_CLOCK = """{
  const now = Date.now.bind(Date), start = performance.now();
  const off = () => -7_200_000 + (performance.now() - start > 500 ? 86_400_000 : 0);
  window.Date = class extends Date {
    constructor(...parts) { parts.length ? super(...parts) : super(now() + off()); }
    static now() { return now() + off(); }
  };
}"""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    servers: list[Server] = []

    def start() -> Server:
        servers.append(Server(Path(__file__).parent / "timeouts", tmp_path / "database.sqlite3", 1))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


async def moves_on_to(page: Page, heading: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading, timeout=LATEST)


async def seconds_left(page: Page) -> int:
    minutes, seconds = (await page.locator(f"{TIMER} [data-grimoire-time]").inner_text()).split(":")
    return 60 * int(minutes) + int(seconds)


async def test_when_the_time_is_over_the_browser_posts_what_was_touched(
    serve: Callable[[], Server], visit: Visit
) -> None:
    page = await visit(serve().players[0])
    await expect(page.locator(TIMER)).to_have_text(re.compile(r"Time left: 0:0[1-8]"))
    await page.get_by_label("Age").fill("41")
    await page.get_by_label("Food").press("End")
    await moves_on_to(page, "Answers")
    await expect(page.locator("main")).to_contain_text("41, None, None, True")


async def test_evidence_27_a_clock_change_of_the_participants_computer_does_not_shift_the_deadline(
    serve: Callable[[], Server], visit: Visit
) -> None:
    server = serve()
    blank = await visit("about:blank")
    await blank.context.add_init_script(WRONG_CLOCK)
    page = await visit(server.players[0], blank.context)
    assert 1 <= await seconds_left(page) <= 8
    await page.get_by_label("Age").fill("41")
    await page.evaluate("new Promise((done) => setTimeout(done, 1000))")  # the clock has been set meanwhile
    assert await page.evaluate("Date.now()") > 70_000_000 + await blank.evaluate("performance.timeOrigin")
    assert 0 <= await seconds_left(page) <= 7
    await moves_on_to(page, "Answers")
    await expect(page.locator("main")).to_contain_text("41, None, None, True")  # else the server had acted alone
    found = re.search(r"Seconds: ([\d.]+); offset: (-?\d+\.\d+)", await page.locator("main").inner_text())
    assert found
    assert 4 < float(found[1]) < 9
    assert abs(float(found[2]) + 86_400 - 7_200) < 2  # the clock was set while the page was there


async def test_time_limits_are_announced_and_look_right(
    serve: Callable[[], Server], visit: Visit, axe_source: str
) -> None:
    page = await visit(serve().players[0])
    await moves_on_to(page, "Answers")
    await page.click(NEXT)
    await is_at(page, "Long")
    await expect(page.locator(SAID)).to_have_text(
        re.compile(r"Your time for this page is limited\. 2[0-5] seconds left")
    )
    await looks_right(page, axe_source)
    await expect(page.locator(SAID)).to_have_text("10 seconds left", timeout=LATEST)
    assert await page.locator(SAID).get_attribute("aria-live") == "assertive"
    await expect(page.locator(f"{TIMER}.is-short")).to_be_visible()
    assert await page.evaluate("document.getAnimations().length") == 0
    folder = os.environ.get("GRIMOIRE_SCREENSHOTS")
    for scheme in ("light", "dark"):
        for width in (1280, 390):
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            await page.set_viewport_size({"width": width, "height": 700})
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            if folder:
                await page.screenshot(path=f"{folder}/timeout-{width}-{scheme}.png")
    await moves_on_to(page, "Refusing")


async def test_an_authors_script_that_refuses_submissions_does_not_lose_the_answers(
    serve: Callable[[], Server], visit: Visit
) -> None:
    page = await visit(serve().players[0])
    await moves_on_to(page, "Answers")
    await page.click(NEXT)
    await is_at(page, "Long")
    await page.click(NEXT)
    await is_at(page, "Refusing")
    await page.get_by_label("Word").fill("kept")
    await page.click(NEXT)
    await is_at(page, "Refusing")
    await moves_on_to(page, "Last")
    await expect(page.locator("main")).to_contain_text("kept")
