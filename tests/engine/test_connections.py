"""Connections of one document and documents of one player: which one lives, what waits for them, what is too much."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from promptgrimoire.commands import Administered
from promptgrimoire.realtime.protocol import CloseCode, Hello, decode
from promptgrimoire.runtime.activities import Awaited
from promptgrimoire.runtime.recovery import Snapshots
from promptgrimoire.settings import Limits, Settings
from promptgrimoire.web.socket import Talk
from tests.engine.conftest import Serve
from tests.engine.stage import Browser, Server, Sink, settle

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def tell(page, player, text: str):
        send_to(player.session, text)

    @live
    def keep(page, player, to: int, text: str):
        send_to(player.session.players[to - 1], text, keep=True)

    @live
    def add(page, player):
        player.count = player.get("count", 0) + 1
        return player.count

page_order = [Lab]
'''


class Late:
    """A connection whose hello is under way for long: the browser has given it up before it arrives."""

    def __init__(self, browser: Browser) -> None:
        self._server = browser.server
        self._player = browser.player
        self.hello = browser.hello()
        self.sink = Sink(browser)

    async def arrives(self, hello: Hello | None = None) -> bool:
        talk = Talk(await self._server.host(), self._player, self.sink)  # type: ignore[arg-type]
        return await talk.hello(hello or self.hello)


async def write_something(server: Server) -> None:
    host = await server.host()
    player = host.state.player(1)

    def write() -> None:
        player.written = player.get("written", 0) + 1

    host.step(write, Awaited(host, Administered("t", "t"), host.activity(player, "t")))


# ---------------------------------------------------------------- one document, many connections


async def test_a_hello_that_comes_late_does_not_take_the_place_of_the_connection_that_lives(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.lose(told=False)
    late = Late(one)
    await one.connect()
    assert await one.ask("add") == 1
    assert not await late.arrives()
    assert late.sink.closed_with is not None
    assert late.sink.closed_with[0] == CloseCode.TAKEOVER
    assert one.up
    assert await one.ask("add") == 2
    assert len((await server.host()).deliveries.documents[1]) == 1


async def test_a_hello_that_comes_late_changes_nothing_of_what_the_document_waits_for(serve: Serve) -> None:
    """It said that nothing was pending: the outcome of a call made since then would have been forgotten."""
    server = await serve(LAB)
    one = await server.opened()
    one.lose(told=False)
    late = Late(one)
    await one.connect()
    outcome = await one.ask("add")
    n = one.next - 1
    del one.settled[n]
    one.pending[n] = ("add", [])  # the answer was lost
    one.lose(told=False)
    assert not await late.arrives()
    await one.connect()
    assert one.settled == {n: outcome}
    assert (await server.player()).count == 1


async def test_of_two_hellos_that_wait_for_the_disk_the_newer_one_wins_whichever_came_first(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.lose(told=False)
    old, new = Late(one), Late(one)
    server.journal.hold()
    await write_something(server)
    first = asyncio.ensure_future(old.arrives())
    await settle()
    second = asyncio.ensure_future(new.arrives())
    await settle()
    assert not first.done()
    assert not second.done()
    server.journal.release()
    assert [await first, await second] == [False, True]
    assert (old.sink.open, new.sink.open) == (False, True)


async def test_a_client_that_does_not_count_its_connections_takes_over_with_each(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    one.lose(told=False)
    for _ in range(2):
        late = Late(one)
        document = f"{one.document}-uncounted"
        plain = Hello(1, one.stay, document, one.base, one.handled)
        assert await late.arrives(plain)
        assert late.sink.open


async def test_documents_of_one_player_are_not_forgotten_in_the_middle_of_a_hello(serve: Serve) -> None:
    """With more documents than connections the one that waited for the disk was forgotten, and was told nothing."""
    server = await serve(LAB, settings=Settings(limits=Limits(connections=2)))
    host = await server.host()
    one, two = await server.opened(), await server.opened()
    one.lose()
    two.lose()
    three = server.browser()
    await three.load()
    server.journal.hold()
    await write_something(server)
    coming = [asyncio.ensure_future(browser.connect()) for browser in (one, three)]
    await settle()
    server.journal.release()
    assert await asyncio.gather(*coming) == [True, True]
    assert {document.nonce for document in host.deliveries.live(1)} == {one.document, three.document}
    await one.ask("tell", "to everybody")
    assert (one.events, three.events) == (["to everybody"], ["to everybody"])


@pytest.mark.parametrize("field", ["document", "tab", "adopts"])
async def test_names_that_browsers_make_up_are_bounded(serve: Serve, field: str) -> None:
    hello = {"type": "hello", "version": 1, "stay": 1, "document": "d" * 64, "base": 0, "handled": 0, "tab": "t" * 64}
    decode(json.dumps(hello))
    hello[field] = [{"document": "d" * 65, "pending": []}] if field == "adopts" else "d" * 65
    with pytest.raises(ValueError, match=r"length <= 64 - at `\$\." + field):
        decode(json.dumps(hello))


# ---------------------------------------------------------------- kept events


FEW = Settings(limits=Limits(outbox_events=3))


async def test_more_kept_events_than_are_held_make_the_next_document_start_afresh(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(LAB, players=2, settings=FEW)
    one = await server.opened(1)
    with caplog.at_level(logging.WARNING, "promptgrimoire.deliveries"):
        for n in range(5):
            await one.ask("keep", 2, str(n))
    assert len([record for record in caplog.records if "player 2: too many" in record.message]) == 1
    mail = (await server.host()).deliveries.of(2)
    assert len(mail.kept) == 3
    assert mail.lost is not None
    assert mail.lost.number == 2

    two = server.browser(2)
    await two.load()
    with caplog.at_level(logging.WARNING, "promptgrimoire.deliveries"):
        await two.connect(resend=False)  # and is gone before it has said anything
    assert "player 2: 2 kept events were dropped" in caplog.text
    assert (two.resyncs, two.events) == (1, ["2", "3", "4"])
    two.lose()
    two.tab.kept.clear()
    await two.connect()
    assert two.resyncs == 2
    two.acknowledge()
    assert mail.lost is None
    assert mail.kept == {}
    two = await two.reload()  # once is enough: a page that loads again would load for ever
    assert (two.resyncs, two.events) == (0, [])


async def test_a_document_that_lives_gets_kept_events_also_beyond_what_is_held(serve: Serve) -> None:
    server = await serve(LAB, players=2, settings=FEW)
    one, two = await server.opened(1), await server.opened(2)
    for n in range(10):
        await one.ask("keep", 2, str(n))
        if n % 2:
            two.acknowledge()
    assert two.events == [str(n) for n in range(10)]
    assert (await server.host()).deliveries.of(2).lost is None


@pytest.mark.parametrize("snapshot", [False, True])
async def test_what_was_dropped_of_kept_events_is_said_after_a_restart_too(serve: Serve, snapshot: bool) -> None:
    server = await serve(LAB, players=2, settings=FEW)
    one = await server.opened(1)
    for n in range(5):
        await one.ask("keep", 2, str(n))
    host = await server.host()
    before = host.deliveries.of(2)
    if snapshot:
        await Snapshots(host).take()
    host = await server.restart()
    after = host.deliveries.of(2)
    assert (after.kept, after.lost, after._bytes) == (before.kept, before.lost, before._bytes)
    two = await server.opened(2)
    assert (two.resyncs, two.events) == (1, ["2", "3", "4"])
    two.acknowledge()
    await host.durable()
    mail = (await server.restart()).deliveries.of(2)
    assert (mail.lost, mail.kept, mail._bytes) == (None, {}, 0)


async def test_kept_events_are_bounded_in_bytes_and_the_newest_stays(serve: Serve) -> None:
    server = await serve(LAB, players=2, settings=Settings(limits=Limits(outbox_bytes=3000)))
    one = await server.opened(1)
    for text in ("a", "b", "c"):
        await one.ask("keep", 2, text * 1200)
    await one.ask("keep", 2, "d" * 2990)
    mail = (await server.host()).deliveries.of(2)
    assert len(mail.kept) == 1
    two = await server.opened(2)
    assert [event[0] for event in two.events] == ["d"]
