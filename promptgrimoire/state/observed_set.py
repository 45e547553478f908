"""How a stored set changes: every way a set can be changed, as add, discard or clear, recorded before it is made.

Owns the order of insertion, which a plain set has not; never decides whether a value may be stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

from promptgrimoire.state.observed import Attached, Recorder, place_of, put_at, recorder_of
from promptgrimoire.state.values import members as in_order


class SetChanges(Attached, set[Any]):
    """The mutators of a stored set. Reading is that of `set`, but iterates in the order of insertion.

    Results of set arithmetic are plain sets.
    """

    __slots__ = ("_hint", "_length", "_order", "_parent")
    _plain = set
    _order: dict[Any, None]

    def __iter__(self) -> Any:
        return iter(self._order)

    def __reversed__(self) -> Any:
        return reversed(self._order)

    def __repr__(self) -> str:
        return "{" + ", ".join(map(repr, self._order)) + "}" if self._order else "set()"

    def add(self, member: Any) -> None:
        hash(member)
        self._add([member])

    def update(self, *others: Iterable[Any]) -> None:
        self._add([member for other in others for member in list(in_order(other))])

    def __ior__(self, other: AbstractSet[Any]) -> Any:  # type: ignore[misc]
        if not isinstance(other, AbstractSet):
            return NotImplemented
        self._add(list(in_order(other)))
        return self

    def discard(self, member: Any) -> None:
        if isinstance(member, set):
            member = frozenset(member)  # as a plain set does
        self._discard([member] if member in self else [])

    def remove(self, member: Any) -> None:
        if isinstance(member, set):
            member = frozenset(member)
        if member not in self:
            raise KeyError(member)
        self._discard([member])

    def pop(self) -> Any:
        """Remove and return the member that was added last (a plain set gives any)."""
        if not self._order:
            raise KeyError("pop from an empty set")
        member = next(reversed(self._order))
        self._discard([member])
        return member

    def clear(self) -> None:
        owner, path, recorder = recorder_of(self)
        if not self._order:
            return
        recorder.record(owner, "clear", path, None, partial(_undo_clear, self, list(self._order)))
        set.clear(self)
        self._order.clear()
        self._length = 0

    def difference_update(self, *others: Iterable[Any]) -> None:
        gone = set().union(*others)
        self._discard([member for member in self._order if member in gone])

    def __isub__(self, other: AbstractSet[Any]) -> Any:  # type: ignore[misc]
        if not isinstance(other, AbstractSet):
            return NotImplemented
        self.difference_update(other)
        return self

    def intersection_update(self, *others: Iterable[Any]) -> None:
        kept = set(self).intersection(*others)
        self._discard([member for member in self._order if member not in kept])

    def __iand__(self, other: AbstractSet[Any]) -> Any:  # type: ignore[misc]
        if not isinstance(other, AbstractSet):
            return NotImplemented
        self.intersection_update(other)
        return self

    def symmetric_difference_update(self, other: Iterable[Any]) -> None:
        others = dict.fromkeys(in_order(other))
        both = [member for member in self._order if member in others]
        new = [member for member in others if member not in self]
        self._texts(new)  # refuses before anything is discarded
        self._discard(both)
        self._add(new)

    def __ixor__(self, other: AbstractSet[Any]) -> Any:  # type: ignore[misc]
        if not isinstance(other, AbstractSet):
            return NotImplemented
        self.symmetric_difference_update(other)
        return self

    # ---------------------------------------------------------------- the primitives

    def _add(self, items: list[Any]) -> None:
        """Add each member that is not there yet; nothing is added if one of them cannot be stored."""
        owner, path, recorder = recorder_of(self)
        new = dict.fromkeys(member for member in items if member not in self)
        for member, text in zip(new, self._texts(new), strict=True):
            recorder.record(owner, "add", path, text, partial(_undo_add, self, member))
            set.add(self, member)
            self._order[member] = None
            self._length += 1

    def _texts(self, new: Iterable[Any]) -> list[bytes]:
        for member in new:
            self._check_key(member)
        return [self._encode(member) for member in new]

    def _discard(self, items: list[Any]) -> None:
        """Remove members that are there."""
        owner, path, recorder = recorder_of(self)
        for member in items:
            self._discard_one(owner, path, recorder, member)

    def _discard_one(self, owner: Any, path: list[Any], recorder: Recorder, member: Any) -> None:
        place = place_of(self._order, member)
        own = member if type(member) is str else list(self._order)[place]  # 1 where 1.0 or True was asked for
        recorder.record(owner, "discard", path, self._encode(own), partial(_undo_discard, self, place, own))
        set.discard(self, own)
        del self._order[own]
        self._length -= 1

    # ---------------------------------------------------------------- what containers have in common

    def _content(self) -> list[Any]:
        return list(self._order)

    def _size(self) -> int:
        return set.__len__(self)


def _undo_add(items: SetChanges, member: Any) -> None:
    set.discard(items, member)
    del items._order[member]
    items._length -= 1


def _undo_discard(items: SetChanges, place: int, member: Any) -> None:
    set.add(items, member)
    put_at(items._order, place, member, None)
    items._length += 1


def _undo_clear(items: SetChanges, order: list[Any]) -> None:
    items._order.update(dict.fromkeys(order))
    set.update(items, order)
    items._length = len(order)
