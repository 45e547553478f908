"""Whatever tabs, their copies, networks, disks and servers do: each call is carried out once and answered."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.stage import Browser, Server, Tab, code_of, settle

STORIES = 20_000 if os.environ.get("GRIMOIRE_TORTURE") == "1" else 150
MOST_DOCUMENTS = 5

LAB = '''
class Lab(Page):
    """# Lab"""

    @live
    def quick(page, player, id: str):
        player.session.begun.append(id)
        return id

    @live(concurrent=True)
    def aside(page, player, id: str):
        player.session.begun.append(id)
        return id

    @live
    async def slow(page, player, id: str):
        player.session.begun.append(id)
        await gates.wait("slow")
        player.session.ended.append(id)
        return id

    @live(concurrent=True)
    async def slow_aside(page, player, id: str):
        player.session.begun.append(id)
        await gates.wait("slow")
        player.session.ended.append(id)
        return id

def new_session(session):
    session.begun = []
    session.ended = []

page_order = [Lab]
'''
METHODS = ("quick", "aside", "slow", "slow_aside")
ACTIONS = {
    "call": 8,
    "connect": 5,
    "cut": 3,
    "lose": 3,
    "hear_of_the_cut": 1,
    "give_up": 1,
    "duplicate": 1,
    "reload": 1,
    "finish": 2,
    "hold": 1,
    "release": 1,
    "snapshot": 1,
    "restart": 2,
}


class Story:
    """One player with several documents."""

    def __init__(self, server: Server, choose: random.Random) -> None:
        self.server = server
        self.choose = choose
        self.documents: list[Browser] = []
        self.late: list[Callable[[], None]] = []
        self.told: list[str] = []

    async def tell(self) -> None:
        await self.server.create(1)
        self.documents.append(await self.server.opened(1, Tab()))
        names, weights = list(ACTIONS), list(ACTIONS.values())
        for _ in range(self.choose.randint(8, 40)):
            (action,) = self.choose.choices(names, weights)
            one = self.choose.choice(self.documents)
            self.told.append(f"{action} {one.document}")
            await getattr(self, "_" + action)(one)
            await settle(self.choose.choice([0, 1, 5]))
        await self.end()

    async def _call(self, one: Browser) -> None:
        one.invoke(self.choose.choice(METHODS), f"{one.document}:{one.next}")

    async def _connect(self, one: Browser) -> None:
        if one.up:
            return
        connecting = asyncio.ensure_future(one.connect())
        await settle(10)
        if not connecting.done():
            self.server.journal.release()
        await connecting

    async def _cut(self, one: Browser) -> None:
        if one.up:
            self.late.append(one.ghost())

    async def _lose(self, one: Browser) -> None:
        one.lose()

    async def _hear_of_the_cut(self, one: Browser) -> None:
        if self.late:
            self.late.pop(self.choose.randrange(len(self.late)))()

    async def _give_up(self, one: Browser) -> None:
        if one.pending and not one.up:
            del one.pending[self.choose.choice(list(one.pending))]

    async def _duplicate(self, one: Browser) -> None:
        if len(self.documents) < MOST_DOCUMENTS:
            self.server.journal.release()
            self.documents.append(await self.server.opened(1, one.tab.duplicate()))

    async def _reload(self, one: Browser) -> None:
        self.server.journal.release()
        one.lose()
        self.documents.remove(one)
        self.documents.append(await self.server.opened(1, one.tab))

    async def _finish(self, one: Browser) -> None:
        self.server.gates.open("slow")
        await settle(5)
        self.server.gates.shut("slow")

    async def _hold(self, one: Browser) -> None:
        self.server.journal.hold()

    async def _release(self, one: Browser) -> None:
        self.server.journal.release()

    async def _snapshot(self, one: Browser) -> None:
        self.server.journal.release()
        await self.server.host()
        await self.server.gateway._snapshots[self.server.session].take()

    async def _restart(self, one: Browser) -> None:
        self.server.journal._holding = False
        await self.server.restart()

    async def end(self) -> None:
        """Everybody comes back for good; then compare."""
        self.server.journal.release()
        self.server.gates.open("slow")
        for one in self.documents:
            one.lose()
        for closed in self.late:
            closed()
        for _ in range(4):
            for one in self.documents:
                await self._connect(one)
            await settle(40)
        self.server.gates.shut("slow")
        session = (await self.server.host()).state.session
        begun = Counter(session.begun)
        assert max([*begun.values(), *Counter(session.ended).values()], default=1) == 1, f"carried out twice: {begun}"
        for one in self.documents:
            assert not one.pending, f"never answered: {one.document} {one.pending}"
            for n, outcome in one.settled.items():
                assert code_of(outcome) in ("", "interrupted"), f"{one.document}:{n} {outcome}"
                assert begun[f"{one.document}:{n}"] == 1, f"answered, and not there: {one.document}:{n}"
            one.lose()
        self.server.browsers.clear()


@pytest.mark.torture
async def test_evidence_12_every_call_is_carried_out_once_whatever_tabs_networks_and_servers_do(tmp_path: Path) -> None:
    logging.disable(logging.CRITICAL)
    try:
        for first in range(0, STORIES, 25):
            server = Server(tmp_path, LAB)
            await server.start()
            for seed in range(first, first + 25):
                story = Story(server, random.Random(seed))
                try:
                    await story.tell()
                except AssertionError as error:
                    raise AssertionError(f"story {seed}: {', '.join(story.told)}: {error}") from error
            await server.crash()
    finally:
        logging.disable(logging.NOTSET)
