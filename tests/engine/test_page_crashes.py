"""Crashes on the way from page to page: after every entry that the way writes, on both journals.

The way is walked once without a crash, then as often as it wrote entries, each time with a disk that takes nothing
after the next of them. Whatever was lost, the browser posts its form again, and the end is the same.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptgrimoire.journal.base import Journal
from promptgrimoire.state.records import Player
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

WAY = '''
class One(Page):
    """# One"""

    fields = dict(code=StringField(label="Code"))

    {a}def validate(page, player, data):
        {wait}

    {a}def after_once(page, player):
        player.bonus = player.get("bonus", 0) + 1
        {wait}

    {a}def after_always_once(page, player):
        player.always = player.get("always", 0) + 1
        {wait}

class Logic(NoshowPage):
    {a}def before_always_once(page, player):
        player.logic = player.get("logic", 0) + 1
        {wait}

class Hidden(Page):
    """# Hidden"""

    {a}def show(page, player):
        return False  # a show that had suspended would count as run, and its answer be lost: the page is shown

    {a}def after_always_once(page, player):
        player.hidden = player.get("hidden", 0) + 1
        {wait}

class Two(Page):
    """# Two"""

    {a}def before_once(page, player):
        player.entered = player.get("entered", 0) + 1
        {wait}

page_order = [One, Logic, Hidden, Rounds(Two, n=2)]
'''
ONCE = ("bonus", "always", "logic", "hidden", "entered")


def freeze(server: Server, after: int) -> list[Any]:
    """From now on the disk takes so many entries and no more. Gives all that are written."""
    journal, written = server.journal, []
    take = journal.append

    def append(listener: object, row: object, description: object = None) -> None:
        written.append(row)
        if len(written) <= after:
            take(listener, row, description)

    journal.append = append
    return written


async def post(server: Server) -> None:
    """What a browser does: posts, and looks at its page, as long as it is on the first one."""
    submitting = asyncio.ensure_future(server.submit(1, 1, {"code": "x"}, submission="a"))
    for _ in range(20):
        await settle()
        if submitting.done():
            await submitting
            return
    submitting.cancel()


def counts(player: Player) -> list[int]:
    return [player.get(name, 0) for name in ONCE]


@pytest.mark.parametrize("a", ["", "async "])
async def test_evidence_24_a_crash_after_any_entry_repeats_nothing_and_loses_nobody(
    serve: Serve, journal: Journal, a: str
) -> None:
    source = WAY.format(a=a, wait="await asyncio.sleep(0)" if a else "pass")
    server = await serve(source, journal=journal)
    written = freeze(server, after=10**6)
    await post(server)
    del server.journal.append
    entries = len(written)
    assert entries >= (7 if a else 2)
    for after in range(entries):
        await server.create(1)
        await (await server.host()).durable()
        freeze(server, after)
        submitting = asyncio.ensure_future(server.submit(1, 1, {"code": "x"}, submission="a"))
        await _written(server, after)
        del server.journal.append
        host = await server.restart(kill=True)
        submitting.cancel()
        await post(server)
        player = host.state.player(1)
        assert (after, player.code, player._about["page"], player.round) == (after, "x", "lab/Two", 1)
        assert counts(player) == [1] * 5
        assert player._about["moving"] is None
        assert not player._about.get("leaving")
        assert (await server.page()).kind == "page"


async def _written(server: Server, after: int) -> None:
    """Until the disk has what it is to take."""
    host = await server.host()
    goal = host.durable_seq + after
    for _ in range(2000):
        await asyncio.sleep(0.001)
        if host.durable_seq >= goal:
            await settle()
            return
    raise AssertionError(f"the way wrote fewer than {after} entries")
