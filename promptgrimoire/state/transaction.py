"""One transaction: gathers patches and sends, undoes them, hands them over as the parts of an entry.

No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from sys import exc_info
from typing import TYPE_CHECKING, Any

import msgspec

from promptgrimoire.context import this_thread
from promptgrimoire.errors import JournalDamaged, OriginalChanged
from promptgrimoire.state.observables import adopt
from promptgrimoire.state.observed import attach, consistent, detach
from promptgrimoire.state.patches import Operation, Patch
from promptgrimoire.state.values import SCALARS, Reference, encode

if TYPE_CHECKING:
    from promptgrimoire.state.records import Record
    from promptgrimoire.state.session_state import SessionState

MISSING = object()


class Write(msgspec.Struct):
    """One recorded change and how to take it back."""

    patch: Patch
    value: bytes
    undo: Callable[[], object]
    handling: BaseException | None  # the exception that was being handled when this was written


class Said(msgspec.Struct):
    """One message, held back until the transaction is durable. `what` is opaque here; `data` is its JSON."""

    what: Any
    data: bytes
    handling: BaseException | None


class Transaction:
    """Opened by the session's host while author code is being stepped; there is at most one per session.

    `begun` are callables to run once it has been committed (tasks, timers and calls started in it). `lost` are clean-up
    writes that could not be kept; `spoiled` says that a container was changed in a way that nothing can take back.
    """

    __slots__ = (
        "_begun",
        "app",
        "begun",
        "lost",
        "originals",
        "outer",
        "round",
        "said",
        "spoiled",
        "state",
        "thread",
        "touched",
        "writes",
    )

    def __init__(self, state: SessionState, app: str = "", round: int = 0) -> None:
        self.state = state
        self.thread = this_thread()  # the only one that may write here
        self.app = app
        self.round = round
        self.writes: list[Write] = []
        self.said: list[Said] = []
        self.begun: list[Callable[[], object]] = []
        self._begun: list[tuple[BaseException | None, Callable[[], object] | None]] = []  # beside `begun`
        self.lost: list[Patch] = []
        self.spoiled = False
        self.originals: list[tuple[Any, bytes, str, str, BaseException | None]] = []
        self.touched: list[Any] = []
        self.outer = exc_info()[1]  # being handled by our caller, not by the author

    # ---------------------------------------------------------------- writing

    def assign(self, record: Record, name: str, value: Any) -> None:
        """`record.name = value`. Raises NotStorable before anything changed."""
        fields = record._fields
        old = fields.get(name, MISSING)
        if type(value) in SCALARS:
            text = encode(value)
            stored = value
        elif value is old and not isinstance(value, Reference):
            return  # `player.items += [1]` ends with assigning the list to its own slot
        else:
            stored = adopt(value, record, name)
            text = encode(stored)
            if stored is not value:
                self.originals.append((value, text, name, self.state.lines.here(), self._handling()))
        if old is MISSING:
            undo: Callable[[], object] = partial(fields.pop, name, None)
        else:
            undo = partial(_put_back, record, name, old)
        self.record(record, "set", [name], text, undo)
        if type(old) not in SCALARS:
            detach(old)
        fields[name] = stored

    def remove(self, record: Record, name: str) -> None:
        """`del record.name`; the field must exist."""
        old = record._fields[name]
        self.record(
            record, "delete", [name], None, partial(_put_back_in_order, record, dict(record._fields), name, old)
        )
        detach(old)
        del record._fields[name]

    def record(
        self,
        owner: Any,
        op: Operation,
        path: list[Any],
        value: bytes | None,
        undo: Callable[[], object],
        *,
        at: int = 0,
        count: int = 0,
    ) -> None:
        """Note a change that is about to be made (the Recorder of observables)."""
        place = owner._place(self)
        field = path[0]
        if owner._written.get(field) != place:
            undo = partial(_both, undo, owner._turn_page(field, *place))
        app, round = place
        patch = Patch(owner._key, op, path, at, count, app, round, self.state.lines.here(3))
        handling = exc_info()[1]
        if handling is self.outer:
            handling = None
        self.writes.append(Write(patch, b"null" if value is None else value, undo, handling))
        if op != "set" or len(path) > 1:
            self.touched.append((owner, field))

    def copied(self, original: Any, value: bytes, path: list[Any]) -> None:
        """A copy of `original`, which read `value`, was stored inside a container (see `check`)."""
        self.originals.append((original, value, str(path[0]), self.state.lines.here(), self._handling()))

    def _handling(self) -> BaseException | None:
        """The exception that the author's code is handling now."""
        handling = exc_info()[1]
        return None if handling is self.outer else handling

    def say(self, what: Any, data: bytes) -> None:
        """Hold a message back until this transaction is durable."""
        handling = exc_info()[1]
        self.said.append(Said(what, data, None if handling is self.outer else handling))

    def begin(self, function: Callable[[], object], forget: Callable[[], object] | None = None) -> None:
        """Call `function` once this is committed; `forget` where it is undone instead."""
        handling = exc_info()[1]
        self.begun.append(function)
        self._begun.append((None if handling is self.outer else handling, forget))

    def did(self, undo: Callable[[], object]) -> None:
        """Register how to take back a change that is not part of the state (an index)."""
        self.writes.append(Write(Patch("", "set", []), b"", undo, None))

    # ---------------------------------------------------------------- ending

    def check(self) -> None:
        """Before a commit: raises OriginalChanged where an assigned container was changed afterwards."""
        for original, text, name, line, _ in self.originals:
            if encode(original) != text:
                kind = type(original).__name__
                raise OriginalChanged(
                    f"{line}: '{name}' was assigned a {kind}, and that {kind} was changed afterwards; the change is "
                    f"not part of the state, which holds a copy. Change the stored one: write `….{name}` where you "
                    "change it, or assign after the last change."
                )
        for owner, field in self.touched:
            container = owner._fields.get(field)
            if container is not None and not consistent(container):
                self.spoiled = True
                raise OriginalChanged(
                    f"'{field}' of {owner!r} was changed by code that bypasses its methods (heapq and bisect.insort do "
                    "so). "
                    f"Change a copy and assign it: `items = list(….{field}); heapq.heappush(items, x); ….{field} = "
                    "items`."
                )

    def mark(self) -> tuple[int, int, int, int]:
        """A savepoint for `back_to`; savepoints nest."""
        return len(self.writes), len(self.said), len(self.begun), len(self.originals)

    def back_to(self, mark: tuple[int, int, int, int]) -> None:
        """Take back everything since `mark`."""
        writes, said, begun, originals = mark
        for write in reversed(self.writes[writes:]):
            write.undo()
        for _, forget in self._begun[begun:]:
            if forget is not None:
                forget()
        del self.writes[writes:], self.said[said:], self.originals[originals:]
        del self.begun[begun:], self._begun[begun:]

    def undo(self, error: BaseException | None = None) -> None:
        """Take everything back, except what was written, said or begun while `error` was being handled."""
        handled = _chain(error) if error is not None else set()
        kept = _keepable(self.writes, handled) if handled else []
        originals = [one for one in self.originals if one[-1] is not None and id(one[-1]) in handled]
        said = [one for one in self.said if one.handling is not None and id(one.handling) in handled]
        begun = [
            (function, about)
            for function, about in zip(self.begun, self._begun, strict=True)
            if about[0] is not None and id(about[0]) in handled
        ]
        if begun:
            going_on = {id(about) for _, about in begun}
            self._begun = [(None, None) if id(about) in going_on else about for about in self._begun]
        self.back_to((0, 0, 0, 0))
        self.touched.clear()
        self.said, self.originals = said, originals
        self.begun, self._begun = [function for function, _ in begun], [about for _, about in begun]
        if kept:
            self._write_again(kept)

    def _write_again(self, kept: list[tuple[Write, bool]]) -> None:
        """Make clean-up writes once more, now that all else has been taken back."""
        state = self.state
        keys = {write.patch.record for write, _ in kept}
        known = set(state.records)
        before = {key: state.snapshot(key) for key in keys if key in known}
        put_back = partial(state.put_back, before, known)
        undo: Callable[[], object] = put_back
        for write, fits in kept:
            try:
                if not fits:
                    raise JournalDamaged("the container is another one, or has been changed, in the part that failed")
                state.apply(write.patch, write.value)
            except JournalDamaged:
                self.lost.append(write.patch)
                continue
            self.writes.append(Write(write.patch, write.value, undo, None))
            undo = _nothing
        if not self.writes:
            put_back()
        elif any(key.startswith("!p") for key in keys):
            state.reindex()

    def patches(self) -> tuple[list[Patch], list[bytes]]:
        """What changed, and the values beside it."""
        patches, values = [], []
        for write in self.writes:
            if write.value:  # else it is only how to take back what is not part of the state
                patches.append(write.patch)
                values.append(write.value)
        return patches, values


def _chain(error: BaseException) -> set[int]:
    """The exception and those during whose handling it was raised."""
    found: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in found:
        found.add(id(link))
        link = link.__context__
    return found


def _keepable(writes: list[Write], handled: set[int]) -> list[tuple[Write, bool]]:
    """What was written while handling one of these exceptions, and whether what it changes will be as it was."""
    found: list[tuple[Write, bool]] = []
    undone: dict[tuple[str, Any], list[Patch]] = {}  # since the field was last set as a whole
    for write in writes:
        patch = write.patch
        if not patch.path:
            continue
        field = patch.record, patch.path[0]
        if write.handling is None or id(write.handling) not in handled:
            undone.setdefault(field, []).append(patch)
            continue
        if patch.op == "set" and len(patch.path) == 1:
            undone.pop(field, None)
            found.append((write, True))
            continue
        fits = not any(_disturbs(earlier, patch) for earlier in undone.get(field, ()))
        if not fits:
            undone[field].append(patch)
        found.append((write, fits))
    return found


def _disturbs(undone: Patch, kept: Patch) -> bool:
    """Whether the container that `kept` changes is another one, or has other positions, without `undone`."""
    path = undone.path
    container = kept.path[:-1] if kept.op in ("set", "delete") else kept.path
    if container[: len(path)] != path:
        return False
    if undone.op in ("set", "delete", "splice", "permute"):
        return True
    return undone.op == "clear" and len(container) > len(path)


def _put_back(record: Record, name: str, old: Any) -> None:
    detach(record._fields.get(name))
    record._fields[name] = old
    attach(old, record, name)


def _put_back_in_order(record: Record, fields: dict[str, Any], name: str, old: Any) -> None:
    record._fields.clear()
    record._fields.update(fields)
    attach(old, record, name)


def _both(first: Callable[[], object], second: Callable[[], object]) -> None:
    first()
    second()


def _nothing() -> None:
    """A kept clean-up write is not taken back again."""
