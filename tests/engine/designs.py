"""Studies as data: pages with their hooks, sequences of them, the source of the app, and the way through it.

Knows nothing of the engine. What is drawn at random, `way` is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SIZE = 2  # of the groups


@dataclass(frozen=True)
class Sheet:
    """A page. `kind`: "page", "logic" (never shown), "meet" (forms groups), "together" (waits for the group)."""

    name: str
    kind: str = "page"
    sync: frozenset[str] = frozenset()  # hooks that wait for nothing
    slow: frozenset[str] = frozenset()  # hooks that wait until their gate opens
    field: bool = False
    back: bool = False
    skips: str = ""  # whom `show` leaves out: "all", "odd" ones
    ends: int = 0  # the round in which it says that no further one follows
    wide: bool = False  # waits for the whole session
    timeout: int = 0  # seconds; 0 for no limit

    @property
    def hooks(self) -> frozenset[str]:
        return self.sync | self.slow

    @property
    def waits(self) -> bool:
        return self.kind in ("meet", "together")


@dataclass(frozen=True)
class Loop:
    number: int
    items: tuple[Any, ...]
    n: int
    repeat: bool = False
    carry: bool = False


@dataclass(frozen=True)
class Shuffled:
    items: tuple[Any, ...]


@dataclass(frozen=True)
class Arms:
    number: int
    items: tuple[Any, ...]


@dataclass(frozen=True)
class Together:
    items: tuple[Any, ...]


@dataclass(frozen=True)
class Design:
    sheets: tuple[Sheet, ...]
    order: tuple[Any, ...]

    def sheet(self, name: str) -> Sheet:
        return next(sheet for sheet in self.sheets if sheet.name == name)

    @property
    def goes_back(self) -> bool:
        return any(sheet.back for sheet in self.sheets)


def pages_in(item: Any) -> list[str]:
    """Names of all pages in an item of an order, each once."""
    if isinstance(item, str):
        return [item]
    return list(dict.fromkeys(name for inner in item.items for name in pages_in(inner)))


def first_of(item: Any) -> set[str]:
    """Pages with which an item may begin."""
    if isinstance(item, str):
        return {item}
    if isinstance(item, Shuffled | Arms):
        return {name for inner in item.items for name in first_of(inner)}
    return first_of(item.items[0])


def loops_in(items: Any) -> Iterator[Loop]:
    for item in items:
        if not isinstance(item, str):
            if isinstance(item, Loop):
                yield item
            yield from loops_in(item.items)


# -------------------------------------------------------------------- their source

HEAD = """
def note(player, page, text):
    player.log.append(f"{page.__name__}@{player.round} {text}")

def fail(player, page, hook):
    if f"{page.__name__} {hook}" in player.session.broken:
        raise ValueError("on purpose")

def new_session(session):
    session.broken = []

def new_player(player):
    player.log = []
"""
ARGUMENTS = {"validate": "player, data", "before_form_save": "player, data"}
ARGUMENTS |= {"after_grouping": "group", "all_here": "group"}
BASES = {"page": "Page", "logic": "NoshowPage", "meet": "GroupCreatingWait", "together": "SynchronizingWait"}
REFUSED, NOT_YET = 13, 14  # answers that validate and may_proceed do not take
SAVED = 100  # what before_form_save adds


def source(design: Design) -> str:
    """The app."""
    parts = [HEAD, *(_page(sheet) for sheet in design.sheets)]
    parts.append(f"page_order = [{', '.join(map(_item, design.order))}]\n")
    return "\n".join(parts)


def _item(item: Any) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, Arms):
        return (
            f'Between({", ".join(f"arm{n}={_item(arm)}" for n, arm in enumerate(item.items))}, store="t{item.number}")'
        )
    inside = ", ".join(map(_item, item.items))
    if isinstance(item, Loop):
        kind, count = ("Repeat", "at_most") if item.repeat else ("Rounds", "n")
        return f"{kind}({inside}, {count}={item.n}, carry={item.carry})"
    return f"{'RandomOrder' if isinstance(item, Shuffled) else 'Bracket'}({inside})"


def _page(sheet: Sheet) -> str:
    lines = [f"class {sheet.name}({BASES[sheet.kind]}):"]
    if sheet.kind == "page":
        lines += [f'    """# {sheet.name}', "", "    {{ fields() }}", '    """']
        if sheet.field:
            lines.append(f'    fields = dict({field_of(sheet)}=IntegerField(label="Number", min=0, max=99))')
        if sheet.timeout:
            lines.append(f"    timeout = {sheet.timeout}")
        if sheet.back:
            lines.append("    allow_back = True")
    elif sheet.kind == "meet":
        lines.append(f"    group_size = {SIZE}")
    elif sheet.wide:
        lines.append('    synchronize = "session"')
    for name in sorted(sheet.hooks):
        lines += _hook(sheet, name)
    if len(lines) == 1:
        lines.append("    pass")
    return "\n".join([*lines, ""])


def _hook(sheet: Sheet, name: str) -> list[str]:
    slow = name in sheet.slow
    body = []
    if name in ("after_grouping", "all_here"):
        body.append(f'group.log = [*group.get("log", []), f"{{page.__name__}} {name}"]')
        if slow:
            body += ["await gates.wait(f'w{group.id}')", f'group.log += [f"{{page.__name__}} {name} done"]']
    else:
        body.append(f'note(player, page, "{name}")')
        if slow:
            body += [f'await gates.wait(f"p{{player.id}} {name}")', f'note(player, page, "{name} done")']
        body.append(f'fail(player, page, "{name}")')
    if name == "show":
        body.append(f"return {dict(all='False', odd='player.id % 2 == 0')[sheet.skips]}")
    elif name == "validate":
        body.append(f'return "no" if data.get("{field_of(sheet)}") == {REFUSED} else None')
    elif name == "before_form_save" and sheet.field:
        body.append(f'data["{field_of(sheet)}"] += {SAVED}')
    elif name == "may_proceed":
        body.append(f'return player.get("{field_of(sheet)}") not in ({NOT_YET}, {NOT_YET + SAVED})')
    elif name == "after_always_once" and sheet.ends:
        body.append(f"if player.round >= {sheet.ends}: player.add_round = False")
    arguments = ARGUMENTS.get(name, "player")
    return [f"    {'async ' if slow else ''}def {name}(page, {arguments}):", *(f"        {line}" for line in body)]


def field_of(sheet: Sheet) -> str:
    return f"f_{sheet.name}"


# -------------------------------------------------------------------- the way


@dataclass(frozen=True)
class Place:
    """A page in a round. `levels`: for each loop around it, which one and its how-manieth round."""

    name: str
    round: int = 0
    levels: tuple[tuple[int, int], ...] = ()


class Need(Exception):
    """Something has to be decided before it is known what comes next."""

    def __init__(self, kind: str, options: Any) -> None:
        self.kind, self.options = kind, options


class ImpossibleError(Exception):
    """What is to be seen cannot have come of this."""


def way(design: Design, decisions: list[Any]) -> tuple[list[Place], Need | None]:
    """The places that follow from what has been decided, and what has to be decided next; None where that is all."""
    answers = iter(decisions)
    places: list[Place] = []
    count, begins = 0, False

    def decided(kind: str, options: Any) -> Any:
        for answer in answers:
            return answer
        raise Need(kind, options)

    def walk(items: Any, levels: tuple[tuple[int, int], ...]) -> None:
        nonlocal count, begins
        for item in items:
            match item:
                case str():
                    if levels and begins:
                        count, begins = count + 1, False
                    places.append(Place(item, count if levels else 0, levels))
                case Loop():
                    for iteration in range(1, item.n + 1):
                        if item.repeat and iteration > 1 and not decided("again", item):
                            break
                        if not levels and iteration == 1:
                            count = 0
                        begins = True
                        walk(item.items, (*levels, (item.number, iteration)))
                    else:
                        if item.repeat:
                            decided("end", item)
                case Shuffled():
                    left = list(item.items)
                    while left:
                        walk([left.pop(decided("next", list(left)) if len(left) > 1 else 0)], levels)
                case Arms():
                    walk([item.items[decided("arm", item)]], levels)
                case Together():
                    walk(item.items, levels)

    try:
        walk(design.order, ())
    except Need as need:
        return places, need
    return places, None
