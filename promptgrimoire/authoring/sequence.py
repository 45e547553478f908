"""What may stand in page_order beside pages: random orders, rounds, treatments; and what each compiles to.

`compiled` turns a page_order into steps, plain data that a player's plan can keep: a page is its key, everything else a
dict (`runtime.plan` expands it). What is wrong with a sequence is found by order.py; nothing here raises where an
author writes a sequence, so that loading can report all mistakes together. Never looks at a player.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from promptgrimoire.authoring.pages import GroupCreatingWait, Page

_FRAMEWORK = str(Path(__file__).resolve().parent.parent) + "/"
POLICIES = ("strangers", "perfect_strangers", "total_strangers")
SHARED = ("group", "session", "player")
MISSING: Final = object()

Step = str | dict[str, Any]


class Sequence:
    """Base of all sequences: holds its items, and where in the author's code it was written."""

    def __init__(self, items: tuple[Any, ...], unknown: dict[str, Any]) -> None:
        self.items = items
        self.unknown = unknown  # keywords that do not exist
        caller = sys._getframe(1)
        while caller.f_back is not None and caller.f_code.co_filename.startswith(_FRAMEWORK):
            caller = caller.f_back
        self.file, self.line = caller.f_code.co_filename, caller.f_lineno

    def __repr__(self) -> str:
        names = (item.__name__ if isinstance(item, type) else repr(item) for item in self.items)
        return f"{type(self).__name__}({', '.join(names)})"


class RandomOrder(Sequence):
    """`RandomOrder(A, B, Bracket(C, D))`: these, in an order drawn for each player (and anew in each round).

    Every order is equally likely. A Bracket, a list, or any other sequence stays together.
    """

    def __init__(self, *items: Any, **unknown: Any) -> None:
        super().__init__(items, unknown)


class Bracket(Sequence):
    """`Bracket(A, B)`: several pages as one item of RandomOrder or Between, in this order."""

    def __init__(self, *items: Any, **unknown: Any) -> None:
        super().__init__(items, unknown)


class Rounds(Sequence):
    """`Rounds(A, B, n=10)`: these pages, n times.

    `player.round` counts from 1. A new round forgets the answers to the form fields of its pages, so that last round's
    never pass for this round's (`player.within(round=1)` keeps them); `carry=True` lets them stand.

    `match` says how the one GroupCreatingWait inside matches: "strangers" (anew at random in each round),
    "perfect_strangers" (nobody meets anybody twice), "total_strangers" (nor anybody who met somebody they met);
    None: whoever arrives first.
    """

    def __init__(self, *items: Any, n: Any = MISSING, match: Any = None, carry: Any = False, **unknown: Any) -> None:
        super().__init__(items, unknown)
        self.n, self.match, self.carry = n, match, carry


class Repeat(Sequence):
    """`Repeat(A, B)`: these pages again and again, until a hook has set `player.add_round = False`.

    `continue_with=0.75`: another round follows with this probability instead, drawn once for everybody in the player's
    group (`by="group"`; alone without a group), in the session, or for each player. `at_most`: never more rounds.
    Rounds count, and forget answers, as in Rounds.
    """

    def __init__(
        self,
        *items: Any,
        continue_with: Any = None,
        by: Any = MISSING,
        at_most: Any = None,
        carry: Any = False,
        **unknown: Any,
    ) -> None:
        super().__init__(items, unknown)
        self.continue_with, self.by, self.at_most, self.carry = continue_with, by, at_most, carry

    @property
    def asks_the_player(self) -> bool:
        """Whether only player.add_round ends it."""
        return self.continue_with is None and self.at_most is None


class Between(Sequence):
    """`Between(A, B)` or `Between(control=A, gain=Bracket(B, C), store="treatment")`: one of these arms.

    Drawn when the player gets there, balanced among those who got there: the arms never differ by more than one
    player; within each value of the player's field, or fields, that `within` names. `balanced=False`: independently,
    with equal probability. `store` names the field of the player that gets the arm's name. `player.between_showed` has
    one list of pages for each Between that was reached.
    """

    def __init__(self, *arms: Any, store: Any = None, balanced: Any = True, within: Any = None, **named: Any) -> None:
        super().__init__((*arms, *named.values()), {})
        self.named = named
        self.store, self.balanced, self.within = store, balanced, within

    @property
    def names(self) -> list[str]:
        """A name for each arm: the one given, else that of its only page, else its number."""
        free = self.items[: len(self.items) - len(self.named)]
        given = [name_of(arm) or str(number) for number, arm in enumerate(free, 1)]
        return [*given, *self.named]


def name_of(arm: Any) -> str | None:
    """The name of the only page of an arm; None where it has not exactly one."""
    pages = list(pages_in([arm]))
    return pages[0].__name__ if len(pages) == 1 else None


def pages_in(items: Any) -> Iterator[type[Page]]:
    """All pages that occur in a page_order, in order, as often as they are named. It must hold no mistake."""
    for item in items:
        if isinstance(item, list | tuple | Sequence):
            yield from pages_in(item.items if isinstance(item, Sequence) else item)
        elif isinstance(item, type) and issubclass(item, Page):
            yield item


def sequences_in(items: Any) -> Iterator[Sequence]:
    """All sequences in a page_order, each before those inside it. It must hold no mistake."""
    for item in items:
        if isinstance(item, Sequence):
            yield item
            yield from sequences_in(item.items)
        elif isinstance(item, list | tuple):
            yield from sequences_in(item)


# -------------------------------------------------------------------- compiling


def compiled(items: Any, key_of_page: Callable[[type[Page]], str]) -> list[Step]:
    """The steps of a page_order that holds no mistake (`order.mistakes`).

    A page is its key. `{"random": [[step, …], …]}`; `{"rounds": [step, …], "n": 10, "loop": 0, "key": "…"}`, with
    "carry", "match" and "waits" (keys of the wait pages that match) where given; `{"repeat": [step, …], "loop": 1,
    "key": "…", "continue_with": 0.75, "by": "group", "at_most": None}`; `{"between": [[step, …], …], "arms": [name, …],
    "key": "…", "store": None, "balanced": True, "within": [field, …]}`.

    `loop` numbers the loops of this page_order. `key` is made of the content: the same for all players who meet the
    same Between or loop, also where page_order is a function, and after a reload; for equal ones in order.
    """
    return _Compiler(key_of_page).steps(items)


class _Compiler:
    def __init__(self, key_of_page: Callable[[type[Page]], str]) -> None:
        self._key_of_page = key_of_page
        self._loops = 0
        self._seen: dict[str, int] = {}

    def steps(self, items: Any) -> list[Step]:
        found: list[Step] = []
        for item in items:
            if isinstance(item, list | tuple):
                found += self.steps(item)
            elif isinstance(item, Bracket):
                found += self.steps(item.items)
            elif isinstance(item, RandomOrder):
                found.append({"random": [self.steps([one]) for one in item.items]})
            elif isinstance(item, Rounds):
                found.append(self._rounds(item))
            elif isinstance(item, Repeat):
                found.append(self._repeat(item))
            elif isinstance(item, Between):
                found.append(self._between(item))
            else:
                found.append(self._key_of_page(item))
        return found

    def _rounds(self, rounds: Rounds) -> Step:
        step: dict[str, Any] = {"loop": self._loop(), "n": int(rounds.n)}
        step["rounds"] = self.steps(rounds.items)
        step["key"] = self._key("rounds", step["rounds"])
        if rounds.carry:
            step["carry"] = True
        if rounds.match is not None:
            step["match"] = rounds.match
            step["waits"] = [self._key_of_page(page) for page in matching_pages(rounds.items)]
        return step

    def _repeat(self, repeat: Repeat) -> Step:
        step: dict[str, Any] = {"loop": self._loop(), "repeat": self.steps(repeat.items)}
        step["key"] = self._key("repeat", step["repeat"])
        step["continue_with"] = None if repeat.continue_with is None else float(repeat.continue_with)
        step["by"] = "group" if repeat.by is MISSING else repeat.by
        step["at_most"] = repeat.at_most
        if repeat.carry:
            step["carry"] = True
        return step

    def _between(self, between: Between) -> Step:
        arms = [self.steps([arm]) for arm in between.items]
        within = [between.within] if isinstance(between.within, str) else list(between.within or ())
        return {
            "between": arms,
            "arms": between.names,
            "key": self._key("between", [between.names, arms, between.store]),
            "store": between.store,
            "balanced": between.balanced,
            "within": within,
        }

    def _loop(self) -> int:
        self._loops += 1
        return self._loops - 1

    def _key(self, kind: str, content: Any) -> str:
        """A short text made of the content. Loops inside have numbers that depend on the whole: left out."""
        digest = hashlib.sha256(f"{kind}{_without_numbers(content)}".encode()).hexdigest()[:10]
        self._seen[digest] = seen = self._seen.get(digest, 0) + 1
        return digest if seen == 1 else f"{digest}.{seen}"


def _without_numbers(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _without_numbers(value) for name, value in content.items() if name not in ("loop", "key")}
    if isinstance(content, list):
        return [_without_numbers(item) for item in content]
    return content


def matching_pages(items: Any) -> list[type[Page]]:
    """The wait pages that form groups, those inside further loops and treatments left out."""
    found: list[type[Page]] = []
    for item in items:
        if isinstance(item, list | tuple):
            found += matching_pages(item)
        elif isinstance(item, Bracket | RandomOrder):
            found += matching_pages(item.items)
        elif isinstance(item, type) and issubclass(item, GroupCreatingWait):
            found.append(item)
    return found
