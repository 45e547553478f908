"""What author code may ask of the server: tasks, deadlines, threads, waiting for the disk, random numbers.

Each asks the services of the session for which the code runs; none works outside hooks, live methods, timers and tasks.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from promptgrimoire.context import Activity, current
from promptgrimoire.errors import NoTransaction

_Result = TypeVar("_Result")


def spawn(coroutine: Coroutine[Any, Any, Any], *, name: str = "") -> None:
    """Run a coroutine in the background, from when this transaction is committed.

    Each part between two of its awaits is a transaction of its own. It dies with the server: start it again in
    `restart(session)`. Raises AuthorError where too many tasks of the session run, or where it is given no coroutine.
    """
    _activity("spawn").services.spawn(coroutine, name)


def after(seconds: float, handler: Callable[..., Any], *arguments: Any) -> int:
    """Call a module-level function with these arguments in so many seconds, once, also across restarts.

    A deadline that falls due while the server is away fires when it is back. Gives the timer's number.
    """
    return _activity("after").services.after(seconds, handler, arguments)


async def durable() -> None:
    """Return when everything written so far is on disk: for use before an external effect, such as a payment."""
    await _activity("durable").services.durable()


async def external(awaitable: Awaitable[_Result]) -> _Result:
    """Await something non-deterministic (an API); its outcome, which must be storable, is kept in the journal."""
    result: _Result = await _activity("external").services.external(awaitable)
    return result


async def in_thread(function: Callable[..., _Result], *arguments: Any) -> _Result:
    """Call a blocking function in a thread, so that nobody waits for it. Plain values in and out: no records."""
    result: _Result = await _activity("in_thread").services.in_thread(function, arguments)
    return result


def rng() -> random.Random:
    """Random numbers of the record for which this code runs (see `Record.rng`)."""
    found: random.Random = _activity("rng").record.rng
    return found


def _activity(asked: str) -> Activity:
    activity = current.get()
    if activity is None:
        raise NoTransaction(f"{asked}(…) works only in hooks, live methods, timers and tasks of a session")
    return activity
