"""How a stored dict changes: every way a dict can be changed, as set, delete or clear, recorded before it is made.

Owns the changes and how they are taken back, the order of keys included; never decides whether a value may be stored.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from promptgrimoire.state.observed import (
    Attached,
    attach,
    detach,
    place_of,
    put_at,
    recorder_of,
)
from promptgrimoire.state.storable import SCALARS
from promptgrimoire.state.values import form

_MISSING = object()


class DictChanges(Attached, dict[Any, Any]):
    """The mutators of a stored dict. Reading is that of `dict`."""

    __slots__ = ("_hint", "_length", "_parent")
    _plain = dict

    def __setitem__(self, key: Any, value: Any) -> None:
        self._set({key: value})  # raises TypeError for what is not hashable, as a plain dict does

    def _set(self, new: dict[Any, Any]) -> None:
        """Set keys, each a change of its own; none is set if one of keys and values cannot be stored."""
        owner, path, recorder = recorder_of(self)
        prepared: list[tuple[Any, Any, Any, Any, bytes]] = []
        done = 0
        try:
            for key, value in new.items():
                if isinstance(value, Attached) and value is dict.get(self, key):
                    continue  # `votes["a"] += [1]` ends with assigning the inner list to its own slot
                step = key if type(key) is str and key.isascii() else self._key_form(key)
                stored = value if type(value) in SCALARS else self._checked(value, key)
                prepared.append((key, value, step, stored, b""))
                prepared[-1] = (key, value, step, stored, self._encode(stored))
            for key, _, step, stored, text in prepared:
                old = dict.get(self, key, _MISSING)
                recorder.record(owner, "set", [*path, step], text, partial(_undo_set, self, key, old, stored))
                dict.__setitem__(self, key, stored)
                done += 1
                if old is _MISSING:
                    self._length += 1
                else:
                    detach(old)
        except BaseException:
            for _, _, _, stored, _ in prepared[done:]:
                detach(stored)
            raise
        for _, value, step, stored, text in prepared:
            if stored is not value:
                recorder.copied(value, text, [*path, step])

    def _key_form(self, key: Any) -> Any:
        self._check_key(key)
        return form(key)

    def __delitem__(self, key: Any) -> None:
        if key not in self:
            raise KeyError(key)
        self._delete(key)

    def _delete(self, key: Any) -> None:
        owner, path, recorder = recorder_of(self)
        old = dict.__getitem__(self, key)
        place = place_of(self, key)
        key = self._own_key(place, key)
        step = key if type(key) is str else form(key)
        recorder.record(owner, "delete", [*path, step], None, partial(_undo_delete, self, place, key, old))
        dict.__delitem__(self, key)
        self._length -= 1
        detach(old)

    def _own_key(self, place: int, key: Any) -> Any:
        """The key as it is stored: 1 where 1.0 or True was asked for."""
        return key if type(key) is str else list(self)[place]

    def pop(self, key: Any, default: Any = _MISSING) -> Any:
        if not self or key not in self:  # an empty dict does not even hash the key
            if default is _MISSING:
                raise KeyError(key)
            recorder_of(self)
            return default
        value = dict.__getitem__(self, key)
        self._delete(key)
        return value

    def popitem(self) -> tuple[Any, Any]:
        if not self:
            raise KeyError("popitem(): dictionary is empty")
        key = next(reversed(self))
        value = dict.__getitem__(self, key)
        self._delete(key)
        return key, value

    def clear(self) -> None:
        owner, path, recorder = recorder_of(self)
        if not self:
            return
        old = dict(self)
        recorder.record(owner, "clear", path, None, partial(_undo_clear, self, old))
        dict.clear(self)
        self._length -= len(old)
        for value in old.values():
            detach(value)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return dict.__getitem__(self, key)

    def update(self, *args: Any, **named: Any) -> None:
        """As `dict.update`; nothing is changed if one of the keys or values cannot be stored."""
        new: dict[Any, Any] = {}
        new.update(*args, **named)
        self._set(new)

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]
        self.update(other)
        return self

    # ---------------------------------------------------------------- what containers have in common

    def _step_to(self, child: Attached) -> Any:
        key = child._hint
        return key if type(key) is str else form(key)

    def _content(self) -> dict[Any, Any]:
        return dict(self)

    def _size(self) -> int:
        return dict.__len__(self)


def _undo_set(items: DictChanges, key: Any, old: Any, new: Any) -> None:
    detach(new)
    if old is _MISSING:
        dict.__delitem__(items, key)
        items._length -= 1
    else:
        dict.__setitem__(items, key, old)
        attach(old, items, key)


def _undo_delete(items: DictChanges, place: int, key: Any, old: Any) -> None:
    put_at(items, place, key, old)
    items._length += 1
    attach(old, items, key)


def _undo_clear(items: DictChanges, old: dict[Any, Any]) -> None:
    dict.update(items, old)
    items._length += len(old)
    for key, value in old.items():
        attach(value, items, key)
