"""`@every(5)`: functions that run again and again while a session is active.

Owns how such a function is marked; never runs one (runtime.timers does).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from promptgrimoire.errors import AuthorError

_Function = TypeVar("_Function", bound=Callable[..., Any])
_MARK = "__grimoire_every__"


@dataclass(frozen=True, slots=True)
class EveryHandler:
    """One `@every` function of an app: called with the session, `seconds` apart."""

    name: str
    seconds: float
    function: Callable[..., Any]
    is_async: bool
    file: str
    line: int


def every(seconds: float) -> Callable[[_Function], _Function]:
    """Call a module-level function of `session` every so many seconds: `@every(5) async def tick(session)`.

    Raises AuthorError where `seconds` is not a number greater than 0 (also for `@every` without parentheses).
    """
    if callable(seconds):
        raise AuthorError("@every: expected the seconds between two calls, found none; write @every(5)")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise AuthorError(f"@every: expected seconds greater than 0, found {seconds!r}; write for example @every(5)")

    def mark(function: _Function) -> _Function:
        setattr(function, _MARK, float(seconds))
        return function

    return mark


def interval_of(function: object) -> float | None:
    """The seconds of an `@every` function, or None."""
    seconds = getattr(function, _MARK, None)
    return seconds if isinstance(seconds, float) else None
