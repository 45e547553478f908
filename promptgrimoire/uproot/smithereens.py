"""What uproot's apps find with `from promptgrimoire.uproot.smithereens import *`: names, and a few defaults of theirs.

Where a default differs from the main face's, the docstring says so; what happens is the main face's in any case.
"""

from __future__ import annotations

import hashlib
from collections import namedtuple
from collections.abc import Callable, Sequence
from decimal import Decimal as cu
from pathlib import Path
from typing import Any, cast

from markupsafe import Markup as safe

from promptgrimoire.authoring import files, messages, sequence, tasks
from promptgrimoire.authoring.files import append_to_csv, data_uri
from promptgrimoire.authoring.filters import fmtnum, to
from promptgrimoire.authoring.live import live
from promptgrimoire.authoring.lookup import handle
from promptgrimoire.authoring.messages import (
    add_to_group,
    create_group,
    create_groups,
    notify,
    other_in_group,
    other_in_session,
    others_in_group,
    others_in_session,
    players,
    reload,
)
from promptgrimoire.authoring.pages import PlayerContext
from promptgrimoire.authoring.sequence import Between, Bracket, RandomOrder
from promptgrimoire.authoring.tasks import spawn
from promptgrimoire.state.players import Condition as _Condition
from promptgrimoire.uproot import chat
from promptgrimoire.uproot.types import (
    Admin,
    Group,
    GroupCreatingWait,
    GroupIdentifier,
    GroupType,
    ModelIdentifier,
    NoshowPage,
    Page,
    Player,
    PlayerIdentifier,
    PlayerType,
    Session,
    SessionIdentifier,
    SessionType,
    Storage,
    SynchronizingWait,
    identify,
    materialize,
    rng,
    uuid,
)

_ = _Condition()


class Random(RandomOrder):
    """`RandomOrder`, by the name that it had first."""


class Rounds(sequence.Rounds):
    """The main face's `Rounds`, except that the answers of one round stand until the next one's replace them."""

    def __init__(self, *items: Any, carry: Any = True, **options: Any) -> None:
        super().__init__(*items, carry=carry, **options)


class Repeat(sequence.Repeat):
    """The main face's `Repeat`, except that the answers of one round stand until the next one's replace them."""

    def __init__(self, *items: Any, carry: Any = True, **options: Any) -> None:
        super().__init__(*items, carry=carry, **options)


def move_to_page(player: Any, page: Any, reload_: bool = True) -> None:
    """The main face's `move_to_page`; browsers follow by themselves, whatever `reload_` says."""
    messages.move_to_page(player, page)


def move_to_end(player: Any, reload_: bool = True) -> None:
    """The main face's `move_to_end`; browsers follow by themselves, whatever `reload_` says."""
    messages.move_to_end(player)


def transition_to_page(player: Any, target: Any, reload_: bool = True) -> None:
    """`move_to_page`, by another name."""
    messages.move_to_page(player, target)


def transition_to_end(player: Any, reload_: bool = True) -> None:
    """`move_to_end`, by another name."""
    messages.move_to_end(player)


def send_to(
    recipients: Any,
    data: Any = None,
    event: str | None = None,
    *,
    where: Any = ...,
    keep: bool = False,
    volatile: bool = False,
) -> None:
    """The main face's `send_to`, except that the event may stand in the third place."""
    messages.send_to(recipients, data, event=event, where=where, keep=keep, volatile=volatile)


def send_to_one(recipient: Any, data: Any = None, event: str | None = None, *, where: Any = ...) -> None:
    """`send_to`, of a single player."""
    messages.send_to(recipient, data, event=event, where=where)


def get_setting(*arguments: Any, default: Any = None) -> Any:
    """The main face's `get_setting`, except that a missing setting without a default is None."""
    return tasks.get_setting(*arguments, default=default)


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """The main face's `read_csv`, except that a missing file has no rows."""
    return files.read_csv(path) if Path(path).exists() else []


def watch_for_dropout(player: Any, handler: Callable[..., Any], tolerance: float = 30) -> None:
    """The main face's `watch_for_dropout`, except that the player may be an identifier."""
    tasks.watch_for_dropout(handle(player), handler, tolerance)


def mark_dropout(player: Any) -> None:
    """The main face's `mark_dropout`, except that the player may be an identifier."""
    tasks.mark_dropout(handle(player))


def sha256(data: str | bytes) -> str:
    """The SHA-256 of a text (as UTF-8) or of bytes, in 64 hexadecimal digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def combine(named_tuples: Sequence[Any]) -> Any:
    """Named tuples as one: their first fields are its names. Of two fields, the second is the value; of more, the rest.

    `combine([Item("a", 1), Item("b", 2)]).b` is 2.
    """
    kind = namedtuple("Combined", [str(one[0]) for one in named_tuples])  # type: ignore[misc]
    if not named_tuples:
        return kind()
    rest = named_tuples[0]._fields[1:]
    inner = namedtuple("Combined", rest)  # type: ignore[misc]
    return kind(*(one[1] if len(rest) == 1 else inner(*one[1:]) for one in named_tuples))


__all__ = [
    "Admin",
    "Any",
    "Between",
    "Bracket",
    "Group",
    "GroupCreatingWait",
    "GroupIdentifier",
    "GroupType",
    "ModelIdentifier",
    "NoshowPage",
    "Page",
    "Player",
    "PlayerContext",
    "PlayerIdentifier",
    "PlayerType",
    "Random",
    "RandomOrder",
    "Repeat",
    "Rounds",
    "Session",
    "SessionIdentifier",
    "SessionType",
    "Storage",
    "SynchronizingWait",
    "_",
    "add_to_group",
    "append_to_csv",
    "cast",
    "chat",
    "combine",
    "create_group",
    "create_groups",
    "cu",
    "data_uri",
    "fmtnum",
    "get_setting",
    "identify",
    "live",
    "mark_dropout",
    "materialize",
    "move_to_end",
    "move_to_page",
    "notify",
    "other_in_group",
    "other_in_session",
    "others_in_group",
    "others_in_session",
    "players",
    "read_csv",
    "reload",
    "rng",
    "safe",
    "send_to",
    "send_to_one",
    "sha256",
    "spawn",
    "to",
    "transition_to_end",
    "transition_to_page",
    "uuid",
    "watch_for_dropout",
]
