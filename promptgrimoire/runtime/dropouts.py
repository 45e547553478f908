"""Participants who do not come back: declared lost, once, when they have been away for longer than is tolerated.

Owns when that is so and what runs then; who is here is `hooks.Attendance`'s, who waits for whom is `waiting.py`'s.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from promptgrimoire.commands import DeadlineReached, Watched
from promptgrimoire.errors import AuthorError, JournalError
from promptgrimoire.runtime.activities import Run
from promptgrimoire.runtime.waiting import Waiting

if TYPE_CHECKING:
    from promptgrimoire.authoring.study import Study
    from promptgrimoire.context import Activity
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.state.records import Player

TOLERANCE = 30.0  # seconds, where an app does not say DROPOUT_TOLERANCE
_AWAY = "dropout"  # the kind of deadlines of those who are away, which coming back clears
_MARKED = "dropped"  # … and of those whom a researcher's code has declared lost
_HOOK = "on_dropout"


class Dropouts:
    """The dropouts of one session.

    A player's private record has `watching = {function: tolerance}` of watch_for_dropout, and `dropped_out`. Each
    function (`on_dropout` of each app, and those that watch) has a deadline of its own, named "app.function".
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        for kind in (_AWAY, _MARKED):
            host.deadlines.on(kind, partial(self._reached, kind))

    # ---------------------------------------------------------------- what authors ask for

    def watch(self, player: Player, handler: Callable[..., Any], tolerance: float) -> None:
        """`watch_for_dropout`: part of the open transaction. Raises AuthorError."""
        host = self._host
        stored = host.study.name_of(handler)
        if stored is None:
            name = getattr(handler, "__name__", repr(handler))
            raise AuthorError(
                f"watch_for_dropout: expected a function defined at the top level of the experiment's module, so that "
                f"it is found again after a restart; move {name} there"
            )
        if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance < 10**9:
            raise AuthorError(f"watch_for_dropout: expected a tolerance in seconds from 0 to 10^9, found {tolerance!r}")
        private, transaction = host.flow.private(player.id), host.state.writing()
        if "watching" not in private._fields:
            transaction.assign(private, "watching", {})
        if private._fields["watching"].get(stored) != tolerance:
            private._fields["watching"][stored] = tolerance
        transaction.begin(partial(self.look, player))

    def mark(self, player: Player) -> None:
        """`mark_dropout`: part of the open transaction; what is to run then runs once that is committed."""
        host = self._host
        if player.dropped_out:
            return
        self._declare(player)
        for function in self._functions(player):
            host.deadlines.clear(f"{_AWAY}:{player.id}:{function}")
            host.deadlines.set(f"{_MARKED}:{player.id}:{function}", host.clock.now())

    # ---------------------------------------------------------------- who is away

    def restored(self) -> None:
        """The session was loaded: nobody who is away is forgotten."""
        for player in self._host.state.everybody:
            if player.id not in self._host.state.online:
                self.look(player)

    def look(self, player: Player) -> None:
        """Somebody came or went: deadlines run for whoever is away, and is not through."""
        host = self._host
        if host.failure is not None:
            return
        about, functions = player._about, self._functions(player)
        keys = {f"{_AWAY}:{player.id}:{function}": tolerance for function, tolerance in functions.items()}
        standing = [key for key in keys if host.deadlines.due(key) is not None]
        here = player.id in host.state.online
        missing = []
        if not here and about.get("joined") and not self._is_through(player):
            missing = [key for key in keys if key not in standing and not (player.dropped_out and key.endswith(_HOOK))]
        if not (standing if here else missing):
            return
        now = host.clock.now() - host.settings.grace.away  # for so long they have been away already

        def looking() -> None:
            for key in standing if here else ():
                host.deadlines.clear(key)
            for key in missing:
                host.deadlines.set(key, max(now + keys[key], host.clock.now()), "pause")

        host.step(looking, Run(host, Watched(player.id), host.activity(player, _AWAY)))

    def _is_through(self, player: Player) -> bool:
        """Whether nothing is expected of the player any more: behind the last page, or on it where it asks nothing."""
        about = player._about
        if about.get("completion"):
            return True
        spec, position = self._host.flow.page_of(player), about.get("position", 0)
        if spec is None or about.get("moving") is not None or not position or position != len(about["plan"]) - 1:
            return False
        return spec.asks_nothing

    def _functions(self, player: Player) -> dict[str, float]:
        """What is to run when the player is lost, with its tolerance in seconds."""
        return {**tolerances(self._host.study), **player._about.get("watching", {})}

    # ---------------------------------------------------------------- lost

    def _reached(self, kind: str, rest: str) -> None:
        host, key = self._host, f"{kind}:{rest}"
        id, _, name = rest.partition(":")
        player, (app, _, function) = host.state.player(int(id)), name.rpartition(".")
        activity = host.activity(player, f"{_AWAY}:{function}", app)

        def lose() -> None:
            host.deadlines.clear(key)
            watching = player._about.get("watching", {})
            if name in watching:
                del watching[name]
            self._declare(player)

        async def losing() -> None:
            lose()
            handler = host.study.function(name)
            if handler is not None:
                result = handler(player)
                if inspect.isawaitable(result):
                    await result
            elif function != _HOOK:
                raise AuthorError(f"the function {function} of watch_for_dropout does not exist any more in {app}")

        def lose_all_the_same() -> None:
            if host.deadlines.due(key) is not None:
                lose()

        run = _DropoutRun(host, DeadlineReached(key), activity, lose_all_the_same)
        host.start(losing(), run, host.tasks.keep)

    def _declare(self, player: Player) -> None:
        """The player is lost, as part of the open transaction; whoever waits for them learns of it."""
        host, writing = self._host, self._host.state.writing()
        if not player.dropped_out:
            writing.assign(host.flow.private(player.id), "dropped_out", True)
            writing.begin(partial(_changed, host.waiting, player))


class _DropoutRun(Run):
    """What runs for a lost player. Where it fails, what it wrote is undone; the player is lost all the same."""

    __slots__ = ("_lose",)

    def __init__(self, host: Host, cause: DeadlineReached, activity: Activity, lose: Callable[[], object]) -> None:
        super().__init__(host, cause, activity)
        self._lose = lose

    def ended(self, seq: int, value: object, error: BaseException | None) -> None:
        host = self.host
        if error is not None and not isinstance(error, JournalError) and host.failure is None:
            host.step(self._lose, Run(host, self.cause, self.activity))


def _changed(waiting: Waiting, player: Player) -> None:
    waiting.changed(player)


def tolerances(study: Study) -> Mapping[str, float]:
    """Of each app that declares players lost: "app.on_dropout", and after how many seconds."""
    return {
        f"{app.name}.{_HOOK}": float(getattr(app.module, "DROPOUT_TOLERANCE", TOLERANCE))
        for app in study.apps
        if _HOOK in app.hooks or hasattr(app.module, "DROPOUT_TOLERANCE")
    }
