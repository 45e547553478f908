"""Lists, dicts and sets that report their own mutations, and how a value becomes part of the state.

Owns adoption: what is stored as it is, what is copied, what is refused. How each container changes stands in
`observed_list`, `observed_dict` and `observed_set`; nothing here knows what is done with a report.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from promptgrimoire.errors import NotStorable
from promptgrimoire.state.observed import (
    Attached,
    Owner,
    Recorder,
    attach,
    consistent,
    detach,
    locate,
    located,
)
from promptgrimoire.state.observed_dict import DictChanges
from promptgrimoire.state.observed_list import ListChanges
from promptgrimoire.state.observed_set import SetChanges
from promptgrimoire.state.storable import (
    DEEPEST,
    SCALARS,
    FormerStruct,
    Reference,
    Refusal,
    struct_fields,
    too_deep,
    why_refused,
)
from promptgrimoire.state.values import members, step

__all__ = [
    "ObservedDict",
    "ObservedList",
    "ObservedSet",
    "Owner",
    "Recorder",
    "adopt",
    "attach",
    "consistent",
    "detach",
    "locate",
    "ordered_set",
]


def adopt(value: Any, parent: Any, hint: Any) -> Any:
    """What is stored when `value` is assigned, attached to `parent` (a record or container) at `hint` (its key there).

    Immutable values and handles are stored as they are; lists, dicts and sets as observed copies. A container that
    had been taken out of the state comes back as itself; one that is part of it elsewhere is copied.
    Raises NotStorable, naming the place inside the value and the mend. Text is checked only by `encode`.

    If storing does not come to pass after all, `detach` the result.
    """
    if type(value) in SCALARS:
        return value
    if isinstance(value, Attached) and value._parent is None and value._size() == value._length:
        attach(value, parent, hint)
        return value
    try:
        return _stored(value, parent, hint, 0)
    except Refusal as refusal:
        raise NotStorable(refusal.text()) from None


class _Adopting(Attached):
    """Ties the containers to `adopt`, which makes such containers itself."""

    __slots__ = ()

    def _adopt(self, value: Any, hint: Any) -> Any:
        return adopt(value, self, hint)

    def _check_key(self, key: Any) -> None:
        try:
            _check_key(key, 0)
        except Refusal as refusal:
            raise located(self, NotStorable(refusal.text())) from None


class ObservedList(_Adopting, ListChanges):
    """A stored list."""

    __slots__ = ()


class ObservedDict(_Adopting, DictChanges):
    """A stored dict."""

    __slots__ = ()


class ObservedSet(_Adopting, SetChanges):
    """A stored set, iterated in the order of insertion."""

    __slots__ = ()


def ordered_set(items: Iterable[Any]) -> ObservedSet:
    """A set that is not attached yet, with its members in this order."""
    result: ObservedSet = set.__new__(ObservedSet)
    result._order = dict.fromkeys(items)
    set.update(result, result._order)
    result._parent = result._hint = None
    result._length = len(result._order)
    return result


def _stored(value: Any, parent: Any, hint: Any, depth: int) -> Any:
    kind = type(value)
    if kind in SCALARS:
        return value
    if depth >= DEEPEST:
        raise too_deep()
    if isinstance(value, Attached):
        kind = value._plain
    if kind is list:
        return _stored_list(value, parent, hint, depth + 1)
    if kind is dict:
        return _stored_dict(value, parent, hint, depth + 1)
    if kind is set:
        return _stored_set(value, parent, hint, depth + 1)
    _check_immutable(value, depth)
    return value


def _stored_list(items: list[Any], parent: Any, hint: Any, depth: int) -> ObservedList:
    result: ObservedList = list.__new__(ObservedList)
    if SCALARS.issuperset(map(type, items)):
        list.extend(result, items)
    else:
        for place, item in enumerate(items):
            try:
                list.append(result, _stored(item, result, place, depth))
            except Refusal as refusal:
                raise refusal.below(f"[{place}]") from None
    result._parent = parent
    result._hint = hint
    result._length = list.__len__(result)
    return result


def _stored_dict(items: dict[Any, Any], parent: Any, hint: Any, depth: int) -> ObservedDict:
    result: ObservedDict = dict.__new__(ObservedDict)
    for key, item in items.items():
        try:
            if type(key) is not str:
                _check_key(key, depth)
            dict.__setitem__(result, key, item if type(item) in SCALARS else _stored(item, result, key, depth))
        except Refusal as refusal:
            raise refusal.below(step(key)) from None
    result._parent = parent
    result._hint = hint
    result._length = dict.__len__(result)
    return result


def _stored_set(items: set[Any], parent: Any, hint: Any, depth: int) -> ObservedSet:
    for member in items:
        if type(member) is not str:
            _check_key(member, depth)
    result = ordered_set(members(items))
    attach(result, parent, hint)
    return result


def _check_key(key: Any, depth: int) -> None:
    """Refuse what could not be found again as a dict key or member once it has been read back from the journal."""
    kind = type(key)
    if kind is str:
        try:
            key.encode()
        except UnicodeEncodeError:
            raise Refusal(f"the text {key!a} has a lone surrogate: remove it") from None
        return
    if (kind is float and key != key) or (kind is Decimal and key.is_nan()):
        raise Refusal("NaN cannot be a dict key or member of a set: it equals nothing, and could not be found again")
    if kind in SCALARS or isinstance(key, Reference):
        return
    _check_immutable(key, depth)
    if kind is tuple:
        for part in key:
            _check_key(part, depth + 1)
        return
    if getattr(kind, "__eq__", None) is object.__eq__ or (
        isinstance(key, msgspec.Struct) and not key.__struct_config__.eq
    ):
        raise Refusal(f"{kind.__qualname__} is compared by identity and could not be found again: remove eq=False")
    for name in struct_fields(key) or ():
        _check_key(getattr(key, name), depth + 1)


def _check_immutable(value: Any, depth: int, within: str = "") -> None:
    """Refuse what is not storable, and containers in tuples and frozen structs: their changes would go unnoticed."""
    kind = type(value)
    if kind in SCALARS or isinstance(value, Reference):
        return
    if depth >= DEEPEST:
        raise too_deep()
    if isinstance(value, Attached):
        kind = value._plain
    if within and kind in (list, dict, set):
        mend = "use a tuple" if kind is list else "use a tuple of pairs" if kind is dict else "use a sorted tuple"
        raise Refusal(
            f"a {kind.__name__} inside {within} could change unnoticed: {mend} there, "
            f"or make the outer one a {'dict' if 'struct' in within else 'list'}"
        )
    if kind is tuple:
        parts: Iterable[tuple[str, Any]] = ((f"[{place}]", part) for place, part in enumerate(value))
        within = "a tuple"
    else:
        names = struct_fields(value)
        if names is None:
            raise Refusal(why_refused(value))
        if kind is FormerStruct:
            return
        parts = ((f".{name}", getattr(value, name, None)) for name in names)
        within = f"the frozen struct {kind.__qualname__}"
    for where, part in parts:
        if type(part) in SCALARS:
            continue
        try:
            _check_immutable(part, depth + 1, within)
        except Refusal as refusal:
            raise refusal.below(where) from None
