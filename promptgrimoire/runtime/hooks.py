"""Who is here, as the author hears of it: on_join, on_connect, on_disconnect. Counting is `realtime.presence`'s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptgrimoire.commands import Cause, Connected, Disconnected
from promptgrimoire.context import current
from promptgrimoire.ids import hidden
from promptgrimoire.journal.entries import Outcome
from promptgrimoire.realtime.presence import Presence
from promptgrimoire.runtime.activities import Run
from promptgrimoire.state.records import Record
from promptgrimoire.state.transaction import Transaction

if TYPE_CHECKING:
    from promptgrimoire.runtime.clock import Handle
    from promptgrimoire.runtime.host import Host


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

    __slots__ = ("_recorded",)

    def _commit(self, transaction: Transaction, outcome: Outcome | None = None, result: bytes = b"null") -> int:
        recorded = getattr(self, "_recorded", False)
        seq = super()._commit(transaction, outcome if recorded else outcome or Outcome("ok"), result)
        self._recorded = True
        return seq


class Attendance:
    """The presence of one session's players."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.presence = Presence(host.settings.grace.away)
        host.state.online = self.presence.online
        self._handle: Handle | None = None

    def opened(self, player: int, connection: object) -> None:
        """A connection said hello."""
        alone = not self.presence.online
        if not self.presence.opened(player, connection):
            return
        host = self._host
        private = host.state.record(hidden(f"p{player}"))
        first = not private._fields.get("joined")

        async def connected() -> None:
            if alone:
                host.timers.begin()
            if first:
                host.state.writing().assign(private, "joined", True)
                await self._call("on_join", player)
            await self._call("on_connect", player)

        self._run(Connected(player), player, "on_connect", connected())
        host.timers.plan()

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
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _plan(self) -> None:
        self.stop()
        due = self.presence.due()
        if due is not None:
            self._handle = self._host.clock.at(due, self._expire)

    def _expire(self) -> None:
        self._handle = None
        host = self._host
        if host.failure is not None:
            return
        for player, reason in self.presence.expire(host.clock.now()):
            hook = self._call("on_disconnect", player, reason=reason)
            self._run(Disconnected(player, reason), player, "on_disconnect", hook)
        self._plan()

    def _run(self, cause: Cause, player: int, label: str, coroutine: Any) -> None:
        host = self._host
        run = _PresenceRun(host, cause, host.activity(host.state.player(player), label))
        host.start(coroutine, run, host.tasks.keep)

    async def _call(self, name: str, player: int, **optional: Any) -> None:
        await call_hooks(self._host, name, self._host.state.player(player), **optional)
