"""A client of the wire protocol, written from docs/protocol.md alone: what a stranger would write in another language.

Imports nothing of promptgrimoire. A `Tab` holds what outlives a document; a `Stranger` is one document.
"""

from __future__ import annotations

import asyncio
import html
import json
import random
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

VERSION = 1
ACK_DELAY = 1.0
KEPT_DELAY = 0.1
MOST_OWED = 50
LARGE = 4000
WELCOME_LIMIT = 10.0
PONG_LIMIT = 5.0
STEADY = 5.0
MOST_KEPT = 1000
MOST_GREETED = 100
FINAL_CODES = frozenset((4009, 4010, 4404))
FINAL_REASONS = frozenset(("takeover", "refused", "gone", "version"))
FLOOD = 4029
_CONFIG = re.compile(r'<script[^>]*id="grimoire-page"[^>]*>(.*?)</script>', re.DOTALL)


class CallError(Exception):
    """A call that gave no result; `code` as in docs/protocol.md, or "timeout"."""

    def __init__(self, code: str, message: str, id: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.id = id


@dataclass(frozen=True)
class Event:
    name: str | None
    data: Any
    seq: int
    keep: str = ""


@dataclass
class Unsettled:
    """Calls of one document: number -> (method, args as JSON text)."""

    stay: int
    calls: dict[int, tuple[str, str]] = field(default_factory=dict)


@dataclass
class Tab:
    """The tab's storage: hand the same one to the next document to reload."""

    name: str = field(default_factory=lambda: secrets.token_hex(8))
    kept: dict[str, None] = field(default_factory=dict)
    unsettled: dict[str, Unsettled] = field(default_factory=dict)


@dataclass(frozen=True)
class PageConfig:
    """What the page tells its client."""

    player: str
    stay: int
    base: int
    live: str
    vars: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_html(cls, text: str) -> PageConfig:
        """Raises ValueError for a page without a configuration."""
        found = _CONFIG.search(text)
        if found is None:
            raise ValueError("expected <script id=grimoire-page> in the page, found none")
        config = json.loads(html.unescape(found[1]) if "&quot;" in found[1] else found[1])
        return cls(config["player"], config["stay"], config["base"], config["live"], config.get("vars") or {})


class Stranger:
    """One document. `async with Stranger(url, stay, base) as client:` connects, and stays connected until the end.

    `events` holds everything that was handled, in order; `handler` is called with each as well. `seconds` until a call
    is given up, while there is no connection.
    """

    def __init__(
        self,
        url: str,
        stay: int,
        base: int,
        tab: Tab | None = None,
        *,
        handler: Callable[[Event], None] | None = None,
        seconds: float = 60.0,
        retry_every: float | None = None,
    ) -> None:
        self.url = url
        self.stay = stay
        self.base = base
        self.tab = tab if tab is not None else Tab()
        self.document = secrets.token_hex(8)
        self.handled = base
        self.events: list[Event] = []
        self.texts: list[str] = []
        self.went: list[dict[str, Any]] = []  # `go` messages: this document should be left
        self.resyncs = 0
        self.byes: list[str] = []
        self.complaints: list[dict[str, Any]] = []  # errors about frames
        self.connections = 0  # welcomed so far
        self.final = False  # the server wants us to stay away
        self.clock_offset = 0.0
        self._handler = handler
        self._seconds = seconds
        self._retry_every = retry_every
        self._next = 1
        self._attempts = 0  # connections on which hello was said, or is about to be
        self._resent = False  # on this connection: what is called from now on comes behind it
        self._mine = Unsettled(stay)
        self._futures: dict[int, asyncio.Future[Any]] = {}
        self._deadlines: dict[int, float] = {}
        self._adopted: dict[str, Unsettled] = {}
        self._socket: ClientConnection | None = None  # only while welcomed
        self._ping = 20.0
        self._heard = 0.0
        self._owed = 0.0  # unacknowledged events, large ones counted more than once
        self._ack: asyncio.TimerHandle | None = None
        self._owed_kept: list[str] = []
        self._news = asyncio.Condition()
        self._running: asyncio.Task[None] | None = None
        self._adopt()
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()

    @classmethod
    def from_page(cls, origin: str, text: str, tab: Tab | None = None, **options: Any) -> Stranger:
        """From the HTML of a participant's page; `origin` is `http://host:port`."""
        config = PageConfig.from_html(text)
        scheme, _, place = origin.partition("://")
        url = f"{'wss' if scheme == 'https' else 'ws'}://{place.rstrip('/')}{config.live}"
        return cls(url, config.stay, config.base, tab, **options)

    # ------------------------------------------------------------------ what a caller does

    async def __aenter__(self) -> Stranger:
        self.start()
        await self.connected()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def start(self) -> None:
        """Connect, and stay connected, without waiting for it."""
        self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Leave the page: acknowledge and close. Unsettled calls stay in the tab, for the next document."""
        self._acknowledge()
        if self._socket is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._outgoing.join()
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None
        self._settle_ack()
        for future in self._futures.values():
            future.cancel()

    async def drop(self) -> None:
        """Lose the connection without a word, as a network does; it comes back by itself."""
        if self._socket is not None:
            self._socket.transport.abort()
        await self.until(lambda: self._socket is None)

    async def connected(self, seconds: float = 10.0) -> None:
        await self.until(lambda: self._socket is not None or self.final, seconds)

    async def invoke(self, method: str, *args: Any) -> Any:
        """What the method returns. Raises CallError; always settles."""
        return await self.call(method, *args)

    def call(self, method: str, *args: Any) -> asyncio.Future[Any]:
        """Like invoke, but the call is made at once and may be awaited later."""
        n, self._next = self._next, self._next + 1
        self._mine.calls[n] = (method, json.dumps(list(args)))
        self.tab.unsettled[self.document] = self._mine
        future = self._futures[n] = asyncio.get_running_loop().create_future()
        self._postpone(n)
        if self._resent:
            self._post(self.document, n)
        return future

    def send(self, method: str, *args: Any) -> None:
        """A volatile call: no number, no reply, dropped without a connection."""
        self._say({"type": "call", "n": 0, "method": method, "args": list(args), "handled": self.handled})

    def here(self, state: str) -> None:
        self._say({"type": "here", "state": state})

    def clock(self) -> float:
        """The server's time, seconds since 1970."""
        return time.monotonic() + self.clock_offset

    @property
    def unsettled(self) -> list[int]:
        return list(self._mine.calls)

    def named(self, name: str | None) -> list[Any]:
        """Data of the handled events of that name."""
        return [event.data for event in self.events if event.name == name]

    async def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        """Wait until the condition holds; it is looked at whenever anything has happened. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: bool(condition()))

    # ------------------------------------------------------------------ the connection

    async def _run(self) -> None:
        attempt = 0
        watching = asyncio.create_task(self._watch())
        try:
            while not self.final:
                began = time.monotonic()
                code = await self._converse()
                await self._tell()
                if code in FINAL_CODES:
                    self.final = True
                if code == FLOOD:
                    attempt = 6
                elif time.monotonic() - began > STEADY:
                    attempt = 0
                if not self.final:
                    delay = random.random() * min(10.0, 0.25 * 2**attempt)
                    await asyncio.sleep(delay if self._retry_every is None else self._retry_every)
                attempt += 1
        finally:
            watching.cancel()
            await self._tell()

    async def _converse(self) -> int:
        """One connection, from the handshake to its end; gives the close code, 0 without one."""
        try:
            async with asyncio.timeout(WELCOME_LIMIT):
                socket = await connect(
                    self.url, max_size=None, ping_interval=None, close_timeout=1, compression=None, proxy=None
                )
        except (OSError, TimeoutError, InvalidHandshake, EOFError):
            return 0
        tasks: list[asyncio.Task[None]] = []
        self._outgoing = asyncio.Queue()  # what was meant for the connection before this one is not sent on it
        try:
            asked = time.monotonic()
            self._attempts += 1
            await socket.send(json.dumps(self._hello()))
            async with asyncio.timeout(WELCOME_LIMIT):
                while self._socket is None:
                    frame = json.loads(await socket.recv())
                    for message in frame["messages"]:
                        if message["type"] == "welcome":
                            self._welcomed(socket, message, asked)
                    await self._take(frame, 0)
            self._resend()
            tasks = [asyncio.create_task(self._write(socket)), asyncio.create_task(self._beat(socket))]
            while True:
                text = await socket.recv()
                await self._take(json.loads(text), len(text))
        except (ConnectionClosed, TimeoutError):
            return socket.close_code or 0
        finally:
            for n in self._mine.calls:
                self._postpone(n)
            self._socket = None
            self._resent = False
            for task in tasks:
                task.cancel()
            await socket.close()

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "version": VERSION,
            "stay": self.stay,
            "document": self.document,
            "tab": self.tab.name,
            "base": self.base,
            "handled": self.handled,
            "connection": self._attempts,
            "pending": sorted(self._mine.calls),
            "next": self._next,
            "kept": list(self.tab.kept)[-MOST_GREETED:],
            "adopts": [{"document": name, "pending": sorted(one.calls)} for name, one in self._adopted.items()],
        }

    def _welcomed(self, socket: ClientConnection, welcome: dict[str, Any], asked: float) -> None:
        now = time.monotonic()
        self._socket = socket
        self._ping = welcome["ping"]
        self._heard = now
        self.clock_offset = welcome["clock"] + (now - asked) / 2 - now
        self.connections += 1
        if welcome["resync"]:
            self.handled = max(self.handled, welcome["seq"])
            self.resyncs += 1
            self._acknowledge()

    async def _beat(self, socket: ClientConnection) -> None:
        def check(asked: float) -> None:
            if self._heard < asked and self._socket is socket:
                socket.transport.abort()

        while True:
            await asyncio.sleep(self._ping)
            asked = time.monotonic()
            self._say({"type": "ping", "sent": asked})
            asyncio.get_running_loop().call_later(PONG_LIMIT, check, asked)

    async def _write(self, socket: ClientConnection) -> None:
        """Everything goes out in the order in which it was said."""
        with suppress(ConnectionClosed):
            while True:
                await socket.send(await self._outgoing.get())
                self._outgoing.task_done()

    # ------------------------------------------------------------------ frames

    async def _take(self, frame: dict[str, Any], size: int) -> None:
        self._heard = time.monotonic()
        seq = frame["seq"]
        again = 0 < seq <= self.handled
        if seq > self.handled:
            self.handled = seq
            if any(message["type"] not in ("reply", "error") for message in frame["messages"]):
                self._owed += 1 + size / LARGE
                self._owe(ACK_DELAY)
        for message in frame["messages"]:
            take = getattr(self, f"_take_{message['type']}", None)
            if take is not None:  # else it belongs to a newer server
                take(message, seq, again)
        if self._owed >= MOST_OWED:
            self._acknowledge()
        await self._tell()

    def _take_event(self, message: dict[str, Any], seq: int, again: bool) -> None:
        keep = message.get("keep", "")
        if keep:
            self._owed_kept.append(keep)
            self._owe(KEPT_DELAY)
            if keep in self.tab.kept:
                return
            self.tab.kept[keep] = None
            while len(self.tab.kept) > MOST_KEPT:
                del self.tab.kept[next(iter(self.tab.kept))]
        elif again:
            return
        event = Event(message["name"], message["data"], seq, keep)
        self.events.append(event)
        if self._handler is not None:
            self._handler(event)

    def _take_reply(self, message: dict[str, Any], seq: int, again: bool) -> None:
        future = self._settle(message["n"], message.get("document", ""))
        if future is not None and not future.done():
            future.set_result(message["ok"])

    def _take_error(self, message: dict[str, Any], seq: int, again: bool) -> None:
        if message["n"] == 0:
            self.complaints.append(message)
            return
        future = self._settle(message["n"], message.get("document", ""))
        if future is not None and not future.done():
            future.set_exception(CallError(message["code"], message["message"], message.get("id", "")))

    def _take_message(self, message: dict[str, Any], seq: int, again: bool) -> None:
        self.texts.append(message["text"])

    def _take_go(self, message: dict[str, Any], seq: int, again: bool) -> None:
        self.went.append(message)

    def _take_bye(self, message: dict[str, Any], seq: int, again: bool) -> None:
        self.byes.append(message["reason"])
        self.final = self.final or message["reason"] in FINAL_REASONS

    def _owe(self, delay: float) -> None:
        loop = asyncio.get_running_loop()
        if self._ack is not None and self._ack.when() <= loop.time() + delay:
            return
        if self._ack is not None:
            self._ack.cancel()
        self._ack = loop.call_later(delay, self._acknowledge)

    def _settle_ack(self) -> None:
        self._owed = 0.0
        if self._ack is not None:
            self._ack.cancel()
            self._ack = None

    def _acknowledge(self) -> None:
        self._settle_ack()
        if self._say({"type": "handled", "seq": self.handled, "kept": self._owed_kept}):
            self._owed_kept = []

    # ------------------------------------------------------------------ calls

    def _adopt(self) -> None:
        """Take over what earlier documents of this tab left, if their stay is ours."""
        for name, one in list(self.tab.unsettled.items()):
            if one.stay == self.stay and one.calls:
                self._adopted[name] = one
            else:
                del self.tab.unsettled[name]

    def _resend(self) -> None:
        if self._owed_kept:
            self._acknowledge()
        for name, one in self._adopted.items():
            for n in sorted(one.calls):
                self._post(name, n)
        for n in sorted(self._mine.calls):
            self._postpone(n)
            self._post(self.document, n)
        self._resent = True

    def _post(self, document: str, n: int) -> None:
        one = self._mine if document == self.document else self._adopted[document]
        method, args = one.calls[n]
        call = {"type": "call", "n": n, "method": method, "args": json.loads(args), "handled": self.handled}
        call["done"] = min(one.calls) - 1
        if document != self.document:
            call["document"] = document
        if self._say(call) and not self._owed_kept:
            self._settle_ack()  # the call carries it

    def _settle(self, n: int, document: str) -> asyncio.Future[Any] | None:
        if document and document != self.document:
            adopted = self._adopted.get(document)
            if adopted is not None:
                adopted.calls.pop(n, None)
                if not adopted.calls:
                    del self._adopted[document]
                    self.tab.unsettled.pop(document, None)
            return None
        self._mine.calls.pop(n, None)
        self._deadlines.pop(n, None)
        if not self._mine.calls:
            self.tab.unsettled.pop(self.document, None)
        for other in self._deadlines:
            self._postpone(other)
        return self._futures.pop(n, None)

    def _postpone(self, n: int) -> None:
        """Given up after `seconds` without a connection, a quarter more with one."""
        self._deadlines[n] = time.monotonic() + self._seconds * (1.25 if self._socket is not None else 1.0)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self._seconds / 4))
            for n, deadline in list(self._deadlines.items()):
                if deadline <= time.monotonic():
                    future = self._settle(n, "")
                    if future is not None and not future.done():
                        future.set_exception(CallError("timeout", "no answer"))

    # ------------------------------------------------------------------ sending

    def _say(self, message: dict[str, Any]) -> bool:
        """False without a connection. True promises nothing about arrival."""
        if self._socket is None:
            return False
        self._outgoing.put_nowait(json.dumps(message))
        return True

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()
