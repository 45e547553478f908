"""How a parked task waits, and how it goes on with what an author coroutine waits for.

Owns the wake-up of one parked task.
Never steps a coroutine and knows nothing of transactions.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import Any


class Rest:
    """What a parked task waits for; then, without the task being stepped, what its coroutine waits for.

    Behaves to the task like a future. When the coroutine suspends in its first step, the task's wake-up callback is
    handed on to what it waits for, so that wake-ups and cancellations come in the order of a task that had run itself.
    """

    __slots__ = ("_asyncio_future_blocking", "borrowed", "cancelled", "context", "followed", "task", "wakeup", "woken")

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._asyncio_future_blocking = True
        self.task = task
        self.borrowed = False  # a first step runs under the task's identity
        self.cancelled: asyncio.CancelledError | None = None
        self.followed: asyncio.Future[Any] | None = None
        self.woken = False
        self.wakeup: Any = None
        self.context: Context | None = None

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Called by the task, which waits for nothing of another loop."""
        return self.task.get_loop()

    def add_done_callback(self, callback: Any, *, context: Context | None = None) -> None:
        """Called by the task, with what wakes it."""
        self.wakeup = callback
        self.context = context

    def cancel(self, msg: object = None) -> bool:
        """Called by `Task.cancel`."""
        if self.followed is not None:
            return self.followed.cancel(msg=msg)
        if self.woken:
            return False  # the task itself raises it when it is stepped
        if self.cancelled is None:
            self.cancelled = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        if not self.borrowed:
            self.wake()
        return True  # of a borrowed one: it takes effect at the suspension

    def result(self) -> None:
        """Called by the task when it wakes."""
        if self.cancelled is not None:
            raise self.cancelled

    def wake(self) -> None:
        """Have the task stepped in the loop's next round."""
        if not self.woken:
            self.woken = True
            self.get_loop().call_soon(self.wakeup, self, context=self.context)

    def follow(self, waiting: object) -> bool:
        """Wake the task when `waiting` is done. False: the task is woken at once and has to look at it itself."""
        if not self.task.cancelling():
            self.cancelled = None
        if waiting is None:  # asyncio.sleep(0)
            self.wake()
            return True
        if (
            not isinstance(waiting, asyncio.Future)
            or not waiting._asyncio_future_blocking
            or waiting.get_loop() is not self.get_loop()
            or waiting is self.task
        ):
            self.cancelled = None  # what the task finds wrong with it comes first
            self.wake()
            return False
        waiting._asyncio_future_blocking = False
        if self.cancelled is not None and not waiting.cancel(*self.cancelled.args):
            self.wake()
            return True
        self.followed = waiting
        waiting.add_done_callback(self.wakeup, context=self.context)
        return True
