"""What only a browser shows of apps in uproot's style: their inline scripts, rare names, data-bs behaviours, axe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect

from tests.examples.stage import CHROMIUM_FLAGS, Server, comes_true, looks_right

HERE = Path(__file__).resolve().parent


@pytest_asyncio.fixture
async def visit(chromium: str, tmp_path: Path) -> AsyncIterator[Any]:
    """`await visit("tea_market")`: a participant's page of an app; what its console calls an error fails the test."""
    complaints: list[str] = []
    servers: list[Server] = []
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))

        async def open_tab(app: str, players: int = 1) -> tuple[Page, Server]:
            servers.append(Server(HERE / app, tmp_path / "database.sqlite3", players))
            context = await browser.new_context(reduced_motion="reduce")
            page = await context.new_page()
            page.set_default_timeout(10_000)
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.goto(servers[-1].players[0])
            return page, servers[-1]

        yield open_tab
        await browser.close()
    for server in servers:
        server.stop()
    assert complaints == []


async def test_tabs_folds_and_dialogs(visit: Any, axe_source: str) -> None:
    page, _ = await visit("lantern_layout")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    await looks_right(page, axe_source)
    red, blue = page.get_by_role("tab", name="Red lantern"), page.get_by_role("tab", name="Blue lantern")
    await expect(page.locator("#red")).to_be_visible()
    await expect(page.locator("#blue")).to_be_hidden()
    await blue.click()
    await expect(page.locator("#blue")).to_be_visible()
    await expect(page.locator("#red")).to_be_hidden()
    await blue.press("ArrowRight")
    await expect(red).to_be_focused()
    assert [await one.get_attribute("aria-selected") for one in (red, blue)] == ["true", "false"]

    more = page.get_by_text("More", exact=True)
    assert await more.get_attribute("aria-expanded") == "false"
    await more.click()
    await expect(page.locator("#more")).to_be_visible()
    assert await more.get_attribute("aria-expanded") == "true"
    await more.click()
    await expect(page.locator("#more")).to_be_hidden()

    await page.get_by_role("button", name="Rules").click()
    dialog = page.get_by_role("dialog", name="Rules")
    await expect(dialog).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await page.get_by_role("button", name="Rules").click()
    await dialog.get_by_role("button", name="Close").click()
    await expect(dialog).to_be_hidden()

    await page.reload()
    await comes_true(page, "document.readyState === 'complete'")
    assert "lantern_layout/Choose 1.5 3" in said
    await page.get_by_role("button", name="Take it").first.click()
    await expect(page.get_by_text("Hang it up")).to_be_visible()
    await looks_right(page, axe_source)
    await expect(page.get_by_role("button", name="It hangs")).to_have_css("letter-spacing", "3px")
    assert await page.evaluate("I('grimoire-button-next') === I('uproot-button-next')")
    await page.get_by_role("button", name="It hangs").click()
    await expect(page.get_by_role("heading", name="Done")).to_be_visible()


async def test_rare_names(visit: Any, axe_source: str) -> None:
    page, server = await visit("tea_market", players=2)
    await expect(page.get_by_role("heading", name="The tea market")).to_be_visible()
    await page.get_by_role("button", name="Ask for 4").click()
    await expect(page.locator("#book")).to_contain_text(": 4 of 20")
    other = await page.context.new_page()
    await other.goto(server.players[1])
    await other.locator("#book li").click()
    await expect(other.locator("#cash")).to_have_text("16")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Sold for 4")
    await page.evaluate(axe_source)
    assert await page.evaluate("axe.run('dialog').then(found => found.violations.map(one => one.help))") == []
    await dialog.get_by_role("button", name="Close").click()
    await expect(dialog).to_have_count(0)

    asked = {
        "uproot.currentPage": "tea_market/Trade",
        "uproot.mean([1, 2, 6])": 3,
        "uproot.sd([1, 2, 3])": 1,
        "uproot.sum([1, 2])": 3,
        "uproot.fmtnum(-1234.5, '€')": "\u2212€1,234.50",
        "uproot.formatForInterface('price', 2)": "2",
        "(window.priceFormatter = it => it + ' €', uproot.formatForInterface('price', 2))": "2 €",
        "uproot.selectedValue('nothing')": None,
        "uproot.escape('<b>')": "&lt;b&gt;",
        "C.CASH": 20,
        "C.SECRET === undefined": True,
        "I('uproot-button-next') === I('grimoire-button-next')": True,
        "_('Hello')": "Hello",
    }
    for expression, expected in asked.items():
        assert await page.evaluate(expression) == expected, expression
    await page.evaluate("uproot.submit()")
    await expect(page.get_by_role("heading", name="Results")).to_be_visible()


async def test_events_of_time_limits(visit: Any) -> None:
    page, _ = await visit("quick_sums")
    await expect(page.locator("#grimoire-timeout")).to_have_attribute("title", "set")
    await expect(page.locator("#ticks")).to_have_text("2")


async def test_back_by_script(visit: Any) -> None:
    page, _ = await visit("lantern_layout")
    await page.get_by_role("button", name="Take it").first.click()
    await expect(page.get_by_text("Hang it up")).to_be_visible()
    assert await page.evaluate("typeof uproot.goBack") == "undefined"  # it mentions none of the rare names
    await page.get_by_role("button", name="Back").click()
    await expect(page.get_by_role("heading", name="Choose a lantern")).to_be_visible()
