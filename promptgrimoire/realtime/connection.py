"""One socket's receive and send loops behind a small interface. What it calls is handed to it; it knows no session.

No task per message: the receive loop calls the handler directly, and a frame is written by stepping the ASGI `send`
once; only a full transport needs a task.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, MutableMapping
from contextvars import Context
from typing import Any, Protocol

import msgspec

from promptgrimoire.realtime.limits import Bucket
from promptgrimoire.realtime.protocol import Call, CloseCode, Error, Frame, Handled, Hello, Here, Ping, decode, encode
from promptgrimoire.settings import Limits

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


class Connection:
    """The sending side of one socket (a Sink)."""

    __slots__ = ("_asgi_send", "_backlog", "_backlog_bytes", "_closed", "_limit", "_loop", "_task")

    def __init__(self, send: Send, limits: Limits) -> None:
        self._asgi_send = send
        self._limit = limits.backlog
        self._loop = asyncio.get_running_loop()
        self._backlog: deque[MutableMapping[str, Any]] | None = None  # None: nothing waits
        self._backlog_bytes = 0
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    def send(self, text: str) -> None:
        """Send a frame; returns at once.

        A reader too slow for the backlog's bound is disconnected and resumes later.
        """
        if self._closed:
            return
        if self._backlog is None:
            self._step({"type": "websocket.send", "text": text})
            return
        self._backlog_bytes += len(text)
        if self._backlog_bytes > self._limit:
            self._backlog.clear()
            self.close(CloseCode.SLOW, "too slow")
            return
        self._backlog.append({"type": "websocket.send", "text": text})

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
            while backlog:
                message = backlog.popleft()
                self._backlog_bytes -= len(message.get("text", ""))
                await self._asgi_send(message)
        except Exception:  # the transport is gone; the receive loop hears of it
            self._closed = True
        finally:
            self._backlog = None
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


async def serve(
    receive: Receive, connection: Connection, handler: Handler, limits: Limits, clock: Callable[[], float]
) -> None:
    """Receive until the peer is gone. A frame that cannot be read is answered and disturbs nothing else."""
    code = 1006
    bucket = Bucket(limits.frames_per_second, limits.frame_burst, clock())
    greeted = False
    try:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                code = message.get("code") or 1005
                return
            text = message.get("text")
            if text is None:
                _complain(connection, "expected a text frame, found a binary one")
                continue
            if not bucket.take(clock()):
                connection.close(CloseCode.FLOOD, "too many frames")
                continue
            if len(text) > limits.frame:
                _complain(connection, f"expected at most {limits.frame} bytes in a frame, found {len(text)}", "large")
                continue
            try:
                incoming = decode(text)
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
                _complain(connection, f"unreadable frame: {error}")
                continue
            if type(incoming) is Call and greeted:
                handler.call(incoming)
            elif type(incoming) is Hello:
                greeted = await handler.hello(incoming) or greeted
            elif not greeted:
                connection.close(CloseCode.HELLO, "expected a hello first")
            elif type(incoming) is Handled:
                handler.handled(incoming)
            elif type(incoming) is Ping:
                handler.ping(incoming)
            elif type(incoming) is Here:
                handler.here(incoming)
    finally:
        connection.abandon()
        handler.closed(code)


def _complain(connection: Connection, message: str, code: str = "arguments") -> None:
    connection.send(encode(Frame(0, [Error(0, code, message)])).decode())
