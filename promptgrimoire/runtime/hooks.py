"""Who is here, as the author hears of it: on_join, on_connect, on_disconnect. Counting is `realtime.presence`'s."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from promptgrimoire.commands import Cause, Connected, Disconnected
from promptgrimoire.context import current
from promptgrimoire.errors import JournalError
from promptgrimoire.ids import hidden
from promptgrimoire.journal.entries import Outcome
from promptgrimoire.realtime.presence import Presence
from promptgrimoire.runtime.activities import Run
from promptgrimoire.state.records import Record
from promptgrimoire.state.transaction import Transaction

if TYPE_CHECKING:
    from promptgrimoire.context import Activity
    from promptgrimoire.runtime.clock import Handle
    from promptgrimoire.runtime.host import Host

log = logging.getLogger("promptgrimoire.hooks")
_PAUSE = 1.0


async def call_hooks(host: Host, name: str, record: Record, **optional: Any) -> None:
    """Run the hooks of that name of all apps in their order, each as code of its app; within the activity under way."""
    activity = current.get()
    assert activity is not None
    for app, hook in host.study.hooks_named(name):
        activity.app = host.state.writing().app = app
        result = hook(record, **optional)
        if hook.is_async:
            await result


class _PresenceRun(Run):
    """Coming and going is data: it is journaled even where no hook is defined."""

    __slots__ = ("_ended", "_recorded")

    def __init__(self, host: Host, cause: Cause, activity: Activity) -> None:
        super().__init__(host, cause, activity)
        self._ended = self._recorded = False

    @property
    def refused(self) -> bool:
        """Whether storage took nothing of it: it is as if it had not run."""
        return self._ended and not self._recorded

    def _commit(self, transaction: Transaction, outcome: Outcome | None = None, result: bytes = b"null") -> int:
        seq = super()._commit(transaction, outcome if self._recorded else outcome or Outcome("ok"), result)
        self._recorded = True
        return seq

    def fail(self, transaction: Transaction, error: BaseException) -> int:
        if isinstance(error, JournalError) and not self._recorded:
            return self._commit(transaction)  # it is tried again: nothing has failed yet
        return super().fail(transaction, error)

    def ended(self, seq: int, value: object, error: BaseException | None) -> None:
        self._ended = True


class _Change(NamedTuple):
    """Somebody came or went: what the journal is told, and the hooks."""

    cause: Cause
    player: int
    label: str
    hooks: Callable[[], Coroutine[Any, Any, None]]


class Attendance:
    """The presence of one session's players.

    What has changed is recorded, and its hooks run, in the order in which it happened. Where storage does not take one,
    it and those after it are tried again in a moment.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.presence = Presence(host.settings.grace.away)
        host.state.online = self.presence.online
        self._handle: Handle | None = None
        self._changes: deque[_Change] = deque()  # that storage has not taken yet
        self._again: Handle | None = None

    def opened(self, player: int, connection: object) -> None:
        """A connection said hello."""
        self._host.waiting.connected(player)
        alone = not self.presence.online
        if not self.presence.opened(player, connection):
            return
        host = self._host
        private = host.state.record(hidden(f"p{player}"))

        async def connected() -> None:
            if alone:
                host.timers.begin()
            if not private._fields.get("joined"):
                host.state.writing().assign(private, "joined", True)
                await self._call("on_join", player)
            await self._call("on_connect", player)

        self._changed(_Change(Connected(player), player, "on_connect", connected))
        host.timers.plan()
        host.waiting.changed(host.state.player(player))

    def closed(self, player: int, connection: object, reason: str) -> None:
        """A connection is gone; the grace runs where it was the last."""
        self.presence.closed(player, connection, self._host.clock.now(), reason)
        self._plan()

    def delivered(self, player: int) -> None:
        self.presence.delivered(player, self._host.clock.now())
        self._plan()

    def restored(self, player: int) -> None:
        """Online when the server stopped."""
        self.presence.restored(player, self._host.clock.now())
        self._plan()

    def stop(self) -> None:
        for handle in (self._handle, self._again):
            if handle is not None:
                handle.cancel()
        self._handle = self._again = None

    def _plan(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        due = self.presence.due()
        if due is not None:
            self._handle = self._host.clock.at(due, self._expire)

    def _expire(self) -> None:
        self._handle = None
        host = self._host
        if host.failure is not None:
            return
        for player, reason in self.presence.expire(host.clock.now()):
            hooks = partial(self._call, "on_disconnect", player, reason=reason)
            self._changed(_Change(Disconnected(player, reason), player, "on_disconnect", hooks))
            host.waiting.changed(host.state.player(player))
        self._plan()

    def _changed(self, change: _Change) -> None:
        self._changes.append(change)
        if self._again is None:
            self._carry_out()

    def _carry_out(self) -> None:
        host = self._host
        refused = self._again is not None
        self._again = None
        while self._changes and host.failure is None:
            cause, player, label, hooks = self._changes[0]
            run = _PresenceRun(host, cause, host.activity(host.state.player(player), label))
            host.start(hooks(), run, host.tasks.keep)
            if run.refused and host.failure is None:
                if not refused:
                    log.warning("session %s: %s of player %d waits for storage", host.id, label, player)
                self._again = host.clock.at(host.clock.now() + _PAUSE, self._carry_out)
                return
            self._changes.popleft()
            host.dropouts.look(host.state.player(player))

    async def _call(self, name: str, player: int, **optional: Any) -> None:
        await call_hooks(self._host, name, self._host.state.player(player), **optional)
