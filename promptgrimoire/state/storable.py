"""What the values of a session are made of: scalars, frozen structs, references, and why others are refused.

Owns the kinds and the words of refusals; never encodes, decodes or observes anything.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any, ClassVar
from uuid import UUID

import msgspec

SCALARS: frozenset[type] = frozenset(
    [NoneType, bool, int, float, str, bytes, Decimal, date, datetime, time, timedelta, UUID]
)
"""Exact types that are stored as they are. A subclass (an enum, a `str` of a library) is not among them."""

DEEPEST = 100
"""How deep values may be nested. A value that contains itself is deeper than anything."""


class Reference:
    """A handle of a record (Session, Group, Player). It is stored as that record's key, never as its content.

    A browser sees its `name`, which subclasses provide.
    """

    __slots__ = ()

    def _reference(self) -> str:
        """The key of the record: "s", "p3", "g1"."""
        raise NotImplementedError


class Observed:
    """A stored list, dict or set (see `promptgrimoire.state.observables`); `_plain` is the type it stands for."""

    __slots__ = ()
    _plain: ClassVar[type]


class Refusal(Exception):
    """Why a value, or something inside it, is refused. Gathers the way to it while it rises; never leaves `state`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.way: list[str] = []  # innermost first

    def below(self, step: str) -> Refusal:
        self.way.append(step)
        return self

    def text(self) -> str:
        return f"${''.join(reversed(self.way))}: {self.why}"


class FormerStruct:
    """A stored struct whose class no longer exists, or no longer fits. Read-only; stored again it is what it was.

    Its fields are attributes. `_type` is the name of its class, `_fields` holds the values.
    """

    __slots__ = ("_fields", "_type")
    _type: str
    _fields: dict[str, Any]

    def __init__(self, type_name: str, fields: dict[str, Any]) -> None:
        object.__setattr__(self, "_type", type_name)
        object.__setattr__(self, "_fields", fields)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__") and name in self._fields:
            return self._fields[name]
        raise AttributeError(f"stored {self._type} has no field '{name}'")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"stored {self._type} is read-only: '{name}' cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"stored {self._type} is read-only: '{name}' cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FormerStruct):
            return NotImplemented
        return self._type == other._type and self._fields == other._fields

    def __hash__(self) -> int:
        return hash((self._type, tuple(self._fields.items())))

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self._fields.items())
        return f"{self._type.rpartition(':')[2]}({inner})"

    def __reduce__(self) -> tuple[Any, ...]:
        return FormerStruct, (self._type, self._fields)


def type_name(kind: type) -> str:
    """How the class of a struct is written in the journal: "module:Outer.Inner"."""
    return f"{kind.__module__}:{kind.__qualname__}"


def struct_fields(value: Any) -> Iterable[str] | None:
    """The names of the fields of a frozen struct, a frozen dataclass or a FormerStruct; None for anything else."""
    kind = type(value)
    if isinstance(value, msgspec.Struct):
        return value.__struct_fields__ if value.__struct_config__.frozen else None
    if kind is FormerStruct:
        fields: dict[str, Any] = value._fields
        return fields
    parameters = getattr(kind, "__dataclass_params__", None)
    # A dataclass may inherit without being one itself, and from a container, whose items are no fields.
    if parameters is None or not parameters.frozen or "__dataclass_params__" not in kind.__dict__:
        return None
    if isinstance(value, (*_EXTENDED, tuple, BaseException)):
        return None
    return [field.name for field in dataclasses.fields(value)]


_EXTENDED = (bool, int, float, str, bytes, list, dict, set)


def why_refused(value: Any) -> str:
    """Names what a value is that cannot be stored, and the mend where there is an obvious one."""
    kind = type(value)
    name = kind.__qualname__
    if isinstance(value, enum.Enum):
        return f"{name}.{value.name} is an enum member, which cannot be stored: store its `.value`"
    if isinstance(value, msgspec.Struct):
        return f"{name} is a struct that can change unnoticed: add frozen=True, class {name}(Struct, frozen=True)"
    if isinstance(value, type):
        return f"the class {value.__qualname__} cannot be stored: store its name, or an object of it"
    if "__dataclass_params__" in kind.__dict__ and not isinstance(value, (*_EXTENDED, tuple)):
        return f"{name} is a dataclass that can change unnoticed: add frozen=True, @dataclass(frozen=True)"
    if isinstance(value, (frozenset, range)) or hasattr(value, "__next__"):
        return f"{_a(name)} cannot be stored: convert it, to a list, a tuple or a set"
    if isinstance(value, (bytearray, memoryview)):
        return f"{_a(name)} cannot be stored: convert it, bytes(...)"
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return f"{name} is a named tuple, which cannot be stored: make it a frozen struct or dataclass, or tuple(...)"
    for plain in (*_EXTENDED, tuple, Decimal, datetime, date, time, timedelta, UUID):
        if isinstance(value, plain):
            return f"{name} is a kind of {plain.__name__}, which cannot be stored: convert it, {plain.__name__}(...)"
    if callable(getattr(value, "item", None)) and not callable(value):
        return f"{_a(name)} cannot be stored: convert it to a plain Python value, `.item()` or `.tolist()`"
    return (
        f"{_a(name)} cannot be stored. Storable are None, bool, int, float, str, bytes, Decimal, dates and times, "
        "UUID, tuple, list, dict, set, frozen structs and dataclasses, players, groups and the session"
    )


def too_deep() -> Refusal:
    return Refusal(f"nested more than {DEEPEST} deep, or contains itself")


def _a(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
