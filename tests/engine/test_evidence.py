"""Faults of evidence.md that are about amounts and about several writers; what is counted here is work, never time."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from promptgrimoire.journal import database
from promptgrimoire.journal.base import Description, Journal
from promptgrimoire.journal.entries import Row
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.realtime.protocol import CloseCode
from promptgrimoire.settings import Limits, Settings
from tests.engine.conftest import Serve
from tests.engine.stage import Browser, Server, Tab, settle
from tests.journal.samples import Ear

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def add(page, player, value: str):
        player.session.items.append(value)
        return len(player.session.items)

    @live
    async def add_slowly(page, player, value: str):
        """Read, await, write: what others wrote meanwhile must stay."""
        items = player.session.items
        known = len(items)
        await gates.wait("go")
        items.append(value)
        player.session.totals[value] = known
        player.session.names.add(value)
        return len(items)

    @live
    def pay(page, player, amount: int):
        ran.append("paid")
        player.bonus += amount
        return player.bonus

    @live
    def tell(page, player):
        notify(player, players(player.session), "x" * 100)

def new_session(session):
    session.items = []
    session.totals = {}
    session.names = set()

def new_player(player):
    player.bonus = 0
    player.welcomed = player.get("welcomed", 0) + 1

page_order = [Lab]
'''
UNLIMITED = Settings(limits=Limits(calls_per_second=1e9, call_burst=10**9, waiting_calls=10**6))


class CountingJournal(SqliteJournal):
    """Counts the rows that are read, by stream."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.rows_read: dict[str, int] = {}

    async def read(self, stream: str, *, after: int = 0, limit: int = 1000, large: bool = True) -> list[Row]:
        rows = await super().read(stream, after=after, limit=limit, large=large)
        self.rows_read[stream] = self.rows_read.get(stream, 0) + len(rows)
        return rows


async def call_often(server: Server, method: str, arguments: list[list[Any]], player: int = 1) -> None:
    """Make these calls, all at once, and return when each has its answer."""
    one = await server.opened(player)
    numbers = [one.invoke(method, *each) for each in arguments]
    await answered([(one, numbers[-1])])
    one.lose()


async def answered(calls: list[tuple[Browser, int]]) -> None:
    """Return when all of these calls have settled; their number and the disk say how long that takes."""
    host = await calls[0][0].server.host()
    async with asyncio.timeout(60):
        for browser, n in calls:
            while n not in browser.settled:
                await settle(2)
                await host.durable()


# ---------------------------------------------------------------- 4: several writers


async def test_evidence_4_ten_writers_of_one_list_leave_ten(serve: Serve, journal: Journal) -> None:
    server = await serve(LAB, players=10, journal=journal)
    browsers = [await server.opened(player) for player in range(1, 11)]
    calls = [(browser, browser.invoke("add_slowly", f"w{browser.player}")) for browser in browsers]
    await settle()
    assert list((await server.host()).state.session.items) == []  # all have read it empty
    server.gates.open("go")
    await answered(calls)
    everybody = [f"w{player}" for player in range(1, 11)]
    for host in (await server.host(), await server.restart()):
        session = host.state.session
        assert sorted(session.items) == sorted(everybody)
        assert dict(session.totals) == dict.fromkeys(everybody, 0)
        assert set(session.names) == set(everybody)


# ---------------------------------------------------------------- 5: long lists


async def test_evidence_5_four_thousand_appends_cost_the_same_each_on_disk_and_in_memory(
    serve: Serve, tmp_path: Path
) -> None:
    """The fault: 4,000 appends cost 32 MB on disk and 100 MB of memory, since each stored the whole list again."""
    journal = SqliteJournal(tmp_path / "journal.sqlite3")
    server = await serve(LAB, journal=journal, settings=UNLIMITED)

    async def append(count: int) -> int:
        before = (await server.host()).chain.seq
        await call_often(server, "add", [["x" * 20]] * count)
        rows = await journal.read(server.session, after=before, limit=2 * count)
        return sum(len(row.text) + len(row.values) + len(row.salt) + len(row.digest) for row in rows)

    await append(10)
    first = await append(500)
    await append(2500)
    tracemalloc.start()
    try:
        grown = tracemalloc.get_traced_memory()[0]
        last = await append(500)
        grown = tracemalloc.get_traced_memory()[0] - grown
    finally:
        tracemalloc.stop()
    assert first / 500 <= 600
    assert last <= 1.05 * first
    assert grown < 4_000_000, "bytes of memory that 500 appends to a list of 3,000 leave behind"
    await server.stop()
    assert (tmp_path / "journal.sqlite3").stat().st_size < 4_000_000


# ---------------------------------------------------------------- 6 and 7: loading


async def fill(path: Path, sessions: int, rows: int) -> None:
    """A journal with that many old sessions; nobody will touch them."""
    journal = SqliteJournal(path)
    await journal.open()
    for number in range(sessions):
        ear = Ear(f"old{number}")
        journal.append(ear, ear.row(), Description("lab", 1000.0 + number, True))
        for _ in range(rows - 1):
            journal.append(ear, ear.row())
        await journal.flush()
    await journal.close()


async def test_evidence_6_a_server_with_many_old_rows_reads_none_of_them_before_it_answers(
    serve: Serve, tmp_path: Path
) -> None:
    """The fault: a million rows were loaded before the first answer. Twenty thousand here; none is read."""
    path = tmp_path / "journal.sqlite3"
    await fill(path, sessions=20, rows=1000)
    journal = CountingJournal(path)
    server = await serve(LAB, journal=journal)
    await call_often(server, "add", [["a"]])
    assert await server.gateway.sessions()
    await server.restart()
    await call_often(server, "add", [["b"]])
    assert list((await server.host()).state.session.items) == ["a", "b"]
    assert [stream for stream in journal.rows_read if stream.startswith("old")] == []
    assert sum(journal.rows_read.values()) < 50


async def test_evidence_6_opening_a_journal_is_the_same_work_however_many_rows_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In steps of SQLite's machine. Files of up to 16 MB are checked whole besides, within milliseconds."""
    monkeypatch.setattr(database, "_CHECKED_WHOLE", 0)
    connect = database._connect
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    def counted(path: Path, mode: str, patience: float) -> sqlite3.Connection:
        connection = connect(path, mode, patience)
        connection.set_progress_handler(count, 10)
        return connection

    monkeypatch.setattr(database, "_connect", counted)

    async def open_one_with(rows: int) -> int:
        nonlocal steps
        path = tmp_path / f"{rows}.sqlite3"
        await fill(path, sessions=5, rows=rows)
        steps = 0
        journal = SqliteJournal(path)
        await journal.open()
        assert len(await journal.streams()) == 5
        taken = steps
        await journal.close()
        return taken

    few, many = await open_one_with(10), await open_one_with(2000)
    assert 0 < many <= 1.1 * few


async def test_evidence_6_a_long_session_is_loaded_from_its_snapshot_and_what_came_after_it(
    serve: Serve, tmp_path: Path
) -> None:
    journal = CountingJournal(tmp_path / "journal.sqlite3")
    server = await serve(LAB, journal=journal, settings=UNLIMITED)
    await call_often(server, "add", [[f"{n}"] for n in range(2000)])
    await server.gateway._snapshots[server.session].take()
    await call_often(server, "add", [["after"]])
    after = (await server.host()).chain.seq
    await server.stop()
    journal.rows_read.clear()
    await server.start()
    host = await server.host()
    assert list(host.state.session.items) == [*(f"{n}" for n in range(2000)), "after"]
    assert journal.rows_read[server.session] < 20, f"of {after} entries"


async def test_evidence_7_whoever_comes_while_a_session_is_being_loaded_reads_and_writes_what_is_there(
    serve: Serve, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault: storage was published before it was loaded: reads saw nothing, the late load undid a write."""
    server = await serve(LAB, players=5, journal=journal, settings=UNLIMITED)
    await call_often(server, "add", [[f"{n}"] for n in range(30)])
    await server.stop()
    await server.start()
    go = asyncio.Event()
    load, read = journal.load, journal.read

    async def slow_load(stream: str) -> Any:
        await go.wait()
        return await load(stream)

    async def read_in_small_pieces(stream: str, *, after: int = 0, limit: int = 1000, large: bool = True) -> Any:
        await settle(3)
        return await read(stream, after=after, limit=min(limit, 7), large=large)

    monkeypatch.setattr(journal, "load", slow_load)
    monkeypatch.setattr(journal, "read", read_in_small_pieces)
    coming = [asyncio.ensure_future(server.opened(player)) for player in range(1, 6)]
    await settle()
    assert not any(one.done() for one in coming)
    go.set()
    browsers = await asyncio.gather(*coming)
    answers = [await browser.ask("add", f"new{browser.player}") for browser in browsers]
    assert answers == [31, 32, 33, 34, 35]
    assert len({id(browser.talk._host) for browser in browsers if browser.talk is not None}) == 1
    await settle(100)
    monkeypatch.undo()
    for host in (await server.host(), await server.restart()):
        assert len(host.state.session.items) == 35


# ---------------------------------------------------------------- 11: from where on


async def test_evidence_11_a_document_gets_what_came_after_its_page_and_nothing_from_before(serve: Serve) -> None:
    """Browsers would skip what they have had, so too much goes unnoticed; on a telephone it is paid for."""
    server = await serve(LAB, players=2)
    teller = await server.opened(1)
    for _ in range(3):
        await teller.ask("tell")
    loaded = server.browser(2)
    await loaded.load()
    base = loaded.base
    await teller.ask("tell")  # between page and connection
    await loaded.connect()
    assert seqs(loaded) == [(await server.host()).durable_seq]
    assert min(seqs(loaded)) > base

    for comes_back in (server.host, server.restart):  # known to the server, and known only to the journal
        loaded.lose()
        loaded.texts.clear()
        await comes_back()
        teller = await server.opened(1)
        handled = loaded.handled
        await teller.ask("tell")
        await loaded.connect()
        assert len(seqs(loaded)) == 1
        assert min(seqs(loaded)) > handled


def seqs(browser: Browser) -> list[int]:
    """Of the frames with events that this document was sent."""
    frames = [json.loads(text) for text in browser.texts]
    return [frame["seq"] for frame in frames if any(message["type"] == "event" for message in frame["messages"])]


# ---------------------------------------------------------------- 18: telling many


async def test_evidence_18_all_telling_all_encodes_one_frame_per_call_and_none_per_recipient(serve: Serve) -> None:
    server = await serve(LAB, players=20, settings=UNLIMITED)
    browsers = [await server.opened(player) for player in range(1, 21)]
    await settle()
    heard = [len(browser.texts) for browser in browsers]
    for browser in browsers:
        browser.invoke("tell")
    await settle(100)
    assert all(len(browser.events) == 20 for browser in browsers)
    texts = [text for browser, before in zip(browsers, heard, strict=True) for text in browser.texts[before:]]
    assert len(texts) == 400
    # One for all who listen, and one for the caller, whose reply is in it.
    assert len({id(text) for text in texts}) <= 2 * 20


# ---------------------------------------------------------------- 22: the old socket


async def test_evidence_22_a_document_that_connects_again_takes_the_place_of_its_old_socket(serve: Serve) -> None:
    """The network was lost and only the browser has noticed: the server must not wait for the old one to end."""
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    old, old_talk = one.sink, one.talk
    assert old is not None
    assert old_talk is not None
    await one.connect()
    assert old.closed_with is not None
    assert old.closed_with[0] == CloseCode.TAKEOVER
    old_talk.closed(1006)  # late
    heard = len(one.events)
    await two.ask("tell")
    assert len(one.events) == heard + 1
    host = await server.host()
    assert host.attendance.presence.connections(1) == 1
    await server.clock.advance(60)
    assert (await server.player()).online


# ---------------------------------------------------------------- 24: once


async def test_evidence_24_a_bonus_is_paid_once_for_resends_reloads_two_tabs_and_restarts(serve: Serve) -> None:
    server = await serve(LAB)
    tab = Tab()
    one = await server.opened(1, tab)
    n = one.invoke("pay", 5)
    one.resend()
    one.resend()  # as after two reconnects in a row
    one.lose()  # and no answer arrives
    await settle()
    two = await server.opened(1, tab.duplicate())
    again = await server.opened(1, tab)
    await server.restart()
    for browser in (two, again):
        await browser.connect()
        browser.resend()
        await settle()
    assert (await server.player()).bonus == 5
    assert server.module.ran == ["paid"]
    assert again.adopted_settled == two.adopted_settled == {(one.document, n): 5}
    assert await two.ask("pay", 1) == 6
    assert (await server.restart()).state.player(1).bonus == 6


async def test_evidence_24_new_player_ran_once_whatever_its_browser_does(serve: Serve) -> None:
    server = await serve(LAB, players=0)
    host = await server.host()
    tokens = {await host.join(visitor="me", label="P1") for _ in range(3)}
    await asyncio.gather(*(host.join(visitor="me") for _ in range(3)), host.join(visitor="other", label="P1"))
    for _ in range(2):
        browser = await server.opened(1)
        await browser.reload()
        host = await server.restart()
        tokens.add(await host.join(visitor="me"))
    assert len(tokens) == 1
    assert host.state.player(1).welcomed == 1
    assert len(host.state.everybody) == 1
