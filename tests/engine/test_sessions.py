"""Many sessions on one server: none disturbs another, none is loaded twice, none that is damaged is touched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from promptgrimoire.errors import JournalDamaged, JournalLocked, NotFound
from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.entries import Row
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.realtime.connection import Connection, Reader
from promptgrimoire.realtime.connection import serve as serve_connection
from promptgrimoire.runtime.gateway import Gateway
from promptgrimoire.settings import Limits
from promptgrimoire.web.launch import open_sessions
from promptgrimoire.web.socket import Talk
from tests.engine.conftest import Serve
from tests.engine.stage import code_of, settle

LAB = '''
import heapq

class Lab(Page):
    """# Lab"""

    @live
    def add(page, player, by: int = 1):
        player.session.count += by
        notify(player, others_in_session(player), {"text": "x" * 100})
        return player.session.count

    @live
    def behind_its_back(page, player):
        player.session.heap.append(5)
        push = heapq.heappush
        push(player.session.heap, 1)

    @live
    def behind_its_back_alone(page, player, inside: bool):
        push = heapq.heappush
        push(player.session.table["inside"] if inside else player.session.heap, 1)

    @live
    def append(page, player, value: int):
        player.session.heap.append(value)
        return list(player.session.heap)

    @live
    async def cling(page, player):
        """Will not be cancelled."""
        for _ in range(3):
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                ran.append("cancelled")
            player.session.count = 99
            notify(player, player.session, "from a host that is gone")

    @live
    def fail(page, player):
        player.session.count = -1
        raise ValueError("on purpose")

def new_session(session):
    session.count = 0
    session.heap = []
    session.table = {"inside": []}

page_order = [Lab]
'''


async def test_evidence_7_a_session_touched_twice_at_once_is_loaded_once(serve: Serve) -> None:
    server = await serve(LAB)
    await server.crash()
    await server.start()
    hosts = await asyncio.gather(*(server.host() for _ in range(5)))
    assert len({id(host) for host in hosts}) == 1
    one = await server.opened()
    assert await one.ask("add") == 1


async def test_evidence_6_an_old_session_costs_nothing_until_it_is_touched(serve: Serve) -> None:
    server = await serve(LAB)
    for _ in range(20):
        await server.create(1)
    await server.restart()
    assert len(server.gateway._hosts) == 1
    assert len(await server.gateway.sessions()) == 21


@pytest.mark.parametrize("damage", ["text", "values", "patch", "missing", "cut", "reference"])
async def test_evidence_8_a_damaged_session_is_quarantined_and_never_overwritten(serve: Serve, damage: str) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("add")
    sound = await server.gateway.create_session("lab", 1)
    damaged, server.session = server.session, sound.id
    await server.crash()
    rows: list[Row] = server.journal._rows[damaged]
    whole = list(rows)
    row = rows[-1]
    if damage == "text":
        rows[-1] = row._replace(text=row.text[:-5])
    elif damage == "values":
        rows[-1] = row._replace(values=b"[]")
    elif damage == "patch":
        rows[-1] = row._replace(text=row.text.replace(b'["count"]', b'["count","deep"]'))
    elif damage == "missing":
        del rows[-2]
    elif damage == "cut":  # the newest are gone, which the index still counts
        del rows[-1]
    else:
        rows[-1] = row._replace(text=row.text.replace(b'"s"', b'"x"'))
    before = list(rows)
    await server.start()
    for _ in range(2):
        with pytest.raises(JournalDamaged):
            await server.gateway.host(damaged)
    assert list(server.gateway.quarantined) == [damaged]
    assert server.journal._rows[damaged] == before
    two = await server.opened()
    assert await two.ask("add") == 1
    server.journal._rows[damaged] = whole


async def test_an_error_in_one_session_disturbs_no_other(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    await server.create(1)
    two = await server.opened()
    other = server.session
    assert await two.ask("add", 5) == 5
    server.session = one.server.session
    n = one.invoke("fail")
    await settle()
    assert code_of(one.settled[n]) == "error"
    assert await server.gateway.host(other) is await server.host()
    assert await two.ask("add", 1) == 6


async def test_unknown_sessions_and_tokens_are_not_found(serve: Serve) -> None:
    server = await serve(LAB)
    host = await server.host()
    for token in ("", "x", "server-aaaaaaaaaaaaaaaaaaaaaaaaaa", host.id + "-" + "a" * 26, "a" * 12 + "-" + "a" * 26):
        with pytest.raises(NotFound):
            await server.gateway.host_of(token)
    for session in ("server", "nothing", ""):
        with pytest.raises(NotFound):
            await server.gateway.host(session)
    assert await server.gateway.host_of(host._token(1)) is host


async def test_evidence_9_a_second_server_on_the_same_file_is_refused(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "one.sqlite3"
    server = await serve(LAB, journal=SqliteJournal(path))
    second = Gateway(server.experiments, SqliteJournal(path), server.clock, server.settings, server._frame)
    with pytest.raises(JournalLocked):
        await second.open()
    one = await server.opened()
    assert await one.ask("add") == 1


async def test_a_container_changed_behind_its_back_is_noticed_and_the_session_loaded_anew(serve: Serve) -> None:
    server = await serve(LAB)
    one = await server.opened()
    assert await one.ask("append", 3) == [3]
    n = one.invoke("behind_its_back")
    await settle()
    one.lose()
    await server.clock.advance(10)
    await one.connect()
    assert code_of(one.settled[n]) == "error"
    assert await one.ask("append", 4) == [3, 4]
    assert list((await server.restart()).state.session.heap) == [3, 4]


@pytest.mark.parametrize("inside", [False, True])
async def test_a_change_behind_a_containers_back_gets_into_no_snapshot(
    serve: Serve, caplog: pytest.LogCaptureFixture, inside: bool
) -> None:
    """Nobody notices it in the call itself, where nothing else is changed: that would cost every reading of a list."""
    server = await serve(LAB)
    one = await server.opened()
    await one.ask("behind_its_back_alone", inside)
    await one.ask("add")
    old = await server.host()
    snapshots = server.gateway._snapshots[old.id]
    snapshots.start()
    await snapshots.finish()
    await server.clock.advance(10)
    assert f"{'table' if inside else 'heap'} of <session" in caplog.text
    assert old.failure is not None
    session = (await server.host()).state.session
    assert (session.count, list(session.heap), list(session.table["inside"])) == (1, [], [])
    await one.connect()
    assert await one.ask("append", 3) == [3]


async def test_what_goes_on_in_a_session_that_was_given_up_reaches_neither_journal_nor_browsers(serve: Serve) -> None:
    """Its journal works: only that nobody commits for the old memory any more keeps the two apart."""
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    old = await server.host()
    two.invoke("cling")
    await settle()
    one.invoke("behind_its_back")
    await settle()
    assert old.failure is not None
    await server.clock.advance(10)
    await one.connect()
    await two.connect()
    await settle()
    assert await one.ask("add") == 1
    await server.clock.advance(2000)
    assert server.module.ran[:1] == ["cancelled"]
    for host in (await server.host(), await server.restart()):
        assert host is not old
        assert host.state.session.count == 1
    assert "from a host that is gone" not in [*one.events, *two.events]


async def test_evidence_18_a_broadcast_is_encoded_once(serve: Serve) -> None:
    server = await serve(LAB, players=20)
    browsers = [await server.opened(player) for player in range(1, 21)]
    await settle()
    await browsers[0].ask("add")
    texts = {id(browser.texts[-1]) for browser in browsers[1:]}
    assert len(texts) == 1


async def test_evidence_17_an_unreadable_frame_is_answered_and_disturbs_nothing(serve: Serve) -> None:
    server = await serve(LAB)
    browser = server.browser()
    await browser.load()
    frames: list[dict[str, Any]] = []
    hello = {"type": "hello", "version": 1, "stay": browser.stay, "document": "d", "base": 0, "handled": 0}
    incoming: list[MutableMapping[str, Any]] = [
        {"type": "websocket.receive", "text": json.dumps(hello)},
        {"type": "websocket.receive", "text": "{"},
        {"type": "websocket.receive", "text": '{"type":"call","n":"x"}'},
        {"type": "websocket.receive", "text": '{"type":"nothing"}'},
        {"type": "websocket.receive", "text": "[" * 50_000},
        {"type": "websocket.receive", "text": '{"type":"call","n":1,"method":"add","args":{"a":1}}'},
        {"type": "websocket.receive", "text": '{"type":"handled","seq":-5,"kept":["nonsense","nonsense"]}'},
        {"type": "websocket.receive", "text": "x" * 70_000},
        {"type": "websocket.receive", "bytes": b"x"},
        {"type": "websocket.receive", "text": '{"type":"call","n":2,"method":"add"}'},
        {"type": "websocket.disconnect", "code": 1000},
    ]

    async def receive() -> MutableMapping[str, Any]:
        await settle(3)
        return incoming.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        frames.append(json.loads(message["text"]))

    host = await server.host()
    connection = Connection(send, Limits())
    talk = Talk(host, 1, connection)
    reader = Reader(connection, talk, Limits(), lambda: 0.0)
    await serve_connection(receive, connection, reader, talk, None, 10.0)
    messages = [message for frame in frames for message in frame["messages"]]
    kinds = [message["type"] for message in messages]
    assert kinds[0] == "welcome"
    assert messages[-1] == {"type": "reply", "n": 2, "ok": 1}
    assert kinds.count("error") == 7
    assert host.attendance.presence.connections(1) == 0


# ---------------------------------------------------------------- sessions that are being made

SLOWLY = '''
class Lab(Page):
    """# Lab"""

async def background(session):
    await gates.wait("background")
    session.late = True

async def new_session(session):
    ran.append("begun")
    if len(ran) == 1:
        return
    session.half = True
    after(5, background, session)
    spawn(background(session))
    await gates.wait("new_session")
    if len(ran) == 2:
        raise ValueError("on purpose")
    session.whole = True

page_order = [Lab]
'''


@pytest.mark.parametrize("end", ["error", "cancel", "crash"])
async def test_half_a_session_is_not_taken_for_one_that_nobody_has_joined_yet(serve: Serve, end: str) -> None:
    server = await serve(SLOWLY)
    making = asyncio.ensure_future(server.gateway.create_session("lab"))
    await settle()
    (half,) = {stream.id for stream in await server.journal.streams()} - {server.session, "server"}
    with pytest.raises(NotFound):
        await server.gateway.host(half)  # it would have two hosts
    if end == "crash":
        await server.crash()
        await server.start()
    if end == "error":
        server.gates.open("new_session")
    else:
        making.cancel()
    await settle()
    assert making.cancelled() or isinstance(making.exception(), ValueError)
    length = len(await server.journal.read(half))

    for name in ("new_session", "background"):
        server.gates.open(name)
    await server.clock.advance(30)
    assert len(await server.journal.read(half)) == length  # nothing that it has begun goes on

    await server.restart()
    await server.clock.advance(30)
    assert half not in {stream.id for stream in await server.gateway.sessions()}
    with pytest.raises(NotFound):
        await server.gateway.host(half)
    (opened,) = await open_sessions(server.gateway, 0)
    assert opened.session not in {half, server.session}
    assert opened.session is not None
    assert (await server.gateway.host(opened.session)).state.session.whole is True


async def test_a_session_whose_new_session_waits_is_like_any_other_once_it_is_made(
    serve: Serve, journal: Journal
) -> None:
    server = await serve(SLOWLY, journal=journal)
    server.module.ran.append("not the one that fails")
    for name in ("new_session", "background"):
        server.gates.open(name)
    (first,) = await open_sessions(server.gateway, 0)
    await server.stop()
    await server.start()
    (again,) = await open_sessions(server.gateway, 0)
    assert first.session == again.session
    assert first.session is not None
    await server.clock.advance(6)
    session = (await server.gateway.host(first.session)).state.session
    assert (session.half, session.whole, session.late) == (True, True, True)


async def test_new_session_that_asks_for_a_player_is_told_that_nobody_has_joined(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = await serve(
        '''
        class One(Page):
            """# One"""

        def new_session(session):
            if ran:
                session.players[0].first = True

        page_order = [One]
        '''
    )
    host = await server.host()
    with pytest.raises(IndexError, match=r"expected a player at index 5, found 1 players$"):
        host.state.session.players[5]
    server.module.ran.append("now")
    with pytest.raises(Exception, match="new_session"):
        await server.create()
    assert "expected a player at index 0, found 0 players; in new_session nobody has joined yet" in caplog.text
