"""How a stored list changes: every way a list can be changed, as set, splice or permute, recorded before it is made.

Owns the changes and how they are taken back; never decides whether a value may be stored.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, SupportsIndex

from promptgrimoire.state.observed import Attached, attach, detach, not_attached, recorder_of
from promptgrimoire.state.storable import SCALARS
from promptgrimoire.state.values import encode


class ListChanges(Attached, list[Any]):
    """The mutators of a stored list. Reading is that of `list`."""

    __slots__ = ("_hint", "_length", "_parent")
    _plain = list

    # Every mutator first asks for the recorder (so that a detached list or a missing transaction is refused even
    # where nothing would change), then adopts and encodes, then records, then changes.

    def append(self, item: Any) -> None:
        owner, path, recorder = recorder_of(self)
        at = list.__len__(self)
        undo = partial(_undo_append, self, at)
        if type(item) in SCALARS:
            recorder.record(owner, "splice", path, b"[" + self._encode(item) + b"]", undo, at=at)
            list.append(self, item)
        else:
            stored = self._checked(item, at)
            try:
                text = self._encode(stored)
                recorder.record(owner, "splice", path, b"[" + text + b"]", undo, at=at)
            except BaseException:
                detach(stored)
                raise
            list.append(self, stored)
            if stored is not item:
                recorder.copied(item, text, [*path, at])
        self._length += 1

    def extend(self, items: Iterable[Any]) -> None:
        new = list(items)  # first: iterating may change this list
        self._splice(list.__len__(self), 0, new)

    def __iadd__(self, items: Iterable[Any]) -> Any:  # type: ignore[misc]
        new = list(items)  # first: iterating may change this list
        self._splice(list.__len__(self), 0, new)
        return self

    def __imul__(self, times: SupportsIndex) -> Any:
        factor = _index(times, f"can't multiply sequence by non-int of type '{type(times).__name__}'")
        if factor <= 0:
            self._splice(0, list.__len__(self), [])
        else:
            self._splice(list.__len__(self), 0, list(self) * (factor - 1))
        return self

    def insert(self, index: SupportsIndex, item: Any) -> None:
        length = list.__len__(self)
        at = _index(index, f"'{type(index).__name__}' object cannot be interpreted as an integer")
        at = min(at, length) if at >= 0 else max(at + length, 0)
        self._splice(at, 0, [item])

    def pop(self, index: SupportsIndex = -1) -> Any:
        length = list.__len__(self)
        at = _index(index, f"'{type(index).__name__}' object cannot be interpreted as an integer")
        if not length:
            raise IndexError("pop from empty list")
        at = _within(at, length, "pop index out of range")
        item = list.__getitem__(self, at)
        self._splice(at, 1, [])
        return item

    def remove(self, item: Any) -> None:
        try:
            at = list.index(self, item)
        except ValueError:
            raise ValueError("list.remove(x): x not in list") from None
        self._splice(at, 1, [])

    def clear(self) -> None:
        self._splice(0, list.__len__(self), [])

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            self._set_slice(index, value)
            return
        at = _index(index, f"list indices must be integers or slices, not {type(index).__name__}")
        at = _within(at, list.__len__(self), "list assignment index out of range")
        owner, path, recorder = recorder_of(self)
        old = list.__getitem__(self, at)
        if value is old and isinstance(value, Attached):
            return  # `rows[0] += [1]` ends with assigning the inner list to its own slot
        stored = value if type(value) in SCALARS else self._checked(value, at)
        try:
            text = self._encode(stored)
            recorder.record(owner, "set", [*path, at], text, partial(_undo_set, self, at, old, stored))
        except BaseException:
            detach(stored)
            raise
        list.__setitem__(self, at, stored)
        detach(old)
        if stored is not value:
            recorder.copied(value, text, [*path, at])

    def __delitem__(self, index: Any) -> None:
        if isinstance(index, slice):
            start, stop, step = index.indices(list.__len__(self))
            if step == 1:
                self._splice(start, max(stop - start, 0), [])
            else:
                left = list(self)
                del left[index]
                self._replace_span(range(start, stop, step), left)
            return
        at = _index(index, f"list indices must be integers or slices, not {type(index).__name__}")
        at = _within(at, list.__len__(self), "list assignment index out of range")
        self._splice(at, 1, [])

    def sort(self, *, key: Callable[[Any], Any] | None = None, reverse: bool = False) -> None:
        """As `list.sort`, but a comparison that raises leaves the list as it was."""
        before = list(self)
        keys = before if key is None else [key(item) for item in before]
        order = sorted(range(len(before)), key=keys.__getitem__, reverse=reverse)
        if len(before) != list.__len__(self) or not all(map(operator.is_, before, self)):
            raise ValueError("list modified during sort")
        self._permute(order)

    def reverse(self) -> None:
        self._permute(list(range(list.__len__(self) - 1, -1, -1)))

    # ---------------------------------------------------------------- the primitives

    def _splice(self, at: int, count: int, items: list[Any]) -> None:
        """Put `items` in the place of the `count` items from `at` on."""
        owner, path, recorder = recorder_of(self)
        old = list.__getitem__(self, slice(at, at + count))
        if not old and not items:
            return
        stored: list[Any] = []
        try:
            keep = {id(item): item for item in old if isinstance(item, Attached)} if items else {}
            for item in items:
                if type(item) in SCALARS or keep.pop(id(item), None) is not None:
                    stored.append(item)  # what is only moved within the list stays what it is
                else:
                    stored.append(self._checked(item, at + len(stored)))
            text = self._encode(stored) if items else None
            recorder.record(
                owner, "splice", path, text, partial(_undo_splice, self, at, old, stored), at=at, count=count
            )
        except BaseException:
            for item in stored:
                if not _among(item, old):
                    detach(item)
            raise
        _exchange(self, at, old, stored)
        for place, item in enumerate(stored):
            if item is not items[place]:
                recorder.copied(items[place], encode(item), [*path, at + place])

    def _set_slice(self, index: slice, value: Any) -> None:
        start, stop, step = index.indices(list.__len__(self))
        try:
            items = list(value)
        except TypeError:
            if hasattr(type(value), "__iter__"):
                raise
            extended = "must assign iterable to extended slice"
            raise TypeError("can only assign an iterable" if step == 1 else extended) from None
        # Iterating may have changed the list. Python 3.13 looks at the length only then, older ones before.
        start, stop, step = index.indices(list.__len__(self))
        if step == 1:
            self._splice(start, max(stop - start, 0), items)
            return
        places = range(start, stop, step)
        if len(places) != len(items):
            raise ValueError(f"attempt to assign sequence of size {len(items)} to extended slice of size {len(places)}")
        result = list(self)
        result[index] = items
        self._replace_span(places, result)

    def _replace_span(self, places: range, result: list[Any]) -> None:
        """Make this `result`, which differs only at some of `places`, by one splice over all of them."""
        if not places:
            recorder_of(self)
            return
        first, last = min(places[0], places[-1]), max(places[0], places[-1])
        shrunk = list.__len__(self) - len(result)
        self._splice(first, last - first + 1, result[first : last + 1 - shrunk])

    def _permute(self, order: list[int]) -> None:
        owner, path, recorder = recorder_of(self)
        old = list(self)
        if order == list(range(len(old))):
            return
        recorder.record(owner, "permute", path, encode(order), partial(_undo_permute, self, old))
        list.__setitem__(self, slice(None), [old[place] for place in order])
        # The children's hints are wrong now; each finds its place again when it next changes.

    # ---------------------------------------------------------------- what containers have in common

    def _step_to(self, child: Attached) -> int:
        hint: int = child._hint
        if type(hint) is int and hint < list.__len__(self) and list.__getitem__(self, hint) is child:
            return hint
        for place, item in enumerate(self):
            if item is child:
                child._hint = place
                return place
        child._parent = None  # C code took it out
        raise not_attached(child)

    def _content(self) -> list[Any]:
        return list(self)

    def _size(self) -> int:
        return list.__len__(self)


def _exchange(items: ListChanges, at: int, old: list[Any], new: list[Any]) -> None:
    list.__setitem__(items, slice(at, at + len(old)), new)
    items._length += len(new) - len(old)
    for item in old:
        detach(item)
    for place, item in enumerate(new):
        attach(item, items, at + place)


def _undo_append(items: ListChanges, at: int) -> None:
    detach(list.pop(items, at))
    items._length -= 1


def _undo_splice(items: ListChanges, at: int, old: list[Any], new: list[Any]) -> None:
    _exchange(items, at, new, old)


def _undo_set(items: ListChanges, at: int, old: Any, new: Any) -> None:
    list.__setitem__(items, at, old)
    detach(new)
    attach(old, items, at)


def _undo_permute(items: ListChanges, old: list[Any]) -> None:
    list.__setitem__(items, slice(None), old)


def _among(item: Any, items: list[Any]) -> bool:
    return isinstance(item, Attached) and any(item is other for other in items)


def _index(index: Any, message: str) -> int:
    try:
        return operator.index(index)
    except TypeError:
        raise TypeError(message) from None


def _within(at: int, length: int, message: str) -> int:
    if at < 0:
        at += length
    if not 0 <= at < length:
        raise IndexError(message)
    return at
