"""Stored lists, dicts and sets: they behave as plain ones, report every change before it is made, and can be undone."""

from __future__ import annotations

import bisect
import copy
import heapq
import json
import pickle
import random
import timeit
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptgrimoire.errors import AuthorError, NotAttached, NoTransaction, NotStorable, OriginalChanged
from promptgrimoire.state.observables import (
    ObservedDict,
    ObservedList,
    ObservedSet,
    adopt,
    attach,
    consistent,
    detach,
    locate,
)
from promptgrimoire.state.values import decode, encode
from tests.state import structs
from tests.state.structs import ByIdentity, Offer, Point
from tests.state.two_worlds import TORTURE, Book, Log, StoppedError, TwoWorlds, contents

OPERATIONS = 3_000_000 if TORTURE else 100_000


def book(**fields: Any) -> Book:
    return Book("p1", **fields)


def log(of: Book) -> Log:
    assert of.log is not None
    return of.log


def told(of: Book) -> list[tuple[Any, ...]]:
    """What was recorded, in short: operation, path, value, and for a splice start and count."""
    return [
        (patch.op, patch.path, value and value.decode(), *((patch.at, patch.count) if patch.op == "splice" else ()))
        for patch, value in log(of).patches
    ]


# ---------------------------------------------------------------- the laws


@pytest.mark.torture
def test_a_hundred_thousand_random_operations_end_as_on_plain_containers() -> None:
    """Results, errors, undo to the very objects, and the journal's patches applied elsewhere (see two_worlds.py)."""
    operations, seed = 0, 0 if not TORTURE else random.SystemRandom().getrandbits(40)
    while operations < OPERATIONS:
        seed += 1
        worlds = TwoWorlds(random.Random(seed).randrange)
        try:
            for _ in range(60):
                worlds.transaction()
        except BaseException as error:
            error.add_note(f"with the random seed {seed}")
            raise
        operations += worlds.operations


class OutOfChoicesError(Exception):
    pass


def chooser(choices: bytes) -> Callable[[int], int]:
    remaining = iter(choices)

    def choose(below: int) -> int:
        for choice in remaining:
            return choice % below
        raise OutOfChoicesError

    return choose


@given(st.binary(min_size=40, max_size=1500))
@pytest.mark.torture
@settings(max_examples=20_000 if TORTURE else 300, deadline=None, suppress_health_check=list(HealthCheck))
def test_operations_that_hypothesis_chooses_end_as_on_plain_containers(choices: bytes) -> None:
    """The same laws; what fails here is made small."""
    try:
        worlds = TwoWorlds(chooser(choices))
        while True:
            worlds.transaction()
    except OutOfChoicesError:
        pass


# ---------------------------------------------------------------- what is recorded


def test_each_way_to_change_a_list() -> None:
    of = book(x=[3, 1, 2])
    x = of["x"]
    x.append("a")
    x.extend(iter(["b", "c"]))
    x += []
    x.insert(-100, 0)
    x.pop()
    x.remove("a")
    x[1] = 9
    del x[0]
    x[1:2] = [7, 8]
    x[::2] = [5, 6, 4]
    del x[::-2]
    x.reverse()
    x *= 2
    x.sort()
    x.sort()
    x.clear()
    x.clear()
    assert told(of) == [
        ("splice", ["x"], '["a"]', 3, 0),
        ("splice", ["x"], '["b","c"]', 4, 0),
        ("splice", ["x"], "[0]", 0, 0),
        ("splice", ["x"], None, 6, 1),
        ("splice", ["x"], None, 4, 1),
        ("set", ["x", 1], "9"),
        ("splice", ["x"], None, 0, 1),
        ("splice", ["x"], "[7,8]", 1, 1),
        *told(of)[8:],
    ]
    assert [line[0] for line in told(of)[8:]] == ["splice", "splice", "permute", "splice", "permute", "splice"]


def test_each_way_to_change_a_dict() -> None:
    of = book(x={"a": 1})
    x = of["x"]
    x["b"] = [1]
    x["b"] += [2]
    x[(1, "z")] = 5
    x.update({"c": 1}, d=2)
    x |= {"e": 3}
    assert x.setdefault("a", 9) == 1
    assert x.setdefault("f") is None
    assert x.pop("c") == 1
    assert x.pop("c", 0) == 0
    assert x.popitem() == ("f", None)
    del x[(1, "z")]
    x.clear()
    assert told(of) == [
        ("set", ["x", "b"], "[1]"),
        ("splice", ["x", "b"], "[2]", 1, 0),
        ("set", ["x", {"$": "tuple", "v": [1, "z"]}], "5"),
        ("set", ["x", "c"], "1"),
        ("set", ["x", "d"], "2"),
        ("set", ["x", "e"], "3"),
        ("set", ["x", "f"], "null"),
        ("delete", ["x", "c"], None),
        ("delete", ["x", "f"], None),
        ("delete", ["x", {"$": "tuple", "v": [1, "z"]}], None),
        ("clear", ["x"], None),
    ]


def test_each_way_to_change_a_set() -> None:
    of = book(x=set())
    x = of["x"]
    x.add(3)
    x.add(3)
    x.update([1, 2], {3, 4})
    x |= {"b", "a"}
    x.discard("z")
    x.discard(1)
    x.remove(2)
    assert list(x) == [3, 4, "a", "b"]
    x &= {3, "a", "b"}
    x -= {"a"}
    x ^= {3, 9}
    assert x.pop() == 9
    x.clear()
    assert told(of) == [
        *(("add", ["x"], value) for value in ("3", "1", "2", "4", '"a"', '"b"')),
        *(("discard", ["x"], value) for value in ("1", "2", "4", '"a"', "3")),
        ("add", ["x"], "9"),
        ("discard", ["x"], "9"),
        ("clear", ["x"], None),
    ]


def test_a_change_deep_inside_names_its_way() -> None:
    of = book(x={"rows": [{"a": [0]}, {1: [5]}]})
    of["x"]["rows"][1][1].append(6)
    of["x"]["rows"].insert(0, None)
    inner = of["x"]["rows"][2][1]
    inner.append(7)
    assert [line[1] for line in told(of)] == [["x", "rows", 1, 1], ["x", "rows"], ["x", "rows", 2, 1]]


def test_the_journal_hears_of_a_change_before_it_is_made() -> None:
    of = book(x=[1], y={"a": 1}, z={1})
    seen: list[bytes] = []
    real = log(of).record

    def record(*args: Any, **named: Any) -> None:
        seen.append(of.text())
        real(*args, **named)

    log(of).record = record  # type: ignore[method-assign]
    before = of.text()
    of["x"].append(2)
    log(of).take_back()
    of["y"]["b"] = 1
    log(of).take_back()
    of["z"].add(2)
    log(of).take_back()
    assert seen == [before] * 3


# ---------------------------------------------------------------- evidence, line 5


def test_evidence_5_appending_to_a_long_list_costs_what_appending_to_an_empty_one_costs() -> None:
    item = "x" * 20

    def cost(items: Any) -> float:
        def append() -> None:
            items.append(item)

        return min(timeit.repeat(append, number=200, repeat=25))

    short, long = book(x=[]), book(x=[{"a": 1}] * 10_000)
    assert cost(long["x"]) < 2 * cost(short["x"])
    sizes = {len(value or b"") + len(msgspec.json.encode(patch)) for patch, value in log(long).patches}
    assert max(sizes) < 120


def test_a_child_that_has_moved_is_found_and_then_remembered() -> None:
    of = book(x=[[0] for _ in range(50)])
    last = of["x"][49]
    for _ in range(49):
        of["x"].pop(0)
    last.append(1)
    assert told(of)[-1] == ("splice", ["x", 0], "[1]", 1, 0)
    assert last._hint == 0


# ---------------------------------------------------------------- copies, aliases, what was taken out


def test_assigning_a_container_stores_a_copy() -> None:
    original = [[1], {"a": {2}}]
    of = book(x=original)
    original[0].append(9)  # type: ignore[attr-defined]
    assert of["x"] == [[1], {"a": {2}}]
    assert type(of["x"]) is ObservedList
    assert type(of["x"][1]) is ObservedDict
    assert type(of["x"][1]["a"]) is ObservedSet


def test_a_container_that_is_stored_elsewhere_is_copied() -> None:
    of = book(x=[1], y=[])
    of["y"].append(of["x"])
    of["x"].append(2)
    assert of["y"] == [[1]]
    of["y"].append(of["y"])
    assert of["y"] == [[1], [[1]]]
    of["y"].extend([of["x"], of["x"]])
    assert of["y"][2] is not of["y"][3]


def test_assigning_to_its_own_slot_changes_nothing() -> None:
    of = book(x=[[1]], y={"a": [1]})
    x, inner, value = of["x"], of["x"][0], of["y"]["a"]
    of["x"] += [2]
    of["x"][0] += [3]
    of["y"]["a"] += [4]
    assert of["x"] is x
    assert of["x"][0] is inner
    assert of["y"]["a"] is value
    assert len(told(of)) == 3


def test_what_was_taken_out_can_be_read_but_not_changed() -> None:
    of = book(x=[[1], {"a": [2]}, {3}])
    taken = [of["x"].pop() for _ in range(3)]
    assert taken == [{3}, {"a": [2]}, [1]]
    changes: list[Callable[[], object]] = [
        lambda: taken[0].add(4),
        lambda: taken[0].discard(4),
        lambda: taken[1].update(b=1),
        lambda: taken[1]["a"].append(1),
        lambda: taken[2].sort(),
        lambda: taken[2].clear(),
    ]
    for change in changes:
        with pytest.raises(NotAttached, match=r"no longer part of the stored state.*change a copy"):
            change()
    assert taken == [{3}, {"a": [2]}, [1]]
    assert len(told(of)) == 3


@pytest.mark.parametrize(
    "replace",
    [
        lambda of: of.__setitem__("x", 5),
        lambda of: of["x"].__setitem__("a", 5),
        lambda of: of["x"].update(a=5),
        lambda of: of["x"].pop("a"),
        lambda of: of["x"].popitem(),
        lambda of: of["x"].clear(),
        lambda of: of["x"].__delitem__("a"),
        lambda of: of["x"]["a"].__setitem__(0, 5),
        lambda of: of["x"]["a"].__delitem__(0),
        lambda of: of["x"]["a"].__setitem__(slice(None), [5]),
        lambda of: of["x"]["a"].clear(),
        lambda of: of["x"]["a"].remove([1]),
    ],
)
def test_what_was_replaced_is_not_attached_until_that_is_undone(replace: Callable[[Book], object]) -> None:
    of = book(x={"a": [[1]]})
    inner = of["x"]["a"][0]
    replace(of)
    with pytest.raises(NotAttached, match=r"\(\[1\]\)"):
        inner.append(2)
    log(of).take_back()
    inner.append(2)
    assert of["x"] == {"a": [[1, 2]]}


def test_what_was_taken_out_may_be_stored_again() -> None:
    of = book(x=[["a"], ["b"]], y=[])
    item = of["x"].pop(0)
    of["y"].append(item)
    item.append("c")
    assert of["y"] == [["a", "c"]]
    assert told(of)[-1][1] == ["y", 0]
    log(of).take_back()
    assert of["x"] == [["a"], ["b"]]
    assert of["x"][0] is item
    assert locate(item) == (of, ["x", 0])


def test_filtering_a_list_in_place_keeps_its_items() -> None:
    of = book(x=[{"n": number} for number in range(5)])
    kept = of["x"][3]
    of["x"][:] = sorted((row for row in of["x"] if row["n"] != 1), key=lambda row: -row["n"])
    kept["n"] = 30
    assert of["x"] == [{"n": 4}, {"n": 30}, {"n": 2}, {"n": 0}]
    assert told(of)[-1][:2] == ("set", ["x", 1, "n"])


def test_a_swap_and_a_shuffle() -> None:
    of = book(x=[[number] for number in range(9)])
    of["x"][0], of["x"][1] = of["x"][1], of["x"][0]
    random.Random(1).shuffle(of["x"])
    assert sorted(of["x"]) == [[number] for number in range(9)]
    for row in of["x"]:
        row.append("own")
    assert all(row[1:] == ["own"] for row in of["x"])


def test_a_list_cannot_contain_itself() -> None:
    of = book(x=[[]])
    inner = of["x"].pop()
    with pytest.raises(NotAttached):
        inner.append(inner)
    of["x"].append(of["x"])
    assert of["x"] == [[]]


# ---------------------------------------------------------------- evidence, line 30


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (([1],), r"\$\[0\]: a list inside a tuple could change unnoticed: use a tuple there"),
        ({"a": (1, (2, {}))}, r"\$\.a\[1\]\[1\]: a dict inside a tuple"),
        ([({1},)], r"\$\[0\]\[0\]: a set inside a tuple"),
        (Offer("buy", Decimal(1), []), r"\$\.note: a list inside the frozen struct Offer"),
        ([Point(0, ({},))], r"\$\[0\]\.y\[0\]: a dict inside a tuple"),
    ],
)
def test_line_30_a_list_in_a_tuple_is_never_silently_unobserved(value: Any, message: str) -> None:
    with pytest.raises(NotStorable, match=message):
        adopt(value, book(), "x")


def test_line_30_a_stored_list_is_not_hidden_in_a_tuple_either() -> None:
    of = book(x=[1], y=[])
    with pytest.raises(NotStorable, match=r"into the list `y` \(\[\]\): \$\[0\]: a list inside a tuple"):
        of["y"].append((of["x"],))
    assert told(of) == []


# ---------------------------------------------------------------- refusals change nothing

BAD: list[tuple[Any, str]] = [
    (object(), "cannot be stored"),
    ([{"a": object()}], r"\$\[0\]\.a: an object cannot be stored"),
    ("\ud800", "lone surrogate"),
    (["\ud800"], "lone surrogate"),
    (structs.Mutable(), "frozen=True"),
    ([[]], "contains itself"),
]
BAD[-1][0].append(BAD[-1][0])


@pytest.mark.parametrize(("bad", "message"), BAD)
def test_a_refused_value_changes_nothing(bad: Any, message: str) -> None:
    of = book(x=[[0], 1], y={"a": [1]}, taken=[[5]])
    taken = of["taken"].pop()
    of.log = Log()
    x, y, before = of["x"], of["y"], of.text()
    changes: list[Callable[[], object]] = [
        lambda: x.append(bad),
        lambda: x.extend([taken, 2, bad]),
        lambda: x.insert(0, bad),
        lambda: x.__setitem__(0, bad),
        lambda: x.__setitem__(slice(0, 1), [x[0], taken, bad]),
        lambda: x.__setitem__(slice(None, None, 2), [bad]),
        lambda: x.__iadd__([2, bad]),
        lambda: y.__setitem__("a", bad),
        lambda: y.update(b=1, a=taken, c=bad),
        lambda: y.__ior__({"b": 2, "z": bad}),
        lambda: y.setdefault("z", bad),
        lambda: of.__setitem__("x", bad),
    ]
    for change in changes:
        with pytest.raises(NotStorable, match=message):
            change()
        assert of.text() == before
        assert told(of) == []
        assert taken._parent is None
        assert locate(x[0]) == (of, ["x", 0])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (float("nan"), "NaN cannot be a dict key"),
        ((1, Decimal("NaN")), "NaN cannot be a dict key"),
        (ByIdentity(), "compared by identity"),
        (frozenset([1]), "a set"),
        ("\ud800", "lone surrogate"),
        (structs.Colour.RED, r"\.value"),
        (object(), "cannot be stored"),
    ],
)
def test_keys_and_members_that_could_not_be_found_again(bad: Any, message: str) -> None:
    of = book(x={}, y={1, 2})
    changes: list[Callable[[], object]] = [
        lambda: of["x"].__setitem__(bad, 1),
        lambda: of["x"].update({"a": 1, bad: 1}),
        lambda: of["y"].add(bad),
        lambda: of["y"].update([5, bad]),
        lambda: of["y"].symmetric_difference_update([1, bad]),
    ]
    if bad != "\ud800":  # text is checked when it is written
        changes += [lambda: adopt({bad: 1}, of, "z"), lambda: adopt({bad}, of, "z")]
    for change in changes:
        with pytest.raises(NotStorable, match=message):
            change()
        assert of.text() == b'{"x":{},"y":{"$":"set","v":[1,2]}}'
        assert told(of) == []


def test_a_transaction_that_refuses_leaves_everything_as_it_was() -> None:
    of = book(x=[[0], [1]], y={"a": 1, "b": 2}, z={1}, taken=[[5]])
    taken = of["taken"].pop()
    of.log = Log()
    of.log.refuse = True
    x, y, z, before = of["x"], of["y"], of["z"], of.text()
    changes: list[Callable[[], object]] = [
        lambda: x.append(1),
        lambda: x.append(taken),
        lambda: x.__setitem__(0, taken),
        lambda: x.__setitem__(slice(0, 2), [x[1], taken]),
        lambda: x.__delitem__(slice(None, None, -1)),
        lambda: x.pop(),
        lambda: x.reverse(),
        lambda: x.clear(),
        lambda: x.__imul__(3),
        lambda: y.__setitem__("a", taken),
        lambda: y.update(c=taken),
        lambda: y.pop("a"),
        lambda: y.popitem(),
        lambda: y.clear(),
        lambda: z.add(2),
        lambda: z.discard(1),
        lambda: z.pop(),
        lambda: z.clear(),
    ]
    for change in changes:
        with pytest.raises(StoppedError):
            change()
        assert of.text() == before
        assert taken._parent is None
        assert [locate(part)[1] for part in x] == [["x", 0], ["x", 1]]
        assert all(map(consistent, (x, y, z)))


def test_without_a_transaction_nothing_can_be_changed() -> None:
    of = book(x=[1], y={"a": 1}, z={1})
    of.log = None
    changes: list[Callable[[], object]] = [
        lambda: of["x"].append(1),
        lambda: of["x"].sort(),
        lambda: of["y"].update(a=1),
        lambda: of["z"].discard(5),
    ]
    for change in changes:
        with pytest.raises(NoTransaction):
            change()


# ---------------------------------------------------------------- originals


def test_the_transaction_learns_which_originals_remain_beside_their_copies() -> None:
    of = book(x=[], y={}, taken=[[5]])
    taken, shared = of["taken"].pop(), [1]
    of["x"].append(shared)
    of["x"].extend([2, shared])
    of["x"][0] = shared
    of["y"]["k"] = shared
    of["y"].update(m=shared)
    of["x"].append(of["y"])
    of["x"].append(taken)
    of["x"].append((1, "a"))
    assert [(original is shared, value, path) for original, value, path in log(of).copies] == [
        (True, b"[1]", ["x", 0]),
        (True, b"[1]", ["x", 2]),
        (True, b"[1]", ["x", 0]),
        (True, b"[1]", ["y", "k"]),
        (True, b"[1]", ["y", "m"]),
        (False, b'{"k":[1],"m":[1]}', ["x", 3]),
    ]
    shared.append(2)
    assert all(encode(original) != value for original, value, _ in log(of).copies if original is shared)


# ---------------------------------------------------------------- code that bypasses the methods


@pytest.mark.parametrize(
    ("field", "bypass"),
    [
        ("x", lambda x: heapq.heappush(x, 0)),
        ("x", lambda x: heapq.heappop(x)),
        ("x", lambda x: list.append(x, 1)),
        ("y", lambda y: dict.update(y, b=1)),
        ("z", lambda z: set.add(z, 5)),
    ],
)
def test_c_code_that_changes_a_length_is_noticed(field: str, bypass: Callable[[Any], object]) -> None:
    of = book(x=[1, 2], y={"a": 1}, z={1})
    assert consistent(of[field])
    bypass(of[field])
    assert not consistent(of[field])
    changes: dict[str, Callable[[], object]] = {
        "x": lambda: of["x"].append(5),
        "y": lambda: of["y"].update(c=1),
        "z": lambda: of["z"].add(7),
    }
    with pytest.raises(OriginalChanged, match="bypasses its methods"):
        changes[field]()
    assert told(of) == []


def test_consistent_takes_any_value() -> None:
    assert all(map(consistent, (None, 5, [1], (1,), book())))


def test_bisect_uses_the_methods() -> None:
    of = book(x=[1, 3])
    bisect.insort(of["x"], 2)
    assert told(of) == [("splice", ["x"], "[2]", 1, 0)]


def test_a_key_that_changes_the_list_while_it_is_sorted() -> None:
    of = book(x=[3, 1])

    def key(item: int) -> int:
        of["x"].append(item)
        return item

    with pytest.raises(ValueError, match="modified during sort"):
        of["x"].sort(key=key)


@pytest.mark.parametrize("where", [slice(1, 2), slice(None), slice(2, None), slice(-1, None)])
def test_an_iterator_that_changes_the_list_whose_slice_it_replaces(where: slice) -> None:
    for change in (lambda x: x.insert(0, 0), lambda x: x.clear(), lambda x: x.pop()):
        plain, of = [1, 2, 3], book(x=[1, 2, 3])

        def items(x: Any, change: Callable[[Any], object] = change) -> Iterator[int]:
            yield 8
            change(x)
            yield 9

        new = list(items(plain))  # first, as Python does since 3.13
        plain[where] = new
        of["x"][where] = items(of["x"])
        assert of["x"] == plain
        again = book(x=[1, 2, 3])
        again.apply(log(of).patches)
        assert again.text() == of.text()


def test_an_iterator_that_changes_the_list_it_extends() -> None:
    of = book(x=[1])

    def items() -> Iterator[int]:
        yield 2
        of["x"].insert(0, 0)
        yield 3

    of["x"].extend(items())
    assert of["x"] == [0, 1, 2, 3]
    again = book(x=[1])
    again.apply(log(of).patches)
    assert again.text() == of.text()


# ---------------------------------------------------------------- as plain containers


def test_they_pass_for_plain_containers() -> None:
    value = {"a": [1, {"b": None}], "c": []}
    stored = book(x=value)["x"]
    assert isinstance(stored, dict)
    assert isinstance(stored["a"], list)
    assert stored == value
    assert value == stored
    assert repr(stored) == repr(value)
    assert f"{stored['a']}" == str(value["a"])
    assert json.loads(json.dumps(stored)) == value
    assert msgspec.json.encode(stored) == msgspec.json.encode(value)
    assert msgspec.to_builtins(stored) == value
    assert {**stored} == value
    assert dict(stored) == value
    assert [*stored["a"]] == value["a"]
    assert stored | {"d": 1} == {**value, "d": 1}
    with pytest.raises(TypeError, match="unhashable"):
        hash(stored["a"])


@pytest.mark.parametrize(
    "duplicate",
    [
        copy.copy,
        copy.deepcopy,
        lambda value: pickle.loads(pickle.dumps(value)),
        lambda value: value.copy(),
        lambda value: type(value)(value),
        lambda value: decode(encode(value), lambda key: None),
        lambda value: value[:] if isinstance(value, list) else value | value,
    ],
)
@pytest.mark.parametrize("plain", [[1, 2], {"a": 1}, {1, 2}])
def test_copies_are_plain(duplicate: Callable[[Any], Any], plain: Any) -> None:
    of = book(x=plain)
    made = duplicate(of["x"])
    assert made == plain
    assert type(made) is type(plain)
    made.clear()
    assert of["x"] == plain


def test_deep_copies_are_plain_all_the_way_down() -> None:
    stored = book(x=[{"a": [{1}]}])["x"]
    for made in (copy.deepcopy(stored), pickle.loads(pickle.dumps(stored))):
        assert type(made[0]) is dict
        assert type(made[0]["a"]) is list
        assert type(made[0]["a"][0]) is set


def test_a_stored_set_is_ordered_by_insertion() -> None:
    of = book(x={"c", "a", "b"})
    assert list(of["x"]) == ["a", "b", "c"]  # a plain set has no order: sorted
    of["x"].discard("a")
    of["x"].add("a")
    assert list(of["x"]) == ["b", "c", "a"]
    assert list(reversed(of["x"])) == ["a", "c", "b"]
    assert repr(of["x"]) == "{'b', 'c', 'a'}"
    assert repr(book(x=set())["x"]) == "set()"
    log(of).take_back()
    assert list(of["x"]) == ["a", "b", "c"]


def test_undoing_restores_the_order_of_keys() -> None:
    of = book(x={name: 0 for name in "abcde"})
    for name in "caeb":
        del of["x"][name]
    of["x"]["a"] = 1
    log(of).take_back()
    assert contents(of["x"]) == ["a", 0, "b", 0, "c", 0, "d", 0, "e", 0]


def test_attach_and_detach_leave_other_values_alone() -> None:
    for value in (None, 5, [1], (1,)):
        attach(value, book(), "x")
        detach(value)


def test_authors_errors_are_authors_errors() -> None:
    assert issubclass(NotAttached, AuthorError)
    assert issubclass(NotStorable, TypeError)
