"""Exactly once: which calls of a document have been executed, and how they ended. Pure."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

INTERRUPTED = "The server was restarted while this was under way. It may have been done in part."

_EACH = 200  # bytes of memory beside each outcome's own

Verdict = Literal["new", "known", "gap"]


class CallTable:
    """The calls of one document, numbered 1, 2, … by the browser.

    `outcomes` holds the encoded reply or error of every call that has ended and that the browser has not called
    settled, with the seq of the entry that records it (0 for one that was refused without a record). `running` holds
    the numbers of those that wait or run. `owner` is the live document, `adopters` are those that took over its
    calls: who is told. `settled` is the highest number up to which the document has said that all have settled.
    `connection` is the number of the newest connection on which the document has said hello. `held`: bytes of memory
    that the outcomes take.
    """

    __slots__ = (
        "_ahead",
        "adopters",
        "connection",
        "expected",
        "held",
        "outcomes",
        "owner",
        "running",
        "settled",
        "started",
        "stay",
    )

    def __init__(self, stay: int, expected: int = 1) -> None:
        self.stay = stay
        self.expected = expected
        self.outcomes: dict[int, tuple[int, bytes]] = {}
        self.held = 0
        self.running: set[int] = set()
        self.started: set[int] = set()  # suspended at least once, not ended
        self.settled = 0
        self.connection = 0
        # What is expected after `expected`, last one first, where the browser has given some up.
        self._ahead: list[int] = []
        self.owner: Any = None
        self.adopters: list[Any] = []

    def judge(self, n: int) -> Verdict:
        """What a call numbered `n` is: the next one, one that was seen before, or one that comes too early."""
        if n == self.expected:
            return "new"
        return "known" if n < self.expected else "gap"

    def accept(self, n: int) -> None:
        self.expected = self._ahead.pop() if self._ahead else n + 1
        self.running.add(n)

    def end(self, n: int, seq: int, message: bytes) -> None:
        """The call has ended; entry `seq` records it."""
        self.running.discard(n)
        self.started.discard(n)
        self.held += _size(message)
        if n in self.outcomes:
            self.held -= _size(self.outcomes[n][1])
        self.outcomes[n] = (seq, message)

    def settle(self, done: int) -> None:
        """All calls up to `done` have settled in the browser."""
        if done > self.settled:
            self.settled = done
        outcomes = self.outcomes
        if outcomes:
            for n in tuple(outcomes):
                if n <= done:
                    self.held -= _size(outcomes.pop(n)[1])

    def resume(self, pending: list[int], next: int) -> None:
        """A document said hello: `pending` have not settled, all other calls below `next` have."""
        waiting = set(pending)
        self.settled = max(self.settled, min(pending, default=next) - 1)
        for n in [n for n in self.outcomes if n not in waiting]:
            self.held -= _size(self.outcomes.pop(n)[1])
        # A number that neither waits nor has ended was never executed, also where a later one was (it did not wait its
        # turn, and the server was killed meanwhile): it is new.
        ahead = sorted({n for n in pending if n not in self.outcomes and n not in self.running})
        self._ahead = [max(self.expected, next, max(pending, default=0) + 1), *reversed(ahead)]
        self.expected = self._ahead.pop()

    def adopt(self, pending: list[int]) -> None:
        """Another document of the tab goes on with `pending`, what it knows of this document's calls.

        That may be out of date, and the document may come back: the tab is a copy of another one. So no outcome is
        forgotten, and nothing is new that this document has settled.
        """
        candidates = {n for n in pending if n not in self.outcomes and n not in self.running}
        if self.owner is None:
            fresh = {n for n in candidates if n > self.settled}
        else:  # since it said hello, all that it made is known here
            fresh = {n for n in candidates if n >= self.expected or n in self._ahead}
        last = max(pending, default=0)
        following = {n for n in (self.expected, *self._ahead) if n > last} or {last + 1}
        self._ahead = sorted(fresh | following, reverse=True)
        self.expected = self._ahead.pop()

    def skip_to(self, n: int) -> None:
        """The browser has given up the calls before `n` that were never accepted."""
        while self.expected < n:
            self.expected = self._ahead.pop() if self._ahead and self._ahead[-1] <= n else n

    def interrupt(self) -> list[int]:
        """After a restart: the calls that had begun and can never end."""
        interrupted = sorted(self.started)
        self.started.clear()
        return interrupted


def _size(message: bytes) -> int:
    return len(message) + _EACH


def addressed(message: bytes, document: str) -> bytes:
    """An outcome for the document that adopted the call of `document`."""
    return message[:-1] + b',"document":%s}' % msgspec.json.encode(document)


class CallTableText(msgspec.Struct, array_like=True):
    """A table in a snapshot."""

    stay: int
    expected: int
    outcomes: list[tuple[int, int, msgspec.Raw]]
    started: list[int]
    settled: int = 0

    @classmethod
    def of(cls, table: CallTable) -> CallTableText:
        outcomes = [(n, seq, msgspec.Raw(message)) for n, (seq, message) in table.outcomes.items()]
        waiting = table.running - table.started  # not executed yet: should the server end now, they are new
        return cls(table.stay, min(waiting, default=table.expected), outcomes, sorted(table.started), table.settled)

    def table(self) -> CallTable:
        table = CallTable(self.stay, self.expected)
        for n, seq, message in self.outcomes:
            table.end(n, seq, bytes(message))
        table.started = set(self.started)
        table.settled = self.settled
        return table
