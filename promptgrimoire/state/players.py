"""Collections of players, and how they are searched. Never changes who is a member of what."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from promptgrimoire.state.translation import translated

if TYPE_CHECKING:
    from promptgrimoire.state.records import Player


class Condition:
    """`_.score > 3`: something to be asked of each player. `_("text")` is the text in a participant's language."""

    def __init__(self, ask: Callable[[Any], Any] | None = None) -> None:
        self._ask = ask or (lambda player: player)

    def __call__(self, text: str, plural: str | None = None, /, *, player: Player | None = None, **values: Any) -> str:
        """The text in the language of the player for whom this code runs, or of `player`.

        `_("{n} point", "{n} points", n=3)`: values stand in braces; with two texts, `n` decides on the form. At the top
        level of a module the text is translated when it is shown.
        """
        return translated(text, plural, player, values)

    def __getattr__(self, name: str) -> Condition:
        if name.startswith("__"):
            raise AttributeError(name)
        ask = self._ask
        return Condition(lambda player: getattr(ask(player), name))

    def __getitem__(self, key: Any) -> Condition:
        ask = self._ask
        return Condition(lambda player: ask(player)[key])

    def _compare(self, compare: Callable[[Any, Any], Any], other: Any) -> Condition:
        ask = self._ask
        if isinstance(other, Condition):
            theirs = other._ask
            return Condition(lambda player: compare(ask(player), theirs(player)))
        return Condition(lambda player: compare(ask(player), other))

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compare(operator.eq, other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compare(operator.ne, other)

    def __lt__(self, other: Any) -> Condition:
        return self._compare(operator.lt, other)

    def __le__(self, other: Any) -> Condition:
        return self._compare(operator.le, other)

    def __gt__(self, other: Any) -> Condition:
        return self._compare(operator.gt, other)

    def __ge__(self, other: Any) -> Condition:
        return self._compare(operator.ge, other)

    def __and__(self, other: Any) -> Condition:
        return self._compare(lambda mine, theirs: bool(mine) and bool(theirs), other)

    def __or__(self, other: Any) -> Condition:
        return self._compare(lambda mine, theirs: bool(mine) or bool(theirs), other)

    def __add__(self, other: Any) -> Condition:
        return self._compare(operator.add, other)

    def __sub__(self, other: Any) -> Condition:
        return self._compare(operator.sub, other)

    def __invert__(self) -> Condition:
        ask = self._ask
        return Condition(lambda player: not ask(player))

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        raise TypeError(
            "a condition such as `_.score > 3` has no truth value; combine conditions with & and |, negate with ~"
        )


class Players(tuple["Player", ...]):
    """An unchanging, ordered collection of player handles.

    `scope` is None for an arbitrary collection, else the ids that are missing from "everybody in the session" (so
    that a message to a thousand names two numbers and not a thousand).
    """

    scope: tuple[int, ...] | None

    def __new__(cls, players: Iterable[Player] = (), *, scope: tuple[int, ...] | None = None) -> Players:
        self = super().__new__(cls, players)
        self.scope = scope
        return self

    def get(self, name_or_id: str | int, default: Any = None) -> Any:
        """The player of that name or id, or `default`."""
        for player in self:
            if player.id == name_or_id or player.name == name_or_id:
                return player
        return default

    def filter(self, *conditions: Any, **fields: Any) -> Players:
        """Those for whom all conditions hold: `filter(_.score > 3, role="x")`, `filter(lambda p: p.online)`.

        A player who lacks a field that is asked for is left out.
        """
        return Players(player for player in self if _holds(player, conditions, fields))

    def find_one(self, *conditions: Any, **fields: Any) -> Any:
        """The one player for whom all conditions hold; raises LookupError for none or several."""
        found = self.filter(*conditions, **fields)
        if len(found) != 1:
            asked = ", ".join([*map(str, conditions), *(f"{name}={value!r}" for name, value in fields.items())])
            raise LookupError(f"expected one player with {asked}, found {len(found)}")
        return found[0]

    def each(self, *names: str) -> list[Any]:
        """Values of a field, in order; tuples of values where several are named."""
        if len(names) == 1:
            return [getattr(player, names[0]) for player in self]
        return [tuple(getattr(player, name) for name in names) for player in self]

    def assign(self, name: str, values: Iterable[Any]) -> None:
        """Give each player their value; as many values as players."""
        given = list(values)
        if len(given) != len(self):
            raise ValueError(f"assign({name!r}, …): expected {len(self)} values, found {len(given)}")
        for player, value in zip(self, given, strict=True):
            setattr(player, name, value)

    def apply(self, function: Callable[[Player], Any]) -> list[Any]:
        """Call the function with each player, in order; gives what it returned."""
        return [function(player) for player in self]

    def __add__(self, other: Iterable[Player]) -> Players:  # type: ignore[override]
        return Players((*self, *other))

    def __getitem__(self, key: Any) -> Any:
        try:
            found = super().__getitem__(key)
        except IndexError:
            hint = "" if self else "; in new_session nobody has joined yet"
            raise IndexError(f"expected a player at index {key}, found {len(self)} players{hint}") from None
        return Players(found) if isinstance(key, slice) else found

    def __repr__(self) -> str:
        return f"Players([{', '.join(player.name for player in self)}])"


def _holds(player: Player, conditions: tuple[Any, ...], fields: dict[str, Any]) -> bool:
    for condition in conditions:
        ask = condition._ask if isinstance(condition, Condition) else condition
        try:
            if not ask(player):
                return False
        except AttributeError:
            if isinstance(condition, Condition):
                return False
            raise
    for name, value in fields.items():
        try:
            if getattr(player, name) != value:
                return False
        except AttributeError:
            return False
    return True
