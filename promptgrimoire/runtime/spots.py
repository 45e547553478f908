"""Wait pages as places in plans: which one it is, and where a player is in relation to it. Pure.

Two players are at the same wait page if it is the same page in the same round, and each has met it equally often: where
else their plans differ (random orders, treatments) does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptgrimoire.runtime.plan import Place, Step, keys_in, page_of_step


@dataclass(frozen=True, slots=True)
class Spot:
    """One wait page: in its round, and for the `time`-th time (1, 2, …) in a plan."""

    key: str  # "app/Page"
    nested: tuple[int, ...]
    time: int

    def __str__(self) -> str:
        round = "@" + ".".join(map(str, self.nested)) if self.nested else ""
        return f"{self.key}{round}" + (f"#{self.time}" if self.time > 1 else "")

    @property
    def app(self) -> str:
        return self.key.partition("/")[0]


def spot_at(plan: Sequence[Step], position: int) -> Spot:
    """The spot of the page that stands at this position."""
    step = plan[position]
    assert isinstance(step, str)
    place = page_of_step(step)
    time = sum(1 for other in plan[: position + 1] if isinstance(other, str) and _alike(page_of_step(other), place))
    return Spot(place.key, place.nested, time)


def position_of(plan: Sequence[Step], spot: Spot) -> int | None:
    """Where a plan has this spot; None where it has not, or where that is not decided yet."""
    time = 0
    for position, step in enumerate(plan):
        if isinstance(step, str):
            place = page_of_step(step)
            if place.key == spot.key and place.nested == spot.nested:
                time += 1
                if time == spot.time:
                    return position
    return None


def will_not_come(about: Mapping[str, Any], spot: Spot) -> bool:
    """Whether a player (what is known about them) is beyond the spot, or has it nowhere on their way."""
    if about.get("completion"):
        return True
    plan = about.get("plan", ())
    found = position_of(plan, spot)
    here: int = about.get("position", -1)
    if found is not None:
        return here > found
    return not any(_may_hold(step, spot) for step in plan[max(here, 0) :])


def _may_hold(step: Step, spot: Spot) -> bool:
    if isinstance(step, str):
        return False
    return step.get("app") == spot.app or spot.key in keys_in([step])


def _alike(one: Place, other: Place) -> bool:
    return one.key == other.key and one.nested == other.nested


def in_order(players: Iterable[Any]) -> list[Any]:
    """Players in the order in which they have arrived where they are."""
    return sorted(players, key=lambda player: (player._about["arrived"]["order"], player.id))
