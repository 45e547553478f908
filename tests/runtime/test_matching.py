"""Groups and schedules: the properties that they promise, checked by brute force."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptgrimoire.errors import AuthorError
from promptgrimoire.runtime.designs import contagion_free, is_known_free, shifted_count, shifted_rounds
from promptgrimoire.runtime.matching import Arrival, Formed, NoSchedule, Round, arrivals, cohort, schedule

SIZES = st.integers(2, 5)


def meet_again(rounds: list[Round]) -> set[tuple[int, int]]:
    """Pairs who meet more than once."""
    seen: set[tuple[int, int]] = set()
    again = set()
    for groups in rounds:
        pairs = {pair for group in groups for pair in combinations(sorted(group), 2)}
        again |= pairs & seen
        seen |= pairs
    return again


def meet_whom_they_influenced(rounds: list[Round]) -> set[tuple[int, int]]:
    """(a, b): a meets b, whom a may have influenced before, directly or through others."""
    influenced = {player: {player} for group in rounds[0] for player in group}  # by whom
    found = set()
    for groups in rounds:
        after: dict[int, set[int]] = {}
        for group in groups:
            found |= {(a, b) for a in group for b in group if a != b and a in influenced[b]}
            together = set().union(*(influenced[player] for player in group))
            after |= dict.fromkeys(group, together)
        influenced = after
    return found


def meet_friends_of_friends(rounds: list[Round]) -> set[tuple[int, int]]:
    """Pairs who meet though both have met a third one before, in whichever order."""
    met: dict[int, set[int]] = {player: set() for group in rounds[0] for player in group}
    found = set()
    for groups in rounds:
        pairs = [pair for group in groups for pair in combinations(sorted(group), 2)]
        found |= {(a, b) for a, b in pairs if met[a] & met[b]}
        for a, b in pairs:
            met[a].add(b)
            met[b].add(a)
    return found


def check_complete(rounds: list[Round], players: list[int], size: int, n: int) -> None:
    assert len(rounds) == n
    for groups in rounds:
        assert all(len(group) == size for group in groups)
        assert sorted(player for group in groups for player in group) == sorted(players)


def test_the_checks_can_fail() -> None:
    pairs = [[[1, 2], [3, 4]], [[1, 3], [2, 4]], [[1, 4], [2, 3]]]
    assert not meet_again(pairs)
    assert meet_again([*pairs, [[1, 2], [3, 4]]]) == {(1, 2), (3, 4)}
    assert not meet_whom_they_influenced(pairs[:2])
    assert (1, 4) in meet_whom_they_influenced(pairs)  # 1 → 2 in the first round → 4 in the second
    assert meet_friends_of_friends(pairs) == {(1, 4), (2, 3)}


@settings(max_examples=150, deadline=None)
@given(groups=st.integers(1, 14), size=SIZES, n=st.integers(1, 9), seed=st.integers(0, 99))
@pytest.mark.parametrize("policy", ["strangers", "perfect_strangers", "total_strangers"])
def test_a_schedule_keeps_what_its_policy_promises(policy: str, groups: int, size: int, n: int, seed: int) -> None:
    players = [100 + 3 * number for number in range(groups * size)]
    try:
        rounds = schedule(players, size, n, policy, Random(seed))
    except NoSchedule:
        assert policy != "strangers"
        assert n > 1, "one round there is always"
        known = n < len(players) if size == 2 else n <= shifted_count(len(players), size)
        assert not (known if policy == "perfect_strangers" else is_known_free(len(players), size, n))
        return
    check_complete(rounds, players, size, n)
    if policy != "strangers":
        assert not meet_again(rounds)
    if policy == "total_strangers":
        assert not meet_whom_they_influenced(rounds)
        assert not meet_friends_of_friends(rounds)
    assert rounds == schedule(players, size, n, policy, Random(seed))


@pytest.mark.parametrize(
    ("players", "size", "n"),
    [(6, 2, 5), (40, 2, 39), (9, 3, 4), (16, 4, 5), (25, 5, 6), (27, 3, 13), (49, 7, 8), (64, 4, 21), (81, 3, 40)],
)
def test_perfect_strangers_meet_everybody_where_a_design_says_so(players: int, size: int, n: int) -> None:
    rounds = schedule(range(players), size, n, "perfect_strangers", Random(1))
    check_complete(rounds, list(range(players)), size, n)
    assert not meet_again(rounds)
    assert n * (size - 1) == players - 1, "each has met all others"
    with pytest.raises(NoSchedule):
        schedule(range(players), size, n + 1, "perfect_strangers", Random(1))


@pytest.mark.parametrize(("players", "size", "n"), [(12, 3, 4), (21, 3, 7), (24, 3, 9), (24, 4, 4), (32, 4, 9)])
def test_perfect_strangers_where_only_a_search_helps_or_a_ring_does(players: int, size: int, n: int) -> None:
    for seed in range(3):
        rounds = schedule(range(players), size, n, "perfect_strangers", Random(seed))
        check_complete(rounds, list(range(players)), size, n)
        assert not meet_again(rounds)


@given(groups=st.integers(1, 60), size=st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_the_construction_has_as_many_rounds_as_it_says(groups: int, size: int) -> None:
    n = min(shifted_count(groups * size, size), 12)
    rounds = shifted_rounds(groups * size, size, n)
    check_complete(rounds, list(range(groups * size)), size, n)
    assert not meet_again(rounds)


@pytest.mark.parametrize(("players", "size", "n"), [(8, 2, 4), (27, 3, 3), (64, 4, 3), (81, 3, 4), (130, 3, 6)])
def test_total_strangers_without_trying(players: int, size: int, n: int) -> None:
    players -= players % size
    rounds = contagion_free(players, size, n)
    assert rounds is not None
    check_complete(rounds, list(range(players)), size, n)
    assert not meet_whom_they_influenced(rounds)


def test_pairs_of_total_strangers_come_from_two_halves() -> None:
    rounds = schedule(range(12), 2, 6, "total_strangers", Random(3))
    firsts = {pair[0] for groups in rounds for pair in groups}
    assert len(firsts) == 6
    assert not firsts & {pair[1] for groups in rounds for pair in groups}


def test_strangers_are_drawn_anew_and_evenly() -> None:
    rng = Random(5)
    partners = [0] * 4
    for _ in range(3000):
        groups = schedule(range(4), 2, 1, "strangers", rng)[0]
        mine = next(group for group in groups if 0 in group)
        partners[next(player for player in mine if player)] += 1
    assert all(900 < count < 1100 for count in partners[1:])


@pytest.mark.parametrize(
    ("players", "size", "n", "policy", "says"),
    [
        (1, 2, 3, "strangers", "need at least 2 players, found 1"),
        (0, 2, 3, "strangers", "need at least 2 players, found 0"),
        (7, 2, 3, "strangers", "a multiple of 2 players, found 7: 1 would be left over"),
        (4, 2, 4, "perfect_strangers", "4 rounds in groups of 2 need at least 6 players, found 4; with 6 players"),
        (
            6,
            3,
            2,
            "perfect_strangers",
            "need at least 9 players, found 6; with 9 players it works, with 6 players 1 rou",
        ),
        (
            12,
            2,
            10,
            "total_strangers",
            "need at least 20 players, found 12; with 20 players it works, with 12 players 6",
        ),
        (15, 3, 7, "perfect_strangers", "found no 7 rounds in groups of 3 for 15 players; with 21 players it works"),
    ],
)
def test_too_few_players_are_told_how_many_would_do(players: int, size: int, n: int, policy: str, says: str) -> None:
    with pytest.raises(NoSchedule) as caught:
        schedule(range(players), size, n, policy, Random(1))
    assert says in str(caught.value)


@pytest.mark.parametrize("policy", ["perfect_strangers", "total_strangers"])
@pytest.mark.parametrize("size", [2, 3, 7])
def test_a_refusal_does_not_search_for_ever(policy: str, size: int) -> None:
    for players, n in ((42, 1_000_000), (4200, 10_000), (420, 500)):
        with pytest.raises(NoSchedule, match="rounds in groups of"):
            schedule(range(players), size, n, policy, Random(1))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([1, 1], 2, 1, "strangers"), "one of them twice"),
        (([1, 2], 2, 0, "strangers"), "at least one round, found 0"),
        (([1, 2], 2.0, 1, "strangers"), "group_size: expected a whole number"),
        (([1, 2], 2, 1, "stranger"), "there is no 'stranger'"),
    ],
)
def test_nonsense_is_refused(arguments: tuple[list[int], int, int, str], says: str) -> None:
    with pytest.raises(AuthorError, match=says):
        schedule(*arguments, Random(1))


# ---------------------------------------------------------------- arrivals


def test_a_cohort_leaves_the_last_over() -> None:
    assert cohort([5, 3, 9, 1, 7], 2) == ([5, 3, 9, 1], [7])
    assert cohort([5], 2) == ([], [5])


def test_first_come_first_served_within_a_key() -> None:
    waiting = [Arrival(1, "a"), Arrival(2, "b"), Arrival(3, "a"), Arrival(4, "a"), Arrival(5, "b"), Arrival(6, "a")]
    formed = arrivals(waiting, 2, Random(1))
    assert [group.members for group in formed] == [[1, 3], [4, 6], [2, 5]]


def test_a_role_that_is_filled_waits_for_the_next_group() -> None:
    waiting = [Arrival(1, role="buyer"), Arrival(2, role="buyer"), Arrival(3), Arrival(4, role="seller")]
    formed = arrivals(waiting, 2, Random(1), roles=("buyer", "seller"))
    assert formed == [Formed([1, 3], ["buyer", "seller"]), Formed([2, 4], ["buyer", "seller"])]


def test_who_comes_first_does_not_decide_the_role() -> None:
    rng = Random(2)
    firsts = [arrivals([Arrival(1), Arrival(2)], 2, rng, roles=("a", "b"))[0].roles[0] for _ in range(400)]
    assert 150 < firsts.count("a") < 250


def test_a_smaller_group_only_where_somebody_is_out_of_patience() -> None:
    waiting = [Arrival(1), Arrival(2), Arrival(3)]
    assert arrivals(waiting, 4, Random(1), min_size=2) == []
    waiting[1] = Arrival(2, impatient=True)
    assert arrivals(waiting, 4, Random(1)) == []
    assert [group.members for group in arrivals(waiting, 4, Random(1), min_size=2)] == [[1, 2, 3]]
    assert arrivals(waiting[1:2], 4, Random(1), min_size=2) == []


@pytest.mark.parametrize(
    ("size", "options", "says"),
    [
        (0, {}, "group_size: expected a whole number of at least 1, found 0"),
        (True, {}, "group_size: .* found True"),
        (2, {"min_size": 3}, r"min_size: expected a whole number from 1 to group_size \(2\), found 3"),
        (2, {"roles": ("a", "b", "c")}, "roles: expected one for each of the 2 members, found 3: a, b, c"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(size: int, options: dict[str, object], says: str) -> None:
    with pytest.raises(AuthorError, match=says):
        arrivals([], size, Random(1), **options)  # type: ignore[arg-type]


ARRIVALS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from([None, None, "x", "y", "z"]), st.booleans()), max_size=25
)


@given(
    people=ARRIVALS, size=st.integers(1, 4), least=st.integers(0, 4), with_roles=st.booleans(), seed=st.integers(0, 9)
)
def test_groups_of_arrivals(
    people: list[tuple[str, str | None, bool]], size: int, least: int, with_roles: bool, seed: int
) -> None:
    waiting = [Arrival(number, *person) for number, person in enumerate(people)]
    who = {arrival.player: arrival for arrival in waiting}
    roles = ("x", "y", "x", "z")[:size] if with_roles else ()
    min_size = min(least, size) or None
    formed = arrivals(waiting, size, Random(seed), min_size=min_size, roles=roles)
    grouped = [player for group in formed for player in group.members]
    assert len(grouped) == len(set(grouped)), "nobody in two groups"
    for group in formed:
        members = [who[player] for player in group.members]
        assert len({member.key for member in members}) == 1
        assert group.members == sorted(group.members)
        if len(members) < size:
            assert min_size is not None
            assert len(members) >= min_size
            assert any(member.impatient for member in members)
        if roles:
            assert len(group.roles) == len(members)
            assert all(member.role in (None, role) for member, role in zip(members, group.roles, strict=True))
            assert all(group.roles.count(role) <= roles.count(role) for role in group.roles)
            assert len(members) < size or sorted(group.roles) == sorted(roles)
    for key in "ab":  # nobody is left waiting who could be in a full group
        left = [one for one in waiting if one.key == key and one.player not in grouped]
        if not roles:
            assert len(left) < size
