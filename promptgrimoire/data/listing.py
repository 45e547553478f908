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

    Raises NotFound where there is no such session, or no such player at the end of it.
    """
    if session not in {stream.id for stream in await journal.streams()}:
        raise NotFound(f"no session {session!r} in this database")
    wanted = _record_key(record)
    seen = not record or wanted is not None
    after = 0
    while rows := await journal.read(session, after=after, limit=_ROWS_AT_ONCE):
        for row in rows:
            after = row.seq
            entry, values = decode_row(row)
            cause = str(msgspec.structs.asdict(entry.cause).get("method") or entry.cause.__struct_config__.tag)
            for index, patch in enumerate(entry.patches, start=1):
                value = bytes(values[index]).decode()
                if wanted is None and record and patch.path == ["name"] and patch.record.startswith("!"):
                    wanted = patch.record[1:] if msgspec.json.decode(value) == record else None
                    seen = seen or wanted is not None
                if patch.record.startswith("!") or (record and patch.record != wanted):
                    continue
                if field and (not patch.path or patch.path[0] != field):
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
    if not seen:
        raise NotFound(f"no player {record!r} in session {session!r}; give their number, their name, or 'session'")


def _record_key(record: str) -> str | None:
    if record == "session":
        return SESSION_KEY
    return player_key(int(record)) if record.isascii() and record.isdigit() else None


def _record_name(key: str) -> str:
    if key == SESSION_KEY:
        return "session"
    return {"p": "player", "g": "group"}.get(key[:1], "") + key[1:]
