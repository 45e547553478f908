"""Wait pages: who is grouped with whom, who is released when, and what a crash in between leaves to be done."""

from __future__ import annotations

from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

MATCH = '''
class Meet(GroupCreatingWait):
    group_size = 2
    roles = ("buyer", "seller")

    def after_grouping(page, group):
        group.pot = 10
        ran.append([player.id for player in group.players])

class Play(Page):
    """# Play"""

class Together(SynchronizingWait):
    def all_here(page, group):
        group.total = group.get("total", 0) + 1

class End(Page):
    """# End"""

page_order = [Meet, Play, Together, End]
'''


async def where(server: Server, id: int) -> str:
    page: str = (await server.player(id))._about["page"]
    return page


async def test_arrivals_are_grouped_and_wait_for_each_other(serve: Serve) -> None:
    server = await serve(MATCH, players=5)
    for id in range(1, 6):
        await server.opened(id)
    await settle()
    assert [await where(server, id) for id in range(1, 6)] == ["lab/Play"] * 4 + ["lab/Meet"]
    player = await server.player(1)
    assert player.group.pot == 10
    assert sorted(member.role for member in player.group.players) == ["buyer", "seller"]
    await server.submit(1)
    assert await where(server, 1) == "lab/Together"
    assert not hasattr(player.group, "total")
    await server.submit(2)
    await settle()
    assert [await where(server, id) for id in (1, 2, 3)] == ["lab/End", "lab/End", "lab/Play"]
    assert player.group.total == 1
