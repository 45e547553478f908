"""Declared fields (`class Player(PlayerFields): score: int = 0`): what they are, and how writes are checked."""

from __future__ import annotations

import difflib
import typing
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from promptgrimoire.errors import NotStorable, UnknownField

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping
    from datetime import datetime

    from promptgrimoire.state.identifiers import PlayerIdentifier
    from promptgrimoire.state.players import Players
    from promptgrimoire.state.record import Past
    from promptgrimoire.state.records import Group, Groups, Record, Session


# What every record has by itself: not assignable, apart from what Player._set_built_in takes.
BUILT_IN = frozenset(
    [
        "name",
        "id",
        "label",
        "pid",
        "member_id",
        "session",
        "group",
        "groups",
        "app",
        "config",
        "round",
        "round_nested",
        "completion",
        "dropped_out",
        "page_times",
        "online",
        "params",
        "settings",
        "players",
        "page_order",
        "show_page",
        "others_in_group",
        "other_in_group",
        "others_in_session",
        "other_in_session",
        "get",
        "fields",
        "within",
        "along",
        "history",
        "at",
        "rng",
    ]
)


class _Declared:
    """What declared classes share. They describe a record; the handles that hooks get are never instances of them."""

    __promptgrimoire_kind__: ClassVar[str] = ""

    if TYPE_CHECKING:

        @property
        def app(self) -> str: ...
        @property
        def name(self) -> str: ...
        @property
        def session(self) -> Session: ...
        @property
        def players(self) -> Players: ...
        @property
        def rng(self) -> random.Random: ...

        def get(self, name: str, default: Any = None) -> Any: ...
        def fields(self) -> dict[str, Any]: ...
        def within(self, *, app: str | None = None, round: int | None = None, strict: bool = False) -> Past: ...
        def along(self, name: str) -> list[tuple[int, Past]]: ...
        async def history(self, field: str) -> list[Any]: ...
        async def at(self, moment: datetime | float | int) -> Past: ...


class PlayerFields(_Declared):
    """Declare a player's fields: types for the editor, checks and defaults for the server."""

    __promptgrimoire_kind__: ClassVar[str] = "player"

    if TYPE_CHECKING:
        label: str
        payoff: Decimal
        show_page: Any  # reads as the 0-based position; takes a page class, a name or a position
        add_round: bool  # whether a Repeat goes on
        between_showed: list[list[str]]

        @property
        def id(self) -> int: ...
        @property
        def pid(self) -> PlayerIdentifier: ...
        @property
        def member_id(self) -> int | None: ...
        @property
        def group(self) -> Group | None: ...
        @property
        def round(self) -> int: ...
        @property
        def round_nested(self) -> list[int]: ...
        @property
        def completion(self) -> str: ...
        @property
        def online(self) -> bool: ...
        @property
        def params(self) -> Mapping[str, str]: ...
        @property
        def page_order(self) -> list[str]: ...
        @property
        def others_in_group(self) -> Players: ...
        @property
        def others_in_session(self) -> Players: ...
        @property
        def other_in_group(self) -> typing.Self: ...
        @property
        def other_in_session(self) -> typing.Self: ...


class GroupFields(_Declared):
    """Declare a group's fields."""

    __promptgrimoire_kind__: ClassVar[str] = "group"

    if TYPE_CHECKING:

        @property
        def id(self) -> int: ...


class SessionFields(_Declared):
    """Declare a session's fields."""

    __promptgrimoire_kind__: ClassVar[str] = "session"

    if TYPE_CHECKING:

        @property
        def id(self) -> str: ...
        @property
        def config(self) -> str: ...
        @property
        def groups(self) -> Groups: ...
        @property
        def settings(self) -> Mapping[str, Any]: ...


def declared_fields(declaration: type[_Declared]) -> dict[str, Any]:
    """Names and types of a declaration. Raises NameError where a hint cannot be resolved."""
    hints = typing.get_type_hints(declaration, include_extras=True)
    return {name: hint for name, hint in hints.items() if not name.startswith("_")}


def declared_defaults(declaration: type[_Declared]) -> dict[str, Any]:
    """The fields that have a value before anything was written."""
    return {name: getattr(declaration, name) for name in declared_fields(declaration) if hasattr(declaration, name)}


# Fields that may be written whatever is declared: the framework's own.
ALWAYS = frozenset({"payoff", "treatment", "add_round", "between_showed"})


def check_declared(declared: dict[str, Any], record: Record, name: str, value: Any) -> None:
    """Raises UnknownField for an undeclared name, NotStorable for a value of another type."""
    if name in ALWAYS:
        return
    if name not in declared:
        if record._state.takes_any(type(record)):
            return
        near = difflib.get_close_matches(name, declared, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"declare it: `{name}: {type(value).__name__}`."
        raise UnknownField(f"{record!r} declares its fields, and '{name}' is not among them; {hint}")
    expected = declared[name]
    if expected is Any:
        return
    try:
        msgspec.convert(value, expected, strict=True)
    except msgspec.ValidationError as error:
        raise NotStorable(f"'{name}' of {record!r}: {error}; found {value!r}") from None
    except TypeError:
        if isinstance(expected, type) and not isinstance(value, expected):
            raise NotStorable(f"'{name}' of {record!r}: expected {expected.__name__}, found {value!r}") from None
