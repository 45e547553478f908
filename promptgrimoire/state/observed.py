"""What stored lists, dicts and sets have in common: where they hang, who records their changes, when they may change.

Owns the chain from a container up to its record; never changes what a container holds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex

from promptgrimoire.errors import NotAttached, NotStorable, OriginalChanged
from promptgrimoire.state.storable import SCALARS, Observed
from promptgrimoire.state.values import encode

if TYPE_CHECKING:
    from promptgrimoire.state.patches import Operation


class Recorder(Protocol):
    """The open transaction, as containers see it."""

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
        """Note a change that is about to be made. If this raises, the change is not made.

        `undo` takes it back, provided that everything changed since has been taken back.
        """

    def copied(self, original: Any, value: bytes, path: list[Any]) -> None:
        """Note that a copy of `original`, which read `value` at that moment, has been stored at `path`."""


class Owner(Protocol):
    """The record that a container belongs to."""

    def _recorder(self) -> Recorder:
        """The open transaction; raises NoTransaction where there is none."""

    def _reference(self) -> str:
        """The record's key, for messages."""


class Attached(Observed):
    """Base of the three observed containers.

    `_parent` is the container or record that holds this one, None once it has been taken out. `_hint` is its
    field, dict key or (last known) list index there. `_length` is the length that all recorded changes lead to.
    """

    __slots__ = ()
    _parent: Any
    _hint: Any
    _length: int

    def _step_to(self, child: Attached) -> Any:
        """The element that leads to a child in the path of a patch."""
        raise NotImplementedError

    def _content(self) -> Any:
        """What this holds, in order, in a new plain list or dict."""
        raise NotImplementedError

    def _size(self) -> int:
        """The length according to C, whatever was recorded."""
        raise NotImplementedError

    def _adopt(self, value: Any, hint: Any) -> Any:
        """See `promptgrimoire.state.observables.adopt`; the value becomes a part of this container."""
        raise NotImplementedError

    def __new__(cls, *args: Any, **named: Any) -> Any:
        """Libraries that rebuild a container by its type get a plain one; stored ones are made by `adopt`."""
        return cls._plain(*args, **named)

    def __copy__(self) -> Any:
        return self._plain(self._content())

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self._plain(copy.deepcopy(self._content(), memo))

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return self._plain, (self._content(),)

    def _check_key(self, key: Any) -> None:
        """Raises NotStorable for what cannot be a dict key or a member."""
        raise NotImplementedError

    def _encode(self, value: Any) -> bytes:
        try:
            return encode(value)
        except NotStorable as error:
            raise located(self, error) from None

    def _checked(self, value: Any, hint: Any) -> Any:
        try:
            return self._adopt(value, hint)
        except NotStorable as error:
            raise located(self, error) from None


def attach(value: Any, parent: Any, hint: Any) -> None:
    """Tell a stored container where it hangs. Does nothing for other values."""
    if isinstance(value, Attached):
        value._parent = parent
        value._hint = hint


def detach(value: Any) -> None:
    """Tell a stored container that it has been taken out: changing it raises from now on. Nothing for other values."""
    if isinstance(value, Attached):
        value._parent = None


def consistent(value: Any) -> bool:
    """Whether a stored container is as long as its recorded changes have made it. True for other values.

    Notices C code that grew or shrank a list, dict or set without calling its methods (`heapq.heappush`,
    `heapq.heappop`, `list.append(stored, x)`). Does not notice what keeps the length (`heapq.heapify`,
    `heapq.heapreplace`), nor changes further inside: those are noticed when the inner container is next changed, and
    by `consistent_throughout`.
    """
    return not isinstance(value, Attached) or value._size() == value._length


def consistent_throughout(value: Any) -> bool:
    """The same of a value and all that is inside it; looks at each part of it."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if not consistent(found):
            return False
        if isinstance(found, dict):
            waiting.extend(part for part in dict.values(found) if type(part) not in SCALARS)
        elif isinstance(found, list | tuple):
            waiting.extend(part for part in found if type(part) not in SCALARS)
    return True


def locate(container: Attached) -> tuple[Any, list[Any]]:
    """The record that a container belongs to, and the path that leads from the record to it.

    Raises NotAttached where it was taken out, OriginalChanged where its length was changed behind its back.
    """
    if container._size() != container._length:
        raise OriginalChanged(
            f"{_describe(container)} was changed by code that bypasses its methods (heapq does so). "
            "Change a copy and store that: items = list(stored); heapq.heappush(items, x); stored[:] = items"
        )
    path: list[Any] = []
    node = container
    while True:
        parent = node._parent
        if isinstance(parent, Attached):
            path.append(parent._step_to(node))
            node = parent
        elif parent is None:
            raise not_attached(container)
        else:
            path.append(node._hint)
            path.reverse()
            return parent, path


def recorder_of(container: Attached) -> tuple[Any, list[Any], Recorder]:
    """Record, path and open transaction for a change of this container; raises what stands against the change."""
    owner, path = locate(container)
    return owner, path, owner._recorder()


def not_attached(container: Attached) -> NotAttached:
    return NotAttached(
        f"{_describe(container)} is no longer part of the stored state: it, or what holds it, was taken out or "
        "replaced, and changing it would be lost. Get it again from where it is stored now, store it again before "
        f"changing it, or change a copy: {container._plain.__name__}(...)"
    )


def _describe(container: Attached) -> str:
    steps: list[str] = []
    node = container
    while True:
        parent = node._parent
        outermost = not isinstance(parent, Attached)
        named = outermost and isinstance(node._hint, str) and node._hint.isidentifier()
        steps.append(str(node._hint) if named else f"[{node._hint!r}]")
        if outermost:
            break
        node = parent
    content = repr(container)
    short = content if len(content) <= 60 else content[:57] + "..."
    return f"the {container._plain.__name__} `{''.join(reversed(steps))}` ({short})"


def located(container: Attached, error: NotStorable) -> NotStorable:
    """The same refusal, saying into which container the value was to be stored."""
    return NotStorable(f"into {_describe(container)}: {error}")


def place_of(items: Iterable[Any], key: Any) -> int:
    """The position of a dict key or member in insertion order; the ends are found at once."""
    keys = list(items)
    return len(keys) - 1 if keys[-1] is key else keys.index(key)


def put_at(items: dict[Any, Any], place: int, key: Any, value: Any) -> None:
    """Put a key into a dict at a position of its insertion order."""
    behind = [(later, dict.__getitem__(items, later)) for later in list(dict.__iter__(items))[place:]]
    for later, _ in behind:
        dict.__delitem__(items, later)
    dict.__setitem__(items, key, value)
    for later, kept in behind:
        dict.__setitem__(items, later, kept)
