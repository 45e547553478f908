"""A live call under way: its transactions, its deadline, how its end is told. When it may start is `calls`' affair."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from promptgrimoire.authoring.live import LiveMethod
from promptgrimoire.commands import Called
from promptgrimoire.context import Activity
from promptgrimoire.errors import AuthorError, JournalError, NotSerialisable, Refused, Reject
from promptgrimoire.journal.entries import Outcome
from promptgrimoire.realtime.calls import INTERRUPTED, CallTable
from promptgrimoire.realtime.outbox import Document
from promptgrimoire.realtime.protocol import Call, Error, encode
from promptgrimoire.runtime.activities import Run
from promptgrimoire.state.values import to_browser

if TYPE_CHECKING:
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.state.transaction import Transaction

_FAILED = "Something went wrong here. It has been reported to the researcher."


class CallRun(Run):
    """A live call under way."""

    __slots__ = (
        "_deadline",
        "_started",
        "_task",
        "_timed_out",
        "call",
        "document",
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
        self.host = host
        self.cause = cause
        self.activity = activity
        self.value = value
        self._transaction = None
        self.document = document
        self.table = table
        self.call = call
        self.method = method
        self._started = False
        self._timed_out = False
        self._task: asyncio.Task[Any] | None = None
        self._deadline: Any = None

    def on_task(self, task: asyncio.Task[Any]) -> None:
        """The method waits for something: its deadline runs."""
        self._task = task
        self.host.tasks.keep_call(task)
        deadline = self.method.options.deadline if self.method is not None else None
        if deadline is not None:
            self._deadline = self.host.clock.at(self.host.clock.now() + deadline, self._time_out)

    def _time_out(self) -> None:
        self._timed_out = True
        if self._task is not None:
            self._task.cancel()

    def outcome_when_suspended(self) -> Outcome | None:
        return None if self._started else Outcome("started")

    def suspended(self) -> None:
        super().suspended()
        if not self._started:  # only now: a commit that is refused records nothing
            self._started = True
            self.table.started.add(self.call.n)
            self.host.changed.add(f"~p{self.document.player}")

    def before_suspension(self) -> None:
        if self.method is not None and self.method.options.volatile and self._transaction is not None:
            _wrote_nothing(self.activity.label, self._transaction)

    def finish(self, transaction: Transaction, value: object) -> int:
        if self.method is not None and self.method.options.volatile:  # with a number: invoked rather than sent
            _wrote_nothing(self.activity.label, transaction)
        try:
            result = to_browser(value)
        except NotSerialisable as problem:
            where = "" if self.method is None else f"{self.method.where}: what {self.method.name} returns: "
            raise NotSerialisable(f"{where}{problem}") from None
        message = b'{"type":"reply","n":%d,"ok":%s}' % (self.call.n, result)
        return self._end(transaction, Outcome("ok"), result, message)

    def fail(self, transaction: Transaction, error: BaseException) -> int:
        code, text, reference = self._explain(error)
        message = encode(Error(self.call.n, code, text, reference))
        try:
            return self._end(transaction, Outcome("error", code, text, reference), b"null", message)
        except JournalError:
            transaction.undo()
            if self.host.failure is None:  # else nobody is told anything, the browser asks again
                busy = encode(Error(self.call.n, "busy", "One moment, please. Storage is not available."))
                self.host.calls.refuse(self.document, self.table, self.call, busy)
            return 0
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
        if self.host.closing and isinstance(error, asyncio.CancelledError):
            return "interrupted", INTERRUPTED, ""
        reference = self.report(error)
        if self._timed_out and isinstance(error, asyncio.CancelledError):
            deadline = self.method.options.deadline if self.method is not None else 0
            return "deadline", f"This took longer than {deadline} seconds.", reference
        if self.host.settings.development and isinstance(error, AuthorError):
            return "error", str(error), reference
        return "error", _FAILED, reference

    def _end(self, transaction: Transaction, outcome: Outcome, result: bytes, message: bytes) -> int:
        value, self.value = self.value, b"null"
        host, table = self.host, self.table
        answering = None if table.owner is None else (table.owner, message)
        try:
            seq = host.commit(transaction, self.cause, value, outcome, result, answering)
        except BaseException:
            self.value = value
            raise
        table.end(self.call.n, seq, message)
        host.changed.add(f"~p{self.document.player}")
        if table.adopters:
            host.calls.tell_adopters(table, self.call.document or self.document.nonce, seq, message)
        return seq

    def ended(self, seq: int, value: object, error: BaseException | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self.host.calls.leave(self.document.player, self)


class VolatileRun(Run):
    """A call that may write nothing, is not numbered and gets no reply."""

    __slots__ = ()

    def _commit(self, transaction: Transaction, outcome: Outcome | None = None, result: bytes = b"null") -> int:
        _wrote_nothing(self.activity.label, transaction)
        return super()._commit(transaction, outcome, result)


def _wrote_nothing(label: str, transaction: Transaction) -> None:
    """Raises AuthorError where a volatile method wrote something."""
    for write in transaction.writes:
        if write.value:  # else it is only how to take back an index
            raise AuthorError(
                f"{label} is @live(volatile=True), which may write nothing; it wrote '{write.patch.path[0]}' "
                f"({write.patch.line}). Use @live for what must be kept."
            )
