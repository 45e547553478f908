"""`page_order`: which pages a player meets, as a list or as a function of the player.

Owns what may stand in it and how a mistake in it reads; what sequences mean is sequence.py's. Never moves anybody.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from promptgrimoire.authoring.pages import BUILT_IN_PAGES, Page
from promptgrimoire.authoring.sequence import (
    MISSING,
    POLICIES,
    SHARED,
    Between,
    Bracket,
    RandomOrder,
    Repeat,
    Rounds,
    Sequence,
    compiled,
    matching_pages,
    name_of,
)
from promptgrimoire.authoring.vocabulary import near_miss
from promptgrimoire.state.declared import BUILT_IN

_KEYWORDS = {"Rounds": ("n", "match", "carry"), "Repeat": ("continue_with", "by", "at_most", "carry")}
_BETWEEN = ("store", "balanced", "within")


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong in a page_order: what, with the mend, and where."""

    text: str
    index: int  # of the entry of the outermost list
    within: Sequence | None = None  # the innermost sequence around it, which knows its own line


def mistakes(items: Iterable[Any], known: Iterable[str]) -> Iterator[Mistake]:
    """Everything that is wrong with a page_order. `known`: names of pages, for proposals."""
    names = list(known)
    for index, item in enumerate(items):
        for text, within in _wrong(item, names, (id(items),), None):
            yield Mistake(text, index, within)


_Found = Iterator[tuple[str, Sequence | None]]


def _wrong(item: Any, known: list[str], path: tuple[int, ...], within: Sequence | None) -> _Found:
    if not isinstance(item, list | tuple | Sequence):
        problem = wrong_entry(item, known)
        if problem is not None:
            yield problem, within
        return
    if id(item) in path:
        yield "expected a page, found a list that holds itself; remove it", within
        return
    here = item if isinstance(item, Sequence) else within
    right = True
    for inner in item.items if isinstance(item, Sequence) else item:
        for problem, place in _wrong(inner, known, (*path, id(item)), here):
            right = False
            yield problem, place
    if isinstance(item, Sequence):
        for problem in _wrong_sequence(item, right):
            yield problem, item


def wrong_entry(item: Any, known: Iterable[str]) -> str | None:
    """What is wrong with an entry of page_order that is no list and no sequence, and the mend; None for a page."""
    if isinstance(item, type) and issubclass(item, Page):
        if item in BUILT_IN_PAGES:
            return f"{item.__name__} itself cannot be shown; write class MyPage({item.__name__}) and name that"
        return None
    if isinstance(item, str):
        near = difflib.get_close_matches(item, list(known), 1)
        return f"expected a page, found the text {item!r}; write {near[0] if near else item} without quotes"
    if isinstance(item, Page):
        return f"expected a page, found {type(item).__name__}(); write {type(item).__name__} without parentheses"
    if isinstance(item, type) and issubclass(item, Sequence):
        return f"expected a page, found the class {item.__name__}; write {item.__name__}(…) with pages in parentheses"
    if isinstance(item, type):
        return f"expected a page, found the class {item.__name__}; write class {item.__name__}(Page)"
    if isinstance(item, ModuleType):
        return f"expected a page, found the module {item.__name__}; name its pages, or use *{item.__name__}.page_order"
    if isinstance(item, int) and not isinstance(item, bool):
        return f"expected a page, found {item!r}; for so many rounds, write Rounds(…, n={item!r})"
    if item is Ellipsis or item is None:
        return f"expected a page, found {item!r}; remove it"
    return f"expected a page, found {item!r}; name classes that derive from Page"


def namesakes(pages: Iterable[type[Page]]) -> Iterator[tuple[type[Page], type[Page]]]:
    """Pairs of different pages with one name."""
    seen: dict[str, type[Page]] = {}
    for page in pages:
        other = seen.setdefault(page.__name__, page)
        if other is not page:
            yield other, page


# -------------------------------------------------------------------- sequences


def _wrong_sequence(sequence: Sequence, items_are_right: bool) -> Iterator[str]:
    """`items_are_right`: only then is it worth while to look at them together."""
    kind = type(sequence).__name__
    known = _KEYWORDS.get(kind, ())
    for name, value in sequence.unknown.items():
        near = near_miss(name, known) or (known[0] if len(name) == 1 and known == _KEYWORDS["Rounds"] else None)
        mend = f"did you mean {near}?" if near else f"it takes {', '.join(known)}" if known else "it takes only pages"
        yield f"{kind} has no {name}={value!r}; {mend}"
    if not sequence.items and not isinstance(sequence, Between | Bracket):
        yield f"{kind} is empty; name at least one page, as in {kind}(MyPage{', n=3' * (kind == 'Rounds')})"
    match sequence:
        case RandomOrder():
            yield from _wrong_random(sequence)
        case Rounds():
            yield from _wrong_rounds(sequence, items_are_right)
        case Repeat():
            yield from _wrong_repeat(sequence)
        case Between():
            yield from _wrong_between(sequence, items_are_right)
    if not isinstance(sequence, Between):
        for item in sequence.items:
            if isinstance(item, Bracket) and not item.items:
                yield f"{kind}: Bracket() is empty; name its pages, or remove it"


def _wrong_random(sequence: RandomOrder) -> Iterator[str]:
    if len(sequence.items) == 1 and isinstance(sequence.items[0], list | tuple):
        yield (
            "RandomOrder of one list has nothing to bring into an order, since a list stays together; "
            "write RandomOrder(A, B, C), or RandomOrder(*pages)"
        )


def _wrong_rounds(rounds: Rounds, items_are_right: bool) -> Iterator[str]:
    if rounds.n is MISSING:
        yield "Rounds needs to know how many: write Rounds(…, n=3)"
    elif not _is_count(rounds.n):
        mend = "; for rounds without a fixed number, write Repeat(…)" if rounds.n is None else ""
        yield f"Rounds: n: expected a whole number of at least 1, found {rounds.n!r}{mend}"
    yield from _wrong_flag("Rounds", "carry", rounds.carry)
    if rounds.match is None:
        return
    if rounds.match not in POLICIES:
        near = near_miss(rounds.match, POLICIES) if isinstance(rounds.match, str) else None
        mend = f"did you mean {near!r}?" if near else f"write one of {', '.join(map(repr, POLICIES))}, or None"
        yield f"Rounds: match: found {rounds.match!r}; {mend}"
    elif items_are_right:
        waits = matching_pages(rounds.items)
        if not waits:
            yield (
                f"Rounds: match={rounds.match!r} needs a GroupCreatingWait among its pages (not in a further Rounds, "
                "Repeat or Between inside): put one at the beginning of the round"
            )
        elif len(waits) > 1:
            names = ", ".join(wait.__name__ for wait in waits)
            yield f"Rounds: match={rounds.match!r} needs exactly one GroupCreatingWait, found {names}; remove one"


def _wrong_repeat(repeat: Repeat) -> Iterator[str]:
    chance = repeat.continue_with
    if chance is not None and not (_is_number(chance) and 0 < chance < 1):
        mend = "; write 0.75 for three in four" if _is_number(chance) else ""
        yield f"Repeat: continue_with: expected a probability between 0 and 1, found {chance!r}{mend}"
    if repeat.by is not MISSING and repeat.by not in SHARED:
        near = near_miss(repeat.by, SHARED) if isinstance(repeat.by, str) else None
        mend = f"did you mean {near!r}?" if near else f"write one of {', '.join(map(repr, SHARED))}"
        yield f"Repeat: by: found {repeat.by!r}; {mend}"
    elif repeat.by is not MISSING and chance is None:
        yield f"Repeat: by={repeat.by!r} says who shares the draw of continue_with; add that, or remove by"
    if repeat.at_most is not None and not _is_count(repeat.at_most):
        yield f"Repeat: at_most: expected a whole number of at least 1, found {repeat.at_most!r}"
    yield from _wrong_flag("Repeat", "carry", repeat.carry)


def _wrong_between(between: Between, items_are_right: bool) -> Iterator[str]:
    for name in between.named:
        near = near_miss(name, _BETWEEN)
        if near is not None and not isinstance(between.named[name], type | list | tuple | Sequence):
            yield f"Between has no {name}; did you mean {near}?"
    if len(between.items) < 2:
        found = f"only {between.items[0]!r}" if between.items else "none"
        yield f"Between draws one of at least two arms, found {found}; write Between(A, B) or Between(A, Bracket(B, C))"
    yield from _wrong_flag("Between", "balanced", between.balanced)
    yield from _wrong_field("store", between.store)
    fields = between.within if isinstance(between.within, list | tuple) else (between.within,)
    for field in fields:
        yield from _wrong_field("within", field)
    if between.within is not None and between.balanced is False:
        yield "Between: within says within what the arms are balanced, but balanced=False; remove one of the two"
    if not items_are_right:
        return
    free = between.items[: len(between.items) - len(between.named)]
    contents = [repr(compiled([arm], lambda page: str(id(page)))) for arm in free]
    if len(set(contents)) < len(contents):
        yield (
            "Between: two arms are the same; remove one, or name them, so that pages can ask which it is: "
            'Between(control=A, gain=A, store="treatment")'
        )
    unnamed = [arm for arm in free if name_of(arm) is None]
    if between.store is not None and unnamed:
        yield (
            f"Between: store={between.store!r} needs a name for each arm that is not a single page; "
            f"write Between(control=…, treatment=…, store={between.store!r})"
        )


def _wrong_field(keyword: str, name: Any) -> Iterator[str]:
    if name is None:
        return
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        example = "treatment" if keyword == "store" else "gender"
        yield f'Between: {keyword}: expected the name of a player\'s field, as in {keyword}="{example}", found {name!r}'
    elif keyword == "store" and name in BUILT_IN:
        yield f"Between: store: {name!r} is built in; choose another name, such as 'treatment'"


def _wrong_flag(kind: str, name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"{kind}: {name}: expected True or False, found {value!r}"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
