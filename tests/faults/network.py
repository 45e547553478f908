"""A network that fails as real ones do: a TCP proxy between one participant and the server.

Owns the two sockets of each connection and what happens to the bytes between them; knows nothing of websockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from typing import Literal

Direction = Literal["up", "down"]  # up: to the server
_CHUNK = 65536


class Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._writers: dict[Direction, asyncio.StreamWriter] = {"up": server, "down": client}
        self.swallowing = False

    def writer(self, direction: Direction) -> asyncio.StreamWriter:
        return self._writers[direction]

    def cut(self) -> None:
        """Both sides see a reset, at once."""
        for writer in self._writers.values():
            raw = writer.get_extra_info("socket")
            if raw is not None:
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Network:
    """Where a participant connects to. Faults are set by its methods; `heal` ends those that can end."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._budget: dict[Direction, int] = {}  # bytes until the cut
        self._delay = 0.0
        self._rate: float | None = None  # bytes per second
        self._closed = False  # new connections are refused
        self._stalled = asyncio.Event()
        self._stalled.set()
        self.port = 0
        self.cuts = 0

    @property
    def links(self) -> int:
        return len(self._links)

    async def __aenter__(self) -> Network:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._listener is not None
        self._listener.close()
        for link in list(self._links):
            link.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ------------------------------------------------------------------ faults

    def cut(self) -> None:
        """Reset every connection now."""
        for link in list(self._links):
            self.cuts += 1
            link.cut()

    def cut_after(self, direction: Direction, count: int) -> None:
        """Reset the connection once `count` more bytes have passed in that direction: also within a frame."""
        self._budget[direction] = count

    def swallow(self) -> None:
        """Half-open: those connected now stay so, and nothing arrives any more, in either direction."""
        for link in self._links:
            link.swallowing = True

    def delay(self, seconds: float) -> None:
        """Everything takes so much longer."""
        self._delay = seconds

    def throttle(self, rate: float) -> None:
        """At most so many bytes per second, in each direction."""
        self._rate = rate

    def stall(self) -> None:
        """The participant reads nothing more: what the server sends fills the buffers."""
        self._stalled.clear()

    def close(self) -> None:
        """No new connections."""
        self._closed = True

    def heal(self) -> None:
        """New bytes pass at once, new connections are taken. A half-open connection stays what it is."""
        self._budget.clear()
        self._delay = 0.0
        self._rate = None
        self._closed = False
        self._stalled.set()

    # ------------------------------------------------------------------ bytes

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closed:
            writer.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port, limit=_CHUNK)
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, to_server)
        self._links.add(link)
        pumps = [
            asyncio.create_task(self._pump(link, "up", reader)),
            asyncio.create_task(self._pump(link, "down", from_server)),
        ]
        self._tasks.update(pumps)
        for pump in pumps:
            pump.add_done_callback(self._tasks.discard)
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        if not link.swallowing:
            one: Direction
            for one in ("up", "down"):
                writer = link.writer(one)
                with contextlib.suppress(OSError, RuntimeError):
                    writer.close()
        await asyncio.wait(pumps)
        link.cut()
        self._links.discard(link)

    async def _pump(self, link: Link, direction: Direction, reader: asyncio.StreamReader) -> None:
        writer = link.writer(direction)
        with contextlib.suppress(OSError, EOFError):
            while True:
                if direction == "down":
                    await self._stalled.wait()
                chunk = await reader.read(_CHUNK)
                if not chunk:
                    return
                if link.swallowing:
                    continue
                if self._delay:
                    await asyncio.sleep(self._delay)
                if self._rate:
                    await asyncio.sleep(len(chunk) / self._rate)
                if link.swallowing:
                    continue
                budget = self._budget.get(direction)
                if budget is not None and len(chunk) > budget:
                    writer.write(chunk[:budget])
                    await writer.drain()
                    del self._budget[direction]
                    self.cuts += 1
                    link.cut()
                    return
                if budget is not None:
                    self._budget[direction] = budget - len(chunk)
                writer.write(chunk)
                await writer.drain()


@contextlib.asynccontextmanager
async def networks(port: int, count: int) -> AsyncIterator[list[Network]]:
    """So many participants' networks."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Network(port)) for _ in range(count)]
