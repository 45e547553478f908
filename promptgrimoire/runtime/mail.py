"""What the journal remembers of a player's browsers: their calls and the kept events that they have not handled.

Part of snapshots, rebuilt from causes and sends; never written by patches.
"""

from __future__ import annotations

import msgspec

from promptgrimoire.realtime.calls import CallTable, CallTableText

TABLES_PER_PLAYER = 64
_MOST_TABLES = 500


class Mail:
    """What the journal remembers of a player's browsers: call tables by document, kept events by id."""

    __slots__ = ("kept", "tables")

    def __init__(self) -> None:
        self.tables: dict[str, CallTable] = {}
        self.kept: dict[str, tuple[int, bytes]] = {}

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

    @classmethod
    def of(cls, mail: Mail) -> MailText:
        tables = {nonce: CallTableText.of(table) for nonce, table in mail.tables.items()}
        return cls(tables, {id: (seq, msgspec.Raw(text)) for id, (seq, text) in mail.kept.items()})

    def mail(self) -> Mail:
        mail = Mail()
        mail.tables = {nonce: text.table() for nonce, text in self.tables.items()}
        mail.kept = {id: (seq, bytes(raw)) for id, (seq, raw) in self.kept.items()}
        return mail
