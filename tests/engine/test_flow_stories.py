"""Random stories of one participant: submissions, double clicks, Back, moves, timeouts, releases, crashes, failures.

Whatever happened, nobody is stuck, no once-hook has finished twice at one place, and the journal says the same.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest

from promptgrimoire.errors import JournalUnavailable, Refused
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

STORY = '''
def count(player, here, name):
    player.counts[f"{here} {name}"] = player.counts.get(f"{here} {name}", 0) + 1

class Base(Page):
    """# Base"""

    allow_back = True
    keep_values = True
    fields = dict(x=IntegerField(label="X", min=0, max=9))

    async def early(page, player, request):
        await happens()

    async def before_always_once(page, player):
        here = player.show_page
        await happens()
        count(player, here, "before_always_once")

    async def show(page, player):
        return not player.get("skips") or page.__name__ != "Middle"

    async def before_once(page, player):
        here = player.show_page
        await happens()
        count(player, here, "before_once")

    async def validate(page, player, data):
        await happens()
        return "No seven." if data["x"] == 7 else None

    async def after_once(page, player):
        here = player.show_page
        await happens()
        count(player, here, "after_once")
        if player.get("x") == 3:
            move_to_page(player, "First")
        player.skips = player.get("x") == 4

    async def after_always_once(page, player):
        here = player.show_page
        await happens()
        count(player, here, "after_always_once")

class First(Base):
    """# First"""

class Middle(Base):
    """# Middle"""

class Last(Base):
    """# Last"""

class Logic(NoshowPage):
    async def before_always_once(page, player):
        here = player.show_page
        await happens()
        count(player, here, "before_always_once")

async def happens():
    what = choose()
    if what == "waits":
        await gates.wait("gate")
    elif what == "suspends":
        await asyncio.sleep(0)
    elif what == "fails":
        raise ValueError("on purpose")
    elif what == "fails late":
        await asyncio.sleep(0)
        raise ValueError("on purpose")

choose = None

def new_player(player):
    player.counts = {}

page_order = [First, Logic, Rounds(First, Middle, n=2), Between(Middle, Last), RandomOrder(First, Middle, Last)]
'''
STEPS = ["submit"] * 6 + ["twice", "back", "move", "crash", "time out", "advance", "open", "retry", "look", "wait"]


class Story:
    """What happens to one participant, as a seed has it."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.tasks: list[asyncio.Future[Any]] = []
        self.stays = [0]
        self.misfortune = self.random.choice([0.05, 0.2, 0.4])
        server.module.choose = self.choose

    def choose(self) -> str:
        if self.random.random() < self.misfortune:
            return self.random.choice(["waits", "suspends", "fails", "fails late"])
        return "suspends" if self.random.random() < 0.4 else "nothing"

    async def step(self) -> None:
        server, host = self.server, await self.server.host()
        player = host.state.player(1)
        stay = player._about.get("stay", 0)
        self.stays.append(stay)
        data = {"x": self.random.choice(["1", "1", "1", "2", "3", "4", "7", "99"])}
        step = self.random.choice(STEPS)
        if step == "submit":
            self.start(server.submit(1, self.random.choice([stay, self.random.choice(self.stays)]), data))
        elif step == "twice":
            submission = f"twice{len(self.stays)}"
            for _ in range(2):
                self.start(server.submit(1, stay, data, submission=submission))
        elif step == "back":
            self.start(server.submit(1, stay, {**data, "_back": "1"}))
        elif step == "move":
            await server.move(self.random.randint(0, len(player._about["plan"])))
        elif step == "crash":
            for task in self.tasks:
                task.cancel()
            self.tasks.clear()
            await server.restart()
        elif step == "time out":
            host.flow.time_out(player, stay)
        elif step == "advance":
            await server.act(lambda: host.flow.advance(player, stay))
        elif step == "open":
            server.gates.open("gate")
            await settle()
            server.gates.shut("gate")
        elif step == "retry":
            self.start(host.retry(host._token(1)))
        elif step == "look":
            self.start(server.page())
        else:
            await server.clock.advance(11)
        await settle(self.random.choice([0, 1, 5, 30]))

    def start(self, coroutine: Any) -> None:
        self.tasks.append(asyncio.ensure_future(coroutine))

    async def calm_down(self) -> None:
        """From here on everything works; all requests are answered, and the player is at a page."""
        self.misfortune = 0.0
        self.server.gates.open("gate")
        await settle()
        await self.server.clock.advance(30)
        for task in self.tasks:
            await settle()
            with suppress(ValueError, Refused, JournalUnavailable):  # what was on purpose, and "one moment"
                await asyncio.wait_for(task, 5)
        host = await self.server.host()
        for _ in range(3):
            rendering = await self.server.page()
            if rendering.kind == "held":
                await host.retry(host._token(1))
            elif rendering.kind == "moment":
                await self.server.clock.advance(5)
        assert (await self.server.page()).kind in ("page", "end")

    async def end(self) -> None:
        """Next leads on from every page."""
        player = await self.server.player()
        for _ in range(40):
            if (await self.server.page()).kind == "end":
                return
            stay = player._about["stay"]
            await self.server.submit(1, stay, {"x": "1"})
            await settle()
            assert player._about["stay"] > stay
        raise AssertionError(f"no end: {dict(player._about)}")


@pytest.mark.parametrize("first", range(0, 40, 5))
async def test_evidence_24_random_stories_run_nothing_twice_and_leave_nobody_stuck(serve: Serve, first: int) -> None:
    server = await serve(STORY, players=0)
    for seed in range(first, first + 5):
        story = Story(server, seed)
        await server.create(1)
        for _ in range(story.random.randint(5, 30)):
            await story.step()
        await story.calm_down()
        await story.end()
        player = await server.player()
        assert {name: times for name, times in player.counts.items() if times > 1} == {}
        about, fields = dict(player._about), player.fields()
        await server.restart()
        player = await server.player()
        assert (dict(player._about), player.fields()) == (about, fields)
