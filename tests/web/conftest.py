"""A client over a fake gateway, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from promptgrimoire.settings import Settings
from promptgrimoire.web.app import build_app
from promptgrimoire.web.assets import Assets, static_folder
from tests.web.fakes import FakeGateway

Open = Callable[..., httpx.AsyncClient]


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture(scope="session")
def assets() -> Assets:
    return Assets(static_folder())


@pytest.fixture
async def browser(gateway: FakeGateway, assets: Assets) -> AsyncIterator[Open]:
    """Open a browser: cookies of its own, no redirects followed."""
    opened: list[httpx.AsyncClient] = []

    def open_browser(settings: Settings | None = None, base: str = "http://lab.test") -> httpx.AsyncClient:
        app = build_app(gateway, settings or Settings(), assets)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        opened.append(httpx.AsyncClient(transport=transport, base_url=base))
        return opened[-1]

    yield open_browser
    for client in opened:
        await client.aclose()


@pytest.fixture
def client(browser: Open) -> httpx.AsyncClient:
    return browser()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with static files, and a secret beside it."""
    folder = tmp_path / "app" / "static"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "a.svg").write_text("<svg/>")
    (folder / "code.js").write_text("export const x = 1;\n" * 50)
    (folder / ".hidden").write_text("no")
    (tmp_path / "app" / "secret.py").write_text("KEY = 1")
    (folder / "way-out").symlink_to(tmp_path / "app" / "secret.py")
    return folder
