"""Durable deadlines: `after` and `@every`. What fell due while the server was away fires at once, once."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from promptgrimoire.authoring.messages import Volatile
from promptgrimoire.commands import Ticked, TimerFired
from promptgrimoire.errors import AuthorError, JournalError, Reject
from promptgrimoire.runtime.activities import Run
from promptgrimoire.state.records import Record

if TYPE_CHECKING:
    from promptgrimoire.runtime.clock import Handle
    from promptgrimoire.runtime.host import Host

log = logging.getLogger("promptgrimoire.timers")
_PAUSE = 1.0
_LATE = 1.0  # a busy loop fires its deadlines so late at most


class Timers:
    """Deadlines of one session.

    Deadlines are in the session's hidden record: `ticks = {handler: due}` of `@every`, and of `after`: `timers =
    {id: (due, handler, arguments)}`. `@every` handlers run while somebody is here; a handler that still runs when
    its next turn comes skips that turn. A turn in which nothing is written or sent leaves no entry: of those up to the
    newest entry of a session it is known after a restart that they were had, since the times are.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._handle: Handle | None = None
        self._planned: float | None = None
        self._ticks: dict[str, float] = {}  # @every handler -> when it is due
        self._ticking: set[str] = set()
        self._failing: dict[str, tuple[object, int]] = {}  # @every handler -> how it fails, how often in a row
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
        """The next durable deadline, of `deadlines.py` too, in seconds since 1970."""
        return _first(self._next_due(), self._host.deadlines.next_due())

    def _next_due(self) -> float | None:
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

    def restored(self, heard: float) -> None:
        """The session was loaded while somebody is here: `@every` goes on where it was.

        `heard` is when its newest entry was made.
        """
        if self._host.state.online:
            ticks = self._host.state.hidden._fields.get("ticks", {})
            for handler in self._host.study.every:
                if handler.name in ticks:
                    self._ticks[handler.name] = _next_turn(ticks[handler.name], handler.seconds, heard - _LATE)

    def failed(self, handler: str, error: BaseException) -> int:
        """How often in a row the handler has failed in this way: with this kind of error, in this line."""
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        way = type(error), where and (where.tb_frame.f_code.co_filename, where.tb_lineno)
        before, times = self._failing.get(handler, (None, 0))
        times = times + 1 if before == way else 1
        self._failing[handler] = way, times
        return times

    def turned(self, handler: str, error: BaseException | None) -> None:
        """A turn of an `@every` handler is over."""
        self._ticking.discard(handler)
        if error is None:
            self._failing.pop(handler, None)

    # ---------------------------------------------------------------- running

    def plan(self) -> None:
        """Look at all deadlines and have the clock call at the next one."""
        if self._stopped:
            return
        host = self._host
        due = _first(self._next_due(), host.deadlines.next_turn())
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
        if now >= self._not_before:
            host.deadlines.fire(now)
        if host.state.online:
            for handler in host.study.every:
                due = self._ticks.get(handler.name, now + 1)
                if due <= now:
                    self._ticks[handler.name] = _next_turn(due, handler.seconds, now)
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
        app, _, function = handler.name.rpartition(".")
        activity = host.activity(host.state.session, f"every:{function}", app)
        run = _TickRun(host, Ticked(handler.name), activity, self._ticks[handler.name])
        self._ticking.add(handler.name)

        async def ticking() -> None:
            result = handler.function(host.state.session)
            if inspect.isawaitable(result):
                await result
            run.note()

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
    """One turn of an @every handler. `due` is when the next one is; it goes with the first thing that is written."""

    __slots__ = ("_due", "_handler")

    def __init__(self, host: Host, cause: Ticked, activity: Any, due: float) -> None:
        super().__init__(host, cause, activity)
        self._handler = cause.handler
        self._due: float | None = due

    def before_suspension(self) -> None:
        self.note()

    def note(self) -> None:
        """Where the open transaction makes an entry, or none says yet when this handler's turns are, say so in it."""
        transaction = self._transaction
        assert transaction is not None
        if self._due is None:
            return
        hidden = self.host.state.hidden
        ticks = hidden._fields.get("ticks")
        said = any(not isinstance(one.what, Volatile) for one in transaction.said)
        if transaction.writes or transaction.begun or said or ticks is None or self._handler not in ticks:
            if ticks is None:
                transaction.assign(hidden, "ticks", {})
            hidden._fields["ticks"][self._handler] = self._due
            self._due = None

    def report(self, error: BaseException) -> str:
        """The first of failures that are alike in full, of the others a line."""
        times = self.host.timers.failed(self._handler, error)
        if times == 1 or isinstance(error, Reject):
            return super().report(error)
        log.error("%s failed as before, %d times in a row (session %s)", self.activity.label, times, self.host.id)
        return ""

    def ended(self, seq: int, value: object, error: BaseException | None) -> None:
        self.host.timers.turned(self._handler, error)


def _first(one: float | None, other: float | None) -> float | None:
    return min((due for due in (one, other) if due is not None), default=None)


def _next_turn(due: float, seconds: float, now: float) -> float:
    """The first turn after `now`, of those that are due at `due` and every so many seconds from then on."""
    return due if due > now else due + (int((now - due) / seconds) + 1) * seconds
