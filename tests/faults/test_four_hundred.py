"""Four hundred bots play a game of four in three rounds, on the real server: every group complete, every payoff right.

Each round forms its groups anew, of those who have come through the last one: six hundred waits that have to end as
soon as the last of four has arrived.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.faults.servers import serving
from tests.faults.test_crowd import slowness
from tests.participant import Participant

BOTS, SIZE, ROUNDS = 400, 4, 3
SPAN = 12.0  # seconds over which they come
AT_MOST = 1.0  # seconds that a bot may still wait once the last of its group has arrived
GAME = f'''
from promptgrimoire import *

class Meet(GroupCreatingWait):
    title = "Your group is being formed"
    group_size = {SIZE}

class Give(Page):
    fields = dict(given=IntegerField(label="How much do you give?", min=0, max=20))

    def jsvars(page, player):
        return dict(group=player.group.name)

class Together(SynchronizingWait):
    title = "The others decide"

    def all_here(page, group):
        assert len(group.players) == {SIZE}
        group.total = sum(group.players.each("given"))
        for player in group.players:
            player.payoff += 20 - player.given + group.total * cu("0.5")

class End(Page):
    """# End"""
    def jsvars(page, player):
        return dict(payoff=player.payoff)

page_order = [Rounds(Meet, Give, Together, n={ROUNDS}), End]
'''


class Clock:
    """Seconds in which the bots were free to hear anything: what holds up their own process is nobody else's fault."""

    def __init__(self) -> None:
        self.now = 0.0

    async def run(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.02)
            now = time.monotonic()
            self.now += min(now - before, 0.03)
            before = now


@dataclass
class Seen:
    """What the bots have seen. Of each wait, by its group: when each bot had arrived and when it was let go."""

    clock: Clock = field(default_factory=Clock)
    waits: dict[tuple[int, str, str], list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    given: dict[tuple[int, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    played: list[tuple[list[tuple[str, int]], float]] = field(default_factory=list)  # (group, given) by round; payoff


async def play(link: str, seed: int, seen: Seen, pace: float) -> None:
    rng = Random(seed)
    rounds = []
    await asyncio.sleep(rng.uniform(0, SPAN * pace))
    async with Participant(link, patience=120) as bot:
        for number in range(1, ROUNDS + 1):
            waited = await wait(bot, "Your group is being formed", seen.clock)
            group = bot.page.vars["group"]
            seen.waits[number, "Meet", group].append(waited)
            await asyncio.sleep(rng.uniform(0, 2 * pace))
            given = rng.randint(0, 20)
            rounds.append((group, given))
            seen.given[number, group].append(given)
            await bot.submit(given=given)
            seen.waits[number, "Together", group].append(await wait(bot, "The others decide", seen.clock))
        seen.played.append((rounds, float(bot.page.vars["payoff"])))


async def wait(bot: Participant, heading: str, clock: Clock) -> tuple[float, float]:
    """Stay at a wait page until let go; gives when the bot was there, connected, and when it was let go."""
    if bot.page.heading == heading:
        await bot.connected()
    arrived = clock.now
    while bot.page.heading == heading:
        await bot.moved()
    return arrived, clock.now


async def test_four_hundred_bots_play_a_game_of_four_in_three_rounds(tmp_path: Path) -> None:
    (tmp_path / "game.py").write_text(GAME)
    before = await slowness()
    pace = min(before, 2.0)  # they come and think more slowly on a slow machine, within limits
    seen = Seen()
    with serving(tmp_path, target=tmp_path / "game.py", settings={}) as server:
        beats = asyncio.create_task(seen.clock.run())
        await asyncio.gather(*(play(server.opened["join"], seed, seen, pace) for seed in range(BOTS)))
        beats.cancel()
        server.stop()
        log = server.log()

    assert len(seen.played) == BOTS
    for number in range(1, ROUNDS + 1):
        groups = {group: given for (when, group), given in seen.given.items() if when == number}
        assert len(groups) == BOTS / SIZE
        assert {len(given) for given in groups.values()} == {SIZE}
    for rounds, payoff in seen.played:
        expected = [20 - own + sum(seen.given[number, group]) / 2 for number, (group, own) in enumerate(rounds, 1)]
        assert payoff == sum(expected)

    scale = max(before, await slowness())
    late = {wait: max(left for _, left in bots) - max(came for came, _ in bots) for wait, bots in seen.waits.items()}
    assert len(late) == 2 * ROUNDS * BOTS / SIZE
    too_late = {wait: seconds for wait, seconds in late.items() if seconds > AT_MOST * scale}
    assert too_late == {}, f"on a machine {scale:.1f} times slower than a quiet one"
    # A busy machine makes any code slow: that the watchdog says so is no fault of the server.
    lines = [line for line in log.splitlines() if "held the event loop for" not in line]
    assert not [line for line in lines if not line.startswith(("INFO", "DEBUG"))], log
