"""The same random operations on stored containers and on plain ones: what the tests of observables are made with.

Owns a record, its transaction and a plain model of both. Never knows how observables work, only what they promise.
"""

from __future__ import annotations

import copy
import operator
import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from promptgrimoire.errors import NotAttached, NoTransaction
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
from promptgrimoire.state.patches import Patch, apply
from promptgrimoire.state.values import Reference, encode, from_form

TORTURE = bool(os.environ.get("GRIMOIRE_TORTURE"))  # the long runs
Choose = Callable[[int], int]
STORED = (ObservedList, ObservedDict, ObservedSet)
KINDS = {ObservedList: list, ObservedDict: dict, ObservedSet: set}


class StoppedError(Exception):
    """The transaction refuses to record."""


def _no_reference(key: str) -> Any:
    raise KeyError(key)


class Log:
    """A transaction that notes what it is told."""

    def __init__(self) -> None:
        self.patches: list[tuple[Patch, bytes | None]] = []
        self.undos: list[Callable[[], object]] = []
        self.copies: list[tuple[Any, bytes, list[Any]]] = []
        self.refuse = False

    def record(
        self,
        owner: Any,
        op: Any,
        path: list[Any],
        value: bytes | None,
        undo: Callable[[], object],
        *,
        at: int = 0,
        count: int = 0,
    ) -> None:
        if self.refuse:
            raise StoppedError
        self.patches.append((Patch(owner._reference(), op, path, at, count), value))
        self.undos.append(undo)

    def copied(self, original: Any, value: bytes, path: list[Any]) -> None:
        self.copies.append((original, value, path))

    def take_back(self, mark: int = 0) -> None:
        for undo in reversed(self.undos[mark:]):
            undo()
        del self.undos[mark:], self.patches[mark:]


class Book(Reference):
    """A record in the manner of Session, Group and Player: named fields, changed in a transaction."""

    def __init__(self, key: str = "p1", **fields: Any) -> None:
        self.key = key
        self.name = f"name of {key}"
        self.log: Log | None = Log()
        self.fields: dict[str, Any] = {name: adopt(value, self, name) for name, value in fields.items()}

    def _reference(self) -> str:
        return self.key

    def _recorder(self) -> Log:
        if self.log is None:
            raise NoTransaction("no transaction is open")
        return self.log

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __setitem__(self, name: str, value: Any) -> None:
        """`record.name = value`, as the records of a session do it."""
        old = self.fields.get(name)
        if value is old:
            return
        stored = adopt(value, self, name)
        try:
            self._recorder().record(self, "set", [name], encode(stored), lambda: self._put_back(name, old, stored))
        except BaseException:
            detach(stored)
            raise
        self.fields[name] = stored
        detach(old)

    def _put_back(self, name: str, old: Any, new: Any) -> None:
        detach(new)
        self.fields[name] = old
        attach(old, self, name)

    def text(self) -> bytes:
        return encode(self.fields)

    def apply(self, patches: list[tuple[Patch, bytes | None]]) -> None:
        """Make recorded changes again, after a way through JSON as in the journal."""
        for patch, value in patches:
            again = msgspec.json.decode(msgspec.json.encode(patch), type=Patch)
            apply(self.fields, self, again, value, lambda key: self)


def contents(container: Any) -> list[Any]:
    """What a container holds, in order."""
    return [part for pair in container.items() for part in pair] if isinstance(container, dict) else list(container)


def containers(value: Any) -> list[Any]:
    """All lists, dicts and sets in a value, itself included."""
    found: list[Any] = []
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (list, dict, set)):
            found.append(part)
            waiting += part.values() if isinstance(part, dict) else part
    return found


def _nothing(_: object) -> None:
    """For operators whose result is the container itself."""


class Snapshot:
    """Containers, stored or plain, with exactly the objects they hold."""

    def __init__(self, roots: list[Any]) -> None:
        seen: dict[int, Any] = {id(part): part for root in roots for part in containers(root)}
        self.kept = [(part, contents(part), getattr(part, "_parent", None)) for part in seen.values()]

    def check(self) -> None:
        for part, held, parent in self.kept:
            now = contents(part)
            assert len(now) == len(held)
            assert all(map(operator.is_, now, held)), f"{now} instead of {held}"
            assert getattr(part, "_parent", None) is parent
            assert consistent(part)

    def restore(self) -> None:
        for part, held, _ in self.kept:
            part.clear()
            if isinstance(part, dict):
                part.update(zip(held[::2], held[1::2], strict=True))
            else:
                part.extend(held) if isinstance(part, list) else part.update(held)


class TwoWorlds:
    """Operations on a record and on its model. `choose(n)` gives a number below n; it decides everything."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.operations = 0
        self.book = Book()
        self.model: dict[str, Any] = {}
        self.held: list[tuple[Any, Any]] = []
        for name in "abc":
            value = self.fresh(3)
            self.book[name] = value
            self.model[name] = copy.deepcopy(value)
        self.replica = Book()
        self.replica.apply(self.log.patches)
        self.book.log = Log()

    @property
    def log(self) -> Log:
        assert self.book.log is not None
        return self.book.log

    # ---------------------------------------------------------------- laws

    def transaction(self) -> None:
        """Some operations, then commit or undo; afterwards everything is as it must be."""
        self.book.log = Log()
        before = self._snapshot()
        for _ in range(1 + self.choose(4)):
            self.operation()
        if self.choose(3) == 0:
            savepoint, mark = self._snapshot(), len(self.log.undos)
            for _ in range(1 + self.choose(4)):
                self.operation()
            self._take_back(savepoint, mark)
            self.operation()
        if self.choose(3) == 0:
            self._take_back(before, 0)
        self.replica.apply(self.log.patches)
        assert self.replica.text() == self.book.text()
        self.check()
        if len(self.book.text()) > 3000:
            self._start_small()

    def check(self) -> None:
        """The stored values equal the model, and each container knows where it is."""
        assert self.book.fields == self.model
        for name, value in self.book.fields.items():
            self._check_types(value, self.model[name])
            for part in containers(value):
                if isinstance(part, STORED):
                    assert consistent(part)
                    owner, path = locate(part)
                    found = self.book.fields
                    for step in path:
                        found = found[from_form(step, _no_reference)]
                    assert owner is self.book
                    assert found is part

    def _check_types(self, stored: Any, plain: Any) -> None:
        if isinstance(plain, (list, dict, set)):
            assert KINDS.get(type(stored)) is type(plain), f"{type(stored)} for {type(plain)}"
            if isinstance(plain, set):
                return  # of 1 and 1.0, set arithmetic may keep either
            for mine, its in zip(contents(stored), contents(plain), strict=True):
                self._check_types(mine, its)
        else:
            assert type(stored) is type(plain)

    def _snapshot(self) -> tuple[Snapshot, Snapshot, list[tuple[Any, Any]], dict[str, Any], bytes]:
        stored = Snapshot([*self.book.fields.values(), *(mine for mine, _ in self.held)])
        plain = Snapshot([*self.model.values(), *(its for _, its in self.held)])
        return stored, plain, list(self.held), dict(self.model), self.book.text()

    def _take_back(
        self, snapshot: tuple[Snapshot, Snapshot, list[tuple[Any, Any]], dict[str, Any], bytes], mark: int
    ) -> None:
        stored, plain, self.held, model, text = snapshot
        self.model = dict(model)
        plain.restore()
        self.log.take_back(mark)
        stored.check()
        assert self.book.text() == text
        self.check()

    def _start_small(self) -> None:
        self.held.clear()
        self.book.log = Log()
        for name in "abc":
            value = self.fresh(2)
            self.book[name] = value
            self.model[name] = copy.deepcopy(value)
        self.replica.apply(self.log.patches)

    # ---------------------------------------------------------------- what is chosen

    def scalar(self) -> Any:
        return (0, 1, 2, 7, True, 1.0, "a", "b", "$", None, Decimal("1.50"), (1, "x"), b"\x00", 2**70)[self.choose(14)]

    def fresh(self, depth: int) -> Any:
        kind = self.choose(6) if depth else 0
        if kind < 2 and depth < 3:
            return self.scalar()
        size = self.choose(5)
        if kind == 5:
            return {self.scalar() for _ in range(size)}
        if kind == 4:
            return {self.scalar(): self.fresh(depth - 1) for _ in range(size)}
        return [self.fresh(depth - 1) for _ in range(size)]

    def target(self) -> tuple[Any, Any]:
        """A container and its twin: from the fields, or one that was got hold of earlier."""
        if self.held and self.choose(4) == 0:
            return self.held[self.choose(len(self.held))]
        names = [name for name in self.book.fields if isinstance(self.book[name], STORED)]
        if not names:
            self._assign()
            return self.target()
        name = names[self.choose(len(names))]
        mine, its = self.book[name], self.model[name]
        while self.choose(3) and not isinstance(its, set):
            keys = list(its) if isinstance(its, dict) else list(range(len(its)))
            keys = [key for key in keys if isinstance(its[key], (list, dict, set))]
            if not keys:
                break
            key = keys[self.choose(len(keys))]
            mine, its = mine[key], its[key]
        return mine, its

    def arguments(self, count: int, old: Any = ()) -> tuple[list[Any], list[Any]]:
        """Values to store and what the model is to hold for them; `old` are the items whose place they take.

        What is taken out of the state, or moved within the operation, comes back as itself; all else is copied.
        """
        stored: list[Any] = []
        plain: list[Any] = []
        used: set[int] = set()
        for _ in range(count):
            if self.choose(4):
                value = self.fresh(2)
                stored.append(value)
                plain.append(copy.deepcopy(value))
                continue
            mine, its = self.target()
            moves = (mine._parent is None or any(mine is item for item in old)) and id(mine) not in used
            used.add(id(mine))
            stored.append(mine)
            plain.append(its if moves else copy.deepcopy(its))
        return stored, plain

    # ---------------------------------------------------------------- operations

    def operation(self) -> None:
        self.operations += 1
        if self.choose(20) == 0:
            self._assign()
            return
        mine, its = self.target()
        kinds: dict[type, tuple[Callable[[Any, Any], Any], ...]] = {
            list: (self._list_items, self._list_slices, self._list_order, self._list_slot, self._iterate),
            dict: (self._dict_items, self._dict_items, self._dict_slot, self._iterate),
            set: (self._set_members, self._set_arithmetic, self._iterate),
        }
        choices = kinds[type(its)]
        choices[self.choose(len(choices))](mine, its)

    def both(self, mine: Any, its: Any, stored: Callable[[Any], Any], plain: Callable[[Any], Any]) -> None:
        """Do it in both worlds and compare; refusals must change nothing."""
        attached = any(its is part for value in self.model.values() for part in containers(value))
        before = self._snapshot() if not attached or self.choose(10) == 0 else None
        self.log.refuse = before is not None
        try:
            result, error = stored(mine), None
        except (NotAttached, StoppedError, Exception) as raised:
            result, error = None, raised
        self.log.refuse = False
        if isinstance(error, (NotAttached, StoppedError)):
            assert before is not None
            assert attached == isinstance(error, StoppedError)
            before[0].check()
            assert self.book.text() == before[4]
            return
        kept = contents(its)
        try:
            expected, expected_error = plain(its), None
        except Exception as raised:
            expected, expected_error = None, raised
            if isinstance(its, list) and "'<' not supported" in str(raised):
                its[:] = kept  # a plain list is left half sorted
        assert type(error) is type(expected_error), f"{error!r} instead of {expected_error!r}"
        assert result == expected
        if isinstance(result, STORED) and result is not mine and len(self.held) < 12:
            self.held.append((result, expected))

    def _assign(self) -> None:
        name = "abc"[self.choose(3)]
        stored, plain = self.arguments(1)
        if stored[0] is self.book[name]:
            plain[0] = self.model[name]
        self.book[name] = stored[0]
        self.model[name] = plain[0]

    def _list_items(self, mine: Any, its: Any) -> None:
        at = self.choose(len(its) + 4) - 2 - (len(its) if self.choose(4) == 0 else 0)
        kind = self.choose(8)
        if kind == 0:
            self.both(mine, its, lambda c: c.pop(at), lambda c: c.pop(at))
        elif kind == 1:
            item = its[self.choose(len(its))] if its and self.choose(3) else self.scalar()
            self.both(mine, its, lambda c: c.remove(item), lambda c: c.remove(item))
        elif kind == 2:
            self.both(mine, its, lambda c: operator.delitem(c, at), lambda c: operator.delitem(c, at))
        elif kind == 3:
            (new,), (copied,) = self.arguments(1)
            if -len(its) <= at < len(its) and new is mine[at]:
                copied = its[at]  # assigned to its own slot
            self.both(mine, its, lambda c: operator.setitem(c, at, new), lambda c: operator.setitem(c, at, copied))
        elif kind == 4:
            (new,), (copied,) = self.arguments(1)
            self.both(mine, its, lambda c: c.insert(at, new), lambda c: c.insert(at, copied))
        elif kind == 5:
            if -len(its) <= at < len(its):  # get hold of it
                self.both(mine, its, lambda c: c[at], lambda c: c[at]) if not self._detached(its) else None
        else:
            (new,), (copied,) = self.arguments(1)
            self.both(mine, its, lambda c: c.append(new), lambda c: c.append(copied))

    def _detached(self, its: Any) -> bool:
        return not any(its is part for value in self.model.values() for part in containers(value))

    def _list_slices(self, mine: Any, its: Any) -> None:
        ends = [None, *range(-len(its) - 1, len(its) + 2)]
        steps = (None, None, 1, 2, 3, -1, -2, 0)
        where = slice(ends[self.choose(len(ends))], ends[self.choose(len(ends))], steps[self.choose(8)])
        kind = self.choose(6)
        if kind == 0:
            self.both(mine, its, lambda c: operator.delitem(c, where), lambda c: operator.delitem(c, where))
        elif kind == 1:
            times = self.choose(4) - 1 if len(its) < 10 else 0
            self.both(mine, its, lambda c: _nothing(c.__imul__(times)), lambda c: self._times(c, times))
        elif kind == 2:
            new, copied = self.arguments(self.choose(4))
            self.both(mine, its, lambda c: c.extend(iter(new)), lambda c: c.extend(copied))
        elif kind == 3:
            places = list(range(*where.indices(len(its)))) if where.step != 0 else []
            size = len(places) if self.choose(3) else self.choose(4)
            old = self._replaced(mine, where, places)
            new, copied = self.arguments(size, old)
            if where.step not in (None, 1) and any(item is other for item in new for other in old):
                return  # which of them is moved and which copied is not promised
            self.both(
                mine, its, lambda c: operator.setitem(c, where, new), lambda c: operator.setitem(c, where, copied)
            )
        elif kind == 4:  # `items[:] = [item for item in items if ...]`
            keep = [place for place in range(len(its)) if self.choose(3)]
            new, copied = [mine[place] for place in keep], [its[place] for place in keep]
            whole = slice(None)
            self.both(
                mine, its, lambda c: operator.setitem(c, whole, new), lambda c: operator.setitem(c, whole, copied)
            )
        else:
            self.both(mine, its, lambda c: c.clear(), lambda c: c.clear())

    @staticmethod
    def _replaced(mine: Any, where: slice, places: list[int]) -> list[Any]:
        if where.step in (None, 1):
            start, stop, _ = where.indices(len(mine))
            return list(mine[start:stop])
        return list(mine[min(places) : max(places) + 1]) if places else []

    @staticmethod
    def _times(items: list[Any], times: int) -> None:
        """`*=`; plain lists repeat the same objects, stored ones copies."""
        original = list(items)
        if times <= 0:
            items.clear()
        for _ in range(times - 1):
            items.extend(copy.deepcopy(original))

    def _list_order(self, mine: Any, its: Any) -> None:
        kind = self.choose(4)
        if kind == 0:
            self.both(mine, its, lambda c: c.reverse(), lambda c: c.reverse())
        elif kind == 1:
            self.both(mine, its, lambda c: c.sort(), lambda c: c.sort())
        else:
            key = (lambda item: len(item) if isinstance(item, (list, dict, set)) else -1, lambda item: 0)[
                self.choose(2)
            ]
            back = bool(self.choose(2))
            self.both(mine, its, lambda c: c.sort(key=key, reverse=back), lambda c: c.sort(key=key, reverse=back))

    def _list_slot(self, mine: Any, its: Any) -> None:
        """`rows[0] += [...]`: changes the inner list and assigns it to its own slot."""
        places = [place for place, item in enumerate(its) if isinstance(item, list)]
        if places:
            self._slot(mine, its, places[self.choose(len(places))])

    def _slot(self, mine: Any, its: Any, key: Any) -> None:
        new, copied = self.arguments(self.choose(3))

        def add(container: Any, items: list[Any]) -> None:
            container[key] += items

        self.both(mine, its, lambda c: add(c, new), lambda c: add(c, copied))

    def _dict_slot(self, mine: Any, its: Any) -> None:
        keys = [key for key, item in its.items() if isinstance(item, list)]
        if keys:
            self._slot(mine, its, keys[self.choose(len(keys))])

    def _dict_items(self, mine: Any, its: Any) -> None:
        key = list(its)[self.choose(len(its))] if its and self.choose(2) else self.scalar()
        if self.choose(20) == 0:
            key = []  # not hashable
        kind = self.choose(9)
        if kind == 0:
            self.both(mine, its, lambda c: c.pop(key), lambda c: c.pop(key))
        elif kind == 1:
            self.both(mine, its, lambda c: operator.delitem(c, key), lambda c: operator.delitem(c, key))
        elif kind == 2:
            self.both(mine, its, lambda c: c.popitem()[1], lambda c: c.popitem()[1])
        elif kind == 3:
            (new,), (copied,) = self.arguments(1)
            if not (type(key) is not list and key in its and self._detached(its)):
                self.both(mine, its, lambda c: c.setdefault(key, new), lambda c: c.setdefault(key, copied))
        elif kind == 4 and self.choose(3) == 0:
            self.both(mine, its, lambda c: c.clear(), lambda c: c.clear())
        elif kind == 5 and type(key) is not list:
            (new, other), (copied, copied_other) = self.arguments(2)
            if mine.get(key) is not new and mine.get("z") is not other:
                pairs, plain = {key: new, "z": other}, {key: copied, "z": copied_other}
                self.both(mine, its, lambda c: _nothing(c.__ior__(pairs)), lambda c: c.update(plain))
        else:
            (new,), (copied,) = self.arguments(1)
            if type(key) is not list and key in its and new is mine[key]:
                copied = its[key]  # assigned to its own slot
            self.both(mine, its, lambda c: operator.setitem(c, key, new), lambda c: operator.setitem(c, key, copied))

    def _set_members(self, mine: Any, its: Any) -> None:
        member = self.scalar()
        kind = self.choose(6)
        if kind == 0:
            self.both(mine, its, lambda c: c.discard(member), lambda c: c.discard(member))
        elif kind == 1:
            self.both(mine, its, lambda c: c.remove(member), lambda c: c.remove(member))
        elif kind == 2:
            last = next(reversed(mine), None) if mine else None
            self.both(mine, its, lambda c: c.pop(), lambda c: c.remove(last) or last)
        elif kind == 3 and self.choose(3) == 0:
            self.both(mine, its, lambda c: c.clear(), lambda c: c.clear())
        else:
            self.both(mine, its, lambda c: c.add(member), lambda c: c.add(member))

    def _set_arithmetic(self, mine: Any, its: Any) -> None:
        other: Any = {self.scalar() for _ in range(self.choose(4))}
        if self.choose(8) == 0:
            other = list(other)
        operators: tuple[Callable[[Any, Any], Any], ...] = (operator.ior, operator.iand, operator.isub, operator.ixor)
        names = ("update", "intersection_update", "difference_update", "symmetric_difference_update")
        which = self.choose(4)
        if self.choose(2):
            change = operators[which]
            self.both(mine, its, lambda c: _nothing(change(c, other)), lambda c: _nothing(change(c, other)))
        else:
            name = names[which]
            self.both(mine, its, lambda c: getattr(c, name)(other), lambda c: getattr(c, name)(other))

    def _iterate(self, mine: Any, its: Any) -> None:
        """Change a container while iterating over it."""
        if self._detached(its):
            return
        when, size, kind = self.choose(3), len(its), self.choose(3)

        def run(container: Any) -> list[Any]:
            seen = []
            for count, item in enumerate(container):
                seen.append(
                    None if isinstance(container, set) else repr(item) if type(item) is str else type(item) is int
                )
                if count >= size + 3:
                    break
                if count == when:
                    if isinstance(container, list):
                        changes = (lambda c: c.append(5), lambda c: c.pop(0), lambda c: c.insert(0, "n"))
                        changes[kind](container)
                    elif isinstance(container, dict):
                        container.update(new=5) if kind else container.clear()
                    else:
                        container.add("new") if kind else container.clear()
            return seen

        self.both(mine, its, run, run)
