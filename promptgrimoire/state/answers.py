"""Answers as of the round for which code runs: of a player who is ahead in the same loop, what they answered then.

The flow notes in a player's private record, as `loop`, what that takes: `of` (which loop the player is in or was in
last, "app:number"), `fields` ({answer: [index of its first page in this loop, levels by which rounds clear it]}) and
`rounds` ({round: its number at each level}, where that is not simply [round]). Never writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from promptgrimoire.context import current
from promptgrimoire.errors import UnknownField
from promptgrimoire.state.values import decode

if TYPE_CHECKING:
    from promptgrimoire.state.records import Player

LATEST = object()  # what the field holds now is right, or there is nothing
Place = tuple[str, list[int]]  # a loop, and the round at each level


def place_in_loop(about: Mapping[str, Any]) -> Place | None:
    """Where a player is, of whom this is known; None outside of rounds."""
    loop, levels = about.get("loop"), about.get("levels")
    return (loop["of"], list(levels)) if loop and levels else None


def answer_for_reader(player: Player, name: str) -> Any:
    """The answer that the running code is to see, `LATEST` where it is the field as it is.

    Raises UnknownField where the player has gone on without having answered in that round.
    """
    place = _place_of_reader(player)
    loop = player._about["loop"]
    if place is None or place[0] != loop["of"]:
        return LATEST
    start, depth = loop["fields"][name]
    round = place[1][:depth]
    app = place[0].partition(":")[0]
    if name in player._fields:
        then = _levels(loop, app, *player._written[name])
        if then is not None and then[: len(round)] <= round:
            return LATEST
    for then_app, number, text in reversed(player._pages.get(name, [])[start:]):
        then = _levels(loop, app, then_app, number)
        if then is not None and then[: len(round)] == round:
            return decode(text, player._state.resolve)
    if name not in player._fields:
        return LATEST
    where = ".".join(map(str, place[1]))
    raise UnknownField(
        f"{player!r} has no '{name}' of round {where}, for which this code runs: it was answered in a later round "
        f"only. Use get({name!r}, default), or within(round=…).{name} for the answer of another round."
    )


def _place_of_reader(player: Player) -> Place | None:
    """For which round the running code is; None where that is none, or the code is the player's own."""
    activity = current.get()
    if activity is None or activity.record is player:
        return None
    if activity.place is not None:
        found: Place = activity.place
        return found
    about = getattr(activity.record, "_about", None)
    return None if about is None else place_in_loop(about)


def _levels(loop: Mapping[str, Any], app: str, then_app: str, round: int) -> list[int] | None:
    """A round at each level; None for what was written outside of the app's rounds."""
    if then_app != app or not round:
        return None
    found: list[int] = loop["rounds"].get(str(round)) or [round]
    return found
