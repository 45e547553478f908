"""What author code may ask of the server: tasks, deadlines, threads, waiting for the disk, random numbers.

Each asks the services of the session for which the code runs; none works outside hooks, live methods, timers and tasks.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from promptgrimoire.context import Activity, current
from promptgrimoire.errors import AuthorError, NoTransaction
from promptgrimoire.state.records import Player

_Result = TypeVar("_Result")
_REQUIRED: Any = object()


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


def watch_for_dropout(player: Any, handler: Callable[..., Any], tolerance: float = 30) -> None:
    """Call `handler(player)`, a module-level function, once this player has been away for so many seconds.

    Away is who has no connection, or has closed the tab, and is not through. The player has dropped out by then, see
    `mark_dropout`. Asked again for the same function, the newer tolerance counts. Survives restarts, and outages of the
    server do not count.
    """
    _of_player("watch_for_dropout", player)
    _activity("watch_for_dropout").services.watch_for_dropout(player, handler, tolerance)


def mark_dropout(player: Any) -> None:
    """Declare a player lost: `player.dropped_out` is True at once, nobody waits for them, and `on_dropout` runs, once.

    A player who comes back goes on where they were; only `player.dropped_out = False` takes it back.
    """
    _of_player("mark_dropout", player)
    _activity("mark_dropout").services.mark_dropout(player)


def _of_player(asked: str, player: Any) -> None:
    if not isinstance(player, Player):
        raise AuthorError(f"{asked}: expected a player, found {player!r}")


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


def secret(name: str) -> str:
    """The secret of that name: an environment variable, or as `secrets.toml` or `[secrets]` of grimoire.toml say.

    Works wherever the server runs author code: also where a module is imported, and in `in_thread`. Its value is
    masked in logs, and refused where it is about to be stored or sent. Raises AuthorError where there is none.
    """
    activity = current.get()
    if activity is None:
        raise NoTransaction("secret(…) works only in an experiment that the server has loaded, and in in_thread")
    return activity.services.secret(name)


def get_setting(*arguments: Any, default: Any = _REQUIRED) -> Any:
    """A setting of the session: `get_setting("rate")`, `get_setting(player, "rate", 0.1)`.

    Of the session of a player or group, or (without one, or with None) of the one for which this code runs. Raises
    AuthorError where the setting is missing and no default is given.
    """
    about, rest = _about(arguments)
    if not 1 <= len(rest) <= 2 or not isinstance(rest[0], str):
        raise AuthorError('get_setting: expected a name, as in get_setting("rate") or get_setting(player, "rate", 0.1)')
    name, found = rest[0], default if len(rest) == 1 else rest[1]
    settings = getattr(about, "session", about).settings
    if name in settings:
        return settings[name]
    if found is not _REQUIRED:
        return found
    return settings[name]  # raises: says which there are


def _about(arguments: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """The record that get_setting is asked about, and the arguments after it."""
    if arguments and not isinstance(arguments[0], str):
        given, arguments = arguments[0], arguments[1:]
        if given is not None:
            return given, arguments
    return _activity("get_setting").record, arguments


def _activity(asked: str) -> Activity:
    activity = current.get()
    if activity is None or activity.record is None:
        raise NoTransaction(f"{asked}(…) works only in hooks, live methods, timers and tasks of a session")
    return activity
