"""One connection's sending side: in order, bounded, and never in the way of others."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from promptgrimoire.realtime.connection import Connection
from promptgrimoire.realtime.protocol import CloseCode, FrameText, frame
from promptgrimoire.settings import Limits


class Reader:
    """The other end: takes what is sent, or makes the sender wait."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.got: list[MutableMapping[str, Any]] = []

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.open.wait()
        self.got.append(message)

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.got if "text" in message]


def numbered(n: int) -> FrameText:
    return frame(n, [b"%d" % n])


async def settled() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


async def test_what_waits_for_a_slow_reader_arrives_in_order() -> None:
    reader = Reader()
    connection = Connection(reader.send, Limits())
    connection.send(numbered(1))
    reader.open.clear()
    for n in (2, 3, 4):
        connection.send(numbered(n))
    assert reader.texts == [str(numbered(1))]
    reader.open.set()
    await settled()
    connection.send(numbered(5))
    assert reader.texts == [str(numbered(n)) for n in range(1, 6)]


async def test_a_slow_reader_is_disconnected_with_its_own_code_and_costs_no_memory() -> None:
    reader = Reader()
    connection = Connection(reader.send, Limits(backlog=1000))
    reader.open.clear()
    for n in range(100):
        connection.send(frame(n, [b'"%b"' % (b"x" * 100)]))
    reader.open.set()
    await settled()
    assert reader.got[-1]["code"] == CloseCode.SLOW
    assert len(reader.texts) <= 2


async def test_what_a_reader_has_missed_is_no_sign_of_slowness_and_what_comes_after_it_is() -> None:
    reader = Reader()
    connection = Connection(reader.send, Limits(backlog=1000))
    reader.open.clear()
    with connection.catching_up():
        for n in range(100):
            connection.send(frame(n, [b'"%b"' % (b"x" * 100)]))
    connection.send(numbered(100))  # within the bound
    reader.open.set()
    await settled()
    assert len(reader.texts) == 101
    reader.open.clear()
    for n in range(100):
        connection.send(frame(n, [b'"%b"' % (b"x" * 100)]))
    reader.open.set()
    await settled()
    assert reader.got[-1]["code"] == CloseCode.SLOW


async def test_of_volatile_frames_only_the_newest_of_each_kind_waits() -> None:
    reader = Reader()
    connection = Connection(reader.send, Limits(backlog=1000))
    connection.send_latest("cursor", numbered(1))
    reader.open.clear()
    connection.send(numbered(2))  # this one makes the connection wait
    for n in range(3, 400):
        connection.send_latest("cursor", numbered(n))
        connection.send_latest("price", numbered(1000 + n))
    reader.open.set()
    await settled()
    assert reader.texts == [str(numbered(n)) for n in (1, 2, 399, 1399)]
    connection.send_latest("cursor", numbered(5))
    assert reader.texts[-1] == str(numbered(5))


async def test_nothing_is_sent_after_closing() -> None:
    reader = Reader()
    connection = Connection(reader.send, Limits())
    connection.close(1000, "done")
    connection.send(numbered(1))
    connection.send_latest("cursor", numbered(2))
    assert [message["type"] for message in reader.got] == ["websocket.close"]
