"""balanced and random_round: conditions drawn equally often, the round that is paid drawn once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptgrimoire.authoring.draws import balanced, draw_balanced, random_round
from promptgrimoire.errors import AuthorError
from promptgrimoire.state.session_state import SessionState
from promptgrimoire.state.transaction import Transaction
from tests.engine.conftest import Serve

TWO_FACTORS = '''
class Start(Page):
    """# Start"""

def new_player(player):
    player.gender = "fm"[player.id % 2]
    player.price = balanced(player, ["low", "high"])
    player.tone = balanced(player, ["low", "high"])
    player.frame = balanced(player, ("x", "y", "z"), within=["gender"])

page_order = [Start]
'''


async def test_conditions_differ_by_at_most_one_and_each_statement_counts_for_itself(serve: Serve) -> None:
    server = await serve(TWO_FACTORS)
    host = await server.create(24)
    people = list(host.state.everybody)
    for joined in range(1, 25):
        for field in ("price", "tone"):
            counts = Counter(getattr(player, field) for player in people[:joined])
            assert abs(counts["low"] - counts["high"]) <= 1
        for gender in "fm":
            counts = Counter(player.frame for player in people[:joined] if player.gender == gender)
            assert max(counts.values()) - min(counts[frame] for frame in "xyz") <= 1 if counts else True


async def test_draws_go_on_after_a_restart(serve: Serve) -> None:
    server = await serve(TWO_FACTORS)
    await server.create(3)
    await server.crash()
    host = await server.restart()
    for number in range(5):
        await host.join(visitor=f"later{number}")
    assert sorted(Counter(player.price for player in host.state.everybody).values()) == [4, 4]


def session(players: int = 1) -> tuple[SessionState, list[Any]]:
    state = SessionState("draws")
    state.transaction = Transaction(state)
    return state, [state.create_player(name=f"p{id}", token=f"t{id}", params={}) for id in range(players)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    arms=st.integers(1, 5),
    draws=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["f", "m", None]), st.booleans()), max_size=40),
)
def test_after_every_draw_the_arms_differ_by_at_most_one(arms: int, draws: list[tuple[int, Any, bool]]) -> None:
    _, players = session(3)
    counts: Counter[tuple[Any, int]] = Counter()
    for who, gender, by_gender in draws:
        player = players[who]
        player.gender = gender
        key = ("all",) if not by_gender else ("gender", gender)
        chosen = draw_balanced(player, "between", arms, ["gender"] if by_gender else [])
        counts[(key, chosen)] += 1
        drawn = [counts[(key, arm)] for arm in range(arms)]
        assert max(drawn) - min(drawn) <= 1


def test_two_statements_with_the_same_options_do_not_hang_together() -> None:
    """Did they share their counts, whoever pays the low price would always see the tone high."""
    _, players = session(40)
    pairs: Counter[tuple[str, str]] = Counter()
    for player in players:
        price = balanced(player, ["low", "high"])
        pairs[price, balanced(player, ["low", "high"])] += 1
    assert all(5 <= pairs[price, tone] <= 15 for price in ("low", "high") for tone in ("low", "high"))


def test_a_statement_that_only_some_come_to_counts_for_itself() -> None:
    _, players = session(40)
    some: Counter[str] = Counter()
    for player in players:
        if player.id % 2:
            some[balanced(player, ["low", "high"])] += 1
            assert abs(some["low"] - some["high"]) <= 1
        else:
            balanced(player, ["low", "high"])


def test_a_player_who_draws_again_draws_independently() -> None:
    """Were the second draw balanced against the first, a player alone would get a and therefore b."""
    _, players = session(40)
    pairs = Counter(tuple(balanced(player, ["a", "b"]) for _ in range(2)) for player in players)
    assert sum(pairs[one, one] for one in "ab") in range(10, 31)


def test_ties_are_drawn_at_random() -> None:
    _, (player,) = session()
    firsts = Counter(draw_balanced(player, f"key{number}", 2) for number in range(400))
    assert 150 < firsts[0] < 250


def test_a_further_arm_catches_up() -> None:
    _, (player,) = session()
    for _ in range(4):
        draw_balanced(player, "key", 2)
    assert [draw_balanced(player, "key", 3) for _ in range(2)] == [2, 2]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("ab", r'expected a list of options, as in \["control", "gain"\], found \'ab\''),
        ([], "expected a list of options"),
        ({"a", "b"}, "expected a list of options"),
        (2, "expected a list of options"),
    ],
)
def test_options_that_are_no_list_are_refused(options: Any, says: str) -> None:
    state, (player,) = session()
    with pytest.raises(AuthorError, match=says):
        balanced(player, options)
    with pytest.raises(AuthorError, match="expected a player first, found SessionState"):
        balanced(state, ["a", "b"])


def test_within_a_field_that_is_not_there() -> None:
    _, (player,) = session()
    with pytest.raises(AuthorError, match=r"drawing within 'gander': .* has no such field; set it before"):
        balanced(player, ["a", "b"], within="gander")


def test_the_round_that_is_paid_is_drawn_once() -> None:
    state, (player, other) = session(2)
    state.rounds = lambda player: ("game:0", [1, 2, 3], False)
    first = random_round(player)
    assert first in (1, 2, 3)
    assert [random_round(player) for _ in range(20)] == [first] * 20
    state.rounds = lambda player: ("game:1", [1, 2, 3], False)
    many, players = session(300)
    many.rounds = state.rounds
    drawn = Counter(random_round(one) for one in players)
    assert all(70 < drawn[round] < 130 for round in (1, 2, 3))
    assert random_round(other, 1) == 1


def test_a_round_cannot_be_drawn_too_early() -> None:
    state, (player,) = session()
    with pytest.raises(AuthorError, match="has been in no round yet; call it after the last one"):
        random_round(player)
    state.rounds = lambda player: ("game:0", [1, 2], True)
    with pytest.raises(
        AuthorError, match=r"is in round 2, and further ones follow; .* write random_round\(player, n\)"
    ):
        random_round(player)
    assert random_round(player, 10) in range(1, 11)
    with pytest.raises(AuthorError, match="a whole number of at least 1, found 0"):
        random_round(player, 0)
    with pytest.raises(AuthorError, match="expected a player, found str"):
        random_round("player")
