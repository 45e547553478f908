"""uvicorn's websocket protocol with a shorter way in and out: no queue and no task for a message, no copy for a frame.

A message that arrives whole, as nearly all do, is read here; whatever is less simple goes through the parser.
Owns the one place that depends on the insides of uvicorn and websockets (pyproject.toml bounds their versions,
tests/web/test_direct.py holds what is relied on). Everything still works over plain ASGI, only slower: see
`promptgrimoire.realtime.connection`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State

try:
    from websockets.speedups import apply_mask
except ImportError:  # it is compiled, and not for every platform
    from websockets.utils import apply_mask

EXTENSION = "promptgrimoire.direct"  # in the ASGI scope's extensions
LOST = 1006
_LATE = 1.0  # seconds; a timer that is later than this says that the loop was held
_TEXT = 0x81  # the first byte of a frame that is a whole text message
_MASKED = 0x80  # added to the length, the second byte, as browsers must


class DirectProtocol(WebSocketsSansIOProtocol):
    """Offers itself to the application as `scope["extensions"][EXTENSION]`."""

    _take: Callable[[bytes], bool] | None = None

    def attach(self, take: Callable[[bytes], bool]) -> None:
        """See `promptgrimoire.realtime.connection.Direct`."""
        if self.queue.empty() and self._between_messages():
            self._take = take

    def write(self, on_wire: bytes) -> bool:
        """See `promptgrimoire.realtime.connection.Direct`."""
        if self.close_sent or self.disconnected or not self.writable.is_set():
            return False
        self.transport.write(on_wire)
        return True

    def data_received(self, data: bytes) -> None:
        text = None if self._take is None else _whole_text(data)
        if text is None or not self._taken(text):
            super().data_received(data)
            if self._take is not None and not self._between_messages():
                self._take = None

    def _taken(self, text: bytes) -> bool:
        if self._take is not None and not self.close_sent and self._take(text):
            return True
        self._take = None  # what has to be awaited, and what follows it, goes through the queue
        return False

    def _between_messages(self) -> bool:
        """Whether the next byte begins a message: the parser holds no part of one, and neither side has closed."""
        parsing: Any = self.conn.parser
        while parsing.gi_yieldfrom is not None:
            parsing = parsing.gi_yieldfrom
        at_frame = parsing.__name__ == "at_eof"  # of websockets' StreamReader: where it waits for a frame to begin
        return at_frame and self.conn.current_size is None and self.conn.state is State.OPEN

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
        if not event.fin or not self._taken(bytes(event.data)):
            self._take = None
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        self._take = None
        super().handle_bytes(event)


def _whole_text(data: bytes) -> bytes | None:
    """The text, where this is one masked frame with a whole message of less than 64 KiB (RFC 6455, 5.2); else None."""
    if len(data) < 6 or data[0] != _TEXT:
        return None
    size, start = data[1] - _MASKED, 2
    if size == 126:
        size, start = int.from_bytes(data[2:4], "big"), 4
    elif size == 127:
        return None
    if len(data) != start + 4 + size:
        return None
    return apply_mask(data[start + 4 :], data[start : start + 4])
