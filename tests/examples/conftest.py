"""Fixtures for the tests of the examples: servers, browsers, participants.

Owns starting and ending them, and failing a test for errors in a log or a console. Knows no example.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from tests.examples.stage import CHROMIUM_FLAGS, DESKTOP, ROOT, Participant, Server

Serve = Callable[..., Server]
Visit = Callable[..., Awaitable[Page]]
Enter = Callable[[str], Awaitable[Participant]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve("counter", players=2)`: an example, or a path, on its own server, whose complaints fail the test."""
    servers: list[Server] = []

    def start(target: str | Path, players: int = 0) -> Server:
        path = ROOT / "examples" / target if isinstance(target, str) else target
        servers.append(Server(path, tmp_path / f"database{len(servers)}.sqlite3", players))
        return servers[-1]

    yield start
    # A busy machine makes any code slow: what the watchdog says of it is no fault of the example.
    logs = [_without_slowness(server.stop()) for server in servers]
    assert not any("ERROR" in log or "WARNING" in log or "Traceback" in log for log in logs), "\n".join(logs)


def _without_slowness(log: str) -> str:
    return "\n".join(line for line in log.splitlines() if "held the event loop for" not in line)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """One Chromium for a module; its participants have contexts of their own."""
    async with async_playwright() as play:
        launched = await play.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """`await visit(link)`: a tab in a browser of its own. Whatever its console calls an error fails the test."""
    complaints: list[str] = []
    async with AsyncExitStack() as stack:

        async def open_tab(link: str, **options: Any) -> Page:
            context = await browser.new_context(**{"viewport": DESKTOP, "reduced_motion": "reduce", **options})
            stack.push_async_callback(context.close)
            context.set_default_timeout(10_000)
            page = await context.new_page()
            page.on("console", lambda message: complaints.append(message.text) if _complains(message) else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.goto(link)
            return page

        yield open_tab
    assert complaints == []


def _complains(message: ConsoleMessage) -> bool:
    """Whether it is an error; Chromium calls it one, too, that a form was shown again with what is wrong (422)."""
    return message.type == "error" and "status of 422" not in message.text


@pytest_asyncio.fixture(loop_scope="module")
async def enter() -> AsyncIterator[Enter]:
    """`await enter(link)`: a participant without a browser."""
    async with AsyncExitStack() as stack:

        async def participant(link: str) -> Participant:
            return await Participant.enter(link, stack)

        yield participant


@pytest.fixture(scope="session")
def axe(axe_source: str) -> str:
    """The source of axe-core; the test is skipped where it is not installed."""
    return axe_source
