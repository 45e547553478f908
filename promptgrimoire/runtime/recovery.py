"""From the journal back to a host: snapshot, entries, interrupted calls, moves under way; and taking snapshots.

Nothing is told and no author code runs while a session is being rebuilt.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from promptgrimoire.commands import Called, Connected, Disconnected, EventsHandled, PlayerCreated
from promptgrimoire.errors import JournalDamaged, JournalError, JournalUnavailable
from promptgrimoire.ids import hidden
from promptgrimoire.journal.base import Journal, Snapshot
from promptgrimoire.journal.entries import Chain, Entry, Row, decode_row
from promptgrimoire.realtime.calls import INTERRUPTED
from promptgrimoire.realtime.protocol import Error, encode
from promptgrimoire.runtime.deliveries import event_message
from promptgrimoire.runtime.mail import Mail, MailText
from promptgrimoire.settings import Limits
from promptgrimoire.state.session_state import SessionState

if TYPE_CHECKING:
    from promptgrimoire.runtime.host import Host

log = logging.getLogger("promptgrimoire.recovery")
_PAGE = 2000
_LEAST_BYTES = 5_000_000  # of entries between two snapshots
_TIMES_STATE = 4  # … and this many times the size of the last snapshot, so that its cost stays a fraction of theirs


class Rebuilt:
    """What the journal says of a session."""

    def __init__(self, state: SessionState, limits: Limits) -> None:
        self.state = state
        self._limits = limits
        self.mail: dict[int, Mail] = {}
        self.online: set[int] = set()
        self.chain = Chain(state.id)
        self.bytes = 0  # of entries since the snapshot
        self.heard = 0.0  # when its newest entry was made: then the server was there

    def of(self, player: int) -> Mail:
        mail = self.mail.get(player)
        if mail is None:
            mail = self.mail[player] = Mail()
        return mail

    def restore(self, snapshot: Snapshot) -> None:
        ordered = sorted(snapshot.records.items(), key=lambda item: _order(item[0]))
        for key, _ in ordered:  # handles first, in order: what one record holds may refer to any other
            if key != "online" and not key.startswith("~"):
                self.state.record(key.removeprefix("!"))
        for key, (_, text) in ordered:
            if key == "online":
                self.online = set(msgspec.json.decode(text, type=list[int]))
            elif key.startswith("~p"):
                self.mail[int(key[2:])] = msgspec.json.decode(text, type=MailText).mail()
            else:
                self.state.restore(key, text)

    def apply(self, entry: Entry, values: list[msgspec.Raw], seen: dict[str, int]) -> None:
        """One entry. `seen` says up to which seq a record of the snapshot is."""
        seq = entry.seq
        state = self.state
        self.heard = entry.at
        for patch, value in zip(entry.patches, values[1:], strict=False):
            if seq > seen.get(patch.record, 0):
                state.apply(patch, value)
        cause = entry.cause
        if type(cause) is PlayerCreated and seq > seen.get(f"~p{cause.player}", 0) and _begins(entry, cause.player):
            self.mail.pop(cause.player, None)  # what was said to everybody before they came
        if type(cause) is Called and cause.n and seq > seen.get(f"~p{cause.player}", 0):
            self._call(entry, cause, values[-1])
        elif type(cause) is Connected and seq > seen.get("online", 0):
            self.online.add(cause.player)
        elif type(cause) is Disconnected and seq > seen.get("online", 0):
            self.online.discard(cause.player)
        elif type(cause) is EventsHandled and seq > seen.get(f"~p{cause.player}", 0):
            self.of(cause.player).release(cause.kept)
        if entry.sends:
            first = 1 + len(entry.patches)
            for index, send in enumerate(entry.sends):
                if send.keep:
                    id = f"{seq}.{index}"
                    message = event_message(send, bytes(values[first + index]), id)
                    everybody = range(1, len(state.everybody) + 1)
                    for player in everybody if send.to is None else send.to:
                        if player not in send.but and seq > seen.get(f"~p{player}", 0):
                            self.of(player).keep(id, seq, message, self._limits)

    def _call(self, entry: Entry, cause: Called, result: msgspec.Raw) -> None:
        outcome = entry.outcome
        if outcome is None:
            return
        table = self.of(cause.player).table(cause.document, cause.stay, cause.n)
        if cause.done:
            table.settle(cause.done)
        table.expected = max(table.expected, cause.n + 1)
        if outcome.kind == "started":
            table.started.add(cause.n)
        elif outcome.kind == "ok":
            table.end(cause.n, entry.seq, b'{"type":"reply","n":%d,"ok":%s}' % (cause.n, bytes(result)))
        else:
            message = encode(Error(cause.n, outcome.code, outcome.message, outcome.id))
            table.end(cause.n, entry.seq, message)

    def interrupt(self) -> None:
        """Calls that had begun and can never end are answered so."""
        for mail in self.mail.values():
            for table in mail.tables.values():
                for n in table.interrupt():
                    message = encode(Error(n, "interrupted", INTERRUPTED))
                    table.end(n, self.chain.seq, message)


def _begins(entry: Entry, player: int) -> bool:
    """Whether a player came to be with this entry; later ones of a `new_player` that waits have the same cause."""
    record = hidden(f"p{player}")
    return any(patch.record == record and patch.path == ["token"] for patch in entry.patches)


def _order(key: str) -> tuple[int, int]:
    """Session first, then players in order of their ids: handles are made before they are referred to."""
    digits = key.lstrip("!~pgs")
    return (0 if "s" in key else 1, int(digits) if digits.isdigit() else 0)


async def rebuild(journal: Journal, stream: str, state: SessionState, limits: Limits) -> Rebuilt:
    """Read a session from the journal. Raises NotFound's cause as JournalDamaged where an entry does not fit."""
    loaded = await journal.load(stream)
    if loaded is None:
        raise JournalDamaged(f"no stream {stream!r}")
    rebuilt = Rebuilt(state, limits)
    seen: dict[str, int] = {}
    after = 0
    if loaded.snapshot is not None:
        rebuilt.restore(loaded.snapshot)
        seen = {key: seq for key, (seq, _) in loaded.snapshot.records.items()}
        after = loaded.snapshot.mark
    while rows := await journal.read(stream, after=after, limit=_PAGE):
        for row in rows:
            _check_next(row, after)
            after = row.seq
            entry, values = decode_row(row)
            rebuilt.apply(entry, values, seen)
            rebuilt.bytes += row.size
        if after >= loaded.stream.seq:
            break
        await asyncio.sleep(0)
    if after != loaded.stream.seq:
        raise JournalDamaged(f"session {stream}: expected entries up to {loaded.stream.seq}, found them up to {after}")
    if not rebuilt.heard and after:
        (newest,) = await journal.read(stream, after=after - 1, limit=1, large=False)
        rebuilt.heard = decode_row(newest)[0].at
    rebuilt.chain.back_to(loaded.stream.seq, loaded.digest)
    state.reindex()
    rebuilt.interrupt()
    return rebuilt


def _check_next(row: Row, after: int) -> None:
    if row.seq != after + 1:
        raise JournalDamaged(f"session {row.stream}: expected entry {after + 1}, found {row.seq}")


class Snapshots:
    """When and how a host's state is stored, so that loading it stays quick.

    One record at a time, in turns of the loop; each record is as of its own seq. Entries after the mark are applied to
    a record where they are newer than it.
    """

    def __init__(self, host: Host, size: int = 0) -> None:
        self._host = host
        self._size = size  # of the last one
        self._task: asyncio.Task[None] | None = None

        host.on_growth = self._grown
        host.snapshot_at = self._bound()

    def due(self) -> bool:
        return self._task is None and self._host.bytes_since_snapshot > self._bound()

    def _bound(self) -> int:
        """How many bytes of entries there may be since the last one."""
        return max(_LEAST_BYTES, _TIMES_STATE * self._size)

    def _grown(self) -> None:
        """As much as may be has been written: in a busy session that is long before anybody looks around."""
        if self.due() and self._host.failure is None and not self._host.closing:
            self.start()

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            log.error("the snapshot of session %s failed; nothing is lost", self._host.id, exc_info=task.exception())

    async def _run(self) -> None:
        try:
            await self.take()
        except JournalError as error:
            log.warning("no snapshot of session %s: %s", self._host.id, error)  # tried again when house is kept
        else:
            self._host.snapshot_at = self._bound()

    async def finish(self) -> None:
        """Wait for one that is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def take(self) -> None:
        """Store what has changed since the last one."""
        host = self._host
        changed, host.changed = host.changed, set()
        size, host.bytes_since_snapshot = host.bytes_since_snapshot, 0
        try:
            await self._take(changed)
        except BaseException:  # what has not been stored has still changed
            host.changed |= changed
            host.bytes_since_snapshot += size
            raise

    async def _take(self, changed: set[str]) -> None:
        host = self._host
        mark = host.chain.seq
        records: dict[str, tuple[int, bytes]] = {}
        for key in changed:
            if host.state.transaction is not None:
                raise JournalDamaged("a snapshot cannot be taken inside a transaction")
            if key.startswith("~p"):
                text = msgspec.json.encode(MailText.of(host.deliveries.of(int(key[2:]))))
            elif key in host.state.records:
                self._check(key)
                text = host.state.snapshot(key)
            else:
                continue
            records[key] = (host.chain.seq, text)
            if len(text) > 10_000 or not len(records) % 50:
                await asyncio.sleep(0)
        online = msgspec.json.encode(sorted(host.state.online))
        records["online"] = (host.chain.seq, online)
        self._size = max(self._size, sum(len(text) for _, text in records.values()))
        await host.durable()
        await host.journal.save(host.id, Snapshot(mark, records))

    def _check(self, key: str) -> None:
        """What nobody has recorded must not get into a snapshot: it would differ from its entries."""
        host = self._host
        changed = host.state.changed_behind(key)
        if changed:
            why = f"{', '.join(changed)} of {host.state.records[key]!r} was changed by code that bypasses its methods"
            host.discard(f"{why} (heapq does so): change a copy and assign it")
            raise JournalUnavailable(why)
