"""A websocket client that costs as little as it can, so that the server is what is measured. Text frames only."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from typing import cast


class Socket(asyncio.Protocol):
    """One connection; `on_text` is called with each message's bytes. `lost` is done when it has ended."""

    def __init__(self, host: str, path: str, on_text: Callable[[bytes], None]) -> None:
        self._host = host
        self._path = path
        self.on_text = on_text
        self._buffer = b""
        self._open = False
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nOrigin: http://{self._host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(f"{self._path}: {error or self._buffer[:200]!r}"))
        if not self.lost.done():
            self.lost.set_result(None)

    def send(self, text: bytes) -> None:
        """Masked with a key of zeros, as RFC 6455 permits: the payload stays as it is."""
        size = len(text)
        head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
        self.transport.write(head + b"\0\0\0\0" + text)

    async def close(self) -> None:
        """Drop the connection; done when it is gone on this side."""
        self.transport.abort()
        await self.lost

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data if self._buffer else data
        if not self._open:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._buffer = head
                return
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self._buffer = head
                self.transport.close()
                return
            self._open = True
            self.ready.set_result(None)
        position, end = 0, len(data)
        while end - position >= 2:
            size, start = data[position + 1], position + 2
            if size == 126:
                size, start = int.from_bytes(data[position + 2 : position + 4], "big"), position + 4
            elif size == 127:
                size, start = int.from_bytes(data[position + 2 : position + 10], "big"), position + 10
            if start > end or end - start < size:
                break
            if data[position] == 0x81:
                self.on_text(data[start : start + size])
            elif data[position] == 0x89:  # a ping
                self.transport.write(bytes((0x8A, 0x80 | size)) + b"\0\0\0\0" + data[start : start + size])
            position = start + size
        self._buffer = data[position:]


async def connect(port: int, path: str, on_text: Callable[[bytes], None]) -> Socket:
    """A connection whose handshake is done. Raises OSError where it is refused or lost before."""
    host = f"127.0.0.1:{port}"
    loop = asyncio.get_running_loop()
    _, made = await loop.create_connection(lambda: Socket(host, path, on_text), "127.0.0.1", port)
    try:
        await made.ready
    except BaseException:
        made.transport.abort()
        raise
    return made
