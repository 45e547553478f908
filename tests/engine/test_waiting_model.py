"""Whoever comes, leaves and reloads, and whenever the server dies: groups are right, and nobody waits in vain.

No group has too many members, nobody is in two groups of one step, everybody is grouped who can be, and `all_here` runs
once for each group.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.stage import Browser, Server, settle

EXAMPLES = 2_000 if os.environ.get("GRIMOIRE_TORTURE") == "1" else 60
PLAYERS, SIZE = 8, 3

LAB = f'''
class Start(Page):
    """# Start"""

class Meet(GroupCreatingWait):
    group_size = {SIZE}

    def group_by(page, player):
        return player.id > 6

    async def after_grouping(page, group):
        group.step = group.players[0].round
        if group.id % 2:
            await gates.wait("grouping")

class Play(Page):
    """# Play"""

class Together(SynchronizingWait):
    async def all_here(page, group):
        group.times = group.get("times", 0) + 1
        if group.id % 3 == 0:
            await gates.wait("here")

class End(Page):
    """# End"""

page_order = [Start, Rounds(Meet, Play, Together, n=2), End]
'''

someone = st.integers(1, PLAYERS)
actions = st.one_of(
    *[st.tuples(st.just(what), someone) for what in ("come", "come", "submit", "submit", "submit", "leave", "reload")],
    st.tuples(st.sampled_from(["open", "shut"]), st.just(0)),
    st.tuples(st.just("restart"), st.just(0)),
)


class Story:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.here: dict[int, Browser] = {}

    async def act(self, what: str, id: int) -> None:
        server = self.server
        if what == "come" and id not in self.here:
            self.here[id] = await server.opened(id)
        elif what == "leave" and id in self.here:
            self.here.pop(id).lose()
        elif what == "reload" and id in self.here:
            self.here[id] = await self.here[id].reload()
        elif what == "submit":
            await server.submit(id)
        elif what == "open":
            server.gates.open("grouping")
            server.gates.open("here")
        elif what == "shut":
            server.gates.shut("grouping")
            server.gates.shut("here")
        elif what == "restart":
            await server.restart()
            for id in self.here:
                self.here[id] = await server.opened(id)

    async def check(self) -> None:
        """What holds at any time."""
        host = await self.server.host()
        seen: Counter[tuple[int, int]] = Counter()
        for group in host.state.groups:
            members = [player.id for player in group.players]
            assert len(set(members)) == len(members) == SIZE
            assert len({id > 6 for id in members}) == 1
            assert group.get("times", 0) <= 1
            seen.update((group.step, id) for id in members)
        assert set(seen.values()) <= {1}

    async def check_the_end(self) -> None:
        """What holds once nothing is under way any more."""
        host = await self.server.host()
        waiting: Counter[Any] = Counter()
        for player in host.state.everybody:
            page = player._about["page"]
            if page == "lab/Meet" and player.online:
                waiting[player.round, player.id > 6] += 1
            elif page == "lab/Together":
                assert player.group is not None
                others = [one for one in player.group.players if one._about["page"] == "lab/Play"]
                assert others, f"{player.id} waits for nobody"
            elif page in ("lab/Play", "lab/End"):
                assert player.group is not None
                assert player.group.step == (player.round or 2)
        assert max(waiting.values(), default=0) < SIZE
        assert not host.waiting.busy


async def play(server: Server, story: list[tuple[str, int]]) -> None:
    await server.start()
    await server.create(PLAYERS)
    one = Story(server)
    for what, id in story:
        await one.act(what, id)
        await settle(3)
        await one.check()
    await one.act("open", 0)
    await settle(60)
    await server.clock.advance(6)
    await one.check()
    await one.check_the_end()
    await server.crash()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Loads the experiment once for all."""
    server = Server(tmp_path_factory.mktemp("model"), LAB)

    async def loading() -> None:
        await server.start()
        await server.crash()

    asyncio.run(loading())
    return server


@pytest.mark.torture
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=st.lists(actions, min_size=20, max_size=60))
def test_evidence_26_whatever_participants_do_groups_are_right(loaded: Server, story: list[tuple[str, int]]) -> None:
    server = Server(Path(loaded.file).parent, LAB)
    server.experiments = loaded.experiments
    asyncio.run(play(server, story))
