"""uvicorn's websocket protocol with a shorter way in and out: no queue and no task for a message, no copy for a frame.

Owns the one place that depends on the insides of uvicorn (pyproject.toml bounds its version, tests/web/test_direct.py
holds what is relied on). Everything still works over plain ASGI, only slower: see `promptgrimoire.realtime.connection`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

EXTENSION = "promptgrimoire.direct"  # in the ASGI scope's extensions
LOST = 1006
_LATE = 1.0  # seconds; a timer that is later than this says that the loop was held


class DirectProtocol(WebSocketsSansIOProtocol):
    """Offers itself to the application as `scope["extensions"][EXTENSION]`."""

    _take: Callable[[bytes], bool] | None = None

    def attach(self, take: Callable[[bytes], bool]) -> None:
        """See `promptgrimoire.realtime.connection.Direct`."""
        if self.queue.empty() and not self.frames:  # else the rest of a message is still to come
            self._take = take

    def write(self, on_wire: bytes) -> bool:
        """See `promptgrimoire.realtime.connection.Direct`."""
        if self.close_sent or self.disconnected or not self.writable.is_set():
            return False
        self.transport.write(on_wire)
        return True

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.close" and self.close_timer is not None:
            # Closing the transport would wait for a peer that reads nothing.
            self.close_timer.cancel()
            self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """No pong: the peer is gone without a word, or reads nothing. A close frame would wait in vain to be sent."""
        self.pong_timer = None
        late = self.loop.time() - self.ping_sent_at - (self.ping_timeout or 0.0)
        if self.read_paused or late > _LATE:  # it is this side that has not looked
            self.send_keepalive_ping()
        else:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.handshake_complete and self.conn.close_rcvd is None:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": LOST})  # not "closed": nobody said so
        super().connection_lost(exc)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:  # the handshake was accepted; the application starts in the next turn of the loop
            scope["extensions"][EXTENSION] = self

    def handle_text(self, event: Frame) -> None:
        take = self._take
        if take is not None:
            if event.fin and not self.close_sent and take(bytes(event.data)):
                return
            self._take = None  # what has to be awaited, and what follows it, goes through the queue
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        self._take = None
        super().handle_bytes(event)
