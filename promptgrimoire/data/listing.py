"""The changes of a session, one line each, for reading in a terminal.

Owns how a patch is shown. Reads the journal only, never state in memory: it works on the file of a server that is gone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import msgspec

from promptgrimoire.errors import NotFound
from promptgrimoire.ids import SESSION_KEY, player_key
from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.entries import decode_row

_ROWS_AT_ONCE = 500
_SHOWN = 200  # characters of a value


class Change(msgspec.Struct, frozen=True):
    """One patch: `value` is its JSON text, shortened where it is long."""

    seq: int
    at: float  # seconds since 1970
    cause: str  # the command's name: "called", "entered", ...
    record: str
    path: str
    operation: str
    value: str
    line: str

    def __str__(self) -> str:
        moment = datetime.fromtimestamp(self.at).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        what = {"set": "=", "delete": "deleted"}.get(self.operation, self.operation)
        value = "" if self.operation == "delete" else f" {self.value}"
        line = f"   ({self.line})" if self.line else ""
        return f"{self.seq:>6}  {moment}  {self.record}.{self.path} {what}{value}   [{self.cause}]{line}"


async def changes(journal: Journal, session: str, record: str = "", field: str = "") -> AsyncIterator[Change]:
    """Changes of `session` in order: all, those of one player (number or name) or of "session", those of one field.

    Raises NotFound where there is no such session, or, at the end of it, no such player or field.
    """
    if session not in {stream.id for stream in await journal.streams()}:
        raise NotFound(f"no session {session!r} in this database")
    wanted = _record_key(record)
    known: set[str] = set()  # records
    fields: set[str] = set()  # of the records that are asked for
    after = 0
    while rows := await journal.read(session, after=after, limit=_ROWS_AT_ONCE):
        for row in rows:
            after = row.seq
            entry, values = decode_row(row)
            cause = str(msgspec.structs.asdict(entry.cause).get("method") or entry.cause.__struct_config__.tag)
            for index, patch in enumerate(entry.patches, start=1):
                value = bytes(values[index]).decode()
                known.add(patch.record.removeprefix("!"))
                if wanted is None and record and patch.path == ["name"] and patch.record.startswith("!"):
                    wanted = patch.record[1:] if msgspec.json.decode(value) == record else None
                if patch.record.startswith("!") or (record and patch.record != wanted):
                    continue
                fields.add(str(patch.path[0]))
                if field and patch.path[0] != field:
                    continue
                yield Change(
                    seq=entry.seq,
                    at=entry.at,
                    cause=cause,
                    record=_record_name(patch.record),
                    path=".".join(str(part) for part in patch.path),
                    operation=patch.op,
                    value=value if len(value) <= _SHOWN else value[:_SHOWN] + "…",
                    line=patch.line,
                )
    if record and wanted not in known:
        raise NotFound(f"no player {record!r} in session {session!r}; give their number, their name, or 'session'")
    if field and field not in fields:
        there = f"there are {', '.join(sorted(fields))}" if fields else "none was ever set"
        raise NotFound(f"no field {field!r} of {record or 'anybody'} in session {session!r}; {there}")


def _record_key(record: str) -> str | None:
    """The record that is meant by a number, "session", or as changes are listed, "player1"; None: look for the name."""
    if record == "session":
        return SESSION_KEY
    number = record.removeprefix("player")
    return player_key(int(number)) if number.isascii() and number.isdigit() else None


def _record_name(key: str) -> str:
    if key == SESSION_KEY:
        return "session"
    return {"p": "player", "g": "group"}.get(key[:1], "") + key[1:]
