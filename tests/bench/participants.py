"""Participants of the framework under measurement: page, hello, calls, acknowledgements, as docs/protocol.md says.

The measured experiment sends no kept events and lives in one document per participant, so there is nothing to store.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Sequence

import msgspec

from tests.bench.keep_alive import fetch
from tests.bench.wire import Socket, connect

_CONFIG = re.compile(rb'id="grimoire-page">(.*?)</script>')
_ACK = 1.0  # seconds after something came to be owed
_OWED = 50  # events


class PageConfig(msgspec.Struct):
    """What the page tells the client."""

    stay: int
    base: int
    live: str


async def load_page(port: int, path: str) -> PageConfig:
    """GET a player link."""
    answer = await fetch(port, path)
    found = _CONFIG.search(answer.content)
    if found is None:
        raise RuntimeError(f"expected a page with its configuration, found {answer.status}: {answer.content[:200]!r}")
    return msgspec.json.decode(found[1], type=PageConfig)


class Participant:
    """One participant's document. `on_event` is called with each frame that carries an event."""

    def __init__(self, port: int, page: PageConfig) -> None:
        self._port = port
        self._page = page
        self.socket: Socket = None  # type: ignore[assignment]
        self.n = 0
        self._handled = page.base
        self._acked = page.base
        self._owed = 0
        self._ack_planned = False
        self._waiting: Callable[[bytes], None] | None = None
        self.on_event: Callable[[bytes], None] | None = None
        self._loop = asyncio.get_running_loop()

    async def open(self, document: str, pending: Sequence[int] = ()) -> None:
        """Connect and say hello; done with the welcome. Raises OSError where the connection is lost before."""
        welcome: asyncio.Future[None] = self._loop.create_future()

        def receive(text: bytes) -> None:
            if b'"welcome"' in text and not welcome.done():
                welcome.set_result(None)
            elif welcome.done():
                self._receive(text)

        socket = await connect(self._port, self._page.live, receive)
        self.socket = socket
        hello = {
            "type": "hello",
            "version": 1,
            "stay": self._page.stay,
            "document": document,
            "base": self._page.base,
            "handled": self._handled,
            "pending": list(pending),
            "next": self.n + 1 + len(pending),
        }
        socket.send(json.dumps(hello, separators=(",", ":")).encode())
        await asyncio.wait((welcome, socket.lost), return_when=asyncio.FIRST_COMPLETED)
        if not welcome.done():
            raise ConnectionError(f"{self._page.live}: lost before the welcome")
        socket.on_text = self._receive

    def _receive(self, text: bytes) -> None:
        if b'"type":"event"' in text:
            self._handled = max(self._handled, int(text[7 : text.index(b",", 7)]))
            self._owed += 1
            if self._owed >= _OWED:
                self._ack()
            elif not self._ack_planned:
                self._ack_planned = True
                self._loop.call_later(_ACK, self._ack_in_time)
            if self.on_event is not None:
                self.on_event(text)
        if (b'"type":"reply"' in text or b'"type":"error"' in text) and self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting(text)

    def _ack_in_time(self) -> None:
        self._ack_planned = False
        self._ack()

    def _ack(self) -> None:
        self._owed = 0
        if self._handled > self._acked and not self.socket.transport.is_closing():
            self._acked = self._handled
            self.socket.send(b'{"type":"handled","seq":%d}' % self._handled)

    def call(self, method: bytes, arguments: bytes, then: Callable[[bytes], None]) -> None:
        """Call a live method; `then` gets the frame with the outcome. One call at a time."""
        self.n += 1
        self._waiting = then
        self._acked = self._handled
        self._owed = 0
        self.socket.send(
            b'{"type":"call","n":%d,"method":"%s","args":%s,"done":%d,"handled":%d}'
            % (self.n, method, arguments, self.n - 1, self._handled)
        )

    async def asked(self, method: bytes, arguments: bytes) -> bytes:
        """Call and wait; returns the frame with the reply. Raises ConnectionError, and RuntimeError for a refusal."""
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self.call(method, arguments, answer.set_result)
        await asyncio.wait((answer, self.socket.lost), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ConnectionError(f"lost before the answer to {method.decode()}")
        text = answer.result()
        if b'"type":"reply"' not in text:
            raise RuntimeError(f"{method.decode()}: {text.decode()}")
        return text


async def join(port: int, path: str) -> Participant:
    """Load the page at a player link and open its socket."""
    participant = Participant(port, await load_page(port, path))
    await participant.open(f"bench{time.time_ns()}")
    return participant


async def join_all(port: int, paths: Sequence[str]) -> list[Participant]:
    """One after the other."""
    return [await join(port, path) for path in paths]
