"""Durable deadlines of the framework itself: of pages, of patience, of dropouts; and what an outage does to them.

Owns the hidden field `deadlines = {key: (due, policy)}` of the session. What is done at a deadline is said by whoever
registers for its kind (`on`); authors' own (`after`, `@every`) are `timers.py`'s, which owns the one alarm for all.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from promptgrimoire.commands import Alive, Restarted
from promptgrimoire.errors import JournalError
from promptgrimoire.runtime.activities import Awaited, Run

if TYPE_CHECKING:
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.state.records import Player

log = logging.getLogger("promptgrimoire.deadlines")

Policy = Literal["at_once", "grace", "pause"]
_ALIVE = 15.0  # seconds: a "pause" is at most so much longer than the outage was
PAGE = "page"  # the kind of deadlines at which the server leaves a page whose time is over
_AGAIN = 10.0  # seconds after which what was called and has not cleared its deadline is called again


def page_deadline(player: Player) -> str:
    """The key of the deadline of the page where a player is."""
    return f"{PAGE}:{player.id}"


class Deadlines:
    """The deadlines of one session. A key is a kind, a colon, and whatever tells deadlines of that kind apart.

    What an outage of the server (or of storage) means for a deadline is its policy. "at_once": nothing; what fell due
    meanwhile is called as soon as the session is loaded. "grace": it is not called before browsers have had the time to
    come back and post what they have. "pause": the time of the outage does not count.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._kinds: dict[str, Callable[[str], object]] = {}
        self._calls: dict[str, float] = {}  # key -> when it is called (next)
        # All of them, and some that do not stand any more: those are passed over when they come up.
        self._heap: list[tuple[float, str]] = []
        self._pausing: set[str] = set()  # likewise, those with the policy "pause"
        self._alive = 0.0  # when the journal is told next that the server is there

    # ---------------------------------------------------------------- what others say

    def on(self, kind: str, function: Callable[[str], object]) -> None:
        """Have the function called at each deadline of that kind, with what follows the colon of its key.

        It is called outside of any transaction, and clears the deadline in the transaction of what it does: where a
        crash comes before that, it is called again. While the deadline stands, it is called every 10 seconds.
        """
        self._kinds[kind] = function

    def set(self, key: str, due: float, policy: Policy = "at_once") -> None:
        """A deadline as part of the open transaction, in place of one with the same key. `due`: seconds since 1970."""
        host = self._host
        hidden, transaction = host.state.hidden, host.state.writing()
        transaction.did(partial(self._undone, key))
        if "deadlines" not in hidden._fields:
            transaction.assign(hidden, "deadlines", {})
        hidden._fields["deadlines"][key] = (due, policy)
        self._look(key)
        transaction.begin(host.timers.plan)

    def clear(self, key: str) -> None:
        """There is no such deadline (any more): part of the open transaction, nothing where there was none."""
        stored = self._stored
        if key in stored:
            self._host.state.writing().did(partial(self._undone, key))
            del stored[key]
            self._look(key)

    def due(self, key: str) -> float | None:
        """When it is due, in seconds since 1970; None where there is no such deadline."""
        found = self._stored.get(key)
        return None if found is None else found[0]

    def keys(self, beginning: str) -> list[str]:
        """Those that begin so. Looks at all of them."""
        return [key for key in self._stored if key.startswith(beginning)]

    @property
    def pausing(self) -> bool:
        """Whether there is one for which outages do not count: then the session stays loaded."""
        while self._pausing:
            key = next(iter(self._pausing))
            if self._stored.get(key, (0.0, ""))[1] == "pause":
                return True
            self._pausing.discard(key)
        return False

    @property
    def _stored(self) -> dict[str, Any]:
        found: dict[str, Any] = self._host.state.hidden._fields.get("deadlines") or {}
        return found

    def _look(self, key: str, not_before: float = 0.0) -> None:
        """Know of a deadline what is stored of it."""
        found = self._stored.get(key)
        if found is None:
            self._calls.pop(key, None)
            return
        due, policy = found
        self._call_at(key, max(due, not_before))
        if policy == "pause":
            self._pausing.add(key)

    def _call_at(self, key: str, when: float) -> None:
        self._calls[key] = when
        heapq.heappush(self._heap, (when, key))

    def _undone(self, key: str) -> None:
        # Not now: part of what is undone may be written again.
        asyncio.get_running_loop().call_soon(self._look, key, context=Context())

    # ---------------------------------------------------------------- running

    def restored(self, heard: float, back: float) -> None:
        """The session was loaded. The server heard of it last at `heard`, and has been there again since `back`.

        Raises JournalError where storage does not take by how much deadlines have moved.
        """
        host = self._host
        away = back - heard
        moved = {
            key: (due + away, policy)
            for key, (due, policy) in self._stored.items()
            if policy == "pause" and away > 0 and due > heard
        }
        if moved:
            run = Awaited(host, Restarted(), host.activity(host.state.session, "deadlines"))
            host.step(lambda: self._stored.update(moved), run)
            if isinstance(run.error, JournalError):
                host.failed(run.error)
                raise run.error
        reconnecting = back + host.settings.grace.reconnect if away > 0 else 0.0
        for key, (_, policy) in self._stored.items():
            self._look(key, reconnecting if policy == "grace" else 0.0)

    def next_due(self) -> float | None:
        """When the first of them is called: for the stream's index line, which wakes a session that is put away."""
        heap = self._heap
        while heap:
            when, key = heap[0]
            if self._calls.get(key) == when:
                return when
            heapq.heappop(heap)
        return None

    def next_turn(self) -> float | None:
        """When there is something for `fire` to do."""
        due = self.next_due()
        if due is None or not self.pausing:
            return due
        self._alive = self._alive or self._host.clock.now() + _ALIVE
        return min(due, self._alive)

    def fire(self, now: float) -> None:
        """Call what is due."""
        ready = []
        while (due := self.next_due()) is not None and due <= now:
            key = heapq.heappop(self._heap)[1]
            ready.append(key)
            self._call_at(key, now + _AGAIN)  # should it stand by then
        for key in ready:
            kind, _, rest = key.partition(":")
            if kind not in self._kinds:
                log.warning("session %s: nothing is known of deadlines such as %s", self._host.id, key)
            elif key in self._calls and self._host.failure is None:
                self._kinds[kind](rest)
        if self.pausing and self._alive and self._alive <= now:
            self._alive = 0.0
            run = Run(self._host, Alive(), self._host.activity(self._host.state.session, "deadlines"))
            self._host.step(lambda: self._host.state.writing().assign(self._host.state.hidden, "alive", now), run)
