"""The snippets of uproot's page on real-time interactions run here as printed, in Chromium.

Python with only the import line changed, JavaScript unchanged: snippets/ holds them, with what they presuppose.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.examples.conftest import Enter, Serve, Visit
from tests.examples.stage import comes_true

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SNIPPETS = Path(__file__).parent / "snippets"


def log_of(page: Page) -> list[str]:
    """What the page's console.log says from now on."""
    logged: list[str] = []
    page.on("console", lambda message: logged.append(message.text) if message.type == "log" else None)
    return logged


async def log_comes(page: Page, logged: list[str], *expected: str) -> None:
    for _ in range(200):
        if len(logged) >= len(expected):
            break
        await page.wait_for_timeout(50)
    assert logged == list(expected)


async def test_observed_diary(serve: Serve, visit: Visit) -> None:
    server = serve(SNIPPETS / "diary", players=4)
    writer, observer, another, _ = [await visit(link) for link in server.players]
    await writer.get_by_label("Text").press_sequentially("Dear diary")
    await expect(observer.locator("#display")).to_have_text("Dear diary")
    await observer.get_by_label("Text").fill("back")
    await expect(writer.locator("#display")).to_have_text("back")
    await expect(another.locator("#display")).to_have_text("")


async def test_collaborative_drawing(serve: Serve, visit: Visit) -> None:
    server = serve(SNIPPETS / "draw", players=3)
    pages = [await visit(link) for link in server.players]
    await pages[0].evaluate('uproot.invoke("stroke", [[1, 2], [3.5, 4]], "red")')
    for page in pages[1:]:
        await expect(page.locator("#drawn")).to_have_text("red [[1,2],[3.5,4]];")
    await expect(pages[0].locator("#drawn")).to_have_text("")
    await pages[0].reload()
    await expect(pages[0].locator("#stored")).to_have_text("1")


async def test_market_with_offers(serve: Serve, visit: Visit) -> None:
    server = serve(SNIPPETS / "market", players=3)
    seller, buyer, third = [await visit(link) for link in server.players]
    assert await seller.evaluate('uproot.invoke("post_offer", 3.5)') == {"posted": 3.5}
    assert await buyer.evaluate('uproot.invoke("post_offer", "7")') == {"posted": 7.0}
    for page in (seller, buyer, third):
        await expect(page.locator("#market")).to_have_text("[3.5,4][3.5,4]")
    name = await seller.locator("#name").inner_text()
    assert await buyer.evaluate('name => uproot.invoke("accept_offer", name)', name) == {"bought_at": 3.5}
    await expect(seller.locator("#notification")).to_have_text("Your offer was accepted at 3.5!")
    for page in (seller, buyer, third):
        await expect(page.locator("#market")).to_have_text("[3.5,4][3.5,4][3.5,4]")
    for page in (buyer, third):
        await expect(page.locator("#notification")).to_have_text("")
    await seller.reload()
    await expect(seller.locator("#sold")).to_have_text("3.5")


async def test_who_a_notification_reaches(serve: Serve, visit: Visit) -> None:
    server = serve(SNIPPETS / "notices", players=3)
    sender, partner, third = [await visit(link) for link in server.players]
    logs = [log_of(page) for page in (sender, partner, third)]
    assert await sender.evaluate('uproot.invoke("post_offer", 2.5)') == {"posted": 2.5}
    await sender.evaluate('uproot.invoke("tell", "Hello!")')
    await log_comes(sender, logs[0], "NewOffer 2.5", "Hello!", "Hello!")  # of the group, of the session
    await log_comes(partner, logs[1], "NewOffer 2.5", "Hello!", "Hello!", "Hello!", "Hello!")
    await log_comes(third, logs[2], "NewOffer 2.5", "Hello!")  # of the session
    await sender.evaluate('uproot.invoke("market_data", [1, 2])')
    for page in (sender, partner, third):
        await expect(page.locator("#shown")).to_have_text("[1,2]")


async def test_send_to_from_a_background_task(serve: Serve, visit: Visit, enter: Enter) -> None:
    server = serve(SNIPPETS / "notices", players=2)
    one, other = [await visit(link) for link in server.players]
    logs = [log_of(page) for page in (one, other)]
    await one.evaluate('uproot.invoke("start", "now")')
    await log_comes(one, logs[0], "now", "StatusUpdate now")
    await log_comes(other, logs[1], "StatusUpdate now")


async def test_window_uproot_is_grimoire(serve: Serve, visit: Visit) -> None:
    page = await visit(serve(SNIPPETS / "draw", players=1).players[0])
    await comes_true(page, "uproot === grimoire && typeof uproot.invoke === 'function'")
