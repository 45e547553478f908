"""Participants of the framework under measurement: page, hello, calls, acknowledgements, as docs/protocol.md says."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable

from tests.bench.wire import Socket, connect

_CONFIG = re.compile(rb'id="grimoire-page">(.*?)</script>')
_ACK = 1.0  # seconds


async def get(port: int, path: str) -> bytes:
    """The body of a GET, over a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


class Participant:
    """One participant's document. `on_event` is called with each frame that carries events."""

    def __init__(self, socket: Socket, stay: int, base: int) -> None:
        self.socket = socket
        self.n = 0
        self.handled = base
        self._acked = base
        self.waiting: Callable[[bytes], None] | None = None
        self.on_event: Callable[[bytes], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._ack_planned = False

    def receive(self, text: bytes) -> None:
        if b'"type":"event"' in text:
            self.handled = int(text[7 : text.index(b",", 7)])
            if not self._ack_planned:
                self._ack_planned = True
                self._loop.call_later(_ACK, self._ack)
            if self.on_event is not None:
                self.on_event(text)
        if (b'"type":"reply"' in text or b'"type":"error"' in text) and self.waiting is not None:
            waiting, self.waiting = self.waiting, None
            waiting(text)

    def _ack(self) -> None:
        self._ack_planned = False
        if self.handled > self._acked:
            self._acked = self.handled
            self.socket.send(b'{"type":"handled","seq":%d}' % self.handled)

    def call(self, method: bytes, args: bytes, then: Callable[[bytes], None]) -> None:
        self.n += 1
        self.waiting = then
        self._acked = self.handled
        self.socket.send(
            b'{"type":"call","n":%d,"method":"%s","args":%s,"done":%d,"handled":%d}'
            % (self.n, method, args, self.n - 1, self.handled)
        )

    async def asked(self, method: bytes, args: bytes) -> bytes:
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self.call(method, args, answer.set_result)
        return await answer


async def join(port: int, path: str, number: int) -> Participant:
    """Load the page at a player link and open its socket."""
    found = _CONFIG.search(await get(port, path))
    assert found is not None, f"no page at {path}"
    config = json.loads(found[1])
    made: list[Participant] = []
    welcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def receive(text: bytes) -> None:
        if made and welcome.done():
            made[0].receive(text)
        elif b'"welcome"' in text:
            welcome.set_result(None)

    socket = await connect(port, config["live"], receive)
    participant = Participant(socket, config["stay"], config["base"])
    made.append(participant)
    hello = {
        "type": "hello",
        "version": 1,
        "stay": config["stay"],
        "document": f"bench{number}-{time.time_ns()}",
        "base": config["base"],
        "handled": config["base"],
    }
    socket.send(json.dumps(hello, separators=(",", ":")).encode())
    await welcome
    return participant
