"""Snapshots are taken while a session goes on: whatever they caught, with the entries it is what the journal says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptgrimoire.errors import JournalUnavailable
from promptgrimoire.journal.base import Journal, Snapshot
from promptgrimoire.runtime.host import Host
from promptgrimoire.settings import Limits, Settings
from tests.engine.conftest import Serve
from tests.engine.stage import settle

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def add(page, player, value: int):
        player.items.append(value)
        player.count += 1
        player.session.items.append(value)
        player.session.table[player] = player.session.table.get(player, 0) + 1
        send_to(player.other_in_session, value, keep=True)
        return len(player.session.items)

def new_session(session):
    session.items = []
    session.table = {}
    session.large = "x" * 20_000  # a snapshot lets others run after each large record

def new_player(player):
    player.items = []
    player.count = 0
    player.large = "x" * 20_000

page_order = [Lab]
'''
UNLIMITED = Settings(limits=Limits(calls_per_second=1e9, call_burst=10**9))


def everything(host: Host) -> dict[str, Any]:
    records = {key: host.state.snapshot(key) for key in host.state.records}
    return records | {f"kept by {player}": sorted(host.deliveries.of(player).kept) for player in (1, 2)}


@pytest.mark.parametrize("rounds", [1, 3])
async def test_what_is_written_while_a_snapshot_is_taken_is_there_once(
    serve: Serve, journal: Journal, rounds: int
) -> None:
    """Each of its records is as of another moment: entries must be applied to those that are older, and to no other."""
    server = await serve(LAB, players=2, journal=journal, settings=UNLIMITED)
    one, two = await server.opened(1), await server.opened(2)
    taker = server.gateway._snapshots[server.session]
    value = 0
    for _ in range(rounds):
        await one.ask("add", value := value + 1)
        await two.ask("add", value := value + 1)
        before = (await server.host()).chain.seq
        taking = asyncio.ensure_future(taker.take())
        for _ in range(8):
            await asyncio.sleep(0)
            for browser in (one, two):
                browser.invoke("add", value := value + 1)
        await taking
        loaded = await journal.load(server.session)
        assert loaded is not None
        assert loaded.snapshot is not None
        seen = {seq for seq, _ in loaded.snapshot.records.values()}
        assert loaded.snapshot.mark == before
        assert len(seen) > 1, "the session went on while it was taken"
    await settle(50)
    host = await server.host()
    await host.durable()
    known = everything(host)
    assert sorted(host.state.session.items) == list(range(1, value + 1))
    assert everything(await server.restart()) == known


async def test_a_snapshot_that_failed_is_made_up_for_by_the_next(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it held has still changed since the last one: else the next would move the mark beyond it."""
    server = await serve(LAB, players=2)
    one, two = await server.opened(1), await server.opened(2)
    taker = server.gateway._snapshots[server.session]
    await one.ask("add", 1)
    save = server.journal.save

    async def fails(stream: str, snapshot: Snapshot) -> None:
        raise JournalUnavailable("busy")

    monkeypatch.setattr(server.journal, "save", fails)
    with pytest.raises(JournalUnavailable):
        await taker.take()
    monkeypatch.setattr(server.journal, "save", save)
    await two.ask("add", 2)
    await taker.take()
    host = await server.host()
    known = everything(host)
    assert list(host.state.player(1).items) == [1]
    assert everything(await server.restart()) == known
