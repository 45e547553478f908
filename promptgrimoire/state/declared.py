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

    from promptgrimoire.state.players import Players
    from promptgrimoire.state.records import Group, Record, Session


class _Declared:
    """What declared classes share. They describe a record; the handles that hooks get are never instances of them."""

    __promptgrimoire_kind__: ClassVar[str] = ""

    if TYPE_CHECKING:
        id: Any
        name: str

        def get(self, name: str, default: Any = None) -> Any: ...
        def fields(self) -> dict[str, Any]: ...
        async def history(self, field: str) -> list[Any]: ...

        @property
        def rng(self) -> random.Random: ...


class PlayerFields(_Declared):
    """Declare a player's fields: types for the editor, checks and defaults for the server."""

    __promptgrimoire_kind__: ClassVar[str] = "player"

    if TYPE_CHECKING:
        label: str
        member_id: int
        app: str
        round: int
        online: bool
        params: Mapping[str, str]
        payoff: Decimal
        session: Session
        group: Group
        others_in_group: Players
        others_in_session: Players

        @property
        def other_in_group(self) -> typing.Self: ...
        @property
        def other_in_session(self) -> typing.Self: ...


class GroupFields(_Declared):
    """Declare a group's fields."""

    __promptgrimoire_kind__: ClassVar[str] = "group"

    if TYPE_CHECKING:
        app: str
        session: Session
        players: Players


class SessionFields(_Declared):
    """Declare a session's fields."""

    __promptgrimoire_kind__: ClassVar[str] = "session"

    if TYPE_CHECKING:
        app: str
        players: Players
        settings: Mapping[str, Any]


def declared_fields(declaration: type[_Declared]) -> dict[str, Any]:
    """Names and types of a declaration. Raises NameError where a hint cannot be resolved."""
    ours = {
        name
        for base in (_Declared, PlayerFields, GroupFields, SessionFields)
        for name in vars(base).get("__annotations__", {})
    }
    hints = typing.get_type_hints(declaration, include_extras=True)
    return {name: hint for name, hint in hints.items() if not name.startswith("_") and name not in ours}


def declared_defaults(declaration: type[_Declared]) -> dict[str, Any]:
    """The fields that have a value before anything was written."""
    return {name: getattr(declaration, name) for name in declared_fields(declaration) if hasattr(declaration, name)}


_ALWAYS = frozenset({"payoff", "treatment", "completion"})


def check_declared(declared: dict[str, Any], record: Record, name: str, value: Any) -> None:
    """Raises UnknownField for an undeclared name, NotStorable for a value of another type."""
    if name in _ALWAYS:
        return
    if name not in declared:
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
