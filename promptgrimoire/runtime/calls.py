"""Live calls: exactly once, in the order of the browser, one at a time per player.

Owns the lanes. Which calls a document has made is in its `CallTable`; what a method may be called with is in
`authoring.live`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from promptgrimoire.authoring.live import LiveMethod
from promptgrimoire.commands import Called, EventsHandled
from promptgrimoire.context import Activity
from promptgrimoire.errors import JournalError, JournalUnavailable, Refused
from promptgrimoire.ids import group_key, player_key
from promptgrimoire.journal.entries import Outcome
from promptgrimoire.realtime.calls import CallTable, addressed
from promptgrimoire.realtime.limits import Bucket
from promptgrimoire.realtime.outbox import Document
from promptgrimoire.realtime.protocol import Call, CloseCode, Error, Nonce, encode, frame, too_deep
from promptgrimoire.runtime.activities import Run
from promptgrimoire.runtime.call_runs import CallRun, VolatileRun
from promptgrimoire.state.records import Player

if TYPE_CHECKING:
    from promptgrimoire.runtime.host import Host

log = logging.getLogger("promptgrimoire.calls")
_SHOWN = 1000  # bytes of arguments that were refused
_MOST_HELD = 10  # times what may wait for one document: outcomes that a browser has not called settled


class _CarriedCall(msgspec.Struct):
    n: int
    method: str
    args: msgspec.Raw = msgspec.Raw(b"[]")


class _Carried(msgspec.Struct):
    document: Nonce
    calls: list[_CarriedCall]


_decode_carried = msgspec.json.Decoder(list[_Carried]).decode


class Lane:
    """One player's order: the call that runs, and those that wait for it."""

    __slots__ = ("bucket", "carried", "rates", "running", "waiting")

    def __init__(self, bucket: Bucket, carried: Bucket) -> None:
        self.rates: dict[str, Bucket] = {}  # of methods that have one of their own
        self.running: object | None = None
        self.waiting: deque[Callable[[], None]] = deque()
        self.bucket = bucket
        self.carried = carried  # of calls that come with submissions: as many at once as may wait


class Calls:
    """All live calls of one session."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lanes: dict[int, Lane] = {}

    def lane(self, player: int) -> Lane:
        lane = self._lanes.get(player)
        if lane is None:
            limits = self._host.limits
            rate, now = limits.calls_per_second, self._host.clock.now()
            lane = Lane(Bucket(rate, limits.call_burst, now), Bucket(rate, limits.waiting_calls, now))
            self._lanes[player] = lane
        return lane

    @property
    def busy(self) -> bool:
        return any(lane.running is not None or lane.waiting for lane in self._lanes.values())

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

    def take(self, document: Document, call: Call, exempt: bool = False) -> None:
        """A call arrived. Its one answer goes to the document, now or when it has ended."""
        if self._host.closing or self._host.failure is not None:
            return  # the browser asks again
        if call.n == 0:
            self._volatile(document, call)
            return
        table = document.calls
        if call.document:
            adopted = document.adopted.get(call.document)
            if adopted is None:
                self._complain(document, call, "gap", "this document was not named in hello.adopts")
                return
            table = adopted
        elif call.done:  # whose call was adopted may still wait for what the adopter has settled
            table.settle(call.done)
        if call.handled > document.handled:
            self._host.deliveries.handled(document, call.handled)
        n = call.n
        too_many = table.held > _MOST_HELD * self._host.limits.outbox_bytes  # it takes no replies, or says so of none
        if too_many and n == table.expected and not call.document and document.sink is not None:
            document.sink.close(CloseCode.SLOW, "too many calls have ended and are not called settled")
            return
        if n != table.expected:
            if n > table.expected:
                self._complain(document, call, "gap", f"expected call {table.expected} of this document, found {n}")
            else:
                self._repeat(document, table, call)
            return
        lane = self._lanes.get(document.player) or self.lane(document.player)
        table.accept(n)
        player = self._host.state.player(document.player)
        method = self._method(player, table, call)
        allowed = None if exempt else self._exceeded(lane, method)
        if allowed is not None:
            self._refuse(document, table, call, "rate", f"more than {allowed:g} calls per second")
            return
        if (lane.running is None and not lane.waiting) or (
            isinstance(method, LiveMethod) and method.options.concurrent
        ):
            self._execute(player, document, table, call, method, lane)
        elif len(lane.waiting) >= self._host.limits.waiting_calls:
            self._refuse(document, table, call, "busy", "too many calls wait")
        else:
            lane.waiting.append(
                lambda: self._execute(player, document, table, call, self._method(player, table, call), lane)
            )

    def carried(self, player: Player, stay: int, texts: Iterable[str]) -> None:
        """Calls that a page had not settled when its form was submitted: those that never arrived come before it."""
        if player._about.get("stay") != stay:
            return
        mail, lane = self._host.deliveries.of(player.id), self.lane(player.id)
        left, now = self._host.limits.waiting_calls, self._host.clock.now()  # how many more of them are looked at
        place = player._about.get("page", ""), player._about.get("round", 0)
        for text in texts:
            try:
                if too_deep(text):
                    raise RecursionError
                documents = _decode_carried(text)
            except (msgspec.DecodeError, RecursionError):
                log.warning("a submission of %r carried unreadable calls", player)
                continue
            for one in documents:
                if left <= 0:
                    break
                numbers = [call.n for call in one.calls]
                table = mail.table(one.document, stay, min(numbers, default=1))
                document = table.owner
                if document is None:
                    table.resume(numbers, max(numbers, default=0) + 1)
                    document = Document(one.document, player.id, stay, place, 0, table)
                for call in sorted(one.calls, key=lambda call: call.n)[:left]:
                    if call.n > table.expected:
                        table.skip_to(call.n)  # what has not settled is all here: those between were given up
                    if call.n == table.expected:
                        self.take(document, Call(call.n, call.method, call.args), exempt=lane.carried.take(now))
                left -= max(1, len(one.calls))

    def _exceeded(self, lane: Lane, method: LiveMethod | Refused) -> float | None:
        """The rate that one more call exceeds, if it does."""
        now = self._host.clock.now()
        if not lane.bucket.take(now):
            return self._host.limits.calls_per_second
        if not isinstance(method, LiveMethod) or method.options.rate is None:
            return None
        rate = method.options.rate
        bucket = lane.rates.get(method.name)
        if bucket is None:
            bucket = lane.rates[method.name] = Bucket(rate, max(1.0, rate), now)
        return None if bucket.take(now) else rate

    def _repeat(self, document: Document, table: CallTable, call: Call) -> None:
        outcome = table.outcomes.get(call.n)
        if outcome is None:
            if call.n not in table.running:  # else it runs, or waits, and is answered when it ends
                self._complain(document, call, "busy", "this call was refused, or its outcome is known no longer")
            return
        seq, message = outcome
        if seq <= self._host.durable_seq and document.sink is not None:
            message = addressed(message, call.document) if call.document else message
            document.sink.send(frame(seq, [message]))

    def _method(self, player: Player, table: CallTable, call: Call) -> LiveMethod | Refused:
        if table.stay != player._about.get("stay", 0):
            return Refused("stale", "This page is over.")
        page = self._host.flow.page_of(player)
        method = page.live.get(call.method) if page is not None else None
        if method is None:
            known = ", ".join(sorted(page.live)) if page is not None else ""
            return Refused(
                "unknown", f"no live method '{call.method}' on this page" + (f"; there are: {known}" if known else "")
            )
        return method

    def _execute(
        self,
        player: Player,
        document: Document,
        table: CallTable,
        call: Call,
        method: LiveMethod | Refused,
        lane: Lane,
    ) -> None:
        host = self._host
        if host.failure is not None:
            return  # this memory is not the truth any more
        name = call.method if len(call.method) <= 100 else call.method[:100] + "…"
        done = 0 if call.document else call.done
        cause = Called(document.player, table.stay, call.document or document.nonce, call.n, name, done)
        about = player._about
        label = f"{about.get('page', '')}.{name}"
        activity = Activity(host.tasks, player, about.get("app", ""), about.get("round", 0), label)
        known = None if isinstance(method, Refused) else method
        run = CallRun(host, cause, activity, bytes(call.args), document, table, call, known)
        if known is None or not known.options.concurrent:
            lane.running = run
        refused: Exception | None = method if isinstance(method, Refused) else None
        arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
        if known is not None:
            try:
                arguments = known.arguments(call.args, self.resolve)
            except Exception as error:  # boundary: author code may run here (a dataclass that checks itself)
                refused = error
        if refused is not None or known is None:
            assert refused is not None
            # As text: what was refused may be no JSON, or such that the entry could not be read again.
            run.value = msgspec.json.encode(bytes(call.args)[:_SHOWN].decode(errors="replace"))
            if known is not None:
                self._say_misfit(label, call, refused)
            run.begin()
            run.raised(refused)
            return
        self.invoke(run, known, player, arguments)

    def invoke(
        self, run: Run, method: LiveMethod, player: Player, arguments: tuple[tuple[Any, ...], dict[str, Any]]
    ) -> None:
        """Run a live method whose arguments have been checked."""
        positional, named = arguments
        page = self._host.study.pages[player._about["page"]].page
        function = partial(method.function, page, player, *positional, **named)
        if method.is_async:
            on_task = run.on_task if isinstance(run, CallRun) else None
            self._host.start(function(), run, on_task)
        else:
            self._host.step(function, run)

    def leave(self, player: int, run: object) -> None:
        """The running call has ended; the next one starts, in a turn of the loop of its own where many wait."""
        lane = self._lanes[player]
        if lane.running is not run:
            return
        lane.running = None
        if lane.waiting:
            asyncio.get_running_loop().call_soon(self._next, lane, context=Context())

    def tell_adopters(self, table: CallTable, of: str, seq: int, message: bytes) -> None:
        """Documents that took over the calls of another hear of their ends too."""
        adopters = list(table.adopters)
        text = frame(seq, [addressed(message, of)])

        def go() -> None:
            for document in adopters:
                if document.sink is not None:
                    document.sink.send(text)

        self._host.tell_function(go)

    def _next(self, lane: Lane) -> None:
        while lane.waiting and lane.running is None and not self._host.closing:  # else the browser asks again
            lane.waiting.popleft()()

    def after_pending(self, player: int, function: Callable[[], None]) -> None:
        """Run something in the player's lane: after the calls that came before it."""
        lane = self.lane(player)
        lane.waiting.append(function)
        if lane.running is None:
            self._next(lane)

    @asynccontextmanager
    async def turn(self, player: int, patience: float) -> AsyncIterator[None]:
        """A turn in the player's lane, after the calls that came before.

        After `patience` seconds without waiting longer.
        """
        lane = self.lane(player)
        host = self._host
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        mine = object()

        def start() -> None:
            if not turn.done():
                lane.running = mine
                turn.set_result(None)

        self.after_pending(player, start)
        try:
            if not turn.done():
                alarm = host.clock.at(host.clock.now() + patience, turn.cancel)
                try:
                    await asyncio.wait([turn])
                finally:
                    alarm.cancel()
            if host.failure is not None:
                raise JournalUnavailable(str(host.failure))
            yield
        finally:
            turn.cancel()  # where whoever waits has gone away: the lane must not wait for them
            self.leave(player, mine)

    def _volatile(self, document: Document, call: Call) -> None:
        player = self._host.state.player(document.player)
        method = self._method(player, document.calls, call)
        if not isinstance(method, LiveMethod) or not method.options.volatile:
            self._complain(document, call, "unknown", f"'{call.method}' is not a volatile live method of this page")
            return
        if self._exceeded(self.lane(document.player), method) is not None:
            return
        try:
            arguments = method.arguments(call.args, self.resolve)
        except Refused as error:
            self._say_misfit(f"{player._about.get('page', '')}.{call.method}", call, error)
            self._complain(document, call, error.code, error.message)
            return
        activity = self._host.activity(player, f"{player._about.get('page', '')}.{call.method}")
        cause = Called(document.player, document.stay, document.nonce, 0, call.method)
        self.invoke(VolatileRun(self._host, cause, activity, bytes(call.args)), method, player, arguments)

    def _say_misfit(self, label: str, call: Call, error: Exception) -> None:
        """Who develops a page reads the log, and not always the browser's console."""
        if self._host.settings.development and isinstance(error, Refused):
            shown = self._host.around.secrets.masked(bytes(call.args)[:_SHOWN].decode(errors="replace"))
            log.info("%s was called with %r: %s", label, shown, error.message)

    def _refuse(self, document: Document, table: CallTable, call: Call, code: str, text: str) -> None:
        self.refuse(document, table, call, encode(Error(call.n, code, text)))

    def refuse(self, document: Document, table: CallTable, call: Call, message: bytes) -> None:
        """An accepted call is refused without an entry: nothing was executed. If it is repeated, the answer is too."""
        table.end(call.n, 0, message)
        self._send(document, addressed(message, call.document) if call.document else message)

    def _complain(self, document: Document, call: Call, code: str, text: str) -> None:
        """Answer a call that is not accepted."""
        message = encode(Error(call.n, code, text))
        self._send(document, addressed(message, call.document) if call.document else message)

    def _send(self, document: Document, message: bytes) -> None:
        text = frame(0, [message])

        def go() -> None:
            if document.sink is not None:
                document.sink.send(text)

        self._host.tell_function(go)

    # ---------------------------------------------------------------- kept events

    def kept_handled(self, player: int, ids: list[str]) -> None:
        """A browser has handled these kept events: journal it, and do not deliver them again."""
        host = self._host
        mail = host.deliveries.of(player)
        known = [id for id in dict.fromkeys(ids) if mail.holds(id, host.durable_seq)]
        if not known or host.failure is not None:
            return
        run = Run(host, EventsHandled(player, known), host.activity(host.state.player(player), "handled"))
        run.begin()
        transaction = run._close()
        try:
            host.commit(transaction, run.cause, b"null", Outcome("ok"))
        except JournalError:
            return  # they stay kept: the browser says it again, or skips them by their ids
        mail.release(known)
        host.changed.add(f"~p{player}")
