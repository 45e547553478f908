"""Participants of the experiment under attack: pages over HTTP, then the protocol as a stranger speaks it.

A `Person` is one tab: its documents come and go, what it has asked for and seen stays. It never looks into the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.client_python import stranger
from tests.client_python.stranger import CallError, Event, PageConfig, Stranger, Tab
from tests.faults.servers import PATIENCE, Server

HASTE = 0.05  # seconds between two attempts to reconnect


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-open sockets are given up within a second and a half, welcomes that do not come within two."""
    monkeypatch.setattr(stranger, "PONG_LIMIT", 0.5)
    monkeypatch.setattr(stranger, "WELCOME_LIMIT", 2.0)


async def get_page(server: Server, path: str) -> httpx.Response:
    """The page, also while the server is away for a moment."""
    async with httpx.AsyncClient(base_url=server.url, timeout=5, trust_env=False, verify=False) as browser:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    page = await browser.get(path)
                    if page.status_code < 500:
                        return page
                await asyncio.sleep(HASTE)


class Person:
    """One tab of one player. `port` is where its socket connects to: its network, or the server itself."""

    def __init__(self, server: Server, player: int, port: int = 0, name: str = "", path: str = "") -> None:
        self.server = server
        self.player = player
        self.name = name or f"p{player}"
        self.tab = Tab()
        self.path = path or server.path(player)
        self.url = f"ws://127.0.0.1:{port or server.port}{self.path}live"
        self.asked: list[int] = []  # numbers given to add, in order
        self.given: list[Any] = []  # data of kept events, across documents
        self.view: list[Any] = []  # what this tab shows: the page, and what was told since
        self.answers: list[tuple[int, asyncio.Future[Any]]] = []
        self.abandoned: list[tuple[int, asyncio.Future[Any]]] = []  # calls of documents that were left
        self.lines: list[Stranger] = []
        self._count = 0

    @property
    def now(self) -> Stranger:
        """The present document."""
        return self.lines[-1]

    async def open(self, *, connected: bool = True) -> Person:
        """Load the page, in a new document of the same tab, and connect."""
        page = PageConfig.from_html((await get_page(self.server, self.path)).text)
        self.view = list(page.vars["items"])
        line = Stranger(self.url, page.stay, page.base, self.tab, handler=self._told, retry_every=HASTE)
        self.lines.append(line)
        line.start()
        if connected:
            await line.connected(PATIENCE)
        return self

    def _told(self, event: Event) -> None:
        if event.name == "Added":
            self.view.append(event.data)
        elif event.name == "Given":
            self.given.append(event.data)

    async def reload(self, *, connected: bool = True) -> None:
        """Lose the document, load the page again. Nobody awaits the old document's calls any more."""
        await self.leave()
        await self.open(connected=connected)

    async def leave(self) -> None:
        old = self.now
        self.abandoned += [(n, answer) for n, answer in self.answers if not answer.done()]
        self.answers = [(n, answer) for n, answer in self.answers if answer.done()]
        await end(old)

    def ask(self, method: str = "add") -> asyncio.Future[Any]:
        """Append the next number."""
        self._count += 1
        self.asked.append(self._count)
        answer = self.now.call(method, self.name, self._count)
        self.answers.append((self._count, answer))
        return answer

    async def settled(self, seconds: float = 40.0) -> None:
        """All calls of this tab have settled, also those that were adopted. Raises TimeoutError."""
        await self.now.until(lambda: not self.tab.unsettled, seconds)
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(answer for _, answer in self.answers), return_exceptions=True)

    def outcomes(self) -> dict[int, str]:
        """How each call of the documents that were not left has ended: "ok" or an error's code."""
        return {n: code_of(answer) for n, answer in self.answers}

    async def __aenter__(self) -> Person:
        return await self.open()

    async def __aexit__(self, *error: object) -> None:
        for line in self.lines:
            await end(line)


async def end(line: Stranger) -> None:
    """The document is gone, without a word: no acknowledgement, no closing handshake."""
    socket, running = line._socket, line._running
    if running is not None:
        running.cancel()
        if socket is not None:
            socket.transport.abort()
        await asyncio.gather(running, return_exceptions=True)
    line._running = None


def code_of(answer: asyncio.Future[Any]) -> str:
    error = answer.exception()
    if error is None:
        return "ok"
    return error.code if isinstance(error, CallError) else repr(error)


# ---------------------------------------------------------------------- frames by hand


class RawSocket:
    """A participant's socket where every frame is written by hand."""

    def __init__(self, socket: ClientConnection, page: PageConfig) -> None:
        self.socket = socket
        self.page = page
        self.frames: list[dict[str, Any]] = []

    async def say(self, message: Any) -> None:
        await self.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def hello(self, document: str = "raw", **more: Any) -> dict[str, Any]:
        """Say hello; gives the welcome."""
        page = self.page
        base = {"type": "hello", "version": 1, "stay": page.stay, "document": document}
        await self.say({**base, "base": page.base, "handled": page.base, **more})
        return await self.message("welcome")

    async def message(self, type: str, seconds: float = 10.0, **fields: Any) -> dict[str, Any]:
        """The next message of that type (with these fields); what comes before it is kept in `frames`."""
        async with asyncio.timeout(seconds):
            while True:
                frame = json.loads(await self.socket.recv())
                self.frames.append(frame)
                for message in frame["messages"]:
                    if message["type"] == type and all(message.get(name) == fields[name] for name in fields):
                        found: dict[str, Any] = message
                        return found

    async def closed(self, seconds: float = 15.0) -> int:
        """Read until it is closed; gives the code."""
        async with asyncio.timeout(seconds):
            try:
                while True:
                    self.frames.append(json.loads(await self.socket.recv()))
            except ConnectionClosed:
                return self.socket.close_code or 0


async def open_raw(server: Server, player: int = 1, *, path: str = "", port: int = 0, **options: Any) -> RawSocket:
    """A socket without a hello."""
    path = path or server.path(player)
    page = PageConfig.from_html((await get_page(server, path)).text)
    url = f"ws://127.0.0.1:{port or server.port}{page.live}"
    socket = await connect(
        url, compression=None, ping_interval=None, proxy=None, max_size=None, close_timeout=2, **options
    )
    return RawSocket(socket, page)


__all__ = ["CallError", "InvalidHandshake", "Person", "RawSocket", "code_of", "get_page", "open_raw"]
