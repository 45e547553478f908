"""A journal with sessions that were played, written through the journal itself rather than by playing them."""

from __future__ import annotations

import time
from pathlib import Path

from promptgrimoire.commands import Called, Cause, SessionCreated
from promptgrimoire.errors import JournalError
from promptgrimoire.ids import new_session_id
from promptgrimoire.journal.base import Description
from promptgrimoire.journal.entries import Chain, Entry, Outcome
from promptgrimoire.journal.sqlite import SqliteJournal
from promptgrimoire.state.patches import Patch

_APP = "app"  # the name of the folder of the measured experiment
_PATCHES = 4  # of one call
_AT_ONCE = 5_000  # entries between two waits for the disk
_FIELDS = ("price", "quantity", "buyer", "seller")


async def write_other_sessions(database: Path, sessions: int, patches: int) -> None:
    """So many sessions with so many patches together, four to a call."""
    journal = SqliteJournal(database, max_rows=2 * _AT_ONCE)
    await journal.open()
    try:
        listener = _Listener()
        for _ in range(sessions):
            await _write_session(journal, listener, patches // sessions // _PATCHES)
    finally:
        await journal.close()
    if listener.failure is not None:
        raise listener.failure


class _Listener:
    """Hears that rows are stored, which nobody waits for here, or that they are not."""

    def __init__(self) -> None:
        self.failure: JournalError | None = None

    def stored(self, seq: int) -> None:
        pass

    def failed(self, error: JournalError) -> None:
        self.failure = error


async def _write_session(journal: SqliteJournal, listener: _Listener, calls: int) -> None:
    chain = Chain(new_session_id())
    now = time.time()
    cause: Cause = SessionCreated(chain.stream, _APP)
    described = Description(_APP, now, joined=True)
    journal.append(listener, chain.row(Entry(1, now, cause), [b"null", b"null"]), described)
    line = "app/__init__.py:23"
    changes = [Patch("s", "set", [field], app=_APP, round=1, line=line) for field in _FIELDS[:_PATCHES]]
    for n in range(1, calls + 1):
        called = Called(player=1, stay=1, document="benchdocument", n=n, method="put", done=n - 1)
        entry = Entry(n + 1, now + n, called, changes, [], Outcome("ok"))
        value = b"%d" % n
        journal.append(listener, chain.row(entry, [b"[%b]" % value, *[value] * _PATCHES, b'{"value":%b}' % value]))
        if n % _AT_ONCE == 0:
            await journal.flush()
    await journal.flush()
