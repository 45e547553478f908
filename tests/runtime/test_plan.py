"""Plans: how places are written, what directives expand to, how rounds count; against a model of plain recursion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptgrimoire.authoring.pages import GroupCreatingWait, Page
from promptgrimoire.authoring.sequence import Between, Bracket, RandomOrder, Repeat, Rounds, compiled
from promptgrimoire.errors import AuthorError
from promptgrimoire.runtime import plan as plans
from promptgrimoire.runtime.plan import Match, Place, Step, expand, page_of_step, settled, step_of

A, B, C, D, E, F, Z = (type(name, (Page,), {}) for name in "ABCDEFZ")
W = type("W", (GroupCreatingWait,), {})


def key_of(page: type[Page]) -> str:
    return f"app/{page.__name__}"


class Decided:
    """Draws that leave every order as it is, take the first arm, and go on for three rounds, unless told otherwise."""

    def __init__(
        self, rng: Random | None = None, rounds: int = 3, apps: Mapping[str, list[Step]] | None = None
    ) -> None:
        self._rng = rng
        self._rounds = rounds
        self._apps = apps or {}
        self.asked: list[Any] = []

    def shuffle(self, items: list[Any]) -> None:
        if self._rng is not None:
            self._rng.shuffle(items)

    def arm(self, between: Mapping[str, Any]) -> int:
        self.asked.append(between["key"])
        return 0 if self._rng is None else self._rng.randrange(len(between["between"]))

    def go_on(self, repeat: Mapping[str, Any], iteration: int) -> bool:
        self.asked.append((repeat["key"], iteration))
        return iteration <= self._rounds

    def order(self, app: str) -> list[Step]:
        return self._apps[app]


def walked(steps: list[Step], draws: Decided) -> list[Place]:
    """All places, in the order in which a player comes to them."""
    plan = settled(steps, draws)
    position = 0
    while position < len(plan):
        step = plan[position]
        if isinstance(step, str):
            position += 1
        else:
            plan[position : position + 1] = expand(step, draws)
    return [page_of_step(str(step)) for step in plan]


def told(*items: Any, draws: Decided | None = None) -> str:
    """`A B@1 B@2`: page, round, and the levels where there are several."""
    return " ".join(
        place.name
        + (f"@{place.round}" if place.nested else "")
        + (":" + ".".join(map(str, place.nested)) if place.nested not in ((), (place.round,)) else "")
        for place in walked(compiled(items, key_of), draws or Decided())
    )


# ---------------------------------------------------------------- how places are written


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("app/A", Place("app/A")),
        ("app/A@3", Place("app/A", 3, (3,), (0,), (False,))),
        ("app/A@6:2.3~0.1", Place("app/A", 6, (2, 3), (0, 1), (False, False))),
        ("app/A@6:2~4+", Place("app/A", 6, (2,), (4,), (True,))),
        ("app/W@2!strangers,5,2,ab12", Place("app/W", 2, (2,), (0,), (False,), Match("strangers", 5, 2, "ab12"))),
    ],
)
def test_a_place_as_text(text: str, place: Place) -> None:
    assert step_of(place) == text
    assert page_of_step(text) == place


LEVELS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 500), st.booleans()), max_size=4)
MATCHES = st.none() | st.builds(
    Match, st.sampled_from(["strangers", "total_strangers"]), st.integers(1, 99), st.integers(1, 99), st.just("0f.2-1")
)


@given(round=st.integers(1, 10_000), levels=LEVELS, match=MATCHES)
def test_every_place_can_be_read_again(round: int, levels: list[tuple[int, int, bool]], match: Match | None) -> None:
    place = Place("market/Bid")
    if levels:
        loops, nested, carries = zip(*levels, strict=True)
        place = Place("market/Bid", round, nested, loops, carries, match)
    assert page_of_step(step_of(place)) == place


# ---------------------------------------------------------------- what sequences mean


def test_rounds_count_from_1_and_cumulatively_in_nests() -> None:
    assert told(A, Rounds(B, C, n=2), Z) == "A B@1 C@1 B@2 C@2 Z"
    assert told(Rounds(A, n=2), B, Rounds(A, n=2)) == "A@1 A@2 B A@1 A@2"
    assert told(Rounds(Rounds(B, n=3), n=2)) == "B@1:1.1 B@2:1.2 B@3:1.3 B@4:2.1 B@5:2.2 B@6:2.3"
    assert told(Rounds(A, Rounds(B, n=2), Z, n=2)) == (
        "A@1 B@2:1.1 B@3:1.2 Z@3:1 A@4:2 B@5:2.1 B@6:2.2 Z@6:2"  # Z is in no round of its own
    )
    assert told(Rounds(Rounds(A, n=1), Rounds(B, n=1), n=2)) == "A@1:1.1 B@2:1.1 A@3:2.1 B@4:2.1"


def test_a_repeat_ends_where_it_is_told_to() -> None:
    draws = Decided(rounds=3)
    assert told(Repeat(A, B), Z, draws=draws) == "A@1 B@1 A@2 B@2 A@3 B@3 Z"
    assert [iteration for _, iteration in draws.asked] == [2, 3, 4]
    assert told(Repeat(A, at_most=2), Z) == "A@1 A@2 Z"
    assert told(Repeat(A), B, Repeat(C), draws=Decided(rounds=2)) == "A@1 A@2 B C@1 C@2"
    draws = Decided(rounds=1)
    assert told(Repeat(A, at_most=1), Repeat(B, at_most=1, continue_with=0.5), Z, draws=draws) == "A@1 B@1 Z"
    assert [iteration for _, iteration in draws.asked] == [2]  # of A: its add_round = False is forgotten
    assert told(Rounds(A, Repeat(B), Z, n=2), draws=Decided(rounds=2)) == (
        "A@1 B@2:1.1 B@3:1.2 Z@3:1 A@4:2 B@5:2.1 B@6:2.2 Z@6:2"
    )


def test_each_round_of_a_loop_decides_for_itself() -> None:
    """Were a Between in rounds balanced over all of them, who is alone would get A and therefore B."""
    draws = Decided()
    assert told(Rounds(Between(A, B), Repeat(C, at_most=2), n=2), draws=draws) == (
        "A@1 C@2:1.1 C@3:1.2 A@4:2 C@5:2.1 C@6:2.2"
    )
    keys = [asked if isinstance(asked, str) else asked[0] for asked in draws.asked]
    assert len(set(keys)) == 4


def test_a_repeat_without_end_is_stopped() -> None:
    with pytest.raises(AuthorError, match=r"Repeat: 1,000 rounds and no end; set player\.add_round = False"):
        told(Repeat(A), draws=Decided(rounds=10**9))


def test_brackets_and_lists_stay_together() -> None:
    items = compiled([RandomOrder(A, Bracket(B, C), [D, E])], key_of)
    orders = {"".join(place.name for place in walked(items, Decided(Random(seed)))) for seed in range(60)}
    assert orders == {"".join(order) for order in permutations(["A", "BC", "DE"])}


def test_an_empty_arm_shows_nothing() -> None:
    assert told(A, Between(control=Bracket(), gain=B), Z) == "A Z"


def test_apps_are_asked_for_their_order_when_reached() -> None:
    apps: dict[str, list[Step]] = {
        "one": compiled([A, Rounds(B, n=2)], lambda page: f"one/{page.__name__}"),
        "two": ["two/C"],
    }
    plan: list[Step] = [{"app": "one"}, {"app": "two"}]
    assert settled(plan, Decided()) == plan
    places = walked(plan, Decided(apps=apps))
    assert [step_of(place) for place in places] == ["one/A", "one/B@1", "one/B@2", "two/C"]


def test_only_the_wait_page_of_a_matched_loop_knows_its_schedule() -> None:
    places = walked(compiled([Rounds(A, Rounds(W, B, n=3, match="perfect_strangers"), n=2)], key_of), Decided())
    matches = [place.match for place in places if place.match is not None]
    assert [place.name for place in places if place.match is not None] == ["W"] * 6
    assert [(match.policy, match.n, match.round) for match in matches] == [
        ("perfect_strangers", 3, round) for round in (1, 2, 3, 1, 2, 3)
    ]
    assert len({match.key for match in matches[:3]}) == 1
    assert matches[0].key != matches[3].key, "each time, the schedule is drawn anew"


def test_equal_sequences_have_keys_of_their_own_and_everybody_the_same() -> None:
    twice = compiled([Between(A, Rounds(B, n=2)), Between(A, Rounds(B, n=2))], key_of)
    later = compiled([Rounds(C, n=2), Between(A, Rounds(B, n=2))], key_of)
    keys = [step["key"] for step in twice if not isinstance(step, str)]
    assert len(set(keys)) == 2
    assert isinstance(later[1], dict)
    assert later[1]["key"] == keys[0], "also for a player whose page_order differs before it"


def test_many_rounds_are_spelled_out_bit_by_bit() -> None:
    """A plan is stored: a Rounds(n=100_000) must not make an entry of megabytes."""
    steps = settled(compiled([Rounds(A, B, n=100_000), Z], key_of), Decided())
    assert len(steps) == plans.AT_ONCE + 2
    assert steps[-1] == "app/Z"
    assert len(told(Rounds(A, n=1201)).split()) == 1201
    assert told(Rounds(A, n=1201)).endswith("@1201")


def test_what_is_compiled_is_never_changed_by_a_player() -> None:
    steps = compiled([RandomOrder(A, B, C), Rounds(Between(A, [B, C]), n=3), Repeat(D)], key_of)
    before = repr(steps)
    for seed in range(5):
        walked(steps, Decided(Random(seed)))
    assert repr(steps) == before


# ---------------------------------------------------------------- a model


ITEMS = st.recursive(
    st.sampled_from([A, B, C, D, E, F]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: Bracket(*items)),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: RandomOrder(*items)),
        st.lists(inner, max_size=3),
        st.builds(lambda items, n: Rounds(*items, n=n), st.lists(inner, min_size=1, max_size=3), st.integers(1, 3)),
        st.lists(inner, min_size=1, max_size=2).map(lambda items: Repeat(*items)),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: Between(*items)),
    ),
    max_leaves=7,
)


class Model:
    """What a sequence means, without plans: a plain recursion over the author's objects."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.count = 0
        self.fresh = False

    def pages(self, items: Any, levels: tuple[int, ...] = ()) -> Iterator[tuple[str, int, tuple[int, ...]]]:
        for item in items:
            if isinstance(item, list):
                yield from self.pages(item, levels)
            elif isinstance(item, Bracket | RandomOrder):  # Decided leaves every order as it is
                yield from self.pages(item.items, levels)
            elif isinstance(item, Between):
                yield from self.pages(item.items[:1], levels)
            elif isinstance(item, Rounds | Repeat):
                if not levels:
                    self.count = 0
                for round in range(1, (self.rounds if isinstance(item, Repeat) else item.n) + 1):
                    self.fresh = True
                    yield from self.pages(item.items, (*levels, round))
            else:
                if levels and self.fresh:
                    self.count, self.fresh = self.count + 1, False
                yield item.__name__, self.count if levels else 0, levels


@settings(max_examples=400, deadline=None)
@given(items=st.lists(ITEMS, min_size=1, max_size=4), rounds=st.integers(1, 3))
def test_nests_against_a_model(items: list[Any], rounds: int) -> None:
    places = walked(compiled(items, key_of), Decided(rounds=rounds))
    expected = list(Model(rounds).pages(items))
    assert [(place.name, place.round, place.nested) for place in places] == expected
    for place in places:
        assert len(place.loops) == len(place.nested)


@settings(max_examples=200, deadline=None)
@given(items=st.lists(ITEMS, min_size=1, max_size=4), seed=st.integers(0, 99))
def test_the_same_draws_give_the_same_plan_also_from_stored_data(items: list[Any], seed: int) -> None:
    steps = compiled(items, key_of)
    assert walked(steps, Decided(Random(seed))) == walked(compiled(items, key_of), Decided(Random(seed)))
    reachable = set(plans.keys_in(steps))
    assert {place.key for place in walked(steps, Decided(Random(seed)))} <= reachable
    assert set(plans.keys_in(settled(steps, Decided()))) == reachable


def test_every_order_is_equally_likely() -> None:
    """10,000 draws of four: chi-square against 24 equal counts, p > 0.001 (23 degrees of freedom: below 49.728)."""
    steps = compiled([RandomOrder(A, B, C, D)], key_of)
    draws = Decided(Random(20261120))
    counts: dict[str, int] = {}
    for _ in range(10_000):
        order = "".join(page_of_step(str(step)).name for step in settled(steps, draws))
        counts[order] = counts.get(order, 0) + 1
    expected = 10_000 / 24
    assert len(counts) == 24
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 49.728


# ---------------------------------------------------------------- searching


def test_the_next_match_ahead() -> None:
    plan = settled(compiled([A, Rounds(B, A, n=2), Between(A, Z), A], key_of), Decided())
    assert plans.known(plan) == ["app/A", "app/B", "app/A", "app/B", "app/A", "app/A"]
    assert plans.find(plan, "app/A", -1) == 0
    assert plans.find(plan, "A", 0) == 2
    assert plans.find(plan, "A", 4) == 6
    assert plans.find(plan, "A", 6) == 0, "none ahead: the first"
    assert plans.find(plan, "Z", 0) is None, "not decided yet"


def cleared(items: list[Any], before: str, after: str) -> str:
    """Names of the pages whose answers are forgotten on the way between two places, both given as by `told`."""
    plan = settled(compiled(items, key_of), Decided())
    while (undecided := next((at for at, step in enumerate(plan) if not isinstance(step, str)), None)) is not None:
        plan[undecided : undecided + 1] = expand(plan[undecided], Decided())  # type: ignore[arg-type]
    places = {f"{place.name}@{place.round}": place for place in map(page_of_step, map(str, plan))}
    keys = plans.begun(places.get(before), places[after], plan)
    return "".join(sorted(key.rpartition("/")[2] for key in keys))


def test_a_new_round_forgets_the_answers_inside_it_and_no_others() -> None:
    simple = [A, Rounds(B, C, n=3), Z]
    assert cleared(simple, "", "A@0") == ""
    assert cleared(simple, "A@0", "B@1") == "BC"
    assert cleared(simple, "B@1", "C@1") == ""
    assert cleared(simple, "C@1", "B@2") == "BC"
    assert cleared(simple, "C@3", "Z@0") == ""
    nest = [Rounds(A, Rounds(B, C, n=2), Z, n=2)]
    assert cleared(nest, "A@1", "B@2") == "BC"
    assert cleared(nest, "C@2", "B@3") == "BC"
    assert cleared(nest, "C@3", "Z@3") == "", "back in the round around it: A's answer stays"
    assert cleared(nest, "Z@3", "A@4") == "ABCZ"
    assert cleared(nest, "A@4", "B@5") == "BC"


def test_carried_answers_stay() -> None:
    assert cleared([Rounds(A, B, n=2, carry=True)], "B@1", "A@2") == ""
    inner = [Rounds(A, Rounds(B, n=2, carry=True), n=2)]
    assert cleared(inner, "B@2", "B@3") == ""
    assert cleared(inner, "B@3", "A@4") == "AB", "the outer one does not carry"
    outer = [Rounds(A, Rounds(B, n=2), n=2, carry=True)]
    assert cleared(outer, "B@3", "A@4") == ""
    assert cleared(outer, "A@4", "B@5") == "B"
    assert cleared(outer, "B@2", "B@5") == "B", "carried through the outer round, begun anew in the inner one"


def test_answers_to_pages_that_are_not_decided_yet_are_forgotten_too() -> None:
    plan = settled(compiled([A, Rounds(C, Between(A, B), n=2)], key_of), Decided())
    first = page_of_step(str(plan[1]))
    assert plans.begun(Place("app/A"), first, plan) == {"app/A", "app/B", "app/C"}


def test_rounds_of_two_loops_are_not_one() -> None:
    plan = settled(compiled([Rounds(A, n=1), Rounds(B, n=1)], key_of), Decided())
    one, other = (page_of_step(str(step)) for step in plan)
    assert not plans.in_same_round(one, other)
    assert plans.begun(one, other, plan) == {"app/B"}


def test_the_rounds_that_were_met() -> None:
    plan = settled(compiled([A, Rounds(B, C, n=3), Z, Rounds(A, n=2), Z], key_of), Decided())
    assert plans.rounds_until(plan, 0) == ("", [], False)
    assert plans.rounds_until(plan, 2) == ("app:0", [1], True)
    assert plans.rounds_until(plan, 7) == ("app:0", [1, 2, 3], False)
    assert plans.rounds_until(plan, 10) == ("app:1", [1, 2], False)
