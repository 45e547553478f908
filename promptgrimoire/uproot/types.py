"""Pages, identifiers and records by the names of uproot's `types`: `from promptgrimoire.uproot.types import Page`.

`Player("session", "name")` looks a player up; as an annotation it stands for any.
"""

from typing import Any
from uuid import UUID, uuid4

from promptgrimoire.authoring.lookup import handle, identify, materialize, player_named, running_session
from promptgrimoire.authoring.pages import GroupCreatingWait, NoshowPage, Page, SynchronizingWait
from promptgrimoire.authoring.tasks import rng
from promptgrimoire.errors import AuthorError
from promptgrimoire.state import records
from promptgrimoire.state.identifiers import GroupIdentifier, ModelIdentifier, PlayerIdentifier, SessionIdentifier
from promptgrimoire.state.record import Record as Storage

PlayerType = records.Player
GroupType = records.Group
SessionType = records.Session


class _LooksUp(type):
    """Of classes that are called with the names of a record, and give its handle."""

    def __call__(cls, *names: Any) -> Any:
        return cls.find(*names)  # type: ignore[attr-defined]

    def __instancecheck__(cls, one: Any) -> bool:
        return isinstance(one, cls.__mro__[1])


class Player(records.Player, metaclass=_LooksUp):
    """`Player(session, name)`, with their names or identifiers, or `Player(pid)`: the player of that name.

    Only in the session for which the code runs. Raises AuthorError where there is none.
    """

    __slots__ = ()

    @classmethod
    def find(cls, *names: Any) -> Any:
        if len(names) == 1:
            return materialize(names[0])
        state = running_session("Player")
        session, name = names
        if _name(session) != state.id:
            raise AuthorError(f"Player({session!r}, …): this code runs for the session {state.id}")
        found = player_named(state, str(getattr(name, "uname", name)))
        if found is None:
            raise AuthorError(f"Player(…, {name!r}): the session has no player of that name")
        return found


class Group(records.Group, metaclass=_LooksUp):
    """`Group(session, name)`: the group of that name."""

    __slots__ = ()

    @classmethod
    def find(cls, *names: Any) -> Any:
        return materialize(names[0] if len(names) == 1 else GroupIdentifier(_name(names[0]), str(names[1])))


class Session(records.Session, metaclass=_LooksUp):
    """`Session(name)`: the session for which the code runs."""

    __slots__ = ()

    @classmethod
    def find(cls, name: Any) -> Any:
        return materialize(SessionIdentifier(_name(name)))


class Admin:
    """`with Admin() as admin`: what is known beyond one session. So far, `admin.sessions`: the running one's name."""

    def __enter__(self) -> "Admin":
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    @property
    def sessions(self) -> list[str]:
        return [running_session("Admin").id]

    def __getattr__(self, name: str) -> Any:
        raise AuthorError(f"Admin().{name}: what all sessions of a server share comes with a later version")


def uuid() -> UUID:
    """A random UUID."""
    return uuid4()


def _name(session: Any) -> str:
    found = handle(session)
    return str(found.id if isinstance(found, records.Session) else found)


__all__ = [
    "Admin",
    "Group",
    "GroupCreatingWait",
    "GroupIdentifier",
    "GroupType",
    "ModelIdentifier",
    "NoshowPage",
    "Page",
    "Player",
    "PlayerIdentifier",
    "PlayerType",
    "Session",
    "SessionIdentifier",
    "SessionType",
    "Storage",
    "SynchronizingWait",
    "identify",
    "materialize",
    "rng",
    "uuid",
]
