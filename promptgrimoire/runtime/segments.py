"""Steps author coroutines: each part between two suspensions is one transaction, a segment.

Owns the parked tasks of one event loop, and under which task identity author code runs.
Never opens, commits or undoes anything itself: that is the boundary's, which the host hands in.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from sys import getrefcount
from typing import Any, Protocol

from promptgrimoire.runtime.generators import AuthorGenerators
from promptgrimoire.runtime.parking import Rest

_logger = logging.getLogger("promptgrimoire.segments")

# How often in a row a commit may be refused before a coroutine that swallows the refusal is closed.
_REFUSALS = 10


class Boundary(Protocol):
    """The transactions of one activity. Called on the loop, by the driver only.

    Each `begin` is followed by exactly one of `suspended`, `returned`, `raised` (by two where `suspended` or
    `returned` raises, see there), and author code is on the stack only in between.
    """

    def begin(self) -> None:
        """Open a transaction; author code is stepped next.

        If it raises, the coroutine is closed and `raised` called with the error, with no transaction open.
        """

    def suspended(self) -> None:
        """The step ended waiting: commit.

        If it raises, the boundary has undone the segment, and the driver begins anew and throws the error into the
        coroutine at its await.
        """

    def returned(self, value: object) -> None:
        """The coroutine is finished: commit. If it raises, `raised` follows with that error."""

    def raised(self, error: BaseException) -> None:
        """The error escaped from the coroutine: undo. Must not raise; what it raises is logged and dropped."""

    def child(self) -> Boundary:
        """Return the boundary of a task that author code creates.

        Also asked for after this activity has ended (a timer of the author, a forgotten generator), and possibly never
        used: a task may be finished, or be dropped, before it has had a transaction of its own.
        """


class Segments:
    """Runs author coroutines on one event loop, segment by segment.

    Every method is called on the thread of that loop. The task that a call shows to author code
    (`asyncio.current_task()`) is lent: parked and used again for the next call, unless the call suspends or somebody
    keeps the task.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        # The boundary of the author code that runs here. One variable per loop: no state belongs to the module.
        self.author: ContextVar[Boundary | None] = ContextVar("promptgrimoire.runtime.author", default=None)
        self.stepping = False  # author code is on the stack
        self.going: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly
        self._parked: list[_Lent] = []
        self._generators = AuthorGenerators(self.author)
        self._previous: Any = None
        self._installed: Any = None

    def install(self) -> None:
        """Make tasks and async generators of author code run in segments too. Call it on the running loop, once."""
        if self._installed is not None:
            raise RuntimeError("expected segments that are not installed, found them installed: install() them once")
        self._previous = self.loop.get_task_factory()
        self._installed = self._create
        self.loop.set_task_factory(self._installed)
        self._generators.install()

    def uninstall(self) -> None:
        """Take back `install` and let the parked tasks end. Tasks under way go on."""
        if self._installed is not None and self.loop.get_task_factory() is self._installed:
            self.loop.set_task_factory(self._previous)
        self._installed = None
        self._generators.uninstall()
        while self._parked:
            self._parked.pop().end()

    def run(
        self,
        coroutine: Coroutine[Any, Any, object],
        boundary: Boundary,
        *,
        on_task: Callable[[asyncio.Task[None]], None] | None = None,
    ) -> asyncio.Task[None] | None:
        """Step the coroutine now, up to its first suspension, in a copy of the current context.

        Returns None when it has finished (`boundary.returned` or `boundary.raised` has been called), else the task that
        goes on with it. `on_task` is called with that task after the first commit, before anything else can happen to
        it. The task ends with None, or cancelled; results and errors go to the boundary alone. Raises nothing of the
        author's but KeyboardInterrupt, after `boundary.raised`.
        """
        loop = self.loop
        parked = self._parked
        lent = parked.pop() if parked else _Lent(self)
        if lent.spent:
            lent.end()
            lent = _Lent(self)
        task = lent.task
        holders = getrefcount(task)
        lent.borrow(coroutine, boundary)
        caller = asyncio.current_task(loop)
        if caller is not None:
            _leave_task(loop, caller)
        _enter_task(loop, task)
        try:
            waiting = lent.advance(coroutine.send, None)
        finally:
            _leave_task(loop, task)
            if caller is not None:
                _enter_task(loop, caller)
        if waiting is _Ended:
            interrupt = lent.give_back()
            # Who kept the task (to cancel it later, to wait for it) must not get hold of another call's.
            if getrefcount(task) == holders:
                parked.append(lent)
            else:
                lent.end()
            if interrupt is not None:
                raise interrupt
            return None
        lent.take_over(waiting)
        if on_task is not None:
            on_task(task)
        return task

    def call(self, function: Callable[[], object], boundary: Boundary) -> None:
        """Call a plain function as one transaction, in a copy of the current context.

        The tasks that it creates run in segments of their own. Raises nothing of the author's but KeyboardInterrupt.
        """
        copy_context().run(self._call, function, boundary)

    def _call(self, function: Callable[[], object], boundary: Boundary) -> None:
        self.author.set(boundary)
        outer = self.stepping
        try:
            boundary.begin()
            self.stepping = True
            value = function()
            self.stepping = outer
            boundary.returned(value)
        except BaseException as error:
            self.stepping = outer
            boundary.raised(error)
            if isinstance(error, KeyboardInterrupt):
                raise

    def make_task(self, coroutine: Any, options: dict[str, Any]) -> Any:
        """Create a task as the loop would without these segments."""
        if self._previous is not None:
            return self._previous(self.loop, coroutine, **options)
        return asyncio.Task(coroutine, loop=self.loop, **options)

    def _create(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
        """The task factory: wraps the coroutines that author code starts; all others pass untouched."""
        context = options.get("context")
        author = self.author.get() if context is None else context.get(self.author)
        if author is not None and asyncio.iscoroutine(coroutine):
            try:
                coroutine = _Child(self, coroutine, author.child())
            except BaseException:
                coroutine.close()
                raise
        return self.make_task(coroutine, options)


class _Ended:
    """What `advance` returns instead of something to wait for."""


class _Stepped(Coroutine[Any, Any, Any]):
    """A coroutine for a task, which steps that of an author between `begin` and the end of a segment.

    A class instead of an `async def`, because a task that is cancelled before its first step throws into it, and an
    unstarted `async def` cannot catch that.
    """

    __slots__ = ("boundary", "coroutine", "error", "segments", "value")

    coroutine: Any
    boundary: Any
    value: object
    error: BaseException | None

    def __init__(self, segments: Segments, coroutine: Any, boundary: Boundary | None) -> None:
        self.coroutine = coroutine
        self.boundary = boundary
        self.segments = segments
        self.value = self.error = None

    def enter(self, method: Callable[[Any], object], argument: object) -> object:
        """Call the method in the context of the author code."""
        raise NotImplementedError

    def advance(self, method: Callable[[Any], object], argument: object) -> object:
        """Run one segment: return what the coroutine waits for, or `_Ended` (then `value` or `error` is set)."""
        segments = self.segments
        boundary = self.boundary
        refusals = 0
        while True:
            try:
                boundary.begin()
            except BaseException as error:
                return self._abandon(error)
            outer, segments.stepping = segments.stepping, True
            try:
                waiting = self.enter(method, argument)
            except StopIteration as stop:
                self.value = stop.value
                waiting = _Ended
            except BaseException as error:
                return self._fail(error)
            finally:
                segments.stepping = outer
            try:
                if waiting is _Ended:
                    boundary.returned(self.value)
                else:
                    boundary.suspended()
                return waiting
            except BaseException as refusal:
                if waiting is _Ended:
                    return self._fail(refusal)
                refusals += 1
                if refusals > _REFUSALS:
                    return self._abandon(refusal)
                method, argument = self.coroutine.throw, refusal

    def _fail(self, error: BaseException) -> object:
        self.error = error
        try:
            self.boundary.raised(error)
        except BaseException:
            _logger.exception("The boundary of %r failed while it was told of %r", self, error)
        return _Ended

    def _abandon(self, error: BaseException) -> object:
        """Close a coroutine that cannot have another transaction; what it still writes is refused."""
        try:
            self.enter(lambda _: self.coroutine.close(), None)
        except BaseException as late:
            _logger.warning("%r could not be closed: %r", self, late)
        return self._fail(error)

    def __getattr__(self, name: str) -> Any:
        # Names, frames and lines of code: for repr(task), stacks and debuggers, this is the author's coroutine.
        return getattr(self.coroutine, name)

    def __repr__(self) -> str:
        return f"<segments of {self.coroutine!r}>"

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> object:
        return self.send(None)

    def close(self) -> None:
        """Close the author's coroutine, as tasks that never ran are closed."""
        if self.coroutine is not None:
            self.coroutine.close()


class _Lent(_Stepped):
    """The body of a task that lends its identity to first steps, and goes on with a coroutine that suspends.

    The task is idle (no coroutine), then borrowed (during a first step), then idle again or going, at last over.
    """

    __slots__ = ("context", "first", "over", "pending", "rest", "task")

    def __init__(self, segments: Segments) -> None:
        super().__init__(segments, None, None)
        self.context = Context()
        self.rest: Rest | None = None  # None: the task has never run, the loop is about to wake it
        self.pending = False  # `first` has still to be handed to the task
        self.first: object = None
        self.over = False
        # An empty context: this task is the framework's, also when author code is on the stack.
        self.task: asyncio.Task[None] = segments.make_task(self, {"context": Context()})

    @property
    def spent(self) -> bool:
        """Cancelled, by somebody who went through all tasks or by author code that cancelled itself."""
        return self.task.cancelling() > 0 or (self.rest is not None and self.rest.woken)

    def borrow(self, coroutine: Coroutine[Any, Any, object], boundary: Boundary) -> None:
        self.coroutine = coroutine
        self.boundary = boundary
        if self.rest is not None:
            self.rest.borrowed = True
        self.context = context = copy_context()
        context.run(self.segments.author.set, boundary)

    def give_back(self) -> KeyboardInterrupt | None:
        """Forget the coroutine, which has ended within its first step."""
        error = self.error
        self.coroutine = self.boundary = self.value = self.error = None
        if self.rest is not None:
            self.rest.borrowed = False
        return error if isinstance(error, KeyboardInterrupt) else None

    def take_over(self, waiting: object) -> None:
        """Go on with the coroutine, which waits for `waiting`."""
        self.segments.going.add(self.task)
        if self.rest is None or not self.rest.follow(waiting):
            self.first = waiting
            self.pending = True

    def end(self) -> None:
        """Let the idle task finish."""
        self.over = True
        if self.rest is not None:
            self.rest.wake()

    def enter(self, method: Callable[[Any], object], argument: object) -> object:
        return self.context.run(method, argument)

    def send(self, value: object) -> object:
        if self.pending:
            self.pending = False
            first, self.first = self.first, None
            return first
        if self.coroutine is None:
            if self.over:
                raise StopIteration
            self.rest = Rest(self.task)
            return self.rest
        return self._settle(self.advance(self.coroutine.send, value))

    def throw(self, error: Any, value: Any = None, traceback: Any = None) -> object:
        if self.pending or self.coroutine is None:
            if isinstance(error, asyncio.CancelledError) and not self.task.cancelling():
                # Cancelled and uncancelled again within the first step, as a task group may do: nothing happened.
                return self.send(None)
            if self.coroutine is None:
                raise error
            self.pending = False
            first, self.first = self.first, None
            # Cancelled since the first step: as a task does, first try to cancel what it waits for.
            if isinstance(error, asyncio.CancelledError) and asyncio.isfuture(first) and first.cancel(*error.args):
                return first
        return self._settle(self.advance(self.coroutine.throw, error))

    def _settle(self, waiting: object) -> object:
        if waiting is not _Ended:
            return waiting
        self.segments.going.discard(self.task)
        error = self.error
        self.coroutine = self.boundary = self.value = self.error = None
        if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
            raise error
        raise StopIteration


class _Child(_Stepped):
    """The coroutine of a task that author code has created."""

    __slots__ = ()

    def enter(self, method: Callable[[Any], object], argument: object) -> object:
        # The task's context may be shared with others, so the boundary is taken out again.
        author = self.segments.author
        token = author.set(self.boundary)
        try:
            return method(argument)
        finally:
            author.reset(token)

    def send(self, value: object) -> object:
        return self._step(self.coroutine.send, value)

    def throw(self, error: Any, value: Any = None, traceback: Any = None) -> object:
        return self._step(self.coroutine.throw, error)

    def _step(self, method: Callable[[Any], object], argument: object) -> object:
        if self.segments.stepping:
            # Started eagerly: this first step belongs to the transaction of the code that starts the task.
            try:
                return self.enter(method, argument)
            except SystemExit as error:
                raise _harmless(error) from error
        waiting = self.advance(method, argument)
        if waiting is not _Ended:
            return waiting
        value, failure = self.value, self.error
        self.value = self.error = None
        if failure is None:
            raise StopIteration(value)
        if isinstance(failure, SystemExit):
            raise _harmless(failure) from failure
        try:
            raise failure
        finally:
            del failure  # its traceback holds this frame


def _harmless(error: SystemExit) -> RuntimeError:
    """A task that raises SystemExit stops the loop and with it the server; author code must not."""
    return RuntimeError(f"A task of the experiment raised {error!r}; expected it to return or to raise an Exception")
