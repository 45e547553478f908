"""One piece of running author code, from its cause to its end: opens, commits and undoes its transactions.

A `Run` is the boundary that `segments` steps against. What an end means (a reply, a page, a log line) is said by
subclasses.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from promptgrimoire.commands import Cause
from promptgrimoire.context import Activity
from promptgrimoire.errors import JournalError, Reject
from promptgrimoire.ids import new_secret
from promptgrimoire.journal.entries import Outcome
from promptgrimoire.runtime.tracebacks import author_traceback
from promptgrimoire.state.transaction import Transaction

if TYPE_CHECKING:
    from promptgrimoire.runtime.host import Host

log = logging.getLogger("promptgrimoire.author")


class Run:
    """One activity of one session.

    Each step between `begin` and its end is one transaction; the cause's value (arguments, form data) goes with the
    first entry that is written.
    """

    __slots__ = ("_transaction", "activity", "cause", "host", "value")

    def __init__(self, host: Host, cause: Cause, activity: Activity, value: bytes = b"null") -> None:
        self.host = host
        self.cause = cause
        self.activity = activity
        self.value = value
        self._transaction: Transaction | None = None

    # ---------------------------------------------------------------- the boundary

    def begin(self) -> None:
        state = self.host.state
        assert state.transaction is None, "two transactions of one session cannot be open at once"
        activity = self.activity
        state.transaction = self._transaction = Transaction(state, activity.app, activity.round)
        self.host.watchdog.enter(activity.label)

    def _close(self) -> Transaction:
        transaction = self._transaction
        assert transaction is not None
        self._transaction = self.host.state.transaction = None
        self.host.watchdog.leave()
        return transaction

    def suspended(self) -> None:
        self.before_suspension()
        transaction = self._close()
        try:
            self._commit(transaction, self.outcome_when_suspended())
        except Exception as error:
            transaction.undo(error)
            raise

    def returned(self, value: object) -> None:
        transaction = self._close()
        try:
            seq = self.finish(transaction, value)
        except Exception as error:
            # raised() is called with it: it finds the transaction again and undoes it
            self._transaction = self.host.state.transaction = transaction
            self.host.watchdog.enter(self.activity.label)
            raise error
        self.ended(seq, value, None)

    def raised(self, error: BaseException) -> None:
        if self._transaction is None:
            self.begin()  # beginning failed: there is nothing to undo, but the end is recorded
        transaction = self._close()
        if not (isinstance(error, Reject) and error.keep):
            transaction.undo(error)
            for patch in transaction.lost:
                log.warning(
                    "%s: %s was changed while a failure was handled, and could not be kept: the part that failed had "
                    "changed the same container. Change it before, or assign a whole new value.",
                    patch.line,
                    ".".join(map(str, patch.path)),
                )
        try:
            seq = self.fail(transaction, error)
        except Exception as again:
            transaction.undo()
            if not isinstance(again, JournalError):
                self.report(again)
            seq = 0
        self.ended(seq, None, error)
        if transaction.spoiled:
            self.host.discard("a container was changed in a way that nothing can take back")

    def child(self) -> Run:
        return Run(self.host, self.cause, self.activity)

    def _commit(self, transaction: Transaction, outcome: Outcome | None = None, result: bytes = b"null") -> int:
        """Gives the seq of the entry, 0 where there was nothing to record."""
        if not transaction.writes and not transaction.said and not transaction.begun and outcome is None:
            transaction.check()
            return 0
        value, self.value = self.value, b"null"
        return self.host.commit(transaction, self.cause, value, outcome, result)

    # ---------------------------------------------------------------- what kinds of activities differ in

    def before_suspension(self) -> None:
        """Called with the transaction still open."""

    def outcome_when_suspended(self) -> Outcome | None:
        return None

    def finish(self, transaction: Transaction, value: object) -> int:
        """Commit the last transaction; gives its seq. What it raises undoes it."""
        return self._commit(transaction)

    def fail(self, transaction: Transaction, error: BaseException) -> int:
        """Commit what remains after `error` (what was written while handling it)."""
        if not isinstance(error, asyncio.CancelledError):
            self.report(error)
        return self._commit(transaction)

    def ended(self, seq: int, value: object, error: BaseException | None) -> None:
        """The activity is over; `seq` is that of its last entry."""

    def report(self, error: BaseException) -> str:
        """Log an author's exception with its traceback and the inputs; gives the reference id."""
        reference = new_secret()[:8]
        if isinstance(error, Reject):
            return reference
        masked = self.host.around.secrets.masked
        text = masked(author_traceback(error))
        inputs = f" with {masked(self.value.decode())}" if self.value not in (b"null", b"[]") else ""
        log.error(
            "[%s] %s failed%s (session %s, %r)\n%s",
            reference,
            self.activity.label,
            inputs,
            self.host.id,
            self.activity.record,
            text,
        )
        self.host.errors.append((self.host.clock.now(), reference, self.activity.label, masked(repr(error))))
        return reference


class Awaited(Run):
    """An activity whose end somebody awaits (a page, a submission, joining)."""

    __slots__ = ("_refused", "error", "on_end", "value_returned", "waiter")

    def __init__(self, host: Host, cause: Cause, activity: Activity, value: bytes = b"null") -> None:
        super().__init__(host, cause, activity, value)
        self.waiter: Any = None
        self.value_returned: Any = None
        self.error: BaseException | None = None
        self.on_end: Callable[[], None] | None = None
        self._refused = False

    def _commit(self, transaction: Transaction, outcome: Outcome | None = None, result: bytes = b"null") -> int:
        try:
            return super()._commit(transaction, outcome, result)
        except JournalError:
            self._refused = True
            raise

    def lost(self, error: BaseException) -> bool:
        """For what nobody would try again: whether it ended because storage did not take what it wrote.

        Then memory is discarded as after a crash, and what is under way goes on when the session is loaded.
        """
        if not self._refused or not isinstance(error, JournalError):
            return False
        if self.host.failure is None:
            self.host.discard(f"storage did not take what {self.activity.label} wrote ({error})")
        return True

    def fail(self, transaction: Transaction, error: BaseException) -> int:
        return self._commit(transaction)

    def ended(self, seq: int, value: object, error: BaseException | None) -> None:
        self.value_returned = value
        self.error = error
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)
        if self.on_end is not None:
            self.on_end()
