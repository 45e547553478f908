"""Makes docs/images/market.png anew: `python -m tests.docs.screenshot`. Never a test.

Four participants of the market example in the multi-view of the real server, after a few moves.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from playwright.async_api import Frame, ViewportSize, async_playwright

from tests.examples.stage import CHROMIUM_FLAGS, ROOT, Server

TARGET = ROOT / "docs" / "images" / "market.png"
SIZE = ViewportSize(width=1880, height=1010)


async def offer(frame: Frame, price: int) -> None:
    await frame.locator("#price").fill(str(price))
    await frame.locator("#price").press("Enter")
    await frame.get_by_role("button", name=f"Withdraw your offer of {price}").wait_for()


async def accept(frame: Frame, price: int) -> None:
    await frame.get_by_role("button", name=f"Accept {price}").click()


async def take() -> None:
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM_FLAGS))
        with tempfile.TemporaryDirectory() as folder:
            server = Server(ROOT / "examples" / "market", Path(folder) / "database.sqlite3", players=4)
            page = await browser.new_page(viewport=SIZE, reduced_motion="reduce")
            await page.goto(f"{server.admin}multiview?players=1,2,3,4")
            await page.wait_for_load_state("networkidle")
            frames = {frame.url: frame for frame in page.frames}
            one, two, three, four = (frames[link] for link in server.players)  # buyer, seller, buyer, seller
            await offer(one, 62)
            await offer(three, 71)
            await accept(two, 71)
            await offer(four, 84)
            await accept(one, 84)
            await offer(three, 66)
            await offer(one, 58)
            await offer(two, 92)
            await offer(four, 88)
            await page.wait_for_timeout(500)
            await page.mouse.move(0, 0)
            TARGET.parent.mkdir(exist_ok=True)
            await page.screenshot(path=TARGET)
            server.stop()
        await browser.close()


if __name__ == "__main__":
    asyncio.run(take())
