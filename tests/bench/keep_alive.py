"""An HTTP client that costs as little as it can: one request after the other over a connection that is kept."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable
from typing import NamedTuple, cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LOCATION = re.compile(rb"\r\nlocation: *(\S+)", re.IGNORECASE)
_COMPRESSED = re.compile(rb"\r\ncontent-encoding: *gzip", re.IGNORECASE)
_FORM = "Content-Type: application/x-www-form-urlencoded\r\nOrigin: null\r\nSec-Fetch-Site: same-origin\r\n"


class Answer(NamedTuple):
    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def content(self) -> bytes:
        """The body, unpacked."""
        return gzip.decompress(self.body) if _COMPRESSED.search(self.head) else self.body

    @property
    def location(self) -> str:
        found = _LOCATION.search(self.head)
        return found[1].decode() if found else ""

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return len(self.head) + 4 + len(self.body)


class KeepAlive(asyncio.Protocol):
    """One connection. `ask` sends a request, `then` gets its answer; one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self._buffer = b""
        self._head = b""
        self._missing = -1  # bytes in the buffer that make the answer whole; -1 before its head is there
        self._then: Callable[[Answer], None] | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)

    def ask(self, request: bytes, then: Callable[[Answer], None]) -> None:
        self._then = then
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if self._missing < 0:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            length = _LENGTH.search(head)
            self._head, self._missing, self._buffer = head, int(length[1]) if length else 0, rest
        if len(self._buffer) >= self._missing:
            body, self._buffer = self._buffer[: self._missing], self._buffer[self._missing :]
            self._missing = -1
            then, self._then = self._then, None
            if then is not None:
                then(Answer(self._head, body))


async def connect_http(port: int) -> KeepAlive:
    _, made = await asyncio.get_running_loop().create_connection(KeepAlive, "127.0.0.1", port)
    return made


def get_request(port: int, path: str, *, compressed: bool = True) -> bytes:
    """The bytes of a GET, as short as they are from a program."""
    encoding = "Accept-Encoding: gzip\r\n" if compressed else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{encoding}\r\n".encode()


def post_request(port: int, path: str, form: str) -> bytes:
    """The bytes of a form's POST, with the headers by which a browser says where the form came from."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{_FORM}Content-Length: {len(form)}\r\n\r\n{form}"
    ).encode()


async def exchange(port: int, request: bytes) -> Answer:
    """One request over a connection of its own. Raises OSError where that is refused or lost."""
    connection = await connect_http(port)
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    try:
        connection.ask(request, answer.set_result)
        await asyncio.wait((answer, connection.lost), return_when=asyncio.FIRST_COMPLETED)
    finally:
        connection.transport.abort()
    if not answer.done():
        raise ConnectionError("lost before the answer")
    return answer.result()


async def fetch(port: int, path: str) -> Answer:
    """GET."""
    return await exchange(port, get_request(port, path))
