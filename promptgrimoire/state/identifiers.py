"""Names of records, apart from the handles: what may be stored, compared, used as a key and sent to browsers.

A handle (`player`) is of a running session; its identifier is plain data. Never looks anything up: authoring.lookup
does.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec


class _Identifier(msgspec.Struct, frozen=True):
    """Base of the identifiers: unpacks into its parts, as in `Player(*pid)`."""

    sname: str  # the session's name

    def __iter__(self) -> Iterator[str]:
        return iter(msgspec.structs.astuple(self))

    def __str__(self) -> str:
        return "/".join(self)


class SessionIdentifier(_Identifier, frozen=True):
    """Names a session."""


class PlayerIdentifier(_Identifier, frozen=True):
    """Names a player: `player.pid`. The name is that of `player.name`."""

    uname: str


class GroupIdentifier(_Identifier, frozen=True):
    """Names a group."""

    gname: str


class ModelIdentifier(_Identifier, frozen=True):
    """Names a model: a list of typed entries (see authoring.entries)."""

    mname: str


Identifier = SessionIdentifier | PlayerIdentifier | GroupIdentifier | ModelIdentifier
