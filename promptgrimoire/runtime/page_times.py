"""Notes how long players are on their pages, in the list `page_times` of their private records.

What a browser says is judged here: it counts where it can be true, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.state.records import Player

TIMES = (
    "_times"  # the field of a submission: the server's clock, the browser's stopwatch, when it saw the page, its clock
)
_SLACK = 5.0  # seconds by which a browser may be wrong about the server's clock
_LONGEST = 200  # characters
_ABSURD = 10.0**11  # no clock is so many seconds wrong


class BrowserTimes(NamedTuple):
    """When the page was seen and posted, by the server's clock; `offset` is that minus the participant's."""

    shown: float | None
    submitted: float
    offset: float | None


def browser_times(host: Host, player: Player, texts: Sequence[str]) -> BrowserTimes | None:
    """What a submission says of its times; None where it says nothing that can be true."""
    entered, now = player._about.get("entered"), host.clock.now()
    parts = texts[0].split(",") if texts and len(texts[0]) <= _LONGEST else []
    if len(parts) != 4 or entered is None:
        return None
    try:
        clock, watch, wall = (float(parts[index]) / 1000 for index in (0, 1, 3))
        shown = clock - (watch - float(parts[2]) / 1000) if parts[2] else None
    except ValueError:
        return None
    begun = clock if shown is None else shown
    if not (isfinite(begun) and entered - _SLACK <= begun <= clock <= now + _SLACK):
        return None
    offset = clock - wall
    return BrowserTimes(
        None if shown is None else round(min(max(shown, entered), now), 3),
        round(min(max(clock, entered), now), 3),
        round(offset, 3) if abs(offset) < _ABSURD else None,
    )


def note(host: Host, player: Player, times: BrowserTimes | None = None, timed_out: bool = False) -> None:
    """The player is leaving the page: part of the open transaction. Once for each stay at a page that was ready."""
    private = host.flow.private(player.id)
    fields: dict[str, Any] = private._fields
    entered, stay, noted = fields.get("entered"), fields.get("stay"), fields.get("page_times", ())
    if entered is None or (noted and noted[-1][0] == stay):
        return
    if "page_times" not in fields:
        host.state.writing().assign(private, "page_times", [])
    shown, submitted, offset = times or (None, None, None)
    answer = fields.get("answer") or {}
    if answer.get("stay") == stay and answer.get("shown") is not None:  # of a submission that was refused
        shown = answer["shown"] if shown is None else min(shown, answer["shown"])
    left = round(host.clock.now(), 3)
    round_ = fields.get("round", 0)
    fields["page_times"].append(
        (stay, fields["page"], round_, round(entered, 3), shown, submitted, left, offset, timed_out)
    )
