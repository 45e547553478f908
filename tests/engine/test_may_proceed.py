"""`await page.may_proceed(player)` in `show`: whether a wait page would hold the player up."""

from __future__ import annotations

import pytest

from promptgrimoire.errors import NoTransaction
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

APP = '''
from promptgrimoire.uproot import *

class Start(Page):
    """# Start"""
    def after_once(page, player):
        if not player.session.groups and player.session.pairs:
            create_group(player.session, player.session.players)

class Sync(SynchronizingWait):
    async def show(page, player):
        may = await page.may_proceed(player)
        ran.append((player.id, may))
        return not may

    def all_here(page, group):
        ran.append("all")

class End(Page):
    """# End"""

def new_session(session):
    session.pairs = True

page_order = [Start, Sync, End]
'''


async def at(server: Server, id: int) -> str:
    page = (await server.player(id))._about["page"]
    return str(page).partition("/")[2]


async def test_the_last_to_come_skips_the_page_and_those_who_wait_go_on(serve: Serve) -> None:
    server = await serve(APP)
    await server.create(2)
    await server.submit(1)
    assert await at(server, 1) == "Sync"
    await server.submit(2)
    await settle()
    assert [await at(server, id) for id in (1, 2)] == ["End", "End"]
    assert server.module.ran == [(1, False), (2, True), "all"]


async def test_who_is_in_no_group_may_not(serve: Serve) -> None:
    server = await serve(APP.replace("session.pairs = True", "session.pairs = False"))
    await server.create(1)
    await server.submit(1)
    assert await at(server, 1) == "Sync"
    assert server.module.ran == [(1, False)]


async def test_it_belongs_into_hooks(serve: Serve) -> None:
    server = await serve(APP)
    host = await server.create(1)
    with pytest.raises(NoTransaction):
        await server.module.Sync.may_proceed(host.state.player(1))
