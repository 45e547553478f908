"""Making recorded changes again: for recovery, and for what was written while an error was handled."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from promptgrimoire.errors import JournalDamaged, NotAttached
from promptgrimoire.state.observables import ObservedDict, ObservedList, ObservedSet, consistent, locate
from promptgrimoire.state.patches import Patch, apply
from promptgrimoire.state.values import encode
from tests.state.structs import Offer, Point
from tests.state.two_worlds import Book, containers

FIELDS: dict[str, Any] = {"n": 1, "x": [1, [2], {"a": 3}], "d": {"k": [0], 1: "one", (1, 2): {}}, "s": {1, 2}}


def book() -> Book:
    return Book("p1", **FIELDS)


def make(of: Book, op: Any, path: list[Any], value: bytes | str | msgspec.Raw | None = None, **more: Any) -> None:
    apply(of.fields, of, Patch("p1", op, path, **more), value, {"p1": of}.__getitem__)


@pytest.mark.parametrize(
    ("op", "path", "value", "more", "field", "expected"),
    [
        ("set", ["n"], b"2.0", {}, "n", 2.0),
        ("set", ["new"], b'[{"a":1}]', {}, "new", [{"a": 1}]),
        ("set", ["x"], b"null", {}, "x", None),
        ("set", ["x", 1], b"[5]", {}, "x", [1, [5], {"a": 3}]),
        ("set", ["x", 2, "a"], b"[5]", {}, "x", [1, [2], {"a": [5]}]),
        ("set", ["d", 1], b'"uno"', {}, "d", {"k": [0], 1: "uno", (1, 2): {}}),
        ("set", ["d", {"$": "tuple", "v": [1, 2]}, "z"], b"0", {}, "d", {"k": [0], 1: "one", (1, 2): {"z": 0}}),
        ("delete", ["d", {"$": "tuple", "v": [1, 2]}], None, {}, "d", {"k": [0], 1: "one"}),
        ("delete", ["d", 1], b"null", {}, "d", {"k": [0], (1, 2): {}}),
        ("clear", ["d"], None, {}, "d", {}),
        ("splice", ["x"], b"[7,8]", {"at": 3}, "x", [1, [2], {"a": 3}, 7, 8]),
        ("splice", ["x"], b"[7]", {"at": 0, "count": 2}, "x", [7, {"a": 3}]),
        ("splice", ["x"], None, {"at": 1, "count": 2}, "x", [1]),
        ("splice", ["x"], b"null", {"at": 0, "count": 3}, "x", []),
        ("splice", ["x", 1], msgspec.Raw(b"[9]"), {"at": 0}, "x", [1, [9, 2], {"a": 3}]),
        ("permute", ["x"], b"[2,0,1]", {}, "x", [{"a": 3}, 1, [2]]),
        ("add", ["s"], b'{"$":"tuple","v":[1]}', {}, "s", {1, 2, (1,)}),
        ("discard", ["s"], b"1", {}, "s", {2}),
        ("clear", ["s"], None, {}, "s", set()),
        ("set", ["n"], '{"$":"ref","v":"p1"}', {}, "n", "the record"),
    ],
)
def test_each_operation(op: str, path: list[Any], value: Any, more: dict[str, int], field: str, expected: Any) -> None:
    of = book()
    make(of, op, path, value, **more)
    assert of[field] == (of if expected == "the record" else expected)
    for part in containers(of[field]):
        assert consistent(part)
        assert locate(part)[0] is of
    assert of.log is not None
    assert of.log.patches == []


def test_a_field_can_be_deleted() -> None:
    of = book()
    taken = of["x"]
    make(of, "delete", ["x"])
    assert "x" not in of.fields
    with pytest.raises(NotAttached):
        taken.append(1)


def test_what_is_inserted_reports_its_changes() -> None:
    of = book()
    make(of, "splice", ["x"], b'[{"b":{"$":"set","v":[2,1]}}]', at=0)
    of["x"][0]["b"].add(3)
    assert of.log is not None
    assert [(patch.op, patch.path) for patch, _ in of.log.patches] == [("add", ["x", 0, "b"])]
    assert isinstance(of["x"], ObservedList)
    assert isinstance(of["x"][0], ObservedDict)
    assert isinstance(of["x"][0]["b"], ObservedSet)


def test_sets_keep_their_stored_order() -> None:
    of = book()
    for path in (["n"], ["x", 0], ["d", "k"]):
        make(of, "set", path, b'{"$":"set","v":["c","a","b"]}')
    make(of, "splice", ["x"], b'[[{"$":"set","v":["c","a","b"]}]]', at=0)
    for stored in (of["n"], of["x"][1], of["d"]["k"], of["x"][0][0]):
        assert list(stored) == ["c", "a", "b"]


def test_what_was_replaced_is_not_attached_any_more() -> None:
    of = book()
    taken = [of["x"], of["x"][1], of["d"]["k"], of["d"][(1, 2)]]
    make(of, "set", ["x", 1], b"5")
    make(of, "set", ["d", "k"], b"5")
    make(of, "clear", ["d"])
    make(of, "set", ["x"], b"[]")
    for part in taken:
        with pytest.raises(NotAttached):
            part.clear()


@pytest.mark.parametrize(
    ("op", "path", "value", "more"),
    [
        ("set", ["x", 3], b"1", {}),
        ("set", ["x", -1], b"1", {}),
        ("set", ["x", "a"], b"1", {}),
        ("set", ["n", 0], b"1", {}),
        ("set", ["s", 0], b"1", {}),
        ("set", ["unknown", 0], b"1", {}),
        ("set", ["x", 7, 0], b"1", {}),
        ("set", ["d", "unknown", 0], b"1", {}),
        ("set", ["d", {"$": "what"}], b"1", {}),
        ("set", ["d", ["k"]], b"1", {}),
        ("set", ["n"], None, {}),
        ("set", ["n"], b"[1", {}),
        ("set", ["n"], b'{"$":"decimal","v":"x"}', {}),
        ("set", ["n"], b'{"$":"ref","v":"p9"}', {}),
        ("set", ["n"], b'{"$":"tuple","v":[[]]}', {}),
        ("delete", ["unknown"], None, {}),
        ("delete", ["d", "unknown"], None, {}),
        ("delete", ["x", 0], None, {}),
        ("splice", ["x"], b"[1]", {"at": 4}),
        ("splice", ["x"], b"[1]", {"at": -1}),
        ("splice", ["x"], None, {"at": 2, "count": 2}),
        ("splice", ["x"], b"5", {"at": 0}),
        ("splice", ["x"], b'[1,{"$":"what"}]', {"at": 0}),
        ("splice", ["d"], b"[1]", {}),
        ("splice", ["n"], b"[1]", {}),
        ("permute", ["x"], b"[0,1]", {}),
        ("permute", ["x"], b"[0,1,1]", {}),
        ("permute", ["x"], b'["a",1,2]', {}),
        ("permute", ["x"], None, {}),
        ("add", ["s"], b"1", {}),
        ("add", ["s"], b"[]", {}),
        ("discard", ["s"], b"5", {}),
        ("clear", ["x"], None, {}),
        ("clear", ["n"], None, {}),
        ("explode", ["n"], None, {}),
        ("set", [], b"1", {}),
    ],
)
def test_a_patch_that_does_not_fit_is_damage_and_changes_nothing(
    op: str, path: list[Any], value: Any, more: dict[str, int]
) -> None:
    of = book()
    before = of.text()
    with pytest.raises(JournalDamaged, match=r"Patch\(record='p1'.*does not fit"):
        make(of, op, path, value, **more)
    assert of.text() == before
    assert all(consistent(part) and locate(part)[0] is of for field in of.fields.values() for part in containers(field))


@pytest.mark.parametrize(
    "change",
    [
        lambda of: of["x"].append(Offer("buy", Decimal("1.50"), (of,))),
        lambda of: of["x"].__setitem__(1, {"a": {3, 1}, None: [Point(1)]}),
        lambda of: of["x"][1].extend([of["x"], of["d"]]),
        lambda of: of["d"].update({of: 1, 2.5: [of["x"][1]], b"\x00": None}),
        lambda of: of["d"][(1, 2)].update({(of, "é"): of}),
        lambda of: of["s"].update([of, (of,), None]),
        lambda of: of["s"].discard(1.0),
        lambda of: of["d"].pop(True),
        lambda of: of["x"].__delitem__(slice(None, None, -2)),
    ],
)
def test_what_was_recorded_can_be_made_again(change: Callable[[Book], object]) -> None:
    of, again = book(), book()
    change(of)
    assert of.log is not None
    assert of.log.patches
    again.apply(of.log.patches)
    assert encode(again.fields) == encode(of.fields)
    of.log.take_back()
    assert encode(of.fields) == encode(book().fields)
