"""Classes whose objects the tests of `state` store; at the top level of a file, because structs are found by name."""

from __future__ import annotations

import dataclasses
import enum
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec


class Offer(msgspec.Struct, frozen=True):
    side: str
    price: Decimal
    note: Any = None


class Strict(msgspec.Struct, frozen=True, kw_only=True):
    """Changes its value on creation: what was stored must come back, not what would be made of it."""

    value: Any

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "value", (self.value,))


class Mutable(msgspec.Struct):
    x: int = 0


@dataclasses.dataclass(frozen=True)
class Point:
    x: Any
    y: Any = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    x: Any


@dataclasses.dataclass(frozen=True)
class Renamed:
    """What `Offer` has become: all other fields."""

    y: int = 0


class RenamedStruct(msgspec.Struct, frozen=True):
    y: int = 0


@dataclasses.dataclass(frozen=True)
class Doubled:
    x: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", [self.x, self.x])


@dataclasses.dataclass
class MutablePoint:
    x: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class ByIdentity:
    x: int = 0


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Word(str):
    __slots__ = ()


class Number(int):
    pass


class Rows(list[Any]):
    pass


class Pair(NamedTuple):
    a: int
    b: int


class Outer:
    @dataclasses.dataclass(frozen=True)
    class Inner:
        x: Any
