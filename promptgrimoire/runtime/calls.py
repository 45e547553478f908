"""Live calls: exactly once, in the order of the browser, one at a time per player.

Owns the lanes. Which calls a document has made is in its `CallTable`; what a method may be called with is in `authoring.live`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from typing import TYPE_CHECKING, Any

import msgspec

from promptgrimoire.authoring.live import LiveMethod
from promptgrimoire.commands import Called, EventsHandled
from promptgrimoire.context import Activity
from promptgrimoire.errors import AuthorError, JournalError, Refused, Reject
from promptgrimoire.ids import group_key, player_key
from promptgrimoire.journal.entries import Outcome
from promptgrimoire.realtime.calls import CallTable
from promptgrimoire.realtime.limits import Bucket
from promptgrimoire.realtime.outbox import Document
from promptgrimoire.realtime.protocol import Call, Error, encode, frame
from promptgrimoire.runtime.activities import Run
from promptgrimoire.state.records import Player
from promptgrimoire.state.values import to_browser

if TYPE_CHECKING:
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.state.transaction import Transaction

log = logging.getLogger("promptgrimoire.calls")
_FAILED = "Something went wrong here. It has been reported to the researcher."


class Lane:
    """One player's order: the call that runs, and those that wait for it."""

    __slots__ = ("bucket", "running", "waiting")

    def __init__(self, bucket: Bucket) -> None:
        self.running: object | None = None
        self.waiting: deque[Callable[[], None]] = deque()
        self.bucket = bucket


class CallRun(Run):
    """A live call under way."""

    __slots__ = (
        "_deadline",
        "_started",
        "_task",
        "_timed_out",
        "adopted",
        "call",
        "document",
        "in_lane",
        "method",
        "table",
    )

    def __init__(
        self,
        host: Host,
        cause: Called,
        activity: Activity,
        value: bytes,
        document: Document,
        table: CallTable,
        call: Call,
        method: LiveMethod | None,
    ) -> None:
        super().__init__(host, cause, activity, value)
        self.document = document
        self.table = table
        self.call = call
        self.method = method
        self.in_lane = False
        self._started = False
        self._timed_out = False
        self._task: asyncio.Task[Any] | None = None
        self._deadline: Any = None

    def on_task(self, task: asyncio.Task[Any]) -> None:
        """The method waits for something: its deadline runs."""
        self._task = task
        deadline = self.method.options.deadline if self.method is not None else None
        if deadline is not None:
            self._deadline = self.host.clock.at(self.host.clock.now() + deadline, self._time_out)

    def _time_out(self) -> None:
        self._timed_out = True
        if self._task is not None:
            self._task.cancel()

    def outcome_when_suspended(self) -> Outcome | None:
        if self._started:
            return None
        self._started = True
        self.table.started.add(self.call.n)
        return Outcome("started")

    def finish(self, transaction: Transaction, value: object) -> int:
        result = to_browser(value)
        message = b'{"type":"reply","n":%d,"ok":%s%s}' % (self.call.n, result, self._to_whom())
        return self._end(transaction, Outcome("ok"), result, message)

    def fail(self, transaction: Transaction, error: BaseException) -> int:
        code, text, reference = self._explain(error)
        message = self._error(code, text, reference)
        try:
            return self._end(transaction, Outcome("error", code, text, reference), b"null", message)
        except JournalError:
            return 0  # storage has failed: nobody is told anything, the browser asks again
        except Exception as refused:  # what was written while handling the error cannot be committed either
            transaction.undo()
            self.report(refused)
            return self._end(transaction, Outcome("error", code, text, reference), b"null", message)

    def _explain(self, error: BaseException) -> tuple[str, str, str]:
        if isinstance(error, Reject):
            return "reject", error.message, ""
        if isinstance(error, Refused):
            return error.code, error.message, ""
        if isinstance(error, JournalError):
            return "busy", "One moment, please. Storage is not available.", ""
        reference = self.report(error)
        if self._timed_out and isinstance(error, asyncio.CancelledError):
            deadline = self.method.options.deadline if self.method is not None else 0
            return "deadline", f"This took longer than {deadline} seconds.", reference
        if self.host.settings.development and isinstance(error, AuthorError):
            return "error", str(error), reference
        return "error", _FAILED, reference

    def _end(self, transaction: Transaction, outcome: Outcome, result: bytes, message: bytes) -> int:
        value, self.value = self.value, b"null"
        try:
            seq = self.host.commit(transaction, self.cause, value, outcome, result, (self.document, message))
        except BaseException:
            self.value = value
            raise
        self.table.end(self.call.n, seq, message)
        return seq

    def _error(self, code: str, text: str, reference: str = "") -> bytes:
        document = self.call.document or msgspec.UNSET
        return encode(Error(self.call.n, code, text, reference, document))  # type: ignore[arg-type]

    def _to_whom(self) -> bytes:
        return b',"document":%s' % msgspec.json.encode(self.call.document) if self.call.document else b""

    def ended(self, seq: int, value: object, error: BaseException | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self.in_lane:
            self.host.calls.leave(self.document.player, self)


class VolatileRun(Run):
    """A call that may write nothing, is not numbered and gets no reply."""

    __slots__ = ()

    def _commit(self, transaction: Transaction, outcome: Outcome | None = None, result: bytes = b"null") -> int:
        if transaction.writes:
            raise AuthorError(
                f"{self.activity.label} is @live(volatile=True), which may write nothing; it wrote "
                f"'{transaction.writes[0].patch.path[0]}' ({transaction.writes[0].patch.line}). Use @live for what must be kept."
            )
        return super()._commit(transaction, outcome, result)


class Calls:
    """All live calls of one session."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lanes: dict[int, Lane] = {}

    def lane(self, player: int) -> Lane:
        lane = self._lanes.get(player)
        if lane is None:
            limits = self._host.limits
            bucket = Bucket(limits.calls_per_second, limits.call_burst, self._host.clock.now())
            lane = self._lanes[player] = Lane(bucket)
        return lane

    def resolve(self, kind: str, key: str | int) -> Any:
        """The handle that an argument names, within this session only; raises LookupError."""
        state = self._host.state
        if kind == "player":
            id = state.names.get(key) if isinstance(key, str) else None
            if id is None and str(key).isascii() and str(key).isdigit() and len(str(key)) < 10:
                id = int(key)
            found = state.records.get(player_key(id)) if id is not None else None
            if found is None:
                raise LookupError(f"no player {key!r} in this session")
            return found
        if str(key).isascii() and str(key).isdigit() and len(str(key)) < 10 and group_key(int(key)) in state.records:
            return state.records[group_key(int(key))]
        for group in state.groups:
            if group.name == key:
                return group
        raise LookupError(f"no group {key!r} in this session")

    # ---------------------------------------------------------------- taking calls

    def take(self, document: Document, call: Call) -> None:
        """A call arrived. Its one answer goes to the document, now or when it has ended."""
        if call.n == 0:
            self._volatile(document, call)
            return
        table = document.calls
        if call.document:
            adopted = document.adopted.get(call.document)
            if adopted is None:
                self._answer(document, call, "gap", "this document was not named in hello.adopts")
                return
            table = adopted
        if call.done:
            table.settle(call.done)
        if call.handled > document.handled:
            self._host.deliveries.handled(document, call.handled)
        n = call.n
        if n != table.expected:
            if n > table.expected:
                self._answer(document, call, "gap", f"expected call {table.expected} of this document, found {n}")
            else:
                self._repeat(document, table, call)
            return
        lane = self.lane(document.player)
        if not lane.bucket.take(self._host.clock.now()):
            limits = self._host.limits
            table.expected = n + 1
            self._answer(document, call, "rate", f"more than {limits.calls_per_second:g} calls per second")
            return
        table.expected = n + 1
        table.running.add(n)
        method = self._method(document, call)
        if (lane.running is None and not lane.waiting) or (
            isinstance(method, LiveMethod) and method.options.concurrent
        ):
            self._execute(document, table, call, method, lane)
        elif len(lane.waiting) >= self._host.limits.waiting_calls:
            table.drop(n)
            self._answer(document, call, "busy", "too many calls wait")
        else:
            lane.waiting.append(lambda: self._execute(document, table, call, self._method(document, call), lane))

    def _repeat(self, document: Document, table: CallTable, call: Call) -> None:
        outcome = table.outcomes.get(call.n)
        if outcome is None:
            return  # it runs, or waits, and is answered when it ends; or it has settled
        seq, message = outcome
        if seq <= self._host.durable_seq and document.sink is not None:
            document.sink.send(frame(seq, [message]))

    def _method(self, document: Document, call: Call) -> LiveMethod | Refused:
        host = self._host
        about = host.state.player(document.player)._about
        if document.stay != about.get("stay", 0):
            return Refused("stale", "This page is over.")
        page = host.flow.page_of(document.player)
        method = page.live.get(call.method) if page is not None else None
        if method is None:
            known = ", ".join(sorted(page.live)) if page is not None else ""
            return Refused(
                "unknown", f"no live method '{call.method}' on this page" + (f"; there are: {known}" if known else "")
            )
        return method

    def _execute(
        self, document: Document, table: CallTable, call: Call, method: LiveMethod | Refused, lane: Lane
    ) -> None:
        host = self._host
        player = host.state.player(document.player)
        name = call.method if len(call.method) <= 100 else call.method[:100] + "…"
        cause = Called(document.player, document.stay, call.document or document.nonce, call.n, name, call.done)
        about = player._about
        label = f"{about.get('page', '')}.{name}"
        activity = Activity(host.tasks, player, about.get("app", ""), about.get("round", 0), label)
        known = None if isinstance(method, Refused) else method
        run = CallRun(host, cause, activity, bytes(call.args), document, table, call, known)
        if known is None or not known.options.concurrent:
            run.in_lane = True
            lane.running = run
        refused = method if isinstance(method, Refused) else None
        arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
        if known is not None:
            try:
                arguments = known.arguments(call.args, self.resolve)
            except Refused as error:
                refused = error
        if refused is not None or known is None:
            assert refused is not None
            run.begin()
            run.raised(refused)
            return
        self.invoke(run, known, player, arguments)

    def invoke(
        self, run: Run, method: LiveMethod, player: Player, arguments: tuple[tuple[Any, ...], dict[str, Any]]
    ) -> None:
        """Run a live method whose arguments have been checked."""
        positional, named = arguments
        spec = self._host.flow.page_of(player.id)
        assert spec is not None
        page = spec.page
        if method.is_async:
            on_task = run.on_task if isinstance(run, CallRun) else None
            self._host.start(method.call(page, player, positional, named), run, on_task)
        else:
            self._host.step(lambda: method.call(page, player, positional, named), run)

    def leave(self, player: int, run: object) -> None:
        """The running call has ended; the next one starts, in a turn of the loop of its own where many wait."""
        lane = self._lanes[player]
        if lane.running is not run:
            return
        lane.running = None
        if lane.waiting:
            asyncio.get_running_loop().call_soon(self._next, lane, context=Context())

    def _next(self, lane: Lane) -> None:
        while lane.waiting and lane.running is None:
            lane.waiting.popleft()()

    def after_pending(self, player: int, function: Callable[[], None]) -> None:
        """Run something in the player's lane: after the calls that came before it."""
        lane = self.lane(player)
        lane.waiting.append(function)
        if lane.running is None:
            self._next(lane)

    @asynccontextmanager
    async def turn(self, player: int, patience: float) -> AsyncIterator[None]:
        """A turn in the player's lane, after the calls that came before; after `patience` seconds without waiting longer."""
        lane = self.lane(player)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        mine = object()

        def start() -> None:
            if not turn.done():
                lane.running = mine
                turn.set_result(None)

        self.after_pending(player, start)
        try:
            if not turn.done():
                await asyncio.wait([turn], timeout=patience)
                turn.cancel()
            yield
        finally:
            self.leave(player, mine)

    def _volatile(self, document: Document, call: Call) -> None:
        method = self._method(document, call)
        if not isinstance(method, LiveMethod) or not method.options.volatile:
            self._answer(document, call, "unknown", f"'{call.method}' is not a volatile live method of this page")
            return
        lane = self.lane(document.player)
        if not lane.bucket.take(self._host.clock.now()):
            return
        try:
            arguments = method.arguments(call.args, self.resolve)
        except Refused as error:
            self._answer(document, call, error.code, error.message)
            return
        player = self._host.state.player(document.player)
        activity = self._host.activity(player, f"{player._about.get('page', '')}.{call.method}")
        cause = Called(document.player, document.stay, document.nonce, 0, call.method)
        self.invoke(VolatileRun(self._host, cause, activity, bytes(call.args)), method, player, arguments)

    def _answer(self, document: Document, call: Call, code: str, text: str) -> None:
        """Refuse without an entry: nothing was executed."""
        error = encode(Error(call.n, code, text, "", call.document or msgspec.UNSET))  # type: ignore[arg-type]

        def go() -> None:
            if document.sink is not None:
                document.sink.send(frame(0, [error]))

        self._host.tell_function(go)

    # ---------------------------------------------------------------- kept events

    def kept_handled(self, player: int, ids: list[str]) -> None:
        """A browser has handled these kept events: journal it, and do not deliver them again."""
        host = self._host
        mail = host.deliveries.of(player)
        known = [id for id in ids if id in mail.kept]
        if not known or host.failure is not None:
            return
        run = Run(host, EventsHandled(player, known), host.activity(host.state.player(player), "handled"))
        run.begin()
        transaction = run._close()
        host.commit(transaction, run.cause, b"null", Outcome("ok"))
        for id in known:
            del mail.kept[id]
        host.changed.add(f"~p{player}")
