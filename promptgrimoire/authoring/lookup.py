"""From identifiers to the records that they name, and back: `identify(player)`, `materialize(pid)`.

Looks only in the session for which the code runs; never makes a record.
"""

from __future__ import annotations

from typing import Any

from promptgrimoire.context import current
from promptgrimoire.errors import AuthorError, NoTransaction
from promptgrimoire.state.identifiers import GroupIdentifier, Identifier, PlayerIdentifier, SessionIdentifier
from promptgrimoire.state.records import Group, Player, Record, Session
from promptgrimoire.state.session_state import SessionState


def identify(record: Any) -> Any:
    """The identifier of a player, group or session: plain, storable, hashable. One of an identifier is itself."""
    if isinstance(record, Identifier):
        return record
    if isinstance(record, Player):
        return record.pid
    if isinstance(record, Group):
        return GroupIdentifier(record.session.id, str(record.name))
    if isinstance(record, Session):
        return SessionIdentifier(record.id)
    raise AuthorError(f"identify(…): expected a player, a group or a session, found {record!r}")


def materialize(identifier: Any) -> Any:
    """The player, group or session that an identifier names. Raises AuthorError where this session has none such."""
    if isinstance(identifier, Record):
        return identifier
    if not isinstance(identifier, PlayerIdentifier | GroupIdentifier | SessionIdentifier):
        raise AuthorError(f"materialize(…): expected an identifier, as player.pid gives it, found {identifier!r}")
    state = running_session("materialize")
    if identifier.sname != state.id:
        raise AuthorError(f"{identifier!r} is of another session than the one for which this code runs ({state.id})")
    found: Any = state.session
    if isinstance(identifier, PlayerIdentifier):
        found = player_named(state, identifier.uname)
    elif isinstance(identifier, GroupIdentifier):
        found = next((group for group in state.groups if group.name == identifier.gname), None)
    if found is None:
        raise AuthorError(f"{identifier!r}: the session has none of that name")
    return found


def handle(one: Any) -> Any:
    """The record that an identifier names; anything else as it is."""
    return materialize(one) if isinstance(one, PlayerIdentifier | GroupIdentifier | SessionIdentifier) else one


def player_named(state: SessionState, name: str) -> Player | None:
    """The player of that name, or None."""
    id = state.names.get(name)
    return None if id is None else state.player(id)


def running_session(asked: str) -> SessionState:
    """The state of the session for which this code runs. Raises NoTransaction outside of any."""
    activity = current.get()
    if activity is None or activity.record is None:
        raise NoTransaction(f"{asked}(…) works only in hooks, live methods, timers and tasks of a session")
    state: SessionState = activity.record._state
    return state
