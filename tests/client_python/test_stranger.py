"""The stranger keeps the promises of docs/protocol.md, against a server whose every answer the test decides.

With the real server it runs in the end-to-end tests.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from promptgrimoire.realtime.protocol import Call, Handled, Hello, Here, Incoming, Ping, decode
from tests.client_python.stranger import CallError, Event, PageConfig, Stranger, Tab


class Talk:
    """The server's end. `answers` maps a method to what it gives; others are not answered."""

    def __init__(self) -> None:
        self.said: list[Incoming] = []
        self.answers: dict[str, Callable[[Any], dict[str, Any]]] = {}
        self.sockets: list[ServerConnection] = []
        self.welcome: dict[str, Any] = {}
        self.beside: list[dict[str, Any]] = []  # in the frame of the welcome
        self.url = ""
        self.server: Server | None = None

    async def serve(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        with suppress(ConnectionClosed):
            async for text in socket:
                await self.take(socket, decode(text))

    async def take(self, socket: ServerConnection, message: Incoming) -> None:
        self.said.append(message)
        if isinstance(message, Hello):
            welcome = {"type": "welcome", "version": 1, "clock": 5000.0, "seq": 100, "ping": 0.2, "resync": False}
            await self.frame(0, {**welcome, **self.welcome}, *self.beside)
        elif isinstance(message, Ping):
            await self.frame(0, {"type": "pong", "sent": message.sent, "clock": 5000.0})
        elif isinstance(message, Call) and message.method in self.answers:
            answer = {"n": message.n, **self.answers[message.method](json.loads(bytes(message.args)))}
            await self.frame(0, {**answer, "document": message.document} if message.document else answer)

    async def frame(self, seq: int, *messages: dict[str, Any]) -> None:
        await self.sockets[-1].send(json.dumps({"seq": seq, "messages": messages}))

    def of(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.said if isinstance(message, kind)]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110  what is awaited happens on the other side
                await asyncio.sleep(0.01)


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    talk = Talk()
    async with serve(talk.serve, "127.0.0.1", 0) as server:
        talk.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/p/token/live"
        yield talk


def ok(value: Any) -> Callable[[Any], dict[str, Any]]:
    return lambda args: {"type": "reply", "ok": value}


def event(data: Any, **more: Any) -> dict[str, Any]:
    return {"type": "event", "name": "E", "data": data, **more}


async def test_calls_are_answered_in_order(talk: Talk) -> None:
    talk.answers["double"] = lambda args: {"type": "reply", "ok": args[0] * 2}
    talk.answers["fail"] = lambda args: {"type": "error", "code": "error", "message": "Failed", "id": "K7QX"}
    async with Stranger(talk.url, 7, 100) as client:
        futures = [client.call("double", number) for number in range(20)]
        assert await asyncio.gather(*futures) == [2 * number for number in range(20)]
        with pytest.raises(CallError, match="error: Failed") as caught:
            await client.invoke("fail")
        assert caught.value.id == "K7QX"
        assert [call.n for call in talk.of(Call)] == list(range(1, 22))
        assert talk.of(Call)[-1].done == 20


async def test_hello_is_first_and_names_what_is_unsettled(talk: Talk) -> None:
    async with Stranger(talk.url, 7, 100, retry_every=0.01) as client:
        slow = client.call("slow", 1)
        talk.answers["quick"] = ok("done")
        assert await client.invoke("quick") == "done"
        await talk.frame(105, event(1))
        await client.until(lambda: client.events)
        await client.drop()
        talk.answers["slow"] = ok("late")
        assert await slow == "late"
        hello = talk.of(Hello)[1]
        assert (hello.pending, hello.next, hello.base, hello.handled) == ([1], 3, 100, 105)
        assert [call.n for call in talk.of(Call)] == [1, 2, 1]


async def test_a_call_made_at_the_welcome_comes_behind_those_that_are_sent_again(talk: Talk) -> None:
    async with Stranger(talk.url, 7, 100, retry_every=0.01) as one:
        first = one.call("first")  # not answered
        await talk.until(lambda: len(talk.of(Call)) == 1)
        others: list[asyncio.Future[Any]] = []

        def calls(_event: Event) -> None:
            others.append(one.call("second"))

        one._handler = calls
        talk.beside = [event("with the welcome")]
        talk.answers = {"first": ok(1), "second": ok(2)}
        await one.drop()
        assert await first == 1
        assert await others[0] == 2
    assert [call.n for call in talk.of(Call)] == [1, 1, 2]
    assert [hello.connection for hello in talk.of(Hello)] == [1, 2]


async def test_a_resync_is_acknowledged_at_once(talk: Talk) -> None:
    talk.welcome = {"resync": True, "seq": 500}
    async with Stranger(talk.url, 7, 100):
        await talk.until(lambda: talk.of(Handled))
    assert talk.of(Handled)[0].seq == 500


async def test_events_are_handled_once_and_acknowledged(talk: Talk) -> None:
    async with Stranger(talk.url, 7, 100) as client:
        await talk.frame(101, event("a"), event("kept", keep="101.1"))
        await talk.frame(101, event("a"), event("kept", keep="101.1"))
        await talk.frame(99, event("too old"))
        await talk.frame(102, {"type": "novelty"}, event("b"))
        await client.until(lambda: len(client.events) >= 3)
        await talk.until(lambda: any(said.seq == 102 for said in talk.of(Handled)))
        assert client.named("E") == ["a", "kept", "b"]
        assert {id for said in talk.of(Handled) for id in said.kept} == {"101.1"}


async def test_acknowledgements_are_few(talk: Talk) -> None:
    """Within a second, or at once for fifty events; carried by calls; outcomes need none."""
    talk.answers["quick"] = ok(None)
    async with Stranger(talk.url, 7, 100) as client:
        for seq in range(101, 150):
            await talk.frame(seq, event(seq))
        await client.until(lambda: len(client.events) == 49)
        await client.invoke("quick")
        assert (talk.of(Call)[0].handled, talk.of(Handled)) == (149, [])
        for seq in range(151, 201):
            await talk.frame(seq, event(seq))
        await talk.until(lambda: talk.of(Handled))
        await talk.frame(201, event("x" * 200_000))
        await talk.until(lambda: len(talk.of(Handled)) == 2)
        assert [said.seq for said in talk.of(Handled)] == [200, 201]
        await talk.frame(202, event("late"))
        began = asyncio.get_running_loop().time()
        await talk.until(lambda: len(talk.of(Handled)) == 3)
        assert 0.9 < asyncio.get_running_loop().time() - began < 2


async def test_the_next_document_of_a_tab_adopts(talk: Talk) -> None:
    tab = Tab()
    async with Stranger(talk.url, 7, 100, tab) as first:
        first.call("slow", 1)
        await talk.frame(101, event("kept", keep="k"))
        await first.until(lambda: first.events)
        await talk.until(lambda: talk.of(Call))
    assert talk.of(Handled)[-1].kept == ["k"]  # said before leaving
    talk.answers["slow"] = ok(None)
    async with Stranger(talk.url, 7, 101, tab) as second:
        await talk.until(lambda: len(talk.of(Call)) == 2)
        await second.until(lambda: not tab.unsettled)
        hello = talk.of(Hello)[1]
        assert [(one.document, one.pending) for one in hello.adopts] == [(first.document, [1])]
        assert (hello.tab, hello.kept) == (talk.of(Hello)[0].tab, ["k"])
        assert talk.of(Call)[1].document == first.document
        await talk.frame(102, event("kept", keep="k"), event("new"))
        await second.until(lambda: second.events)
        assert second.named("E") == ["new"]
    tab.unsettled[first.document] = first._mine
    first._mine.calls[9] = ("old", "[]")
    async with Stranger(talk.url, 8, 120, tab):
        assert talk.of(Hello)[2].adopts == []


async def test_a_call_is_given_up_in_the_end() -> None:
    client = Stranger("ws://127.0.0.1:9/p/token/live", 7, 100, seconds=0.3, retry_every=0.05)
    client.start()
    with pytest.raises(CallError) as caught:
        await client.invoke("lost")
    assert caught.value.code == "timeout"
    assert client.unsettled == []
    await client.close()


@pytest.mark.parametrize("code", [4009, 4010, 4404])
async def test_some_close_codes_are_final(talk: Talk, code: int) -> None:
    async with Stranger(talk.url, 7, 100, retry_every=0.01) as client:
        await talk.sockets[-1].close(code)
        await client.until(lambda: client.final)
        await asyncio.sleep(0.1)
        assert len(talk.sockets) == 1


async def test_what_else_the_server_says(talk: Talk) -> None:
    talk.welcome = {"resync": True, "seq": 500}
    async with Stranger(talk.url, 7, 100) as client:
        client.here("idle")
        client.send("pointer", 1, 2)
        await talk.frame(400, event("old"))
        await talk.frame(501, {"type": "message", "text": "Hi"}, {"type": "go", "to": "reload"})
        await talk.frame(0, {"type": "error", "n": 0, "code": "arguments", "message": "?"})
        await talk.frame(0, {"type": "bye", "reason": "shutdown"})
        await client.until(lambda: client.byes)
        assert (client.resyncs, client.events, client.handled) == (1, [], 501)
        assert (client.texts, client.went) == (["Hi"], [{"type": "go", "to": "reload"}])
        assert client.complaints[0]["code"] == "arguments"
        assert abs(client.clock() - 5000) < 1
        await talk.until(lambda: talk.of(Call) and talk.of(Here) and talk.of(Ping))
        assert talk.of(Call)[0].n == 0


def test_the_page_tells_where_to_connect() -> None:
    page = (
        '<script type="application/json" id="grimoire-page">{"version": 1, "player": "s.1", "stay": 3, "base": 9, '
        '"live": "/p/t/live", "vars": {"price": 3}}</script>'
    )
    assert PageConfig.from_html(page) == PageConfig("s.1", 3, 9, "/p/t/live", {"price": 3})
    client = Stranger.from_page("http://127.0.0.1:8000", page)
    assert (client.url, client.stay, client.base) == ("ws://127.0.0.1:8000/p/t/live", 3, 9)
    with pytest.raises(ValueError, match="grimoire-page"):
        PageConfig.from_html("<p>Elsewhere</p>")
