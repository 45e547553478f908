"""Hooks of pages: each run once per player and place where its name says so, through reloads, Back and crashes.

Owns the marks of what has run, and what it means that a hook had suspended when the server stopped. Never decides which
hook is next: entering and leaving do.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from promptgrimoire.commands import Cause
from promptgrimoire.runtime.activities import Awaited

if TYPE_CHECKING:
    from promptgrimoire.authoring.pages import PageSpec
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.state.records import Player, Record

log = logging.getLogger("promptgrimoire.flow")
_ONCE_PER_STAY = ("timeout_reached",)


class HookRun(Awaited):
    """Steps hooks of pages, one after the other, for one player.

    `hook` is the mark of the one that runs; `seen` is where the player was to move when this last suspended, so that a
    move by somebody else can be told from one of its own hooks.
    """

    __slots__ = ("hook", "interrupted", "player", "private", "seen")

    def __init__(self, host: Host, cause: Cause, player: Player, label: str, value: bytes = b"null") -> None:
        super().__init__(host, cause, host.activity(player, label), value)
        self.player = player
        self.private: Record = host.flow.private(player.id)
        self.hook = ""
        self.interrupted = ""  # the hook that had suspended when the server stopped: it counts as run
        self.seen: int | None = self.private._fields.get("moving")

    def before_suspension(self) -> None:
        self.seen = self.private._fields.get("moving")

    def at(self, spec: PageSpec) -> None:
        """From here on, what is written belongs to this page's app and to the player's round there."""
        activity = self.activity
        activity.app, activity.round = spec.app, self.private._fields.get("round", 0)
        transaction = self.host.state.writing()
        transaction.app, transaction.round = activity.app, activity.round

    async def call(self, spec: PageSpec, name: str, position: int, *arguments: Any, **optional: Any) -> Any:
        """Run a hook of the page at that position, unless it has run there; gives its value, None where there is none.

        Only hooks whose names end in `_once` are marked, and what is done once in a stay: see `forget`.
        """
        hook = spec.hooks.get(name)
        if hook is None:
            return None
        mark = mark_of(position, name)
        once = name.endswith("_once") or name in _ONCE_PER_STAY
        ran = once and mark in self.private._fields.get("ran", ())
        if once and not ran:
            self._mark(mark)
        if mark == self.interrupted:
            log.warning("%s of %s was interrupted when the server stopped; it counts as run", name, spec.key)
            return None
        if ran:
            return None
        self.hook = mark
        self.activity.label = f"{spec.key}.{name}"
        before = self._transaction
        result = hook(self.player, *arguments, **optional)
        if hook.is_async:
            result = await result
            if once and self._transaction is not before:
                self._keep()
        return result

    def _keep(self) -> None:
        """A hook that had waited is over: what it has written since stays, whatever fails next; it runs only once."""
        hook, self.hook = self.hook, ""
        try:
            self.suspended()
            hook = ""
        finally:
            self.hook = hook
        self.begin()

    def _mark(self, mark: str) -> None:
        ran = self.private._fields.get("ran")
        if ran is None:
            self.host.state.writing().assign(self.private, "ran", {mark})
        else:
            ran.add(mark)

    def forget(self, position: int) -> None:
        """A stay begins there: what is done once in each stay is still to be done."""
        ran = self.private._fields.get("ran", ())
        for name in _ONCE_PER_STAY:
            if mark_of(position, name) in ran:
                ran.discard(mark_of(position, name))

    def unmark(self) -> None:
        """The hook that ran has failed after it had suspended, so that it is marked: it runs again."""
        if self.hook in self.private._fields.get("ran", ()):
            self.private._fields["ran"].discard(self.hook)


def mark_of(position: int, name: str) -> str:
    """The mark of a hook at a position of the plan."""
    return f"{position}.{name}"


def shift(ran: Any, after: int, by: int) -> None:
    """The plan has become longer behind position `after`: marks of what lies further on move with it."""
    late = [mark for mark in ran if int(mark.partition(".")[0]) > after] if by else []
    for mark in late:
        ran.discard(mark)
    for mark in late:
        position, _, name = mark.partition(".")
        ran.add(mark_of(int(position) + by, name))
