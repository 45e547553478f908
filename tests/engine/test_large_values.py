"""Large values in a running session: beside the journal, and back after a restart; beyond the limit refused by name."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from promptgrimoire.data.listing import changes
from promptgrimoire.errors import JournalDamaged
from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.memory import MemoryJournal
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.journal.verify import verify
from promptgrimoire.runtime.host import Host
from promptgrimoire.settings import Limits, Settings
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def write(page, player, size: int):
        player.text = "ä" * (size // 2)
        notify(player, player.session, "written")
        return size

    @live
    def record(page, player, size: int):
        player.audio = bytes(range(256)) * (size // 256)

    @live
    def give(page, player, size: int):
        player.count = player.get("count", 0) + 1
        return "g" * size

    @live
    def echo(page, player, value: dict):
        player.count = player.get("count", 0) + 1
        return value

    @live
    def tell(page, player, size: int, volatile: bool = False):
        player.told = True
        notify(player, player.session, "t" * size, event="news", volatile=volatile)

page_order = [Lab]
'''


async def restart_from_entries(server: Server) -> Host:
    """As after `kill -9`: no snapshot helps."""
    if isinstance(server.journal, MemoryJournal):
        return await server.restart()
    await server.stop()
    connection = sqlite3.connect(server.journal.path)
    with connection:
        connection.execute("DELETE FROM snapshots")
        connection.execute("UPDATE streams SET mark = NULL")
    connection.close()
    await server.start()
    return await server.host()


async def test_a_live_method_writes_300_kb(serve: Serve, journal: Journal) -> None:
    server = await serve(LAB, journal=journal)
    one = await server.opened()
    assert await one.ask("write", 300_000) == 300_000
    rows = await journal.read(server.session)
    (row,) = [row for row in rows if row.blobs]
    assert len(row.text) + len(row.values) < 1000
    host = await restart_from_entries(server)
    assert host.state.player(1).text == "ä" * 150_000
    await one.load()
    assert await one.connect()
    assert await one.ask("write", 10) == 10
    assert [change.value for change in await host.state.player(1).history("text")] == ["ä" * 150_000, "ä" * 5]
    assert (await host.state.player(1).at(rows[-1].seq)).text == "ä" * 150_000
    assert (await verify(journal)).problems == []


async def test_a_recording_of_5_mb_survives_restarts(serve: Serve, journal: Journal) -> None:
    server = await serve(LAB, journal=journal)
    one = await server.opened()
    await one.ask("record", 5_000_000)
    recording = bytes(range(256)) * (5_000_000 // 256)
    host = await restart_from_entries(server)
    assert host.state.player(1).audio == recording
    await server.stop()  # takes a snapshot
    await server.start()
    host = await server.host()
    assert host.state.player(1).audio == recording
    assert [change.value for change in await host.state.player(1).history("audio")] == [recording]


async def test_a_session_with_more_large_values_than_are_read_at_once_loads_whole(serve: Serve, tmp_path: Path) -> None:
    server = await serve(LAB, journal=SqliteJournal(tmp_path / "one.sqlite3"))
    one = await server.opened()
    for _ in range(4):
        assert await one.ask("write", 12_000_000) == 12_000_000
    assert await one.ask("write", 10) == 10
    host = await restart_from_entries(server)
    assert host.state.player(1).text == "ä" * 5
    assert await server.gateway.host(server.session) is host


async def test_a_large_answer_is_the_same_when_asked_again_after_a_crash(serve: Serve, journal: Journal) -> None:
    server = await serve(LAB, journal=journal)
    one = await server.opened()
    n = one.invoke("give", 300_000)
    one.lose(told=False)  # the answer never arrives
    await settle()
    await (await server.host()).durable()
    assert n not in one.settled
    host = await restart_from_entries(server)
    await one.connect()
    await settle()
    assert one.settled[n] == "g" * 300_000
    assert host.state.player(1).count == 1


async def test_who_reconnects_gets_events_without_the_large_values_of_their_entries(
    serve: Serve, tmp_path: Path
) -> None:
    journal = SqliteJournal(tmp_path / "one.sqlite3")
    server = await serve(LAB, players=2, journal=journal)
    one, two = await server.opened(1), await server.opened(2)
    two.lose()
    await one.ask("write", 300_000)
    await server.restart()
    reading = journal.read
    asked: list[bool] = []

    async def read(stream: str, *, after: int = 0, limit: int = 1000, large: bool = True):  # type: ignore[no-untyped-def]
        asked.append(large)
        return await reading(stream, after=after, limit=limit, large=large)

    journal.read = read  # type: ignore[method-assign]
    await server.host()
    asked.clear()
    await two.connect()
    await settle()
    assert len(two.events) == 1
    assert asked == [False]


async def test_a_participant_cannot_name_a_large_value_that_is_not_there(serve: Serve, journal: Journal) -> None:
    server = await serve(LAB, journal=journal)
    one = await server.opened()
    invented = {"$": "blob", "sha256": "0" * 64, "size": 5}
    assert await one.ask("echo", invented) == invented
    host = await restart_from_entries(server)
    assert host.state.player(1).count == 1
    assert (await verify(journal)).problems == []


async def test_a_value_beyond_the_limit_is_refused_by_name(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = await serve(LAB, settings=Settings(limits=Limits(value=400_000)))
    one = await server.opened()
    assert await one.ask("write", 300_000) == 300_000
    assert "code" in await one.ask("write", 500_000)
    assert "the field 'text' of p1 (lab.py:" in caplog.text
    assert "has 500,002 bytes as JSON; at most 400,000 fit in one value (the setting limits.value)" in caplog.text
    player = await server.player()
    assert player.text == "ä" * 150_000
    assert await one.ask("write", 2) == 2
    host = await server.restart()
    assert host.state.player(1).text == "ä"


@pytest.mark.parametrize("volatile", [False, True])
async def test_what_cannot_be_sent_is_refused_by_name(
    serve: Serve, caplog: pytest.LogCaptureFixture, volatile: bool
) -> None:
    server = await serve(LAB, settings=Settings(limits=Limits(outbox_bytes=100_000)))
    one = await server.opened()
    assert await one.ask("tell", 90_000, volatile) is None
    assert "code" in await one.ask("tell", 110_000, volatile)
    assert "the event 'news' has 110,002 bytes as JSON; at most 100,000 can be sent" in caplog.text
    assert "code" in await one.ask("give", 110_000)
    assert "what was answered has 110,002 bytes as JSON; at most 100,000 can be sent" in caplog.text
    assert "count" not in (await server.player()).fields()
    assert [len(event) for event in one.events] == [90_000]


async def test_a_missing_large_value_is_damage_of_its_session_only(serve: Serve, tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "one.sqlite3")
    server = await serve(LAB, journal=journal)
    one = await server.opened()
    await one.ask("write", 300_000)
    damaged = server.session
    await server.create(1)
    sound = server.session
    name = hashlib.sha256(b'"' + "ä".encode() * 150_000 + b'"').hexdigest()
    file = tmp_path / "one.sqlite3.blobs" / name[:2] / name[2:]
    content = file.read_bytes()
    assert json.loads(content) == "ä" * 150_000  # readable without this software
    file.unlink()
    server.session = sound
    await restart_from_entries(server)
    for _ in range(2):
        with pytest.raises(JournalDamaged) as error:
            await server.gateway.host(damaged)
        for part in ("entry ", "the field 'text' of p1 (lab.py:", str(file), "is missing"):
            assert part in str(error.value)
    assert list(server.gateway.quarantined) == [damaged]
    two = await server.opened()
    assert await two.ask("write", 10) == 10
    with pytest.raises(JournalDamaged):
        [change async for change in changes(journal, damaged)]
    file.write_bytes(content)
    await server.stop()
    await server.start()
    assert (await server.gateway.host(damaged)).state.player(1).text == "ä" * 150_000
    (line,) = [change async for change in changes(journal, damaged, "1", "text")]
    assert line.value == '"' + "ä" * 199 + "…"
