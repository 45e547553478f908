"""What the short way to the socket relies on in uvicorn, and that everything works without it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import accumulate
from typing import Any

import pytest
import uvicorn
import websockets
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from promptgrimoire.realtime.protocol import frame
from promptgrimoire.web.direct import EXTENSION, DirectProtocol
from tests.engine.stage import settle


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


class _Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None: ...

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


async def _open(app: Any) -> DirectProtocol:
    """A protocol whose handshake is done and whose application runs."""
    config = uvicorn.Config(app, ws=DirectProtocol, lifespan="off", log_config=None, ws_per_message_deflate=False)
    config.load()
    made = DirectProtocol(config, uvicorn.server.ServerState(), {}, _loop=asyncio.get_running_loop())
    made.connection_made(_Transport())
    made.data_received(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await settle()
    return made


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


async def test_whole_messages_do_not_go_through_the_parser() -> None:
    echo = Echo()
    made = await _open(echo)
    made.data_received(Frame(Opcode.TEXT, b'"hello"', True).serialize(mask=True))
    await settle()
    made.conn.receive_data = None  # type: ignore[method-assign, assignment]
    texts = [b"", b"x", b"y" * 125, b"z" * 126, b"z" * 127, b"w" * 65535]
    for text in texts:
        made.data_received(Frame(Opcode.TEXT, text, True).serialize(mask=True))
    assert echo.direct == texts


_FRAMES = st.lists(
    st.sampled_from(
        [
            (Frame(Opcode.TEXT, b"a", True),),
            (Frame(Opcode.TEXT, "hello ä".encode(), True),),
            (Frame(Opcode.TEXT, b"b" * 126, True),),
            (Frame(Opcode.TEXT, b"c" * 70_000, True),),
            (Frame(Opcode.PING, b"", True),),
            (Frame(Opcode.PONG, b"d" * 60, True),),
            (Frame(Opcode.TEXT, b"e", False), Frame(Opcode.CONT, b"f", True)),
            (Frame(Opcode.TEXT, b"", False), Frame(Opcode.PING, b"g", True), Frame(Opcode.CONT, b"h", True)),
        ]
    ),
    max_size=8,
)


@given(_FRAMES, st.lists(st.one_of(st.integers(1, 9), st.integers(1, 80_000)), max_size=40))
def test_every_message_arrives_once_and_in_order_however_the_stream_is_cut(
    messages: list[tuple[Frame, ...]], cuts: list[int]
) -> None:
    async def run() -> None:
        echo = Echo()
        made = await _open(echo)
        wire = [frame.serialize(mask=True) for message in messages for frame in message]
        stream, position = b"".join(wire), 0
        for end in sorted({*accumulate(cuts), *([] if cuts else accumulate(map(len, wire))), len(stream)}):
            if piece := stream[position:end]:
                made.data_received(piece)
            position = end
            await settle(3)
        expected = [b"".join(one.data for one in message if one.opcode in (1, 0)) for message in messages]
        assert echo.all == [text for text, message in zip(expected, messages, strict=True) if message[0].opcode == 1]
        assert not made.frames

    asyncio.run(run())


async def test_a_piece_that_looks_like_a_message_is_taken_for_what_it_is() -> None:
    echo = Echo()
    made = await _open(echo)
    made.data_received(Frame(Opcode.TEXT, b"hello", True).serialize(mask=True))
    await settle()
    inside = b"\x81\x81\0\0\0\0x"  # would be a message if it began one
    made.data_received(b"\x89\x87\0\0\0\0")  # the head of a ping
    made.data_received(inside)
    assert echo.all == [b"hello"]
    made.data_received(inside)
    await settle()
    assert echo.all == [b"hello", b"x"]


async def test_nothing_is_taken_after_the_application_has_closed() -> None:
    echo = Echo()
    made = await _open(echo)
    made.data_received(Frame(Opcode.TEXT, b"hello", True).serialize(mask=True))
    await settle()
    await made.send({"type": "websocket.close", "code": 1000, "reason": ""})
    made.data_received(Frame(Opcode.TEXT, b"late", True).serialize(mask=True))
    assert b"late" not in echo.all


async def test_nothing_is_taken_after_the_browser_has_closed() -> None:
    echo = Echo()
    made = await _open(echo)
    made.data_received(Frame(Opcode.TEXT, b"hello", True).serialize(mask=True))
    await settle()
    made.data_received(Frame(Opcode.CLOSE, b"\x03\xe8", True).serialize(mask=True))
    made.data_received(Frame(Opcode.TEXT, b"late", True).serialize(mask=True))
    await settle()
    assert echo.all == [b"hello"]


@pytest.mark.parametrize(
    "wire",
    [
        b"\x81\x01x",  # not masked
        b"\xc1\x81\0\0\0\0x",  # a bit of an extension that was not agreed on
        b"\x81\xff" + (2**40).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 119,  # as long as a frame of 127 bytes
    ],
)
async def test_what_the_protocol_forbids_is_left_to_the_parser(wire: bytes) -> None:
    echo = Echo()
    made = await _open(echo)
    made.data_received(Frame(Opcode.TEXT, b"hello", True).serialize(mask=True))
    await settle()
    made.data_received(wire)
    assert made.conn.parser_exc is not None
    assert echo.all == [b"hello"]


class Echo:
    """Answers directly what comes directly, and by ASGI what does not."""

    def __init__(self) -> None:
        self.direct: list[bytes] = []
        self.queued: list[str] = []
        self.all: list[bytes] = []  # both, in the order in which they came

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        direct = scope["extensions"].get(EXTENSION)

        def take(text: bytes) -> bool:
            if b"hello" in text:
                return False
            self.direct.append(text)
            self.all.append(text)
            return bool(direct.write(frame(1, [text]).on_wire))

        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            self.queued.append(message["text"])
            self.all.append(message["text"].encode())
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
