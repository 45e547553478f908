"""What the short way to the socket relies on in uvicorn, and that everything works without it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
import websockets
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from promptgrimoire.realtime.protocol import frame
from promptgrimoire.web.direct import EXTENSION, DirectProtocol


@asynccontextmanager
async def serving(app: Any, protocol: Any) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, ws=protocol, lifespan="off", log_config=None, ws_per_message_deflate=False)
    server = uvicorn.Server(config)
    going = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - uvicorn says it in an attribute only
        await asyncio.sleep(0.01)
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        await going
        listener.close()


def test_the_insides_of_uvicorn_are_as_expected() -> None:
    for name in ("handle_connect", "handle_text", "handle_bytes", "pause_writing", "resume_writing"):
        assert callable(getattr(WebSocketsSansIOProtocol, name)), name
    config = uvicorn.Config(lambda: None, log_config=None)
    config.load()
    made = DirectProtocol(config, uvicorn.server.ServerState(), {}, _loop=asyncio.new_event_loop())
    made.loop.close()
    assert made.queue.empty()
    assert made.frames == []
    assert made.writable.is_set()
    assert (made.close_sent, made.disconnected) == (False, False)


class Echo:
    """Answers directly what comes directly, and by ASGI what does not."""

    def __init__(self) -> None:
        self.direct: list[bytes] = []
        self.queued: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        direct = scope["extensions"].get(EXTENSION)

        def take(text: bytes) -> bool:
            if b"hello" in text:
                return False
            self.direct.append(text)
            return bool(direct.write(frame(1, [text]).on_wire))

        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            self.queued.append(message["text"])
            await send({"type": "websocket.send", "text": message["text"]})
            if direct is not None:
                direct.attach(take)


async def test_messages_keep_their_order_between_the_two_ways() -> None:
    echo = Echo()
    async with serving(echo, DirectProtocol) as url, websockets.connect(url) as client:
        sent = ['"hello 1"', '"a"', '"b"', '"hello 2"', '"c"', '"d"']
        for text in sent:
            await client.send(text)
        got = [str(await client.recv()) for _ in sent]
    assert [text if text.startswith('"') else text[21:-2] for text in got] == sent
    assert [*echo.direct, *(text.encode() for text in echo.queued)].count(b'"c"') == 1


async def test_frames_that_come_in_pieces_go_the_usual_way_whole() -> None:
    echo = Echo()
    async with serving(echo, DirectProtocol) as url, websockets.connect(url) as client:
        await client.send('"hello"')
        await client.recv()
        await client.send(['"in ', "three ", 'pieces"'])
        assert await client.recv() == '"in three pieces"'
        await client.send('"x"')
        assert "x" in str(await client.recv())


async def test_a_message_that_comes_in_pieces_is_not_overtaken_by_the_next() -> None:
    echo = Echo()
    async with serving(echo, DirectProtocol) as url, websockets.connect(url) as client:

        def write(*frames: Frame) -> None:
            client.transport.write(b"".join(one.serialize(mask=True) for one in frames))

        write(Frame(Opcode.TEXT, b'"hello"', True), Frame(Opcode.TEXT, b'"in ', False))
        await client.recv()
        await asyncio.sleep(0.05)  # the short way would be open by now
        write(Frame(Opcode.CONT, b'pieces"', True), Frame(Opcode.TEXT, b'"next"', True))
        assert await client.recv() == '"in pieces"'
        assert "next" in str(await client.recv())


async def test_a_server_without_the_short_way_serves_as_well() -> None:
    echo = Echo()
    async with serving(echo, "websockets-sansio") as url, websockets.connect(url) as client:
        await client.send('"hello"')
        assert await client.recv() == '"hello"'
    assert echo.direct == []


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
async def test_frames_of_every_length_arrive_whole(size: int) -> None:
    text = frame(7, [b'"%b"' % (b"x" * size)])

    async def app(scope: Any, receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        assert scope["extensions"][EXTENSION].write(text.on_wire)
        await receive()

    async with serving(app, DirectProtocol) as url, websockets.connect(url, max_size=None) as client:
        assert await client.recv() == str(text)
