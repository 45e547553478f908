"""Everything that can cause a change, as msgspec structs; an entry of the journal names one of them.

A command says who asked for what. Its values (arguments, form data) are kept beside it, not in it, so that they can be
forgotten without breaking the chain of digests.
"""

from __future__ import annotations

import msgspec


class SessionCreated(msgspec.Struct, tag="session_created", frozen=True, omit_defaults=True):
    """A session of the config `app` came to be."""

    session: str
    app: str
    code: str = ""  # digest of the experiment's source


class PlayerCreated(msgspec.Struct, tag="player_created", frozen=True, omit_defaults=True):
    """Somebody joined, or the researcher created a player. Value: URL parameters."""

    player: int


class Entered(msgspec.Struct, tag="entered", frozen=True, omit_defaults=True):
    """A player is moved on to where the plan leads; runs show, before_once."""

    player: int


class Waited(msgspec.Struct, tag="waited", frozen=True, omit_defaults=True):
    """A player arrived at a wait page (`stay`), or it was looked on their behalf who can be grouped or released."""

    player: int
    stay: int


class Submitted(msgspec.Struct, tag="submitted", frozen=True, omit_defaults=True):
    """A participant pressed Next on the page of `stay`. Value: the form's data."""

    player: int
    stay: int
    submission: str = ""  # the id that the browser gave it


class Rendered(msgspec.Struct, tag="rendered", frozen=True, omit_defaults=True):
    """Rendering a page wrote something (authors do so in templatevars); player 0: the landing page."""

    player: int
    stay: int


class Called(msgspec.Struct, tag="called", frozen=True, omit_defaults=True):
    """A live method was called. Value: its arguments."""

    player: int
    stay: int
    document: str
    n: int
    method: str
    done: int = 0  # all calls of the document up to this one had settled in the browser


class TimerFired(msgspec.Struct, tag="timer_fired", frozen=True, omit_defaults=True):
    """A deadline set with after() was reached."""

    timer: int
    handler: str


class Ticked(msgspec.Struct, tag="ticked", frozen=True, omit_defaults=True):
    """An @every handler's turn."""

    handler: str


class TaskStepped(msgspec.Struct, tag="task_stepped", frozen=True, omit_defaults=True):
    """A segment of a spawned task."""

    task: str


class Connected(msgspec.Struct, tag="connected", frozen=True, omit_defaults=True):
    """A player came online (no connection before)."""

    player: int


class Disconnected(msgspec.Struct, tag="disconnected", frozen=True, omit_defaults=True):
    """A player has been without a connection for longer than the grace."""

    player: int
    reason: str = ""


class EventsHandled(msgspec.Struct, tag="events_handled", frozen=True, omit_defaults=True):
    """A browser has handled kept events."""

    player: int
    kept: list[str]


class DeadlineReached(msgspec.Struct, tag="deadline_reached", frozen=True, omit_defaults=True):
    """A deadline of the framework's was reached: of patience, of a dropout. `key` says which."""

    key: str


class Watched(msgspec.Struct, tag="watched", frozen=True, omit_defaults=True):
    """A player who may be lost went, or came back: deadlines were set or cleared."""

    player: int


class Alive(msgspec.Struct, tag="alive", frozen=True, omit_defaults=True):
    """The server is there, while a deadline runs for which its outages do not count."""


class Restarted(msgspec.Struct, tag="restarted", frozen=True, omit_defaults=True):
    """The server loaded the session again; runs restart(session)."""


class Administered(msgspec.Struct, tag="administered", frozen=True, omit_defaults=True):
    """The researcher did something."""

    who: str
    action: str


Cause = (
    SessionCreated
    | PlayerCreated
    | Entered
    | Waited
    | Submitted
    | Rendered
    | Called
    | TimerFired
    | Ticked
    | TaskStepped
    | Connected
    | Disconnected
    | EventsHandled
    | DeadlineReached
    | Watched
    | Alive
    | Restarted
    | Administered
)
