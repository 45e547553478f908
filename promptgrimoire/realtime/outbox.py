"""What live documents have not handled. Pure: holds texts, sends nothing itself.

An outbox is bounded by count and bytes; beyond the bound it is emptied and says so (`overflowed`): its document is
told to start afresh, never silently short.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Protocol

from promptgrimoire.realtime.calls import CallTable
from promptgrimoire.realtime.protocol import FrameText


class Sink(Protocol):
    """Where frames go: one connection. Both return at once and raise nothing."""

    def send(self, text: FrameText) -> None: ...

    def send_latest(self, key: Hashable, text: FrameText) -> None: ...

    def close(self, code: int, reason: str) -> None: ...


class Outbox:
    """Frames that one document has not called handled, oldest first. Those up to `floor` are not held."""

    __slots__ = ("_bytes", "_floor", "_frames", "_lost", "overflowed")

    def __init__(self, floor: int = 0) -> None:
        self._floor = floor
        self._frames: deque[tuple[int, FrameText]] = deque()
        self._bytes = 0
        self._lost = 0  # seq of the newest frame that was not kept
        self.overflowed = False

    def add(self, seq: int, text: FrameText, max_events: int, max_bytes: int) -> None:
        if self.overflowed:
            self._lost = seq
            return
        self._frames.append((seq, text))
        self._bytes += len(text)
        if len(self._frames) > max_events or self._bytes > max_bytes:
            self._frames.clear()
            self._bytes = 0
            self._lost = seq
            self.overflowed = True

    def handled(self, seq: int) -> None:
        """Everything up to `seq` has been handled."""
        frames = self._frames
        while frames and frames[0][0] <= seq:
            self._bytes -= len(frames.popleft()[1])
        if self.overflowed and seq >= self._lost > 0:
            self.overflowed = False  # sent, and handled, all the same: nothing is missing

    def short_of(self, handled: int) -> bool:
        """Whether a document that has handled everything up to `handled` misses what is not held here."""
        return self.overflowed or handled < self._floor

    def after(self, seq: int) -> list[tuple[int, FrameText]]:
        return [frame for frame in self._frames if frame[0] > seq]

    def __len__(self) -> int:
        return len(self._frames)


class Document:
    """One loaded page in one tab. `sent` is the highest seq that its present connection has been given.

    `greeting` counts the hellos that are being answered. `lost` is the id of a loss of kept events (see
    `promptgrimoire.runtime.mail`) that its present connection has been told of, and the seq that acknowledges it.
    """

    __slots__ = (
        "adopted",
        "calls",
        "greeting",
        "handled",
        "lost",
        "nonce",
        "outbox",
        "place",
        "player",
        "sent",
        "sink",
        "state",
        "stay",
        "tab",
    )

    def __init__(
        self, nonce: str, player: int, stay: int, place: tuple[str, int], handled: int, calls: CallTable
    ) -> None:
        self.nonce = nonce
        self.player = player
        self.stay = stay
        self.place = place
        self.handled = handled
        self.calls = calls
        self.outbox = Outbox()
        self.sink: Sink | None = None
        self.sent = handled
        self.greeting = 0
        self.lost: tuple[str, int] | None = None
        self.tab = ""
        self.state = "active"
        self.adopted: dict[str, CallTable] = {}
