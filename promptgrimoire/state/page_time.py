"""How long a player was on a page: by the server's clock, and by what the browser says of it where that can be true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class PageTime(msgspec.Struct, frozen=True):
    """One stay of a player at a page. Times are seconds since 1970 by the server's clock, to the millisecond.

    `shown` and `submitted` are told by the browser, None where it told nothing that can be true. Do not pay by them.
    """

    page: str
    app: str
    round: int
    entered: float  # when the server had the page ready
    shown: float | None  # when the participant first saw it; of a page that was loaded again, the last time
    submitted: float | None  # when they pressed Next, or their time was over
    left: float  # when the server had accepted that, or moved them
    offset: float | None  # seconds to add to the participant's clock for the server's time
    timed_out: bool

    @property
    def seconds(self) -> float:
        """From seeing the page to pressing Next; where the browser did not tell, from entering and to leaving it."""
        begun = self.entered if self.shown is None else self.shown
        ended = self.left if self.submitted is None else self.submitted
        return round(ended - begun, 3)


def page_time(stored: Sequence[Any]) -> PageTime:
    """What is kept of a stay: (stay, key of the page, round, entered, shown, submitted, left, offset, timed_out)."""
    _, key, *rest = stored
    app, _, name = key.rpartition("/")
    return PageTime(name, app, *rest)
