"""What the tests of the examples play on: the real server as a process, a participant who speaks the protocol, axe.

Owns no fixtures (conftest.py does) and knows no example.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import secrets
import shutil
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Error, Page, ViewportSize
from websockets.asyncio.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parent.parent.parent
PHONE = ViewportSize(width=390, height=844)
DESKTOP = ViewportSize(width=1280, height=900)
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE = 10  # seconds
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_CONFIG = re.compile(r'<script type="application/json" id="grimoire-page">(.*?)</script>', re.DOTALL)


class Server:
    """`promptgrimoire run TARGET --json` as a process."""

    def __init__(self, target: Path, database: Path, players: int = 0) -> None:
        self._command = [sys.executable, "-m", "promptgrimoire", "run", str(target), "--json"]
        self._command += ["--database", f"sqlite:///{database}"]
        self.database = database
        self._start("--port", "0", "--players", str(players))

    def _start(self, *arguments: str) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([*self._command, *arguments], stdout=pipe, stderr=pipe, text=True, cwd=ROOT)
        assert self._process.stdout
        first = self._process.stdout.readline()
        if not first:
            raise AssertionError(f"the server ended before it answered:\n{self._process.communicate()[1]}")
        links: dict[str, Any] = json.loads(first)
        if not hasattr(self, "players"):
            self.url: str = links["url"]
            self.join: str = links["join"]
            self.admin: str = links["admin"]
            self.players: list[str] = links["players"]

    def kill(self) -> None:
        """`kill -9`."""
        self._process.kill()
        self._process.communicate()

    def restart(self) -> None:
        """The same again at the same address; the links of before stay valid."""
        self._start("--port", str(httpx.URL(self.url).port))

    def kill_and_restart(self) -> None:
        self.kill()
        self.restart()

    def stop(self) -> str:
        """End the server; gives what it logged for the author."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.communicate(timeout=20)[1]


class Refused(Exception):
    """A call that gave no result: the protocol's code, and the message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Participant:
    """One participant without a browser: loads the page, says hello, calls, keeps the events.

    Written from docs of the protocol, not from the client: no reconnecting, no resending.
    """

    def __init__(self, config: dict[str, Any], socket: ClientConnection) -> None:
        self.vars: dict[str, Any] = config["vars"]
        self.events: list[tuple[str | None, Any]] = []
        self._socket = socket
        self._config = config
        self._handled: int = config["base"]
        self._calls = 0

    @classmethod
    async def enter(cls, link: str, stack: AsyncExitStack) -> Participant:
        """The participant at the page where they are; `stack` closes the socket."""
        async with httpx.AsyncClient() as http:
            page = (await http.get(link)).raise_for_status()
        found = _CONFIG.search(page.text)
        assert found, f"expected a page with a configuration, found {page.text[:500]}"
        config = json.loads(html.unescape(found[1]))
        address = str(httpx.URL(link).join(config["live"])).replace("http", "ws", 1)
        participant = cls(config, await stack.enter_async_context(connect(address)))
        base = config["base"]
        hello = {"version": 1, "stay": config["stay"], "document": secrets.token_hex(8), "base": base, "handled": base}
        await participant._send(type="hello", **hello)
        await participant._receive("welcome")
        return participant

    async def call(self, method: str, *args: Any) -> Any:
        """What the live method returned; events that came before its reply are in `events`. Raises Refused."""
        self._calls += 1
        await self._send(type="call", n=self._calls, method=method, args=args, handled=self._handled)
        answer = await self._receive("reply", "error")
        assert answer["n"] == self._calls
        if answer["type"] == "error":
            raise Refused(answer["code"], answer["message"])
        return answer["ok"]

    async def event(self, name: str | None) -> Any:
        """The data of the next event of that name that has not been asked for; others stay."""
        while name not in [known for known, _ in self.events]:
            await self._receive("event")
        index = [known for known, _ in self.events].index(name)
        return self.events.pop(index)[1]

    async def _send(self, **message: Any) -> None:
        await self._socket.send(json.dumps(message))

    async def _receive(self, *types: str) -> dict[str, Any]:
        """Read frames until one holds a message of these types, and give that message."""
        while True:
            frame = json.loads(await asyncio.wait_for(self._socket.recv(), _PATIENCE))
            self._handled = max(self._handled, frame["seq"])
            found = None
            for message in frame["messages"]:
                if message["type"] == "event":
                    self.events.append((message["name"], message["data"]))
                if message["type"] in types:
                    found = message
            if found is not None:
                answer: dict[str, Any] = found
                return answer


async def comes_true(page: Page, expression: str) -> None:
    """Wait until a JavaScript expression is true. (wait_for_function needs eval, which the content policy forbids.)"""
    until = asyncio.get_running_loop().time() + _PATIENCE
    # A page that is being replaced does not know its own names yet: that means "not yet true".
    asked = f"(() => {{ try {{ return {expression} }} catch {{ return false }} }})()"
    while not await _holds(page, asked):
        assert asyncio.get_running_loop().time() < until, f"did not come true: {expression}"
        await page.wait_for_timeout(50)


async def _holds(page: Page, expression: str) -> bool:
    try:
        return bool(await page.evaluate(expression))
    except Error as problem:
        if "context was destroyed" in problem.message:  # by the next page, which will be asked
            return False
        raise


async def looks_right(page: Page, axe: str) -> None:
    """Fits a phone and a desktop, and axe finds nothing against WCAG 2.2 AA and best practice, in light and dark."""
    before = page.viewport_size
    await page.evaluate(axe)
    for viewport in (DESKTOP, PHONE):
        await page.set_viewport_size(viewport)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= viewport["width"], f"{page.url}: {wide} px wide on a screen of {viewport['width']} px"
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            found = await page.evaluate("tags => axe.run({ runOnly: tags })", _RULES)
            assert len(found["passes"]) > 10
            problems = [
                f"{one['id']} ({one['help']}): {node['html']}" for one in found["violations"] for node in one["nodes"]
            ]
            assert problems == [], f"{scheme}, {viewport['width']} px: " + "\n".join(problems)
    await page.emulate_media(color_scheme="light")
    if before is not None:
        await page.set_viewport_size(before)


def with_settings(folder: Path, example: str, **settings: float) -> Path:
    """A project in `folder` whose one config is the example with these settings."""
    shutil.copytree(ROOT / "examples" / example, folder / example)
    table = ", ".join(f"{name} = {value}" for name, value in settings.items())
    (folder / "grimoire.toml").write_text(f'[configs.quick]\napps = ["{example}"]\nsettings = {{ {table} }}\n')
    return folder
