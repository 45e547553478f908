"""Sequences in page_order: what they compile to, and every mistake in them with file, line and mend."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from promptgrimoire.authoring import order
from promptgrimoire.authoring.pages import GroupCreatingWait, Page
from promptgrimoire.authoring.sequence import Between, Bracket, RandomOrder, Repeat, Rounds, compiled, pages_in
from promptgrimoire.errors import ExperimentError
from tests.authoring.conftest import Loaded

A, B, C = (type(name, (Page,), {}) for name in "ABC")
W, V = (type(name, (GroupCreatingWait,), {}) for name in "WV")


def key_of(page: type[Page]) -> str:
    return f"app/{page.__name__}"


def test_what_sequences_compile_to() -> None:
    steps = compiled(
        [
            A,
            [B, Bracket(C)],
            RandomOrder(A, [B, C]),
            Rounds(W, A, n=3, match="strangers", carry=True),
            Repeat(A, continue_with=0.75),
            Between(control=A, gain=Bracket(B, C), store="treatment", within="gender"),
        ],
        key_of,
    )
    for step in steps:
        if isinstance(step, dict):
            step.pop("key", None)
    assert steps == [
        "app/A",
        "app/B",
        "app/C",
        {"random": [["app/A"], ["app/B", "app/C"]]},
        {
            "rounds": ["app/W", "app/A"],
            "n": 3,
            "loop": 0,
            "carry": True,
            "match": "strangers",
            "waits": ["app/W"],
        },
        {"repeat": ["app/A"], "loop": 1, "continue_with": 0.75, "by": "group", "at_most": None},
        {
            "between": [["app/A"], ["app/B", "app/C"]],
            "arms": ["control", "gain"],
            "store": "treatment",
            "balanced": True,
            "within": ["gender"],
        },
    ]


def test_pages_are_found_wherever_they_stand() -> None:
    nest = [A, Rounds(RandomOrder(B, [Between(A, C)]), n=2)]
    assert list(pages_in(nest)) == [A, B, A, C]


# ---------------------------------------------------------------- mistakes

HOLDS_ITSELF: list[object] = [A]
HOLDS_ITSELF.append(HOLDS_ITSELF)

MISTAKES = [
    (Rounds(A), "Rounds needs to know how many: write Rounds(…, n=3)"),
    (Rounds(A, n=0), "Rounds: n: expected a whole number of at least 1, found 0"),
    (Rounds(A, n=True), "Rounds: n: expected a whole number of at least 1, found True"),
    (Rounds(A, n=2.5), "Rounds: n: expected a whole number of at least 1, found 2.5"),
    (Rounds(A, n="3"), "found '3'"),
    (Rounds(A, n=None), "for rounds without a fixed number, write Repeat(…)"),
    (Rounds(A, 3), "expected a page, found 3; for so many rounds, write Rounds(…, n=3)"),
    (Rounds(n=3), "Rounds is empty; name at least one page, as in Rounds(MyPage, n=3)"),
    (Rounds(A, N=3), "Rounds has no N=3; did you mean n?"),
    (Rounds(A, n=3, cary=True), "Rounds has no cary=True; did you mean carry?"),
    (Rounds(A, n=3, rounds=4), "Rounds has no rounds=4; it takes n, match, carry"),
    (Rounds(A, n=3, carry="yes"), "Rounds: carry: expected True or False, found 'yes'"),
    (Rounds(A, n=3, match="perfect_stranger"), "match: found 'perfect_stranger'; did you mean 'perfect_strangers'?"),
    (Rounds(A, n=3, match=2), "write one of 'strangers', 'perfect_strangers', 'total_strangers', or None"),
    (Rounds(A, n=3, match="strangers"), "match='strangers' needs a GroupCreatingWait among its pages"),
    (RandomOrder(), "RandomOrder is empty"),
    (RandomOrder([A, B, C]), "a list stays together; write RandomOrder(A, B, C), or RandomOrder(*pages)"),
    (RandomOrder(A, B, n=2), "RandomOrder has no n=2; it takes only pages"),
    (RandomOrder(A, Bracket()), "RandomOrder: Bracket() is empty; name its pages, or remove it"),
    (RandomOrder(A, "B"), "expected a page, found the text 'B'; write B without quotes"),
    (RandomOrder(A, B()), "expected a page, found B(); write B without parentheses"),
    (Bracket(A, store="x"), "Bracket has no store='x'; it takes only pages"),
    (RandomOrder, "found the class RandomOrder; write RandomOrder(…) with pages in parentheses"),
    (Repeat(), "Repeat is empty"),
    (Repeat(A, n=3), "Repeat has no n=3; it takes continue_with, by, at_most, carry"),
    (Repeat(A, continue_with=75), "a probability between 0 and 1, found 75; write 0.75 for three in four"),
    (Repeat(A, continue_with=1), "a probability between 0 and 1, found 1"),
    (Repeat(A, continue_with="often"), "a probability between 0 and 1, found 'often'"),
    (Repeat(A, continue_with=0.5, by="groups"), "Repeat: by: found 'groups'; did you mean 'group'?"),
    (Repeat(A, continue_with=0.5, by=3), "write one of 'group', 'session', 'player'"),
    (Repeat(A, by="group"), "by='group' says who shares the draw of continue_with; add that, or remove by"),
    (Repeat(A, at_most=0), "Repeat: at_most: expected a whole number of at least 1, found 0"),
    (Between(), "Between draws one of at least two arms, found none"),
    (Between(A), "Between draws one of at least two arms, found only"),
    (Between([A, B]), "Between draws one of at least two arms, found only"),
    (Between(A, A), "two arms are the same; remove one, or name them"),
    (Between(Bracket(A, B), [A, B]), "two arms are the same"),
    (Between(A, B, stor="treatment"), "Between has no stor; did you mean store?"),
    (Between(A, B, store="my treatment"), 'store: expected the name of a player\'s field, as in store="treatment"'),
    (Between(A, B, store="group"), "store: 'group' is built in; choose another name, such as 'treatment'"),
    (Between(A, B, store=A), "store: expected the name of a player's field"),
    (Between(A, [B, C], store="treatment"), "store='treatment' needs a name for each arm that is not a single page"),
    (Between(A, B, balanced="yes"), "Between: balanced: expected True or False, found 'yes'"),
    (Between(A, B, within=3), 'within: expected the name of a player\'s field, as in within="gender", found 3'),
    (Between(A, B, within="gender", balanced=False), "but balanced=False; remove one of the two"),
    (Between(A, None), "expected a page, found None; remove it"),
    (HOLDS_ITSELF, "a list that holds itself"),
    (Rounds([HOLDS_ITSELF], n=2), "a list that holds itself"),
]


@pytest.mark.parametrize(("item", "says"), MISTAKES, ids=[says for _, says in MISTAKES])
def test_every_mistake_is_named_with_its_mend(item: object, says: str) -> None:
    for whole in ([item], [A, Rounds(B, [item], n=2)]):  # alone, and in the depth of a nest
        texts = [mistake.text for mistake in order.mistakes(whole, ["A", "B", "C"])]
        assert [text for text in texts if says in text], texts
        assert len(texts) <= 2


RIGHT = [
    Rounds(A, n=1),
    Rounds(RandomOrder(A, B), Between(A, B), n=3, carry=True),
    RandomOrder(A),
    Repeat(A, continue_with=0.9, by="session", at_most=20),
    Between(A, Bracket()),
    Between(control=A, gain=A, store="treatment"),
    Between(A, [B, C]),
    Between(A, B, within=["gender", "age"], store="treatment"),
    Between(Rounds(A, n=2), Rounds(A, n=3)),
]


@pytest.mark.parametrize("item", RIGHT, ids=range(len(RIGHT)))
def test_what_is_right_is_no_mistake(item: object) -> None:
    assert list(order.mistakes([item, [item]], [])) == []


@pytest.mark.parametrize(
    ("rounds", "says"),
    [
        (Rounds(W, A, n=2, match="strangers"), None),
        (Rounds(RandomOrder(A, [W, B]), n=2, match="strangers"), None),
        (Rounds(A, Between(W, B), n=2, match="strangers"), "not in a further Rounds, Repeat or Between inside"),
        (Rounds(A, Rounds(W, n=2), n=2, match="strangers"), "needs a GroupCreatingWait among its pages"),
        (Rounds(W, A, V, n=2, match="strangers"), "needs exactly one GroupCreatingWait, found W, V; remove one"),
    ],
)
def test_a_matched_loop_has_one_wait_page(monkeypatch: pytest.MonkeyPatch, rounds: Rounds, says: str | None) -> None:
    monkeypatch.setattr(order, "wrong_entry", lambda item, known: None)
    texts = [mistake.text for mistake in order.mistakes([rounds], [])]
    assert texts == [] if says is None else len(texts) == 1
    assert all(says is not None and says in text for text in texts)


# ---------------------------------------------------------------- in an app

APP = (
    "from promptgrimoire import *\n"
    'class Start(Page):\n    """# Start"""\n\n'  # lines 2 to 4
    'class Trial(Page):\n    """# Trial"""\n    def after_once(page, player):\n        {}\n\n'  # lines 5 to 9
)


def test_an_app_with_sequences_knows_all_its_pages(loaded: Loaded) -> None:
    app = loaded(APP.format("pass") + "page_order = [Between(Start, [Rounds(Trial, n=2), Start])]\n")
    assert sorted(app.pages) == ["game/Start", "game/Trial"]
    assert app.warnings == ()
    assert app.order is not None
    assert len(app.order) == 1
    assert app.steps_for(None) == list(app.order)


@pytest.mark.parametrize(
    ("tail", "where", "says"),
    [
        ("page_order = [\n    Start,\n    Rounds(\n        Trial,\n        n=0,\n    ),\n]", 12, "found 0"),
        ("page_order = [\n    Start,\n    Between(Start,\n        Rounds(Trial, n=0)),\n]", 13, "found 0"),
        ("inner = Rounds(Trial, n=0)\n\npage_order = [Start, [inner]]", 10, "found 0"),
        ("page_order = [\n    Start,\n    [Trial, 'Start'],\n]", 12, "write Start without quotes"),
        ("page_order = [Start,\n    Repeat(Trial)]", 11, "Repeat never ends, since nothing sets player.add_round"),
        ("page_order = Rounds(Start, n=2)", 10, "expected a list, found Rounds(Start); write page_order = [Rounds("),
        ("page_order = [Bracket()]", 10, "page_order is empty"),
    ],
)
def test_mistakes_name_the_line_on_which_they_were_written(loaded: Loaded, tail: str, where: int, says: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        loaded(APP.format("pass") + tail + "\n")
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"game/__init__.py:{where}: page_order")
    assert says in caught.value.problems[0]


@pytest.mark.parametrize("statement", ["player.add_round = False", "setattr(player, 'add_round', False)"])
def test_a_repeat_that_a_hook_ends_is_right(loaded: Loaded, statement: str) -> None:
    assert loaded(APP.format(statement) + "page_order = [Start, Repeat(Trial)]\n").pages


@pytest.mark.parametrize("options", ["continue_with=0.5", "at_most=3"])
def test_a_repeat_that_ends_by_itself_is_right(loaded: Loaded, options: str) -> None:
    assert loaded(APP.format("pass") + f"page_order = [Start, Repeat(Trial, {options})]\n").pages


def test_two_pages_of_one_name_in_different_arms(loaded: Loaded) -> None:
    text = APP.format("pass") + "first = Start\nclass Start(first):\n    pass\n\npage_order = [Between(first, Start)]\n"
    with pytest.raises(ExperimentError, match="two pages are named Start"):
        loaded(text)


def test_a_function_may_return_sequences(loaded: Loaded) -> None:
    app = loaded(APP.format("pass") + "def page_order(player):\n    return [Rounds(Trial, n=player.n), Start]\n")
    steps = app.steps_for(SimpleNamespace(n=2))
    assert isinstance(steps[0], dict)
    assert (steps[0]["n"], steps[0]["rounds"], steps[1]) == (2, ["game/Trial"], "game/Start")
    with pytest.raises(ExperimentError, match=r"game/__init__\.py:10: page_order: Rounds: n: expected .*, found 0"):
        app.steps_for(SimpleNamespace(n=0))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("store='tretment'", "store: class Player declares no 'tretment'; did you mean 'treatment'?"),
        ("store='frame'", "store: class Player declares no 'frame'; add frame: str to it"),
        ("within=['gendre', 'gender']", "within: class Player declares no 'gendre'; did you mean 'gender'?"),
    ],
)
def test_fields_that_a_declared_player_has_not(loaded: Loaded, options: str, says: str) -> None:
    declared = "class Player(PlayerFields):\n    gender: str = ''\n\n"
    with pytest.raises(ExperimentError) as caught:
        loaded(APP.format("pass") + f"{declared}page_order = [Start, Between(Start, Trial, {options})]\n")
    assert caught.value.problems == [f"game/__init__.py:13: page_order: Between: {says}"]
    right = "Between(Start, Trial, store='treatment', within=['gender', 'group'])"
    assert loaded(APP.format("pass") + f"{declared}page_order = [Start, {right}]\n").pages
