"""Who is acting: the one ContextVar, for which record and session author code runs; and on which thread.

Only what needs to know "who is acting" without being handed a record looks here (`rng()`, `spawn`, `durable`, …). The
open transaction is not here: it belongs to the session's state.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine


class Services(Protocol):
    """What a session's host does for running author code."""

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> None: ...

    def after(self, seconds: float, handler: Callable[..., Any], arguments: tuple[Any, ...]) -> int: ...

    def now(self) -> float: ...

    def watch_for_dropout(self, player: Any, handler: Callable[..., Any], tolerance: float) -> None: ...

    def mark_dropout(self, player: Any) -> None: ...

    def secret(self, name: str) -> str: ...

    async def durable(self) -> None: ...

    async def may_proceed(self, player: Any, page: Any) -> bool: ...

    async def external(self, awaitable: Awaitable[Any]) -> Any: ...

    async def in_thread(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any: ...

    async def read_upload(self, digest: str, size: int) -> bytes: ...

    def language(self, record: Any, app: str) -> Any: ...


class Activity:
    """One piece of running author code: a call, a hook, a timer, a task."""

    __slots__ = ("app", "label", "place", "record", "round", "services")

    def __init__(
        self,
        services: Services,
        record: Any,
        app: str,
        round: int,
        label: str,
        place: tuple[str, list[int]] | None = None,
    ) -> None:
        self.services = services
        self.record = record  # the Session or Player for whom it runs
        self.app = app
        self.round = round
        self.label = label  # "Market.post_offer", for logs and the watchdog
        self.place = place  # in which loop and round, where that is not simply where the player is (`state.answers`)


# The thread that runs this code. Author code may start others; what they do is not part of any transaction.
this_thread = threading.get_ident

current: ContextVar[Activity | None] = ContextVar("promptgrimoire_activity", default=None)
