"""A record as of any moment, from the journal. Reads only."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import msgspec

from promptgrimoire.journal.base import Journal
from promptgrimoire.journal.entries import decode_row
from promptgrimoire.state.records import Past, Record
from promptgrimoire.state.session_state import SessionState
from promptgrimoire.state.values import Resolve, decode, encode

_PAGE = 1000


class Change(msgspec.Struct, frozen=True):
    """A value that a field has had: since when, set by what, in which line. `gone` where the field was deleted."""

    value: Any
    at: float  # seconds since 1970
    seq: int
    app: str
    round: int
    line: str
    cause: Any  # a command (promptgrimoire.commands)
    gone: bool = False


class History:
    """The past of one session's records (state's Archive)."""

    def __init__(self, journal: Journal, session: str) -> None:
        self._journal = journal
        self._session = session

    async def history(self, record: Record, field: str) -> list[Change]:
        """All values of a field, oldest first; also those written just now."""
        return await self.changes(record._key, field, record._state.resolve)

    async def changes(self, key: str, field: str | None = None, resolve: Resolve | None = None) -> list[Any]:
        """Changes of a record's field; without a field, of all of them, as (field, Change).

        `resolve` gives the handles that values refer to, where they should be those of a running session.
        """
        state = SessionState(self._session)
        found: list[Any] = []
        async for entry, values in self._entries():
            touched: dict[str, Any] = {}
            for patch, value in zip(entry.patches, values[1:], strict=False):
                state.apply(patch, value)
                if patch.record == key and (field is None or patch.path[0] == field):
                    touched[patch.path[0]] = patch
            for name, patch in touched.items():
                fields = state.record(key)._fields
                gone = name not in fields
                value = None if gone else _copy(fields[name], resolve or state.resolve)
                change = Change(value, entry.at, entry.seq, patch.app, patch.round, patch.line, entry.cause, gone)
                found.append(change if field is not None else (name, change))
        return found

    async def at(self, record: Record, moment: Any) -> Past:
        """The record's fields as of a datetime, seconds since 1970 (float) or an entry's seq (int)."""
        if isinstance(moment, datetime):
            moment = moment.timestamp()
        state = SessionState(self._session)
        async for entry, values in self._entries():
            if entry.seq > moment if isinstance(moment, int) else entry.at > moment:
                break
            for patch, value in zip(entry.patches, values[1:], strict=False):
                state.apply(patch, value)
        then = state.record(record._key)
        return Past(
            {name: _copy(value, record._state.resolve) for name, value in then._fields.items()},
            f"{record!r} at {moment}",
        )

    async def _entries(self) -> Any:
        await asyncio.sleep(0)  # the suspension commits what the asking code has written
        await self._journal.flush()
        after = 0
        while rows := await self._journal.read(self._session, after=after, limit=_PAGE):
            for row in rows:
                yield decode_row(row)
            after = rows[-1].seq


def _copy(value: Any, resolve: Resolve) -> Any:
    return decode(encode(value), resolve)
