"""One session's state machine: exactly once, in order per player, commit before tell.

A host is single-threaded: every method is called on the event loop. It owns the session's state, its place in the
journal, its documents, timers and tasks; it never reads HTTP and never renders.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import Context
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from promptgrimoire.authoring.language import Language
from promptgrimoire.authoring.secrets import Secrets
from promptgrimoire.commands import Cause
from promptgrimoire.context import Activity, current
from promptgrimoire.errors import JournalError, JournalUnavailable, NotFound, Refused, Reject, TooLarge
from promptgrimoire.journal.base import Description, Journal
from promptgrimoire.journal.blobs import Incoming
from promptgrimoire.journal.entries import Chain, Entry, Outcome
from promptgrimoire.realtime.outbox import Document
from promptgrimoire.runtime.activities import Awaited, Run
from promptgrimoire.runtime.calls import Calls
from promptgrimoire.runtime.clock import Clock
from promptgrimoire.runtime.deadlines import Deadlines
from promptgrimoire.runtime.deliveries import Deliveries
from promptgrimoire.runtime.dropouts import Dropouts
from promptgrimoire.runtime.flow import Flow
from promptgrimoire.runtime.hooks import Attendance
from promptgrimoire.runtime.plan import rounds_until
from promptgrimoire.runtime.rendering import PATIENCE, Frame, Rendering
from promptgrimoire.runtime.saying import gathered, too_large_to_send
from promptgrimoire.runtime.segments import Segments
from promptgrimoire.runtime.tasks import Tasks
from promptgrimoire.runtime.timers import Timers
from promptgrimoire.runtime.uploads import Uploads
from promptgrimoire.runtime.waiting import Waiting
from promptgrimoire.runtime.watchdog import Watchdog
from promptgrimoire.settings import Settings
from promptgrimoire.state.records import Player, Record
from promptgrimoire.state.session_state import SessionState
from promptgrimoire.state.transaction import Transaction

if TYPE_CHECKING:
    from promptgrimoire.authoring.pages import PageRequest
    from promptgrimoire.authoring.study import Study
    from promptgrimoire.authoring.uploads import Upload

log = logging.getLogger("promptgrimoire.host")
_ERRORS_KEPT = 100


class Surroundings:
    """What all hosts of one server share."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        segments: Segments,
        watchdog: Watchdog,
        settings: Settings,
        frame: Frame,
        secrets: Secrets,
    ) -> None:
        self.journal = journal
        self.clock = clock
        self.segments = segments
        self.watchdog = watchdog
        self.settings = settings
        self.frame = frame  # what a page needs around the author's part of it
        self.secrets = secrets


class PlayerLine(NamedTuple):
    """One line of the list of players."""

    name: str
    id: int
    token: str
    page: str
    online: bool


class Host:
    """Owns one session while it is loaded."""

    def __init__(self, state: SessionState, chain: Chain, around: Surroundings, study: Study) -> None:
        self.id = state.id
        self.state = state
        self.chain = chain
        self.around = around
        self.journal = around.journal
        self.clock = around.clock
        self.segments = around.segments
        self.watchdog = around.watchdog
        self.settings = around.settings
        self.limits = around.settings.limits
        chain.largest = self.limits.value
        self.study = study  # the version that runs now
        self.durable_seq = chain.seq
        self.failure: JournalError | None = None
        self.closing = False
        self.on_failure: Callable[[Host], None] = lambda host: None
        self.changed: set[str] = set()  # records changed since their last snapshot
        self.bytes_since_snapshot = 0
        self.snapshot_at: float = inf  # beyond so many bytes, on_growth is called, once
        self.on_growth: Callable[[], None] = lambda: None
        self.errors: deque[tuple[float, str, str, str]] = deque(maxlen=_ERRORS_KEPT)
        self._untold: deque[tuple[int, Callable[[], object]]] = deque()
        self._durables: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.deliveries = Deliveries(self)
        self.calls = Calls(self)
        self.deadlines = Deadlines(self)
        self.flow = Flow(self)
        self.waiting = Waiting(self)
        self.timers = Timers(self)
        self.tasks = Tasks(self)
        self.uploads = Uploads(self)
        self.dropouts = Dropouts(self)
        self.attendance = Attendance(self)
        state.mover = self.flow.ask_to_move
        state.plan = self.flow.route.names
        state.place = self.flow.place_of
        state.regrouped = self.waiting.regrouped
        state.rounds = lambda player: rounds_until(player._about.get("plan", ()), player.show_page)

    @property
    def config(self) -> str:
        """Name of the config that the session runs; of an app by itself, the app's."""
        return self.study.name

    # ---------------------------------------------------------------- for participants

    async def join(
        self,
        *,
        visitor: str = "",
        label: str = "",
        params: Mapping[str, str] | None = None,
        request: PageRequest | None = None,
    ) -> str:
        """A player's token; the same for the same visitor or label. Durable when it returns."""
        return await self.flow.joining.join(visitor, label, params, request)

    def language(self, token: str = "") -> Language:
        """What a player speaks, or (without a token of one) the study."""
        player = self.state.tokens.get(token)
        return self.study.language_of(None if player is None else self.state.player(player))

    async def visitor_token(self, visitor: str) -> str | None:
        """The token of the player that a visitor became, if they joined."""
        player = self.state.visitors.get(visitor)
        await self.durable()
        return None if player is None else self._token(player)

    def players(self) -> list[PlayerLine]:
        """Everybody, in the order of joining."""
        return [
            PlayerLine(player.name, player.id, self._token(player.id), player._about.get("page", ""), player.online)
            for player in self.state.everybody
        ]

    async def page(self, token: str, patience: float = PATIENCE) -> Rendering:
        """What this player is to see now; see `Renderings.page`. Raises NotFound."""
        return await self.flow.renderings.page(self._player(token), self.around.frame, patience)

    async def submit(
        self,
        token: str,
        stay: int,
        submission: str,
        data: Mapping[str, list[str]],
        uploads: Mapping[str, Upload] | None = None,
        request: PageRequest | None = None,
    ) -> Rendering | None:
        """Leave the page of that stay, once; see `Flow.submit`. Durable when it returns. Raises NotFound, Refused.

        `submission` is the id that the browser gave it: repeated, it gets the same answer and runs nothing again.
        """
        return await self.flow.submit(self._player(token), stay, submission, data, uploads, request)

    async def retry(self, token: str, request: PageRequest | None = None) -> None:
        """Enter the page again that could not be entered. Raises NotFound."""
        await self.flow.retry(self._player(token), request)

    def upload_limits(self, token: str, stay: int | None) -> dict[str, int]:
        """How many bytes each field's file may have; see `Uploads.limits`. Raises NotFound."""
        return self.uploads.limits(self._player(token), stay)

    def incoming(self) -> Incoming:
        """Where the next file that somebody sends goes."""
        return self.uploads.incoming()

    def _player(self, token: str) -> Player:
        player = self.state.tokens.get(token)
        if player is None:
            raise NotFound("no such player")
        return self.state.player(player)

    def _token(self, player: int) -> str:
        token = self.flow.private(player)._fields["token"]
        assert isinstance(token, str)
        return token

    # ---------------------------------------------------------------- committing and telling

    def commit(
        self,
        transaction: Transaction,
        cause: Cause,
        value: bytes = b"null",
        outcome: Outcome | None = None,
        result: bytes = b"null",
        answering: tuple[Document, bytes] | None = None,
    ) -> int:
        """Make a transaction an entry and give it to the journal; gives its seq.

        What it raises leaves nothing behind but the transaction, which the caller undoes.
        """
        if self.failure is not None:
            raise JournalUnavailable(str(self.failure))
        transaction.check()
        patches, values = transaction.patches()
        sends, texts, volatile = gathered(transaction.said, self.limits.outbox_bytes)
        if len(result) > self.limits.outbox_bytes:
            raise too_large_to_send("what was answered", len(result), self.limits.outbox_bytes)
        slots = [value, *values, *texts, result]
        self.around.secrets.check(slots[1:])
        if volatile:
            self.around.secrets.check([data for _, data in volatile])
        if outcome is not None and outcome.message:
            outcome = msgspec.structs.replace(outcome, message=self.around.secrets.masked(outcome.message))
        seq = 0
        if patches or sends or outcome is not None:
            framework = False  # whether the index line may have changed
            for patch in patches:
                self.changed.add(patch.record)
                if patch.record[0] == "!":
                    framework = True
            chain = self.chain
            before = chain.seq, chain.digest
            seq = chain.seq + 1
            row = chain.row(Entry(seq, self.clock.now(), cause, patches, sends, outcome), slots)
            size = len(row.text) + len(row.values)
            if size > self.limits.entry:
                chain.back_to(*before)
                raise TooLarge(
                    f"one step of {type(cause).__name__} wrote and said {size:,} bytes; "
                    f"at most {self.limits.entry:,} fit in one entry (the setting limits.entry)"
                )
            described = self._described
            try:
                self.journal.append(self, row, self._description() if framework else None)
            except JournalError:
                chain.back_to(*before)
                self._described = described
                raise
            self.bytes_since_snapshot += row.size if row.blobs else size
            if self.bytes_since_snapshot > self.snapshot_at:
                self.snapshot_at = inf
                asyncio.get_running_loop().call_soon(self.on_growth, context=Context())
            if sends or answering is not None:
                self._untold.append((seq, self.deliveries.committed(seq, sends, texts, answering)))
        for notice, data in volatile:
            self.tell_function(self.deliveries.volatile(notice, data))
        if transaction.begun:
            loop = asyncio.get_running_loop()
            for begun in transaction.begun:
                loop.call_soon(begun, context=Context())
        return seq

    _described: tuple[bool, float | None, bool] | None = None

    def _description(self) -> Description | None:
        """The stream's index line, where it has changed. Empty while the session is being made: nobody uses it."""
        hidden = self.state.hidden._fields
        now = (bool(self.state.tokens), self.timers.next_due(), "making" in hidden)
        if now == self._described:
            return None
        self._described = now
        if now[2]:
            return Description()
        return Description(app=hidden.get("config", ""), created=hidden.get("created", 0.0), joined=now[0], due=now[1])

    def tell_function(self, function: Callable[[], object]) -> None:
        """Call the function, which tells somebody something, once everything executed so far is durable."""
        if self.durable_seq >= self.chain.seq:
            function()
        else:
            self._untold.append((self.chain.seq, function))

    def stored(self, seq: int) -> None:
        """The journal: everything up to `seq` is durable."""
        self.durable_seq = seq
        untold = self._untold
        while untold and untold[0][0] <= seq:
            untold.popleft()[1]()
        durables = self._durables
        while durables and durables[0][0] <= seq:
            waiter = durables.popleft()[1]
            if not waiter.done():
                waiter.set_result(None)

    def failed(self, error: JournalError) -> None:
        """The journal: what is not stored will not be. Memory is not the truth any more."""
        if self.failure is not None:
            return
        self.failure = error
        self._untold.clear()
        for _, waiter in self._durables:
            if not waiter.done():
                waiter.set_exception(JournalUnavailable(str(error)))
        self._durables.clear()
        self.deliveries.lose_everybody()
        self.tasks.cancel()
        self.timers.stop()
        self.on_failure(self)

    def discard(self, why: str) -> None:
        """Memory is not what the journal says: load the session anew. What was acknowledged is all there."""
        log.error("session %s is loaded anew: %s", self.id, why)
        self.failed(JournalUnavailable(why))

    async def durable(self) -> None:
        """Return when everything that has been executed so far is on disk. Raises JournalUnavailable."""
        if self.failure is not None:
            raise JournalUnavailable(str(self.failure))
        if self.durable_seq >= self.chain.seq:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._durables.append((self.chain.seq, waiter))
        await waiter

    # ---------------------------------------------------------------- running author code

    def activity(self, record: Record, label: str, app: str = "") -> Activity:
        """For whom and where author code runs; `app` for code of another app than the one where a player is."""
        if isinstance(record, Player):
            return Activity(self.tasks, record, app or record.app, record.round, label)
        return Activity(self.tasks, record, app or self.study.apps[0].name, 0, label)

    def start(
        self, coroutine: Coroutine[Any, Any, Any], run: Run, on_task: Callable[[Any], None] | None = None
    ) -> None:
        """Step author code; what does not wait for anything has ended when this returns."""
        token = current.set(run.activity)
        try:
            self.segments.run(coroutine, run, on_task=on_task)
        finally:
            current.reset(token)

    def step(self, function: Callable[[], Any], run: Run) -> None:
        """Call a plain function as one transaction."""
        token = current.set(run.activity)
        try:
            self.segments.call(function, run)
        finally:
            current.reset(token)

    async def perform(
        self, cause: Cause, record: Record, label: str, coroutine: Coroutine[Any, Any, Any], value: bytes = b"null"
    ) -> Any:
        """Run a coroutine as an activity and await its end; gives what it returned or raises what it raised.

        What it did is not necessarily durable yet: call `durable()` before telling anybody.
        """
        if self.failure is not None:
            coroutine.close()
            raise JournalUnavailable(str(self.failure))
        run = Awaited(self, cause, self.activity(record, label), value)

        def on_task(task: Any) -> None:
            run.waiter = asyncio.get_running_loop().create_future()

        self.start(coroutine, run, on_task)
        if run.waiter is not None:
            await asyncio.shield(run.waiter)
        if run.error is not None:
            if not isinstance(run.error, JournalError | Reject | Refused | asyncio.CancelledError):
                with suppress(AttributeError):
                    run.error.reference = run.report(run.error)  # type: ignore[attr-defined]
            raise run.error
        return run.value_returned

    async def wait(self, future: asyncio.Future[Any], seconds: float) -> None:
        """Return when the future is done, or after so many seconds."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        alarm = self.clock.at(self.clock.now() + seconds, over.cancel)
        try:
            await asyncio.wait([future, over], return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            over.cancel()

    async def close(self) -> None:
        """Take no more commands, say good-bye, end tasks and calls, wait until everything is durable."""
        self.closing = True
        self.timers.stop()
        self.attendance.stop()
        self.deliveries.say_goodbye()
        await self.tasks.end()
        if self.failure is None:
            await self.durable()

    async def retire(self) -> None:
        """After `close`, the very last: from here on nothing of this host reaches the journal."""
        while self.failure is None and self.durable_seq < self.chain.seq:
            await self.durable()
        self.failure = self.failure or JournalUnavailable(f"session {self.id} was put away")

    @property
    def busy(self) -> bool:
        """Whether author code is under way."""
        return bool(self.tasks.going or self.tasks.calls) or self.calls.busy or self.flow.busy or self.waiting.busy
