"""From a browser's JSON to a live method's arguments: what is accepted, what is refused, and how a refusal reads."""

from __future__ import annotations

import contextlib
import enum
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from promptgrimoire.authoring.arguments import Arguments, CannotValidate
from promptgrimoire.authoring.live import LiveOptions, live, options_of
from promptgrimoire.errors import AuthorError, Refused
from promptgrimoire.state.declared import PlayerFields
from promptgrimoire.state.records import Group, Player


class Side(enum.Enum):
    BUY = "buy"
    SELL = "sell"


@dataclass
class Offer:
    price: float
    side: Side = Side.BUY


class Point(TypedDict):
    x: int
    y: float


class Trader(PlayerFields):
    cash: int = 0


def resolve(kind: str, key: str | int) -> Any:
    if key in ("ann", 1):
        return f"<{kind} {key}>"
    raise LookupError(key)


def parse(function: Callable[..., Any], *sent: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return Arguments(function, 2).parse(msgspec.Raw(json.dumps(list(sent)).encode()), resolve)


def refusal(function: Callable[..., Any], *sent: Any) -> str:
    with pytest.raises(Refused) as caught:
        parse(function, *sent)
    assert caught.value.code == "arguments"
    return caught.value.message


# A few signatures, as authors write them.
def price_only(page: Any, player: Any, price: Annotated[float, Meta(gt=0)]) -> None: ...
def text_and_size(page: Any, player: Any, text: str, size: int = 3) -> None: ...
def anything(page: Any, player: Any, value) -> None: ...  # type: ignore[no-untyped-def]
def partner(page: Any, player: Any, other: Player, where: Group | None = None) -> None: ...
def partners(page: Any, player: Any, others: list[Player]) -> None: ...
def declared_partner(page: Any, player: Any, other: Trader) -> None: ...
def offer(page: Any, player: Any, offer: Offer) -> None: ...
def points(page: Any, player: Any, points: list[Point], color: str = "red") -> None: ...
def keyword_only(page: Any, player: Any, *, text: str, bold: bool = False) -> None: ...
def many(page: Any, player: Any, first: str, *rest: int) -> None: ...
def answers(page: Any, player: Any, **answers: int) -> None: ...
def choice(page: Any, player: Any, side: Literal["buy", "sell"], kind: Side = Side.BUY) -> None: ...
def money(page: Any, player: Any, amount: Decimal) -> None: ...
def lenient_none(page: Any, player: Any, text: str = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013
def numbers(page: Any, player: Any, table: dict[str, list[float]]) -> None: ...
def whole(page: Any, player: Any, n: Annotated[int, Meta(ge=1, le=10)]) -> None: ...


@pytest.mark.parametrize(
    ("function", "sent", "args", "kwargs"),
    [
        (price_only, (3,), (3.0,), {}),
        (price_only, ("3.5",), (3.5,), {}),
        (price_only, ({"price": "3.5"},), (), {"price": 3.5}),
        (text_and_size, ("a",), ("a",), {}),
        (text_and_size, ("a", "7"), ("a", 7), {}),
        (text_and_size, ("a", {"size": 5}), ("a",), {"size": 5}),
        (text_and_size, ({"text": "a", "size": 5},), (), {"text": "a", "size": 5}),
        (text_and_size, ("a", {}), ("a",), {}),
        (anything, ({"size": 5},), ({"size": 5},), {}),
        (anything, (None,), (None,), {}),
        (partner, ("ann",), ("<player ann>",), {}),
        (partner, (1, "ann"), ("<player 1>", "<group ann>"), {}),
        (partner, (1, None), ("<player 1>", None), {}),
        (partner, ({"other": 1},), (), {"other": "<player 1>"}),
        (partners, (["ann", 1],), (["<player ann>", "<player 1>"],), {}),
        (declared_partner, ("ann",), ("<player ann>",), {}),
        (offer, ({"price": "2", "side": "sell"},), (Offer(2.0, Side.SELL),), {}),
        (points, ([{"x": 1, "y": 2}],), ([{"x": 1, "y": 2.0}],), {}),
        (points, ([], {"color": "blue"}), ([],), {"color": "blue"}),
        (keyword_only, ({"text": "a"},), (), {"text": "a"}),
        (many, ("a", 1, "2"), ("a", 1, 2), {}),
        (answers, ({"q1": 3, "q2": "4"},), (), {"q1": 3, "q2": 4}),
        (choice, ("sell", "sell"), ("sell", Side.SELL), {}),
        (money, ("1.10",), (Decimal("1.10"),), {}),
        (lenient_none, (None,), (None,), {}),
        (numbers, ({"nan": [1]},), ({"nan": [1.0]},), {}),
    ],
)
def test_accepted(function: Any, sent: tuple[Any, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    found = parse(function, *sent)
    assert found == (args, kwargs)
    assert list(map(type, found[0])) == list(map(type, args))


@pytest.mark.parametrize(
    ("function", "sent", "message"),
    [
        (price_only, (-1,), "price: expected a number greater than 0, got -1"),
        (price_only, ("dear",), 'price: expected a number greater than 0, got "dear"'),
        (price_only, (None,), "price: expected a number greater than 0, got null"),
        (price_only, (), "missing argument: price"),
        (price_only, (1, 2), "too many arguments: expected at most 1 (price), got 2"),
        (price_only, ({"pric": 1},), "unknown argument: pric; did you mean price?"),
        (price_only, (1, {"price": 1}), "price: given twice, by position and by name"),
        (price_only, ("inf",), "price: expected a finite number, got one that is not"),
        (text_and_size, (3,), "text: expected text, got 3"),
        (text_and_size, ("a", 3.5), "size: expected a whole number, got 3.5"),
        (whole, (11,), "n: expected a whole number from 1 to 10, got 11"),
        (partner, ("bob",), "other: no player 'bob' in this session"),
        (partner, (True,), "other: expected a player's name or id, got true"),
        (partner, ("ann", 7), "where: no group 7 in this session"),
        (offer, ({"side": "buy"},), "offer: missing price"),
        (offer, ({"price": 1, "side": "hold"},), 'offer.side: expected one of "buy", "sell", got "hold"'),
        (points, ([{"x": 1, "y": 2}, {"x": "a", "y": 2}],), 'points[1].x: expected a whole number, got "a"'),
        (keyword_only, (), "missing argument: text"),
        (keyword_only, ("a",), "too many arguments: expected at most 0, got 1"),
        (many, ("a", 1, "x"), 'rest: expected a whole number, got "x"'),
        (answers, ({"q1": "x"},), 'q1: expected a whole number, got "x"'),
        (choice, ("hold",), 'side: expected one of "buy", "sell", got "hold"'),
        (money, ("NaN",), "amount: expected a finite number, got one that is not"),
        (numbers, ({"a": [1, "inf"]},), "table: expected a finite number, got one that is not"),
    ],
)
def test_refused(function: Any, sent: tuple[Any, ...], message: str) -> None:
    assert refusal(function, *sent) == message


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        (b'["\\ud800"]', "not valid JSON"),
        (b'["\xff"]', "not valid JSON"),
        (b"[1", "not valid JSON"),
        (b"{}", "expected a list"),
        (b"3", "expected a list"),
        (b"[1e999]", "too large"),
        (b"[" + b"1" * 5000 + b"]", "too large"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'["\\u0069\\u006e\\u0066"]', "finite number"),
    ],
)
def test_hostile_json_is_refused_and_nothing_else_happens(raw: bytes, part: str) -> None:
    with pytest.raises(Refused) as caught:
        Arguments(price_only, 2).parse(raw, resolve)
    assert part in caught.value.message


@pytest.mark.parametrize("raw", [b'["\\ud800"]', b"[" * 100_000 + b"]" * 100_000, b"[" + b"1" * 5000 + b"]"])
def test_hostile_json_is_refused_without_hints_too(raw: bytes) -> None:
    with pytest.raises(Refused):
        Arguments(anything, 2).parse(raw, resolve)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "buy", "ann", "nan", "inf", "3.5", "1", "true", "null"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["price", "side", "x", "y", "text", "size", "color", "other", "q1"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
_functions = [
    price_only, text_and_size, anything, partner, partners, offer, points, keyword_only, many, answers, choice, money,
    lenient_none, numbers, whole,
]  # fmt: skip


@given(st.sampled_from(_functions), st.lists(_json, max_size=3))
def test_the_quick_way_and_the_slow_way_agree(function: Callable[..., Any], sent: list[Any]) -> None:
    arguments = Arguments(function, 2)
    raw = msgspec.Raw(json.dumps(sent).encode())

    def outcome(way: Callable[..., Any]) -> Any:
        try:
            return way(raw, resolve)
        except Refused as refused:
            return refused.code, refused.message

    found = outcome(arguments.parse)
    assert found == outcome(arguments._parse_slowly)
    assert "nan" not in repr(found[0]).replace("'nan'", "") if isinstance(found[0], tuple) else True
    assert all(math.isfinite(one) for one in found[0] if isinstance(one, float))


@given(st.binary(max_size=40))
def test_whatever_comes_is_accepted_or_refused(raw: bytes) -> None:
    for function in (price_only, anything, offer):
        with contextlib.suppress(Refused):
            Arguments(function, 2).parse(b"[" + raw + b"]", resolve)


def test_defaults_are_the_functions_own() -> None:
    def method(page: Any, player: Any, box: list[int] = [], mark: Any = len) -> Any:  # noqa: B006
        return box, mark

    args, kwargs = parse(method)
    assert method(None, None, *args, **kwargs) == method(None, None)


@pytest.mark.parametrize("hint", [complex, Callable[[int], int], type, Offer | dict, "Nobody", Player | str])
def test_hints_that_cannot_be_validated(hint: Any) -> None:
    def method(page: Any, player: Any, value: Any) -> None: ...

    method.__annotations__["value"] = hint
    with pytest.raises(CannotValidate):
        Arguments(method, 2)


@pytest.mark.parametrize(
    "hint",
    [object, Optional[int], list, dict, tuple, set[int], tuple[int, str], bytes, dict[str, Player], Literal[1, 2], bool]  # noqa: UP045
)  # fmt: skip
def test_hints_that_can(hint: Any) -> None:
    def method(page: Any, player: Any, value: Any) -> None: ...

    method.__annotations__["value"] = hint
    Arguments(method, 2)


def test_live_options() -> None:
    @live
    def plain() -> None: ...

    @live(concurrent=True, rate=20, deadline=None, volatile=True)
    async def rich() -> None: ...

    assert options_of(plain) == LiveOptions()
    assert options_of(plain) is not None
    assert LiveOptions().deadline == 60
    assert options_of(rich) == LiveOptions(True, 20, None, True)
    assert options_of(len) is None


@pytest.mark.parametrize(
    "options", [{"rate": 0}, {"rate": "20"}, {"deadline": -1}, {"deadline": float("nan")}, {"rate": True}]
)
def test_live_options_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(AuthorError, match="greater than 0"):
        live(**options)
    with pytest.raises(AuthorError, match="options are named"):
        live(20)  # type: ignore[call-overload]
