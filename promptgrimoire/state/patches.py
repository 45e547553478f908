"""The one patch language: what changed, where; and how a change is made again.

A patch names a record, a path inside it, an operation, and where in the author's code it happened. The value it
carries stands beside it (see `promptgrimoire.journal.entries`), so that it can be forgotten. Never records anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from promptgrimoire.errors import JournalDamaged, NotStorable
from promptgrimoire.state.observables import (
    ObservedDict,
    ObservedList,
    ObservedSet,
    adopt,
    detach,
    ordered_set,
)
from promptgrimoire.state.values import Resolve, decode, from_form

Operation = Literal["set", "delete", "splice", "permute", "add", "discard", "clear"]


class Patch(msgspec.Struct, array_like=True, omit_defaults=True):
    """One change.

    | op | path leads to | value |
    |---|---|---|
    | set | field, dict key or list index | the new value |
    | delete | field or dict key | none |
    | splice | list; `at` is the 0-based start, `count` how many items are removed | list of inserted items |
    | permute | list | the old indices in their new order |
    | add, discard | set | the member |
    | clear | dict or set | none |

    `path` starts with the field's name; further elements are list indices or dict keys (stored values in their
    JSON form).
    """

    record: str
    op: Operation
    path: list[Any]
    at: int = 0
    count: int = 0
    app: str = ""
    round: int = 0
    line: str = ""


def apply(
    fields: dict[str, Any],
    owner: Any,
    patch: Patch,
    value: bytes | str | msgspec.Raw | None,
    resolve: Resolve,
) -> None:
    """Make a recorded change again, on the fields of a record, without recording it.

    What is inserted belongs to `owner` afterwards. `value` is what was recorded beside the patch; None and `null` are
    the same where an operation needs none. `resolve` gives the handle for a record's key.
    Raises JournalDamaged, naming the patch, where it does not fit; nothing has changed then.
    """
    path = patch.path
    try:
        if len(path) == 1 and patch.op in ("set", "delete"):
            _apply_to_fields(fields, owner, patch, value, resolve)
            return
        container = fields[path[0]]
        steps = path[1:] if patch.op not in ("set", "delete") else path[1:-1]
        for step in steps:
            container = container[_key(step, resolve) if isinstance(container, dict) else step]
        _CHANGES[patch.op, type(container)](container, patch, value, resolve)
    except (LookupError, TypeError, ValueError, AttributeError, NotStorable, JournalDamaged) as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise JournalDamaged(f"{patch!r} does not fit the state that the journal led to ({what})") from error


def _key(step: Any, resolve: Resolve) -> Any:
    return step if type(step) is str else from_form(step, resolve)


def _value(value: bytes | str | msgspec.Raw | None, resolve: Resolve) -> Any:
    if value is None:
        raise ValueError("the value is missing")
    return decode(value, resolve, make_set=ordered_set)


def _apply_to_fields(
    fields: dict[str, Any], owner: Any, patch: Patch, value: bytes | str | msgspec.Raw | None, resolve: Resolve
) -> None:
    name = patch.path[0]
    if patch.op == "delete":
        detach(fields.pop(name))
        return
    stored = adopt(_value(value, resolve), owner, name)
    detach(fields.get(name))
    fields[name] = stored


def _set_item(items: ObservedList, patch: Patch, value: Any, resolve: Resolve) -> None:
    place = patch.path[-1]
    if type(place) is not int or not 0 <= place < list.__len__(items):
        raise IndexError(f"index {place!r} of a list of {list.__len__(items)}")
    stored = adopt(_value(value, resolve), items, place)
    detach(list.__getitem__(items, place))
    list.__setitem__(items, place, stored)


def _splice(items: ObservedList, patch: Patch, value: Any, resolve: Resolve) -> None:
    at, count = patch.at, patch.count
    if at < 0 or count < 0 or at + count > list.__len__(items):
        raise IndexError(f"items {at} to {at + count} of a list of {list.__len__(items)}")
    new = decode(value, resolve, make_set=ordered_set) if value is not None else None
    new = [adopt(item, items, at + place) for place, item in enumerate(new)] if new is not None else []
    if count:
        for item in list.__getitem__(items, slice(at, at + count)):
            detach(item)
    list.__setitem__(items, slice(at, at + count), new)
    items._length += len(new) - count


def _permute(items: ObservedList, patch: Patch, value: Any, resolve: Resolve) -> None:
    order = _value(value, resolve)
    if sorted(order) != list(range(list.__len__(items))):
        raise ValueError(f"{len(order)} indices for a list of {list.__len__(items)}")
    old = list(items)
    list.__setitem__(items, slice(None), [old[place] for place in order])


def _clear_dict(items: ObservedDict, patch: Patch, value: Any, resolve: Resolve) -> None:
    for item in items.values():
        detach(item)
    dict.clear(items)
    items._length = 0


def _set_key(items: ObservedDict, patch: Patch, value: Any, resolve: Resolve) -> None:
    key = _key(patch.path[-1], resolve)
    stored = adopt(_value(value, resolve), items, key)
    if key in items:
        detach(dict.__getitem__(items, key))
    else:
        items._length += 1
    dict.__setitem__(items, key, stored)


def _delete_key(items: ObservedDict, patch: Patch, value: Any, resolve: Resolve) -> None:
    detach(dict.pop(items, _key(patch.path[-1], resolve)))
    items._length -= 1


def _add(items: ObservedSet, patch: Patch, value: Any, resolve: Resolve) -> None:
    member = _value(value, resolve)
    if member in items:
        raise ValueError("the member is there already")
    set.add(items, member)
    items._order[member] = None
    items._length += 1


def _discard(items: ObservedSet, patch: Patch, value: Any, resolve: Resolve) -> None:
    member = _value(value, resolve)
    set.remove(items, member)
    del items._order[member]
    items._length -= 1


def _clear_set(items: ObservedSet, patch: Patch, value: Any, resolve: Resolve) -> None:
    set.clear(items)
    items._order.clear()
    items._length = 0


_CHANGES: Final[Mapping[tuple[str, type], Callable[[Any, Patch, Any, Resolve], None]]] = MappingProxyType(
    {
        ("set", ObservedList): _set_item,
        ("splice", ObservedList): _splice,
        ("permute", ObservedList): _permute,
        ("set", ObservedDict): _set_key,
        ("delete", ObservedDict): _delete_key,
        ("clear", ObservedDict): _clear_dict,
        ("add", ObservedSet): _add,
        ("discard", ObservedSet): _discard,
        ("clear", ObservedSet): _clear_set,
    }
)
