"""What a partner who is a round ahead has answered in this one: `player.other_in_group.choice` is right at any time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from promptgrimoire.journal.base import Journal
from tests.engine.conftest import Serve
from tests.engine.stage import Server, settle

GAME = '''
class Pair(GroupCreatingWait):
    group_size = 2

class Decide(Page):
    """# Decide"""
    fields = dict(choice=IntegerField())
    def after_once(page, player):
        player.score = player.get("score", 0) + 1

class Together(SynchronizingWait):
    def all_here(page, group):
        group.sums = [*group.get("sums", []), sum(group.players.each("choice"))]

class Outcome(Page):
    """# Other: {{ player.other_in_group.choice }}."""
    def after_once(page, player):
        other = player.other_in_group
        player.seen = [*player.get("seen", []), other.choice]
        player.also = [other.get("choice"), other.fields().get("choice"), other.score,
                       len(session_of(player).filter(choice=other.choice)), hasattr(other, "choice")]

def session_of(player):
    return player.session.players

class End(Page):
    """# End"""

page_order = [Pair, Rounds(Decide, Together, Outcome, n=3), End]
'''


async def started(serve: Serve, source: str = GAME, journal: Journal | None = None) -> Server:
    server = await serve(source, players=2, **({} if journal is None else {"journal": journal}))
    for id in (1, 2):
        await server.opened(id)
    await settle()
    return server


async def decide(server: Server, id: int, choice: int) -> None:
    await server.submit(id, data={"choice": str(choice)})
    await settle()


async def go_on(server: Server, id: int) -> None:
    await server.submit(id)
    await settle()


@pytest.mark.parametrize(("quick", "slow"), [(1, 2), (2, 1)])
async def test_the_outcome_is_that_of_its_round_while_the_partner_is_a_round_ahead(
    serve: Serve, quick: int, slow: int, journal: Journal
) -> None:
    server = await started(serve, journal=journal)
    await decide(server, quick, 10)
    await decide(server, slow, 20)
    await go_on(server, quick)
    assert (await server.player(quick)).round == 2
    assert "Other: 10." in (await server.page(slow)).html  # the partner has not answered in round 2
    await decide(server, quick, 11)
    assert (await server.player(quick)).choice == 11
    assert "Other: 10." in (await server.page(slow)).html  # … and now has
    await server.restart()
    assert "Other: 10." in (await server.page(slow)).html
    await go_on(server, slow)
    player = await server.player(slow)
    assert player.seen == [10]
    assert player.also == [10, 10, 2, 1, True]  # what accumulates is that of now
    await decide(server, slow, 21)
    for id, other in ((quick, 21), (slow, 11)):
        assert f"Other: {other}." in (await server.page(id)).html
    group: Any = (await server.player(quick)).group
    assert group.sums == [30, 32]


@settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate],
)
@given(turns=st.lists(st.sampled_from((1, 2)), min_size=6, max_size=30), data=st.data())
async def test_whoever_is_quicker_everybody_sees_what_was_answered_in_each_round(
    serve: Serve, turns: list[int], data: st.DataObject
) -> None:
    server = await started(serve)
    answers: dict[int, list[int]] = {1: [], 2: []}
    for id in [*turns, *(1, 2) * 20]:
        page = (await server.player(id))._about["page"].partition("/")[2]
        if page == "Decide":
            answers[id].append(data.draw(st.integers(0, 99)))
            await decide(server, id, answers[id][-1])
        elif page == "Outcome":
            await go_on(server, id)
    group: Any = (await server.player(1)).group
    assert group.sums == [sum(pair) for pair in zip(answers[1], answers[2], strict=True)]
    assert [(await server.player(id)).seen for id in (1, 2)] == [answers[2], answers[1]]
    assert len(answers[1]) == 3


async def test_a_group_hook_of_a_round_reads_the_answers_of_that_round(serve: Serve) -> None:
    """Player 2 does not stop at the wait page, and is two rounds ahead when player 1 gets there."""
    ahead = "class Together(SynchronizingWait):\n    def show(page, player): return player.id == 1"
    server = await started(serve, GAME.replace("class Together(SynchronizingWait):", ahead))
    for choice in (20, 21):
        await decide(server, 2, choice)
        if choice == 20:
            await server.move("Decide", 2)
            await settle()
    assert (await server.player(2)).round == 2
    await decide(server, 1, 10)
    group: Any = (await server.player(1)).group
    assert group.sums == [30]


async def test_who_did_not_answer_in_that_round_has_no_answer_of_it(serve: Serve) -> None:
    """Neither that of a later round, nor that of the same round of a loop that is over."""
    look = '''
class Look(Page):
    """# Other: {{ player.other_in_group.get("choice", "nothing") }}."""

page_order = [Pair, Rounds(Decide, n=2), Rounds(Look, Decide, n=2), End]
'''
    server = await started(serve, GAME.partition("page_order")[0] + look)
    for id in (1, 2):
        await decide(server, id, id)
        await decide(server, id, 10 * id)
    assert "Other: nothing." in (await server.page(1)).html
    await go_on(server, 2)
    await server.move((await server.player(2)).show_page + 1, 2)  # without an answer in round 1
    await go_on(server, 2)
    await decide(server, 2, 222)
    assert (await server.player(2)).choice == 222
    assert "Other: nothing." in (await server.page(1)).html
    await go_on(server, 1)
    await decide(server, 1, 111)
    assert "Other: 222." in (await server.page(1)).html


@pytest.mark.parametrize(
    ("order", "other"),
    [
        ("[Pair, Rounds(Decide, Outcome, n=3, carry=True), End]", 21),  # the latest
        ("[Pair, Rounds(Rounds(Decide, n=1, carry=True), Outcome, n=3), End]", 20),
        ("[Pair, Rounds(Decide, Rounds(Outcome, n=1), n=3), End]", 20),
        ("[Pair, Rounds(Rounds(Decide, Outcome, n=2), n=2), End]", 20),
        ("[Pair, Rounds(Decide, Outcome, n=2), End]", 20),
    ],
)
async def test_answers_belong_to_the_loops_that_clear_them(serve: Serve, order: str, other: int) -> None:
    server = await started(serve, GAME.partition("page_order")[0] + f"page_order = {order}\n")
    await decide(server, 1, 10)
    for choice in (20, 21):
        await decide(server, 2, choice)
        if choice == 20:
            await go_on(server, 2)
    await go_on(server, 2)  # behind the loop, where it has two rounds
    assert f"Other: {other}." in (await server.page(1)).html
