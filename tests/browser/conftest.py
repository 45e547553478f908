"""The real server as a process, and Chromium with the console under watch.

Owns starting and ending them; knows only where the app for these tests lies.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.client.chromium import FLAGS
from tests.examples.stage import DESKTOP, Server

APP = Path(__file__).parent / "app"
# What a browser itself says about a lost server, and no mistake of a page.
_NETWORK = ("WebSocket connection to", "Failed to load resource", "ERR_INTERNET_DISCONNECTED")

Serve = Callable[..., Server]
Visit = Callable[..., Awaitable[Page]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(players=2)`: the app on a server of its own."""
    servers: list[Server] = []

    def start(players: int = 1) -> Server:
        servers.append(Server(APP, tmp_path / f"database{len(servers)}.sqlite3", players))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """One Chromium for a module; its participants have contexts of their own."""
    async with async_playwright() as play:
        # Playwright switches the back/forward cache off.
        ignored = ["--disable-back-forward-cache"]
        launched = await play.chromium.launch(executable_path=chromium, args=FLAGS, ignore_default_args=ignored)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """`await visit(link)`: a tab in a browser of its own, or in `context`, connected.

    What its console calls an error fails the test, but for what Chromium says of a network that is gone.
    """
    complaints: list[str] = []

    def complain(text: str) -> None:
        if not any(known in text for known in _NETWORK):
            complaints.append(text)

    async with AsyncExitStack() as stack:

        async def open_tab(link: str, context: BrowserContext | None = None, **options: Any) -> Page:
            if context is None:
                context = await browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options})
                stack.push_async_callback(context.close)
                context.set_default_timeout(10_000)
            page = await context.new_page()
            page.on("console", lambda message: complain(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: complain(str(error)))
            await page.goto(link)
            return page

        yield open_tab
    assert complaints == []
