"""`@live`: page methods that the browser calls.

Owns the decorator and `LiveMethod`, a method with its options and its way from JSON arguments to Python ones.
Never runs a method (runtime.host does); what arguments are is in arguments.py.
"""

from __future__ import annotations

import dis
import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import msgspec

from promptgrimoire.authoring.arguments import Arguments, Resolve
from promptgrimoire.errors import AuthorError

_Function = TypeVar("_Function", bound=Callable[..., Any])
_MARK = "__grimoire_live__"


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What `@live(...)` says. `rate` is calls per second and player; `deadline` seconds, None for none."""

    concurrent: bool = False
    rate: float | None = None
    deadline: float | None = 60.0
    volatile: bool = False


@overload
def live(function: _Function, /) -> _Function: ...
@overload
def live(
    *, concurrent: bool = False, rate: float | None = None, deadline: float | None = 60.0, volatile: bool = False
) -> Callable[[_Function], _Function]: ...
def live(
    function: Any = None,
    /,
    *,
    concurrent: bool = False,
    rate: float | None = None,
    deadline: float | None = 60.0,
    volatile: bool = False,
) -> Any:
    """Let the browser call this page method: `@live`, or with options `@live(rate=20)`.

    `concurrent`: does not wait for the player's earlier calls. `rate`: at most so many calls per second and player.
    `deadline`: seconds after which the method is ended (None: never). `volatile`: may write nothing; not numbered,
    journaled or resent. Raises AuthorError for options that cannot be.
    """
    if function is not None and not (callable(function) or isinstance(function, classmethod | staticmethod)):
        raise AuthorError(f"@live: expected a function, found {function!r}; options are named, as in @live(rate=20)")
    for name, value in (("rate", rate), ("deadline", deadline)):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and 0 < value < math.inf):
            raise AuthorError(f"@live({name}=...): expected a number greater than 0, found {value!r}")
    options = LiveOptions(bool(concurrent), rate, deadline, bool(volatile))

    def mark(method: Any) -> Any:
        inner = method.__func__ if isinstance(method, classmethod | staticmethod) else method
        setattr(inner, _MARK, options)
        return method

    return mark if function is None else mark(function)


def options_of(function: object) -> LiveOptions | None:
    """The options of a `@live` function, or None."""
    options = getattr(function, _MARK, None)
    return options if isinstance(options, LiveOptions) else None


@dataclass(frozen=True, slots=True, eq=False)
class LiveMethod:
    """One live method of one page."""

    name: str
    function: Callable[..., Any]
    is_async: bool  # whether it may wait for something
    options: LiveOptions
    signature: Arguments
    file: str
    line: int

    def arguments(self, raw: msgspec.Raw | bytes, resolve: Resolve) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments from the browser's JSON array, validated from the type hints.

        `resolve("player" | "group", name_or_id)` gives a handle or raises LookupError.
        Raises Refused("arguments", ...) with a message that names the parameter; never anything else.
        """
        return self.signature.parse(raw, resolve)

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


_WAITING = frozenset({"GET_AWAITABLE", "GET_AITER", "GET_ANEXT", "SEND"})


def never_waits(function: Callable[..., Any]) -> bool:
    """Whether an `async def` has no await in it: then it can be run like a plain function, at a fraction of the cost.

    One that asks for `current_task` counts as waiting, so that it has a task to find.
    """
    code = getattr(function, "__code__", None)
    if code is None or not code.co_flags & inspect.CO_COROUTINE or "current_task" in code.co_names:
        return False
    return not any(instruction.opname in _WAITING for instruction in dis.get_instructions(code))


def without_waiting(function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function that does what a coroutine function does that never waits."""

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            function(*arguments, **named).send(None)
        except StopIteration as end:
            return end.value
        raise RuntimeError(f"{function.__qualname__} waits, although it has no await")

    return call
