"""What the journal remembers of a player's browsers: their calls and the kept events that they have not handled.

Part of snapshots, rebuilt from causes and sends; never written by patches.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from promptgrimoire.realtime.calls import CallTable, CallTableText
from promptgrimoire.settings import Limits

TABLES_PER_PLAYER = 64
_MOST_TABLES = 500
SHED = "kept events were dropped, oldest first; the next document is told to start afresh (limits.outbox_events)"


class Lost(NamedTuple):
    """`number` kept events were dropped, the newest of them of entry `seq`, since a document was last told so."""

    seq: int
    number: int

    @property
    def id(self) -> str:
        """Under which the journal says that a document knows of it, as of a kept event that was handled."""
        return f"!lost.{self.seq}"


class Mail:
    """What the journal remembers of a player's browsers: call tables by document, kept events by id.

    Kept events are bounded as an outbox is. Beyond that the oldest go, and `lost` says so until a document has been
    told to start afresh.
    """

    __slots__ = ("_bytes", "kept", "lost", "tables")

    def __init__(self) -> None:
        self.tables: dict[str, CallTable] = {}
        self.kept: dict[str, tuple[int, bytes]] = {}
        self.lost: Lost | None = None
        self._bytes = 0  # of `kept`

    def keep(self, id: str, seq: int, message: bytes, limits: Limits) -> int:
        """Hold a kept event until it has been handled.

        Where others have to go for it, gives how many have gone since a document was last told, else 0.
        """
        kept = self.kept
        kept[id] = (seq, message)
        self._bytes += len(message)
        if len(kept) <= limits.outbox_events and self._bytes <= limits.outbox_bytes:
            return 0
        while len(kept) > 1 and (len(kept) > limits.outbox_events or self._bytes > limits.outbox_bytes):
            oldest = next(iter(kept))
            gone, text = kept.pop(oldest)
            self._bytes -= len(text)
            self.lost = Lost(gone, self.lost.number + 1 if self.lost is not None else 1)
        return self.lost.number if self.lost is not None else 0

    def holds(self, id: str, durable: int) -> bool:
        """Whether something kept has this id, and is durable."""
        lost = self.lost
        if lost is not None and id == lost.id:
            return lost.seq <= durable
        return id in self.kept and self.kept[id][0] <= durable

    def release(self, ids: list[str]) -> None:
        """These have been handled."""
        for id in ids:
            if self.lost is not None and id == self.lost.id:
                self.lost = None
            elif id in self.kept:
                self._bytes -= len(self.kept.pop(id)[1])

    def table(self, document: str, stay: int, expected: int = 1) -> CallTable:
        """The document's table; made where there is none. Old ones with nothing unsettled go."""
        found = self.tables.get(document)
        if found is None:
            found = self.tables[document] = CallTable(stay, expected)
            if len(self.tables) > TABLES_PER_PLAYER:
                self._prune(found)
        return found

    def _prune(self, newest: CallTable) -> None:
        for nonce, table in list(self.tables.items()):
            in_use = (
                table is newest
                or table.running
                or table.started
                or (table.owner is not None and table.owner.sink is not None)
            )
            unused = not table.outcomes and not table.settled
            crowded = len(self.tables) > _MOST_TABLES  # more than any browser leaves behind unsettled
            if not in_use and (table.stay != newest.stay or unused or crowded):
                del self.tables[nonce]
                if len(self.tables) <= TABLES_PER_PLAYER:
                    return


class MailText(msgspec.Struct):
    """Mail in a snapshot."""

    tables: dict[str, CallTableText]
    kept: dict[str, tuple[int, msgspec.Raw]]
    lost: tuple[int, int] | None = None

    @classmethod
    def of(cls, mail: Mail) -> MailText:
        tables = {nonce: CallTableText.of(table) for nonce, table in mail.tables.items()}
        return cls(tables, {id: (seq, msgspec.Raw(text)) for id, (seq, text) in mail.kept.items()}, mail.lost)

    def mail(self) -> Mail:
        mail = Mail()
        mail.tables = {nonce: text.table() for nonce, text in self.tables.items()}
        mail.kept = {id: (seq, bytes(raw)) for id, (seq, raw) in self.kept.items()}
        mail.lost = None if self.lost is None else Lost(*self.lost)
        mail._bytes = sum(len(text) for _, text in mail.kept.values())
        return mail
