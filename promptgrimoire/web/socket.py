"""The websocket of a participant, `/p/{token}/live`.

Who may connect, and what a connection's messages mean to a host.
"""

from __future__ import annotations

import time

from starlette.types import Receive, Scope, Send

from promptgrimoire.errors import GrimoireError, JournalError, NotFound
from promptgrimoire.realtime.connection import Connection, Direct, Reader, serve
from promptgrimoire.realtime.outbox import Document
from promptgrimoire.realtime.protocol import Bye, Call, CloseCode, Handled, Hello, Here, Ping, Pong, encode, frame
from promptgrimoire.runtime.gateway import Gateway
from promptgrimoire.runtime.host import Host
from promptgrimoire.settings import Settings
from promptgrimoire.web.direct import EXTENSION


class LiveSocket:
    """ASGI application for the websocket."""

    def __init__(self, gateway: Gateway, settings: Settings) -> None:
        self._gateway = gateway
        self._settings = settings
        self._open: dict[str, int] = {}  # token -> how many sockets, also those that have not said hello

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = scope["path_params"]["token"]
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        if self._open.get(token, 0) >= self._settings.limits.connections:
            await send({"type": "websocket.send", "text": frame(0, [encode(Bye("flood"))])})
            reason = f"more than {self._settings.limits.connections} connections"
            await send({"type": "websocket.close", "code": CloseCode.FLOOD, "reason": reason})
            return
        self._open[token] = self._open.get(token, 0) + 1
        try:
            await self._serve(token, scope, receive, send)
        finally:
            self._open[token] -= 1
            if not self._open[token]:
                del self._open[token]

    async def _serve(self, token: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            host = await self._gateway.host_of(token)
        except NotFound:
            await send({"type": "websocket.send", "text": frame(0, [encode(Bye("gone"))])})
            await send({"type": "websocket.close", "code": CloseCode.UNKNOWN_TOKEN, "reason": "unknown token"})
            return
        except (JournalError, GrimoireError):
            await send({"type": "websocket.send", "text": frame(0, [encode(Bye("storage"))])})
            await send({"type": "websocket.close", "code": 1013, "reason": "one moment"})
            return
        direct: Direct | None = scope["extensions"].get(EXTENSION)
        connection = Connection(send, host.limits, direct)  # type: ignore[arg-type]
        player = host.state.tokens[token]
        talk = Talk(host, player, connection)
        reader = Reader(connection, talk, host.limits, time.monotonic)
        await serve(receive, connection, reader, talk, direct, self._settings.grace.hello)


class Talk:
    """One connection's messages, handed to the session's host."""

    def __init__(self, host: Host, player: int, connection: Connection) -> None:
        self._host = host
        self._player = player
        self._connection = connection
        self._document: Document | None = None

    async def hello(self, hello: Hello) -> bool:
        """See `Deliveries.hello`. A second hello on one connection starts again from what it says."""
        try:
            document = await self._host.deliveries.hello(self._player, self._connection, hello)
        except JournalError:
            self._connection.send(frame(0, [encode(Bye("storage"))]))
            self._connection.close(1013, "one moment")
            return False
        if document is None:
            return False
        if self._document is not None and self._document is not document:
            self._host.deliveries.closed(self._document, self._connection)
        self._document = document
        self._host.attendance.opened(self._player, self._connection)
        return True

    def call(self, call: Call) -> None:
        document = self._document
        assert document is not None
        if self._host.failure is None:
            self._host.calls.take(document, call)

    def handled(self, message: Handled) -> None:
        document = self._document
        assert document is not None
        self._host.deliveries.handled(document, message.seq)
        kept = message.kept
        lost = document.lost
        if lost is not None and message.seq >= lost[1] and document.sink is self._connection:
            kept = [*kept, lost[0]]
            document.lost = None
        if kept:
            self._host.calls.kept_handled(self._player, kept)

    def here(self, message: Here) -> None:
        assert self._document is not None
        self._document.state = message.state

    def ping(self, message: Ping) -> None:
        self._connection.send(frame(0, [encode(Pong(message.sent, self._host.clock.now()))]))

    def closed(self, code: int) -> None:
        if self._document is not None:
            self._host.deliveries.closed(self._document, self._connection)
        self._host.attendance.closed(self._player, self._connection, _reason(code))


def _reason(code: int) -> str:
    return {1000: "closed", 1001: "left", 1005: "closed", 1006: "lost"}.get(code, f"code {code}")
