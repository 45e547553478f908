"""One socket's receive and send loops behind a small interface. What it calls is handed to it; it knows no session.

No task per message: where the server offers it (`Direct`), messages come straight from the socket and frames go
straight to it; elsewhere the receive loop calls the handler, and a frame is written by stepping the ASGI `send` once.
Only a full transport needs a task.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Hashable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Protocol

import msgspec

from promptgrimoire.realtime.limits import Bucket
from promptgrimoire.realtime.protocol import (
    DEEPEST,
    Call,
    CloseCode,
    Error,
    FrameText,
    Handled,
    Hello,
    Here,
    Incoming,
    Ping,
    decode,
    encode,
    frame,
    salvage,
    too_deep,
)
from promptgrimoire.settings import Limits

_LATEST = 100  # kinds of volatile frames that wait for a slow reader
log = logging.getLogger("promptgrimoire.connection")

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Coroutine[Any, Any, None]]


class Handler(Protocol):
    """What a connection's messages are handed to. One handler per connection; nothing is called after `closed`."""

    async def hello(self, hello: Hello) -> bool:
        """False where the connection has been closed instead."""

    def call(self, call: Call) -> None: ...

    def handled(self, message: Handled) -> None: ...

    def here(self, message: Here) -> None: ...

    def ping(self, message: Ping) -> None: ...

    def closed(self, code: int) -> None: ...


class Direct(Protocol):
    """A shorter way to the socket than ASGI's, which a server may offer (see `promptgrimoire.web.direct`)."""

    def attach(self, take: Callable[[bytes], bool]) -> None:
        """Hand over text messages as they come, while `take` returns true; what it refuses goes the usual way.

        Does nothing while messages still wait on the usual way.
        """

    def write(self, on_wire: bytes) -> bool:
        """Write a whole websocket frame; False, and nothing written, where the transport is full or gone."""


class Connection:
    """The sending side of one socket (a Sink)."""

    __slots__ = (
        "_asgi_send",
        "_backlog",
        "_backlog_bytes",
        "_bound",
        "_closed",
        "_direct",
        "_latest",
        "_limit",
        "_loop",
        "_task",
    )

    def __init__(self, send: Send, limits: Limits, direct: Direct | None = None) -> None:
        self._asgi_send = send
        self._direct = direct
        self._bound = self._limit = limits.backlog
        self._loop = asyncio.get_running_loop()
        self._backlog: deque[MutableMapping[str, Any]] | None = None  # None: nothing waits
        self._backlog_bytes = 0
        self._latest: dict[Hashable, FrameText] = {}  # volatile frames, while something waits
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def send(self, text: FrameText) -> None:
        """Send a frame; returns at once.

        A reader too slow for the backlog's bound is disconnected and resumes later.
        """
        if self._closed:
            return
        if self._backlog is None:
            direct = self._direct
            if direct is None or not direct.write(text.on_wire):
                self._step({"type": "websocket.send", "text": str(text)})
            return
        self._backlog_bytes += len(text)
        if self._backlog_bytes > self._limit:
            self._backlog.clear()
            self.close(CloseCode.SLOW, "too slow")
            return
        self._backlog.append({"type": "websocket.send", "text": str(text)})

    def send_latest(self, key: Hashable, text: FrameText) -> None:
        """Send a frame that is worthless when late: for a slow reader the newest of each key is all that waits."""
        if self._backlog is None:
            self.send(text)
        elif key in self._latest or len(self._latest) < _LATEST:
            self._latest[key] = text

    @contextmanager
    def catching_up(self) -> Iterator[None]:
        """What is sent meanwhile is what the reader has missed: that much may wait, and is no sign of slowness."""
        self._limit = sys.maxsize
        try:
            yield
        finally:
            self._limit = self._bound + self._backlog_bytes

    def close(self, code: int, reason: str) -> None:
        """Close; what was sent before still goes out. Does nothing where it is closed."""
        if self._closed:
            return
        self._closed = True
        message = {"type": "websocket.close", "code": code, "reason": reason}
        if self._backlog is None:
            self._step(message)
        else:
            self._backlog.append(message)

    def abandon(self) -> None:
        """The peer is gone: nothing more is sent."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()

    def _step(self, message: MutableMapping[str, Any]) -> None:
        coroutine = self._asgi_send(message)
        try:
            waits_for = coroutine.send(None)
        except StopIteration:
            return
        except Exception:  # the transport is gone; the receive loop hears of it
            self._closed = True
            return
        self._backlog = deque()
        self._task = self._loop.create_task(self._drain(coroutine, waits_for), context=Context())

    async def _drain(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        backlog = self._backlog
        assert backlog is not None
        try:
            await _Resumed(coroutine, waits_for)
            while backlog or self._latest:
                if backlog:
                    message = backlog.popleft()
                    self._backlog_bytes -= len(message.get("text", ""))
                else:
                    message = {"type": "websocket.send", "text": str(self._latest.pop(next(iter(self._latest))))}
                await self._asgi_send(message)
        except Exception:  # the transport is gone; the receive loop hears of it
            self._closed = True
        finally:
            self._backlog = None
            self._latest.clear()
            self._limit = self._bound
            self._backlog_bytes = 0
            self._task = None


class _Resumed:
    """Goes on awaiting a coroutine that has been stepped once and waits for something."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        while True:
            try:
                sent = yield waits_for
            except BaseException as error:
                step: Callable[[Any], Any] = self._coroutine.throw
                argument: Any = error
            else:
                step = self._coroutine.send
                argument = sent
            try:
                waits_for = step(argument)
            except StopIteration:
                return


class Reader:
    """What to do with each message of one connection. One that cannot be read is answered and disturbs nothing else."""

    __slots__ = ("_bucket", "_clock", "_connection", "_handler", "_limits", "greeted")

    def __init__(self, connection: Connection, handler: Handler, limits: Limits, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._handler = handler
        self._limits = limits
        self._clock = clock
        self._bucket = Bucket(limits.frames_per_second, limits.frame_burst, clock())
        self.greeted = False

    def read(self, text: str | bytes | None) -> Incoming | None:
        """The message, within the limits; None where it has been refused."""
        connection = self._connection
        if not self._bucket.take(self._clock()):
            connection.close(CloseCode.FLOOD, "too many frames")
            return None
        if text is None:
            _complain(connection, "expected a text frame, found a binary one")
            return None
        if len(text) > self._limits.frame:
            most = self._limits.frame
            _complain(connection, f"expected at most {most} bytes in a frame, found {len(text)}", "large")
            return None
        try:
            if not text.isascii() and isinstance(text, bytes):
                text.decode()  # msgspec does not look at the arguments yet, but what is not UTF-8 must not get far
            if too_deep(text):
                raise RecursionError(f"nested more than {DEEPEST} deep")
            return decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            call = salvage(text)  # its number is answered: else it would be sent again, and those after it refused
            if call is None:
                _complain(connection, f"unreadable frame: {error}")
            return call

    def take(self, text: bytes) -> bool:
        """Handle a message that comes straight from the socket. False for a hello, which has to be awaited."""
        incoming = self.read(text)
        if incoming is None:
            return True
        if type(incoming) is Hello:
            return False
        self.handle(incoming)
        return True

    def handle(self, incoming: Incoming) -> None:
        """Hand over a message other than the first."""
        handler = self._handler
        try:
            if type(incoming) is Call:
                handler.call(incoming)
            elif type(incoming) is Handled:
                handler.handled(incoming)
            elif type(incoming) is Ping:
                handler.ping(incoming)
            elif type(incoming) is Here:
                handler.here(incoming)
        except Exception:  # a fault of the framework: it costs one message, not the connection
            log.exception("a message could not be handled: %r", incoming)


async def serve(
    receive: Receive, connection: Connection, reader: Reader, handler: Handler, direct: Direct | None, patience: float
) -> None:
    """Receive until the peer is gone. One that says no hello within `patience` seconds is disconnected."""
    code = 1006
    loop = asyncio.get_running_loop()
    silence = loop.call_later(patience, connection.close, CloseCode.HELLO, "no hello", context=Context())
    try:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                code = message.get("code") or 1005
                return
            incoming = reader.read(message.get("text"))
            if type(incoming) is Hello:
                silence.cancel()
                with connection.catching_up():
                    reader.greeted = await handler.hello(incoming) or reader.greeted
            elif incoming is not None and reader.greeted:
                reader.handle(incoming)
            elif incoming is not None:
                connection.close(CloseCode.HELLO, "expected a hello first")
            if reader.greeted and direct is not None:
                direct.attach(reader.take)
    finally:
        silence.cancel()
        connection.abandon()
        handler.closed(code)


def _complain(connection: Connection, message: str, code: str = "arguments") -> None:
    connection.send(frame(0, [encode(Error(0, code, message))]))
