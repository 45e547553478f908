"""What running author code may ask for: tasks, threads, waiting for the disk, outcomes kept for replay."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from promptgrimoire.authoring.language import Language
from promptgrimoire.authoring.pages import Page, key_of
from promptgrimoire.authoring.secrets import Secrets
from promptgrimoire.commands import TaskStepped
from promptgrimoire.context import current
from promptgrimoire.errors import AuthorError
from promptgrimoire.runtime.activities import Run
from promptgrimoire.state.records import Player, Record
from promptgrimoire.state.values import encode

if TYPE_CHECKING:
    from promptgrimoire.runtime.host import Host


class Tasks:
    """Services of one session's running author code (see `promptgrimoire.context.Services`)."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.going: set[asyncio.Task[Any]] = set()
        self.calls: set[asyncio.Task[Any]] = set()  # live calls that wait for something

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> None:
        """Start a task when the open transaction commits; it dies with the server (see `restart`)."""
        if not inspect.iscoroutine(coroutine):
            raise AuthorError(
                f"spawn: expected a coroutine, as in spawn(watch(session)), found {type(coroutine).__name__}"
            )
        host = self._host
        if len(self.going) + len(host.state.writing().begun) >= host.limits.tasks:
            coroutine.close()
            raise AuthorError(f"at most {host.limits.tasks} tasks of one session run at once")
        activity = current.get()
        record: Record = activity.record if activity is not None else host.state.session
        transaction = host.state.writing()
        begin = partial(self.start, coroutine, record, name or coroutine.__qualname__)
        transaction.begin(begin, coroutine.close)

    def start(self, coroutine: Coroutine[Any, Any, Any], record: Record, name: str) -> None:
        """Run a coroutine for a record, in segments of its own."""
        host = self._host
        if host.failure is not None:
            coroutine.close()
            return
        run = Run(host, TaskStepped(name), host.activity(record, name))
        host.start(coroutine, run, self.keep)

    def keep(self, task: asyncio.Task[Any]) -> None:
        self.going.add(task)
        task.add_done_callback(self.going.discard)

    def keep_call(self, task: asyncio.Task[Any]) -> None:
        self.calls.add(task)
        task.add_done_callback(self.calls.discard)

    def cancel(self) -> None:
        for task in [*self.going, *self.calls]:
            task.cancel()

    async def end(self) -> None:
        """Cancel all of them, and give them time to clean up."""
        self.cancel()
        if self.going or self.calls:
            await asyncio.wait([*self.going, *self.calls], timeout=self._host.settings.grace.shutdown)

    def after(self, seconds: float, handler: Callable[..., Any], arguments: tuple[Any, ...]) -> int:
        return self._host.timers.set(seconds, handler, arguments)

    def now(self) -> float:
        """Seconds since 1970, by the server's clock."""
        return self._host.clock.now()

    def watch_for_dropout(self, player: Player, handler: Callable[..., Any], tolerance: float) -> None:
        self._host.dropouts.watch(player, handler, tolerance)

    def mark_dropout(self, player: Player) -> None:
        self._host.dropouts.mark(player)

    async def may_proceed(self, player: Player, page: type[Page]) -> bool:
        """Whether nobody would have to be waited for at this page."""
        spec = self._host.study.pages[key_of(page, player.app)]
        return await self._host.waiting.synchronizing.may_proceed(player, spec)

    def secret(self, name: str) -> str:
        return self._host.around.secrets.get(name)

    async def durable(self) -> None:
        """Commit what has been written so far, and return when it is on disk."""
        await asyncio.sleep(0)  # the suspension commits
        await self._host.durable()

    async def external(self, awaitable: Awaitable[Any]) -> Any:
        """Await something outside; its outcome is journaled, so that replay has it."""
        activity = current.get()
        value = await awaitable
        session = self._host.state.hidden
        writing = self._host.state.writing()
        label = activity.label if activity is not None else ""
        encode(value)
        writing.assign(session, "external", {"of": label, "value": value})
        return value

    def language(self, record: Record, app: str) -> Language:
        """What a player speaks; for any other record, what the study does."""
        return self._host.study.language_of(record, app)

    async def read_upload(self, digest: str, size: int) -> bytes:
        """The content of a file that a participant has sent."""
        return await self._host.uploads.read(digest, size)

    async def in_thread(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Call a blocking function in a thread: plain values in and out."""
        for argument in arguments:
            if isinstance(argument, Record):
                raise AuthorError(
                    f"in_thread: expected plain values, found {argument!r}; state cannot be read from another thread. "
                    "Pass the fields that are needed."
                )
        return await asyncio.to_thread(_outside, self._host.around.secrets, function, arguments)


def _outside(secrets: Secrets, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    with secrets.within_reach("in_thread"):
        return function(*arguments)
