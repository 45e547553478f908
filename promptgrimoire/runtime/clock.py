"""The host's clock: a parameter, so that tests can move it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import Context
from typing import Protocol


class Handle(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """Time in seconds since 1970 (UTC), and calls at a time."""

    def now(self) -> float: ...

    def at(self, when: float, function: Callable[[], object]) -> Handle:
        """Call the function on the event loop at `when`, or soon where that is past."""


class SystemClock:
    """The machine's clock as it was when this object was made, moved on by the monotonic clock.

    So a machine whose time is set while the server runs shifts no deadline and orders no entry wrongly.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._start = time.time() - time.monotonic()

    def now(self) -> float:
        return self._start + time.monotonic()

    def at(self, when: float, function: Callable[[], object]) -> Handle:
        return self._loop.call_later(max(0.0, when - self.now()), function, context=Context())
