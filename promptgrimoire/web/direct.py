"""uvicorn's websocket protocol with a shorter way in and out: no queue and no task for a message, no copy for a frame.

Owns the one place that depends on the insides of uvicorn (pyproject.toml bounds its version, tests/web/test_direct.py
holds what is relied on). Everything still works over plain ASGI, only slower: see `promptgrimoire.realtime.connection`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

EXTENSION = "promptgrimoire.direct"  # in the ASGI scope's extensions


class DirectProtocol(WebSocketsSansIOProtocol):
    """Offers itself to the application as `scope["extensions"][EXTENSION]`."""

    _take: Callable[[bytes], bool] | None = None

    def attach(self, take: Callable[[bytes], bool]) -> None:
        """See `promptgrimoire.realtime.connection.Direct`."""
        if self.queue.empty():
            self._take = take

    def write(self, on_wire: bytes) -> bool:
        """See `promptgrimoire.realtime.connection.Direct`."""
        if self.close_sent or self.disconnected or not self.writable.is_set():
            return False
        self.transport.write(on_wire)
        return True

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
