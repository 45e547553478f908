"""A player's plan: the steps that `authoring.sequence` compiled, turned into places one after another. Pure.

A step is a page (a text, see `page_of_step`) or a directive (a dict) that stands for steps which are not decided yet.
The flow keeps the list and the position; when it reaches a directive, `expand` gives what takes its place. Owns how a
place is written, how rounds are counted, and what is searched in a plan. Stores nothing and draws nothing itself.

What is fixed is spelled out at once (`settled`): rounds, random orders, the first round of a Repeat. The rest stands as
`{"go": [frame, …], "count": rounds so far, "begins": whether one begins}`, where a frame is
`{"in": [[loop, round, carries], …], "steps": [step, …]}` and may have a "match".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from promptgrimoire.errors import AuthorError

Step = str | dict[str, Any]

AT_ONCE = 500  # pages that are spelled out in one go: a plan is stored, and 10,000 rounds need not be
REPEATS = 1_000  # rounds of a Repeat without at_most, after which it counts as one that never ends


class Draws(Protocol):
    """What is decided for a player when a directive is reached. Each decision is drawn once, and stored."""

    def shuffle(self, items: list[Any]) -> None:
        """Bring the items into a random order, in place."""

    def arm(self, between: Mapping[str, Any]) -> int:
        """The index of the arm for this player; also stores its name where `between["store"]` says.

        `between` has key, between (the arms: lists of steps), arms (their names), store, balanced, within (fields of
        the player, a list). `authoring.draws.draw_balanced` draws it.
        """

    def go_on(self, repeat: Mapping[str, Any], iteration: int) -> bool:
        """Whether that round (2, 3, …) of a Repeat begins; `repeat` has key, continue_with, by.

        Where continue_with is None, the player's add_round decides (False ends it; it is forgotten at that moment).
        So it is asked even where at_most ends the Repeat, whatever it says.
        Otherwise it is drawn once for all that share (key, iteration) by "group", "session" or "player".
        """

    def order(self, app: str) -> list[Step]:
        """The compiled steps of an app for this player, who enters it now."""


# -------------------------------------------------------------------- places


@dataclass(frozen=True, slots=True)
class Match:
    """That a GroupCreatingWait matches by a schedule: which one, for how many rounds, and where in it we are."""

    policy: str  # "strangers", "perfect_strangers", "total_strangers"
    n: int  # rounds of the schedule
    round: int  # of these, 1-based
    key: str  # the same for all players who are matched by one schedule


@dataclass(frozen=True, slots=True)
class Place:
    """A page in a round: `round` counts all rounds begun in the outermost loop, 0 outside; `nested` one per level."""

    key: str  # "app/Page"
    round: int = 0
    nested: tuple[int, ...] = ()
    loops: tuple[int, ...] = ()  # which loop of the app each level is
    carries: tuple[bool, ...] = ()  # and whether answers stay when a new round of it begins
    match: Match | None = None

    @property
    def app(self) -> str:
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        return self.key.partition("/")[2]


def step_of(place: Place) -> str:
    """A place as text: `app/Page`, `app/Page@3` in round 3, `app/Page@6:2.3` where nested.

    Behind these, where it is not the usual: `~0.2+` which loops the levels are (+ carries), `!` and the match.
    """
    text = place.key
    if not place.nested:
        return text
    text += f"@{place.round}"
    if place.nested != (place.round,):
        text += ":" + ".".join(map(str, place.nested))
    loops = ".".join(f"{loop}{'+' * carry}" for loop, carry in zip(place.loops, place.carries, strict=True))
    if loops != "0":
        text += f"~{loops}"
    if place.match is not None:
        text += f"!{place.match.policy},{place.match.n},{place.match.round},{place.match.key}"
    return text


@lru_cache(maxsize=16_384)  # the same few texts stand in the plans of all players
def page_of_step(step: str) -> Place:
    """The inverse of `step_of`."""
    rest, _, matching = step.partition("!")
    rest, _, loop_text = rest.partition("~")
    rest, _, level_text = rest.partition(":")
    key, _, round_text = rest.partition("@")
    if not round_text:
        return Place(key)
    round = int(round_text)
    nested = tuple(map(int, level_text.split("."))) if level_text else (round,)
    loops = loop_text.split(".") if loop_text else ["0"]
    match = None
    if matching:
        policy, n, within, match_key = matching.split(",")
        match = Match(policy, int(n), int(within), match_key)
    numbers = tuple(int(loop.rstrip("+")) for loop in loops)
    return Place(key, round, nested, numbers, tuple(loop.endswith("+") for loop in loops), match)


# -------------------------------------------------------------------- expanding


def settled(steps: Iterable[Step], draws: Draws) -> list[Step]:
    """These steps, with all spelled out that nothing later can change."""
    found: list[Step] = []
    for step in _plain(list(steps)):
        if isinstance(step, str) or not _is_fixed(step):
            found.append(step)
        else:
            found += _Walk(draws).walk([{"in": [], "steps": [step]}])
    return found


def expand(step: Mapping[str, Any], draws: Draws) -> list[Step]:
    """What takes the place of a directive that has been reached. Its first step may be a directive again.

    Raises AuthorError where a Repeat does not end.
    """
    if "app" in step:
        return settled(draws.order(step["app"]), draws)
    if "go" in step:
        walk = _Walk(draws, step["count"], step["begins"])
        return walk.walk(_plain(step["go"]), decide=True)
    return _Walk(draws).walk([{"in": [], "steps": [_plain(step)]}], decide=True)


def _is_fixed(step: Mapping[str, Any]) -> bool:
    return "random" in step or "rounds" in step or ("repeat" in step and step.get("next", 1) == 1)


class _Walk:
    """Goes through frames in order, spelling out steps until something has to be decided that is not reached yet."""

    def __init__(self, draws: Draws, count: int = 0, begins: bool = False) -> None:
        self._draws = draws
        self._count = count
        self._begins = begins
        self._found: list[Step] = []

    def walk(self, frames: list[dict[str, Any]], decide: bool = False) -> list[Step]:
        """`decide`: the first thing to be decided has been reached."""
        frames = frames[::-1]  # a stack: what is next stands last
        while frames:
            frame = frames.pop()
            if not frame["steps"]:
                continue
            step, *rest = frame["steps"]
            if isinstance(step, str):
                if len(self._found) >= AT_ONCE:
                    frames.append(frame)
                    break
                self._page(step, frame)
            elif _is_fixed(step) or (decide and not self._found):
                decide = decide and _is_fixed(step)
                frames.append({**frame, "steps": rest})
                frames += reversed(self._inside(step, frame))
                continue
            elif frame["in"]:
                frames.append(frame)
                break
            else:  # outside loops, each directive stands for itself
                self._found.append(self._left([{**frame, "steps": [step]}]) if "next" in step else step)
            frames.append({**frame, "steps": rest})
        if frames:
            self._found.append(self._left([frame for frame in reversed(frames) if frame["steps"]]))
        return self._found

    def _left(self, frames: list[dict[str, Any]]) -> Step:
        return {"go": frames, "count": self._count, "begins": self._begins}

    def _page(self, key: str, frame: dict[str, Any]) -> None:
        if not frame["in"]:
            self._found.append(key)
            return
        if self._begins:  # rounds of several levels that begin with the same page count as one
            self._count += 1
            self._begins = False
        loops, nested, carries = zip(*frame["in"], strict=True)
        matching = frame.get("match")
        match = None
        if matching is not None and key in matching["waits"]:
            match = Match(matching["policy"], matching["n"], matching["round"], matching["key"])
        self._found.append(step_of(Place(key, self._count, nested, loops, carries, match)))

    def _inside(self, step: dict[str, Any], frame: dict[str, Any]) -> list[dict[str, Any]]:
        """The frames that take the place of a directive."""
        if "random" in step:
            items = list(step["random"])
            self._draws.shuffle(items)
            return [{**frame, "steps": item} for item in items]
        if "between" in step:
            return [{**frame, "steps": step["between"][self._draws.arm(_shared(step, frame))]}]
        if "app" in step:
            return [{**frame, "steps": self._draws.order(step["app"])}]
        return self._rounds(step, frame) if "rounds" in step else self._repeat(step, frame)

    def _rounds(self, step: dict[str, Any], frame: dict[str, Any]) -> list[dict[str, Any]]:
        iteration = step.get("next", 1)
        if iteration > step["n"]:
            return []
        inner = self._round(step, frame, iteration, step["rounds"])
        if step.get("match"):
            outer = "".join(f"-{number}" for _, number, _ in frame["in"])
            inner["match"] = {
                "policy": step["match"],
                "n": step["n"],
                "round": iteration,
                "key": f"{step['key']}{outer}",
                "waits": step["waits"],
            }
        return [inner, {**frame, "steps": [{**step, "next": iteration + 1}]}]

    def _repeat(self, step: dict[str, Any], frame: dict[str, Any]) -> list[dict[str, Any]]:
        iteration = step.get("next", 1)
        most = step.get("at_most")
        if iteration > (most or REPEATS):
            if most:
                if step.get("continue_with") is None:  # asked all the same, so that an add_round = False is forgotten
                    self._draws.go_on(_shared(step, frame), iteration)
                return []
            raise AuthorError(
                f"Repeat: {REPEATS:,} rounds and no end; set player.add_round = False in a hook of one of its pages, "
                "or give it at_most=…"
            )
        if iteration > 1 and not self._draws.go_on(_shared(step, frame), iteration):
            return []
        inner = self._round(step, frame, iteration, step["repeat"])
        return [inner, {**frame, "steps": [{**step, "next": iteration + 1}]}]

    def _round(self, step: dict[str, Any], frame: dict[str, Any], iteration: int, body: list[Step]) -> dict[str, Any]:
        if not frame["in"] and iteration == 1:
            self._count = 0
        self._begins = True
        level = [step["loop"], iteration, step.get("carry", False)]
        return {**frame, "in": [*frame["in"], level], "steps": body}


def _shared(step: dict[str, Any], frame: dict[str, Any]) -> dict[str, Any]:
    """A Repeat or Between as `Draws` wants to know it: in every round of an outer loop, it is one of its own.

    (If the rounds shared the counts of a Between, a player alone would get A in round 1 and therefore B in round 2.)
    """
    outer = "".join(f"-{number}" for _, number, _ in frame["in"])
    return {**step, "key": f"{step['key']}{outer}"}


def _plain(value: Any) -> Any:
    """A copy of plain lists and dicts: what is stored in a record belongs to that record."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


# -------------------------------------------------------------------- searching


def known(plan: Sequence[Step]) -> list[str]:
    """Keys of the pages of a plan, those that are decided, in order."""
    return [page_of_step(step).key for step in plan if isinstance(step, str)]


def keys_in(steps: Iterable[Step]) -> list[str]:
    """Keys of all pages that may come of these steps, each once."""
    return list(dict.fromkeys(_keys(steps)))


def _keys(steps: Iterable[Any]) -> Iterator[str]:
    for step in steps:
        if isinstance(step, str):
            yield page_of_step(step).key
        elif isinstance(step, list | tuple):
            yield from _keys(step)
        else:
            for name in ("random", "rounds", "repeat", "between"):
                yield from _keys(step.get(name, ()))
            for frame in step.get("go", ()):
                yield from _keys(frame["steps"])


def find(plan: Sequence[Step], page: str, here: int) -> int | None:
    """The position of a page ("app/Page", or its name alone): the next one after `here`, else the first; or None."""
    places = [
        position
        for position, step in enumerate(plan)
        if isinstance(step, str) and page in ((place := page_of_step(step)).key, place.name)
    ]
    return next((place for place in places if place > here), places[0] if places else None)


def rounds_until(plan: Sequence[Step], position: int) -> tuple[str, list[int], bool]:
    """The rounds of the last loop that a player has met up to this position, for `random_round`.

    (which loop it is, its rounds so far in order, whether the plan has further ones); ("", [], False) for none.
    """
    before = [page_of_step(step) for step in plan[: position + 1] if isinstance(step, str)]
    last = next((place for place in reversed(before) if place.nested), None)
    if last is None:
        return "", [], False

    def rounds(places: Iterable[Place]) -> list[int]:
        same = (place for place in places if place.app == last.app and place.loops[:1] == last.loops[:1])
        return list(dict.fromkeys(place.round for place in same))

    so_far = rounds(before)
    ahead = rounds(page_of_step(step) for step in plan[position + 1 :] if isinstance(step, str))
    return f"{last.app}:{last.loops[0]}", so_far, any(round not in so_far for round in ahead)


def in_same_round(one: Place, other: Place) -> bool:
    """Whether both are in one app, and in one round of the same loop (or both outside of loops)."""
    return one.app == other.app and _levels(one) == _levels(other)


def begun(before: Place | None, place: Place, plan: Sequence[Step]) -> set[str]:
    """Keys of the pages whose answers are forgotten when a player comes from `before` to `place`.

    These are the pages of the plan inside the loops of which another round begins, unless the loop carries; none where
    the player stays in the round, or comes back to it from a loop inside it.
    """
    then = _levels(before) if before is not None and before.app == place.app else []
    now = _levels(place)
    same = 0
    while same < min(len(then), len(now)) and then[same] == now[same]:
        same += 1
    loop = next((level for level in range(same, len(now)) if not place.carries[level]), None)
    if loop is None:
        return set()
    return set(_inside(plan, place, loop))


def _inside(plan: Sequence[Step], place: Place, depth: int) -> Iterator[str]:
    """Keys of the pages inside the loop around `place` at that depth, in whichever round of it, also those to come."""
    app = f"{place.app}/"
    loops, nested = place.loops[: depth + 1], place.nested[:depth]
    for step in plan:
        if isinstance(step, str):
            other = page_of_step(step)
            if other.loops[: depth + 1] == loops and other.nested[:depth] == nested and other.key.startswith(app):
                yield other.key
            continue
        for frame in step.get("go", ()):
            around = tuple(loop for loop, _, _ in frame["in"])
            rounds = tuple(number for _, number, _ in frame["in"])
            if around[: depth + 1] == loops and rounds[:depth] == nested:
                yield from (key for key in _keys(frame["steps"]) if key.startswith(app))


def _levels(place: Place) -> list[tuple[int, int]]:
    return list(zip(place.loops, place.nested, strict=True))
