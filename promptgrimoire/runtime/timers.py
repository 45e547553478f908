"""Durable deadlines: `after` and `@every`. What fell due while the server was away fires at once, once."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from promptgrimoire.commands import Ticked, TimerFired
from promptgrimoire.errors import AuthorError, JournalError
from promptgrimoire.runtime.activities import Run
from promptgrimoire.state.records import Record

if TYPE_CHECKING:
    from promptgrimoire.runtime.clock import Handle
    from promptgrimoire.runtime.host import Host

log = logging.getLogger("promptgrimoire.timers")
_PAUSE = 1.0


class Timers:
    """Deadlines of one session.

    Deadlines are in the session's hidden record: `ticks = {handler: due}` of `@every`, and of `after`: `timers =
    {id: (due, handler, arguments)}`. `@every` handlers run while somebody is here; a handler that still runs when
    its next turn comes skips that turn.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._handle: Handle | None = None
        self._planned: float | None = None
        self._ticks: dict[str, float] = {}  # @every handler -> when it is due
        self._ticking: set[str] = set()
        self._stopped = False
        self._not_before = 0.0  # storage did not take what a deadline's handler did: when that is tried again

    # ---------------------------------------------------------------- after

    def set(self, seconds: float, handler: Callable[..., Any], arguments: tuple[Any, ...]) -> int:
        """A deadline as part of the open transaction.

        Raises AuthorError for what could not be found after a restart.
        """
        host = self._host
        stored = host.study.name_of(handler)
        if stored is None:
            name = getattr(handler, "__name__", repr(handler))
            raise AuthorError(
                f"after(…, {name}): expected a function defined at the top level of the experiment's module, so that "
                "it is found "
                f"again after a restart; move {name} there and pass what it needs as arguments"
            )
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 10**9:
            raise AuthorError(f"after: expected seconds from 0 to 10^9, found {seconds!r}")
        hidden = host.state.hidden
        transaction = host.state.writing()
        number: int = hidden._fields.get("timer", 0) + 1
        transaction.assign(hidden, "timer", number)
        if "timers" not in hidden._fields:
            transaction.assign(hidden, "timers", {})
        hidden._fields["timers"][str(number)] = (host.clock.now() + seconds, stored, arguments)
        transaction.begin(self.plan)
        return number

    def next_due(self) -> float | None:
        """The next durable deadline, seconds since 1970."""
        timers = self._host.state.hidden._fields.get("timers")
        return min((due for due, _, _ in timers.values()), default=None) if timers else None

    # ---------------------------------------------------------------- every

    def begin(self) -> None:
        """Somebody is here after nobody was: `@every` begins anew. Part of the open transaction."""
        handlers = self._host.study.every
        if handlers:
            now = self._host.clock.now()
            self._ticks = {handler.name: now + handler.seconds for handler in handlers}
            self._host.state.writing().assign(self._host.state.hidden, "ticks", dict(self._ticks))

    def restored(self) -> None:
        """The session was loaded while somebody is here: `@every` goes on where it was."""
        if self._host.state.online:
            names = {handler.name for handler in self._host.study.every}
            ticks = self._host.state.hidden._fields.get("ticks", {})
            self._ticks = {name: due for name, due in ticks.items() if name in names}

    # ---------------------------------------------------------------- running

    def plan(self) -> None:
        """Look at all deadlines and have the clock call at the next one."""
        if self._stopped:
            return
        host = self._host
        due = self.next_due()
        if host.state.online:
            now = host.clock.now()
            for handler in host.study.every:
                self._ticks.setdefault(handler.name, now + handler.seconds)
            ticks = [self._ticks[handler.name] for handler in host.study.every]
            due = min([*ticks, due] if due is not None else ticks, default=None)
        if due is not None:
            due = max(due, self._not_before)
        if due == self._planned and self._handle is not None:
            return
        if self._handle is not None:
            self._handle.cancel()
        self._planned = due
        self._handle = None if due is None else host.clock.at(due, self._fire)

    def stop(self) -> None:
        self._stopped = True
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def hold_off(self) -> None:
        """Storage does not take anything at the moment: leave it alone for a while."""
        self._not_before = self._host.clock.now() + _PAUSE

    def _fire(self) -> None:
        self._handle = self._planned = None
        host = self._host
        now = host.clock.now()
        timers = host.state.hidden._fields.get("timers") or {}
        ready = [key for key, (due, _, _) in timers.items() if due <= now and now >= self._not_before]
        for key in sorted(ready, key=lambda key: (timers[key][0], int(key))):
            self._run_timer(key)
        if host.state.online:
            for handler in host.study.every:
                if self._ticks.get(handler.name, now + 1) <= now:
                    missed = int((now - self._ticks[handler.name]) / handler.seconds)
                    self._ticks[handler.name] += (missed + 1) * handler.seconds
                    self._tick(handler)
        else:
            self._ticks.clear()
        self.plan()

    def _run_timer(self, key: str) -> None:
        host = self._host
        timers = host.state.hidden._fields["timers"]
        _due, name, arguments = timers[key]
        handler = host.study.function(name)
        app, _, function = name.rpartition(".")
        about = next((argument for argument in arguments if isinstance(argument, Record)), host.state.session)
        run = _TimerRun(host, TimerFired(int(key), name), host.activity(about, f"after:{function}", app), key)

        async def firing() -> None:
            del host.state.hidden._fields["timers"][key]
            if handler is None:
                raise AuthorError(f"the timer's function {function} does not exist any more in {app}")
            result = handler(*arguments)
            if inspect.isawaitable(result):
                await result

        host.start(firing(), run, host.tasks.keep)

    def _tick(self, handler: Any) -> None:
        if handler.name in self._ticking:
            return
        host = self._host
        run = _TickRun(
            host, Ticked(handler.name), host.activity(host.state.session, f"every:{handler.name}"), self._ticking
        )
        self._ticking.add(handler.name)
        due = self._ticks[handler.name]

        async def ticking() -> None:
            hidden = host.state.hidden
            if "ticks" not in hidden._fields:
                host.state.writing().assign(hidden, "ticks", {})
            hidden._fields["ticks"][handler.name] = due
            result = handler.function(host.state.session)
            if inspect.isawaitable(result):
                await result

        host.start(ticking(), run, host.tasks.keep)


class _TimerRun(Run):
    """A deadline's handler. One that fails is not tried again: what it wrote is undone, and the deadline is gone.

    Where it is storage that fails, the deadline stays.
    """

    __slots__ = ("_key",)

    def __init__(self, host: Host, cause: TimerFired, activity: Any, key: str) -> None:
        super().__init__(host, cause, activity)
        self._key = key

    def ended(self, seq: int, value: object, error: BaseException | None) -> None:
        host = self.host
        timers = host.state.hidden._fields.get("timers") or {}
        if error is not None and self._key in timers and host.failure is None:
            if not isinstance(error, JournalError):
                host.step(lambda: timers.pop(self._key), Run(host, self.cause, self.activity))
            if self._key in timers:
                host.timers.hold_off()


class _TickRun(Run):
    """One turn of an @every handler."""

    __slots__ = ("_ticking",)

    def __init__(self, host: Host, cause: Ticked, activity: Any, ticking: set[str]) -> None:
        super().__init__(host, cause, activity)
        self._ticking = ticking

    def ended(self, seq: int, value: object, error: BaseException | None) -> None:
        assert isinstance(self.cause, Ticked)
        self._ticking.discard(self.cause.handler)
