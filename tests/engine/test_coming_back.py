"""Everybody comes back at once after a restart, some of whom had heard nothing for long."""

from __future__ import annotations

import asyncio

import pytest

from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.entries import Row
from promptgrimoire.runtime import recent
from promptgrimoire.settings import Limits, Settings
from tests.engine.conftest import Serve
from tests.engine.stage import settle

SAYING = '''
class Talk(Page):
    """# Talk"""

    @live
    def write(page, player, n: int):
        player.n = n

    @live
    def say(page, player, n: int):
        notify(player, player.session.players, n)

    @live
    def whisper(page, player, n: int):
        notify(player, player, n)

page_order = [Talk]
'''


class _Counting:
    """How often a journal was read."""

    def __init__(self, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        read = journal.read

        async def counting(stream: str, *, after: int = 0, limit: int = 1000, large: bool = True) -> list[Row]:
            self.times += 1
            await asyncio.sleep(0)
            return await read(stream, after=after, limit=limit, large=large)

        monkeypatch.setattr(journal, "read", counting)


@pytest.mark.parametrize("held", [10_000, 30, 0])
async def test_evidence_38_the_journal_is_read_once_for_all_who_come_back(
    serve: Serve, journal: Journal, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    monkeypatch.setattr(recent, "_SENDS", held)
    monkeypatch.setattr(recent, "PAGE", 50)
    server = await serve(SAYING, players=12, journal=journal, settings=Settings(limits=Limits(call_burst=1_000)))
    browsers = [await server.opened(id) for id in range(1, 13)]
    for browser in browsers[2:]:
        browser.lose()
    for n in range(60):
        await browsers[0].ask("write", n)
        await browsers[0].ask("say", n)
        await browsers[1].ask("whisper", n)
    await server.restart(kill=True)
    counting = _Counting(server.journal, monkeypatch)
    await asyncio.gather(*(browser.connect() for browser in browsers))
    await settle()
    assert [browser.events for browser in browsers[2:]] == [list(range(60))] * 10
    assert sorted(browsers[1].events) == sorted([*range(60), *range(60)]), "connected before, and whispered to"
    assert [browser.resyncs for browser in browsers] == [0] * 12
    if held == 10_000:
        assert counting.times < 10, "and not as often for each of them"


async def test_what_is_said_while_the_journal_is_read_is_missing_to_nobody(
    serve: Serve, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "_SENDS", 40)
    monkeypatch.setattr(recent, "PAGE", 3)
    server = await serve(SAYING, players=4, journal=journal)
    browsers = [await server.opened(id) for id in range(1, 5)]
    for browser in browsers[1:]:
        browser.lose()
    for n in range(30):
        await browsers[0].ask("say", n)
    await server.restart(kill=True)
    await browsers[0].connect()
    _Counting(server.journal, monkeypatch)
    coming = [asyncio.ensure_future(browser.connect()) for browser in browsers[1:]]
    for n in range(30, 60):
        browsers[0].invoke("say", n)
        await asyncio.sleep(0)
    assert await asyncio.gather(*coming) == [True] * 3
    await (await server.host()).durable()
    await settle()
    assert [browser.events for browser in browsers] == [list(range(60))] * 4
