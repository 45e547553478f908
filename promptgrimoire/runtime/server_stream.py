"""The stream that holds what belongs to no session: a secret of this journal, from which links are derived."""

from __future__ import annotations

import hashlib
import hmac

from promptgrimoire.commands import SessionCreated
from promptgrimoire.errors import JournalError
from promptgrimoire.ids import new_secret
from promptgrimoire.journal.base import Description, Journal
from promptgrimoire.journal.entries import Chain, Entry
from promptgrimoire.runtime.recovery import rebuild
from promptgrimoire.settings import Limits
from promptgrimoire.state.session_state import SessionState
from promptgrimoire.state.transaction import Transaction

SERVER = "server"  # the stream's id


async def server_secret(journal: Journal, now: float, limits: Limits) -> bytes:
    """The journal's secret; made, and durable, where it has none yet. Raises JournalError."""
    loaded = await journal.load(SERVER)
    state = SessionState(SERVER)
    if loaded is not None:
        rebuilt = await rebuild(journal, SERVER, state, limits)
        found = rebuilt.state.hidden._fields["secret"]
        assert isinstance(found, str)
        return found.encode()
    secret = new_secret()
    transaction = Transaction(state)
    for field, value in (("created", now), ("secret", secret)):
        transaction.assign(state.hidden, field, value)
    patches, values = transaction.patches()
    entry = Entry(1, now, SessionCreated(SERVER, ""), patches)
    journal.append(_Alone(), Chain(SERVER).row(entry, [b"null", *values, b"null"]), Description(created=now))
    await journal.flush()
    return secret.encode()


def admin_token(secret: bytes, session_id: str) -> str:
    """An unguessable token for a session's overview; the same after a restart."""
    digest = hmac.new(secret, session_id.encode(), hashlib.sha256).hexdigest()
    return f"{session_id}-{digest[:26]}"


class _Alone:
    """Listens to nothing: who appends flushes, and hears there of a failure."""

    def stored(self, seq: int) -> None:
        """It is waited for."""

    def failed(self, error: JournalError) -> None:
        """It is raised where it is waited for."""
