"""Names the author code that holds the event loop: hook, file and line.

Owns one sampling thread, which only looks at the loop's thread and logs.
Never interrupts author code, and never runs any.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

_logger = logging.getLogger("promptgrimoire.watchdog")


class Watchdog:
    """Logs author code that holds the loop for longer than `limit` seconds: once while it does, once when it is over.

    `limit`: seconds. `is_author` tells of a file name (`co_filename`) whether it belongs to an experiment.
    `clock`: monotonic seconds. `start` is called on the loop's thread; `sample` is what the thread does every
    `limit / 2.5` seconds (100 ms by default). `enter` and `leave` bracket author code and do not nest.
    """

    __slots__ = (
        "_clock",
        "_entered",
        "_is_author",
        "_label",
        "_limit",
        "_lock",
        "_observed",
        "_reported",
        "_stop",
        "_thread",
    )

    def __init__(
        self,
        limit: float = 0.25,
        *,
        is_author: Callable[[str], bool] = lambda file: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if limit <= 0:
            raise ValueError(f"limit: expected seconds above 0, found {limit!r}")
        self._limit = limit
        self._is_author = is_author
        self._clock = clock
        self._label: str | None = None
        self._entered = 0.0
        self._observed = threading.get_ident()
        self._reported: tuple[str, float] | None = None  # the label and beginning of what has been logged
        self._lock = threading.Lock()  # only for what has been reported; the hot path takes none
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the calling thread from now on."""
        if self._thread is not None:
            raise RuntimeError("expected a watchdog that is not running, found it running: start() it once")
        self._observed = threading.get_ident()
        self._stop.clear()
        self._thread = threading.Thread(target=self._watch, name="promptgrimoire watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the sampling thread and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def enter(self, label: str) -> None:
        """Author code starts; `label` names it to a researcher, like "Market.buy of player 3"."""
        self._entered = self._clock()
        self._label = label

    def leave(self) -> None:
        """Author code has given the loop back."""
        self._label = None
        if self._reported is not None:
            self._finish()

    def sample(self) -> None:
        """Look once, and log if there is something new to say. From any thread but within `enter`."""
        label, entered = self._label, self._entered
        if self._reported is not None and (label is None or self._reported != (label, entered)):
            self._finish()  # it was left just when it was reported
        if label is None or self._reported is not None:
            return
        held = self._clock() - entered
        if held <= self._limit:
            return
        place = self._place(sys._current_frames().get(self._observed))
        with self._lock:
            # Looking took time: is it still what it was?
            if self._label is not label or self._entered != entered:
                return
            self._reported = (label, entered)
        _logger.warning(
            "%s has held the event loop for %.0f ms, now at %s. Everybody waits meanwhile. "
            "For blocking libraries and long computations use await in_thread(function, ...).",
            label,
            held * 1000,
            place,
        )

    def _finish(self) -> None:
        with self._lock:
            reported, self._reported = self._reported, None
        if reported is not None:
            label, entered = reported
            _logger.warning("%s held the event loop for %.0f ms in all.", label, (self._clock() - entered) * 1000)

    def _watch(self) -> None:
        while not self._stop.wait(self._limit / 2.5):
            try:
                self.sample()
            except Exception:
                _logger.exception("The watchdog could not look; it goes on.")

    def _place(self, frame: FrameType | None) -> str:
        """The innermost line of an experiment; without any, the innermost line."""
        found = innermost = frame
        while found is not None and not self._is_author(found.f_code.co_filename):
            found = found.f_back
        found = found or innermost
        if found is None:
            return "an unknown line"
        return f"{found.f_code.co_filename}:{found.f_lineno} in {found.f_code.co_qualname}"
