"""A partner who leaves leaves nobody stuck: each policy of a wait page, over real HTTP and sockets."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect

from tests.examples.stage import Server

_CONFIG = re.compile(r'<script type="application/json" id="grimoire-page">(.*?)</script>', re.DOTALL)
_HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>")
LONG = 10.0  # seconds until a push that should come counts as never


class Person:
    """One participant: loads pages, presses Next, listens."""

    def __init__(self, link: str, http: httpx.AsyncClient) -> None:
        self._link = link
        self._http = http
        self._socket: ClientConnection | None = None
        self.text = ""
        self.stay = 0

    async def load(self) -> str:
        """Load the page and connect; gives its heading."""
        await self.leave()
        self.text = (await self._http.get(self._link)).raise_for_status().text
        found = _CONFIG.search(self.text)
        assert found, self.text
        config = json.loads(html.unescape(found[1]))
        self.stay = config["stay"]
        address = str(httpx.URL(self._link).join(config["live"])).replace("http", "ws", 1)
        self._socket = await connect(address)
        base = config["base"]
        hello = {"version": 1, "stay": self.stay, "document": secrets.token_hex(8), "base": base, "handled": base}
        await self._socket.send(json.dumps({"type": "hello", **hello}))
        heading = _HEADING.search(self.text)
        assert heading
        return heading[1]

    async def press_next(self) -> str:
        await self._http.post(self._link, data={"_stay": str(self.stay), "_submission": secrets.token_hex(8)})
        return await self.load()

    async def sent_on(self, seconds: float = LONG) -> str:
        """The heading of the page to which a push leads; "" where none has come by then."""
        assert self._socket
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    messages = json.loads(await self._socket.recv())["messages"]
                    if any(message["type"] == "go" for message in messages):
                        return await self.load()
        return ""

    async def leave(self) -> None:
        """Be gone from one moment to the next, without a good-bye."""
        if self._socket is not None:
            self._socket.transport.abort()
            self._socket = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(Path(__file__).parent / "partners", tmp_path / "database.sqlite3", 9)
    yield started
    log = started.stop()
    assert "ERROR" not in log, log


@pytest_asyncio.fixture
async def people(server: Server) -> AsyncIterator[list[Person]]:
    """Everybody has come; then the even ones leave."""
    async with httpx.AsyncClient(follow_redirects=True, timeout=LONG, trust_env=False) as http:
        found = [Person(link, http) for link in server.players]
        for person in found:
            assert await person.load() == "Start"
        for partner in found[1::2]:
            await partner.leave()
        yield found
        for person in found:
            await person.leave()


async def test_evidence_23_who_proceeds_goes_on_without_the_partner(people: list[Person]) -> None:
    _, _, one, partner, *_ = people
    assert await one.press_next() == "Please wait"
    assert "1 of 2" in one.text
    assert await one.sent_on() == "End"
    assert "1 2" in one.text, "one was missing; both are members still"
    assert await partner.load() == "Start"
    assert await partner.press_next() == "End"


async def test_evidence_23_who_dissolves_goes_on_alone(people: list[Person]) -> None:
    one, partner = people[4:6]
    assert await one.press_next() == "Please wait"
    assert await one.sent_on() == "End"
    assert "1 1" in one.text
    await partner.load()
    assert await partner.press_next() == "End"
    assert "alone" in partner.text


async def test_evidence_23_who_is_sent_elsewhere_gets_there(people: list[Person]) -> None:
    assert await people[6].press_next() == "Please wait"
    assert await people[6].sent_on() == "Sorry"


async def test_evidence_23_who_waits_on_is_released_when_the_partner_comes_back(people: list[Person]) -> None:
    one, partner = people[:2]
    assert await one.press_next() == "Please wait"
    assert await one.sent_on(2.5) == ""
    assert await partner.load() == "Start"
    await partner.press_next()
    assert await one.sent_on() == "End"
    assert "1 2" in one.text


async def test_evidence_23_who_finds_no_group_goes_on(people: list[Person], server: Server) -> None:
    """Also where the server is killed while they wait."""
    last = people[8]
    assert await last.press_next() == "Please wait"
    server.kill_and_restart()
    await last.load()
    assert await last.sent_on(30) == "End"
    assert "alone" in last.text
