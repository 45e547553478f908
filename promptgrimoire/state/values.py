"""Which Python values may be stored, and their JSON form: natural where JSON has the type, tagged where it has not.

Owns encoding and decoding; never observes changes, and never looks up what a reference means (it is told how).
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from types import MappingProxyType, NoneType
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from promptgrimoire.errors import JournalDamaged, NotStorable
from promptgrimoire.state.browser_values import to_browser
from promptgrimoire.state.storable import (
    DEEPEST,
    SCALARS,
    FormerStruct,
    Observed,
    Reference,
    Refusal,
    struct_fields,
    too_deep,
    type_name,
    why_refused,
)

__all__ = [
    "SCALARS",
    "FormerStruct",
    "Reference",
    "decode",
    "encode",
    "form",
    "from_form",
    "loaded_class",
    "members",
    "to_browser",
]

TAG = "$"
_NATURAL: frozenset[type] = frozenset([NoneType, bool, str])
_LEAST, _GREATEST = -(2**63), 2**63 - 1
_INFINITE = float("inf")
_LONG = 2048  # bits; beyond a few thousand digits Python refuses to convert decimal text

_write: Final = msgspec.json.Encoder().encode
_read: Final = msgspec.json.Decoder().decode

Resolve = Callable[[str], Any]
FindClass = Callable[[str], type | None]
MakeSet = Callable[[list[Any]], Any]


def encode(value: Any) -> bytes:
    """The JSON text of a value; `decode` gives back a value of exactly the same types.

    Raises NotStorable, naming the place inside the value (`$.answers[2]`), what was found there and the mend.
    """
    try:
        return _write(value if type(value) in _NATURAL else _form(value, 0))
    except Refusal as refusal:
        raise NotStorable(refusal.text()) from None
    except UnicodeEncodeError:
        raise NotStorable(_lone_surrogate(value)) from None


def form(value: Any) -> Any:
    """The value as a tree that JSON has types for: what `encode` writes, for use in a patch's path."""
    try:
        return _form(value, 0)
    except Refusal as refusal:
        raise NotStorable(refusal.text()) from None


# ------------------------------------------------------------------ to JSON


def _form(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind in _NATURAL:
        return value
    make = _FORMS.get(kind)
    if make is not None:
        return make(value)
    if depth >= DEEPEST:
        raise too_deep()
    if isinstance(value, Observed):
        kind = value._plain
    nested = _NESTED.get(kind)
    if nested is not None:
        return nested(value, depth + 1)
    if isinstance(value, Reference):
        return {TAG: "ref", "v": value._reference()}
    fields = struct_fields(value)
    if fields is None:
        raise Refusal(why_refused(value))
    return _struct_form(value, fields, depth + 1)


def _list_form(items: list[Any], depth: int) -> list[Any]:
    if _NATURAL.issuperset(map(type, items)):
        return items
    result: list[Any] = []
    for item in items:
        kind = type(item)
        if kind not in _NATURAL and not (kind is int and _LEAST <= item <= _GREATEST):
            try:
                item = _form(item, depth)
            except Refusal as refusal:
                raise refusal.below(f"[{len(result)}]") from None
        result.append(item)
    return result


def _dict_form(items: dict[Any, Any], depth: int) -> dict[str, Any]:
    if TAG in items or not _ONLY_STR.issuperset(map(type, items)):
        return {TAG: "dict", "v": _pairs(items, depth)}
    if _NATURAL.issuperset(map(type, items.values())):
        return items
    result = {}
    for key, item in items.items():
        kind = type(item)
        if kind not in _NATURAL and not (kind is int and _LEAST <= item <= _GREATEST):
            try:
                item = _form(item, depth)
            except Refusal as refusal:
                raise refusal.below(step(key)) from None
        result[key] = item
    return result


_ONLY_STR: frozenset[type] = frozenset([str])


def _pairs(items: dict[Any, Any], depth: int) -> list[list[Any]]:
    result = []
    for key, item in items.items():
        try:
            result.append([_form(key, depth), _form(item, depth)])
        except Refusal as refusal:
            raise refusal.below(step(key)) from None
    return result


def _struct_form(value: Any, names: Iterable[str], depth: int) -> dict[str, Any]:
    kind = type(value)
    if kind is FormerStruct:
        name = value._type
    else:
        name = type_name(kind)
        if "<locals>" in name:
            raise Refusal(
                f"{kind.__qualname__} could not be found again: define the class at the top level of its file"
            )
    fields = {}
    for field in names:
        try:
            fields[field] = _form(getattr(value, field), depth)
        except Refusal as refusal:
            raise refusal.below(f".{field}") from None
        except AttributeError:
            raise Refusal(f"{kind.__qualname__} has no value for its field '{field}'") from None
    return {TAG: "struct", "t": name, "v": fields}


def step(key: Any) -> str:
    """How a dict key is written in the path of an error message."""
    return f".{key}" if type(key) is str and key.isidentifier() else f"[{key!r}]"


def members(items: Any) -> Iterable[Any]:
    """The members of a set in an order that does not depend on the process: a stored set's own, or sorted.

    Plain sets are iterated in the order of hashes, which differ from process to process.
    """
    if isinstance(items, Observed) or type(items) not in (set, frozenset):
        return items  # type: ignore[no-any-return]
    kinds = set(map(type, items))
    if kinds == {str} or kinds == {int}:
        return sorted(items)
    return sorted(items, key=lambda member: repr(_form(member, 0)))


def _set_form(items: Any, depth: int) -> dict[str, Any]:
    return {TAG: "set", "v": _list_form(list(members(items)), depth)}


def _tuple_form(items: tuple[Any, ...], depth: int) -> dict[str, Any]:
    return {TAG: "tuple", "v": _list_form(list(items), depth)}


def _int_form(value: int) -> Any:
    if _LEAST <= value <= _GREATEST:
        return value
    return {TAG: "int", "v": str(value) if value.bit_length() <= _LONG else hex(value)}


def _float_form(value: float) -> Any:
    return value if -_INFINITE < value < _INFINITE else {TAG: "float", "v": repr(value)}


def _moment_form(tag: str, value: datetime | time) -> dict[str, Any]:
    result: dict[str, Any] = {TAG: tag, "v": value.isoformat()}
    if value.tzinfo is not None:
        if type(value.tzinfo) is ZoneInfo and value.tzinfo.key is not None:
            result["zone"] = value.tzinfo.key
        elif type(value.tzinfo) is not timezone:
            raise Refusal(
                f"{type(value.tzinfo).__qualname__} is a time zone that cannot be stored: use zoneinfo.ZoneInfo"
            )
    if value.fold:
        result["fold"] = True
    return result


_FORMS: Final[Mapping[type, Callable[[Any], Any]]] = MappingProxyType(
    {
        int: _int_form,
        float: _float_form,
        bytes: lambda value: {TAG: "bytes", "v": base64.b64encode(value).decode()},
        Decimal: lambda value: {TAG: "decimal", "v": str(value)},
        date: lambda value: {TAG: "date", "v": value.isoformat()},
        datetime: partial(_moment_form, "datetime"),
        time: partial(_moment_form, "time"),
        timedelta: lambda value: {TAG: "timedelta", "v": [value.days, value.seconds, value.microseconds]},
        UUID: lambda value: {TAG: "uuid", "v": str(value)},
    }
)
_NESTED: Final[Mapping[type, Callable[[Any, int], Any]]] = MappingProxyType(
    {list: _list_form, dict: _dict_form, set: _set_form, tuple: _tuple_form}
)


def _lone_surrogate(value: Any) -> str:
    """Says where in a value, known to be storable otherwise, the text is that UTF-8 cannot carry."""

    def search(part: Any, way: str) -> str | None:
        if type(part) is str:
            try:
                part.encode()
            except UnicodeEncodeError as error:
                lone = ascii(part[error.start])
                return f"{way}: text with the lone surrogate {lone}: remove it, text.encode(errors='ignore').decode()"
        elif isinstance(part, dict):
            for key, item in part.items():
                if found := search(key, way) or search(item, way + step(key)):
                    return found
        elif isinstance(part, (list, tuple, set)):
            for index, item in enumerate(part):
                if found := search(item, way if isinstance(part, set) else f"{way}[{index}]"):
                    return found
        elif type(part) not in SCALARS and not isinstance(part, Reference):
            for name in struct_fields(part) or ():
                if found := search(getattr(part, name), f"{way}.{name}"):
                    return found
        return None

    found = search(value, "$") or "$: text with a lone surrogate"
    return found.encode(errors="backslashreplace").decode()


# ------------------------------------------------------------------ from JSON


def loaded_class(name: str) -> type | None:
    """The class that a stored struct names, if its module is loaded. Never imports anything."""
    module, _, qualified = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in qualified.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) else None


def decode(
    raw: bytes | str | msgspec.Raw,
    resolve: Resolve,
    find_class: FindClass = loaded_class,
    make_set: MakeSet = set,
) -> Any:
    """The plain Python value (lists, dicts, sets, ...) that a text written by `encode` stands for.

    `resolve` gives the handle for a record's key, `find_class` the class of a struct, `make_set` the set of the given
    members in their stored order. A struct whose class is not found, or has other fields by now, becomes a
    FormerStruct. Raises JournalDamaged for any other text.
    """
    try:
        tree = _read(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalDamaged(f"a stored value is not readable: {error}") from error
    if ('"$"' in raw) if isinstance(raw, str) else (b'"$"' in bytes(raw)):
        return from_form(tree, resolve, find_class, make_set)
    return tree


def from_form(tree: Any, resolve: Resolve, find_class: FindClass = loaded_class, make_set: MakeSet = set) -> Any:
    """The value whose form (see `form`) this is."""
    if type(tree) is list:
        return [from_form(item, resolve, find_class, make_set) for item in tree]
    if type(tree) is not dict:
        return tree
    if TAG not in tree:
        return {key: from_form(item, resolve, find_class, make_set) for key, item in tree.items()}
    tag = tree[TAG]
    try:
        read = _READERS.get(tag)
        if read is not None:
            return read(tree)
        value = tree["v"]
        if tag == "struct":
            name, inner = str(tree["t"]), dict(value)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise _unreadable(tree, error) from error
    if tag == "ref":
        return resolve(value)
    if tag == "struct":
        fields = {field: from_form(item, resolve, find_class, make_set) for field, item in inner.items()}
        return _restore_struct(name, fields, find_class)
    if tag not in ("tuple", "set", "dict"):
        raise _unreadable(tree, f"unknown tag {tag!r} (written by a newer version?)")
    items = from_form(value, resolve, find_class, make_set)
    try:
        return tuple(items) if tag == "tuple" else dict(items) if tag == "dict" else make_set(items)
    except (TypeError, ValueError) as error:
        raise _unreadable(tree, error) from error


def _unreadable(tree: Any, error: object) -> JournalDamaged:
    return JournalDamaged(f"a stored value is not readable: {error} in {str(tree)[:200]}")


def _restore_struct(name: str, fields: dict[str, Any], find_class: FindClass) -> Any:
    """An object of the class with exactly these values, whatever its `__post_init__` would make of them."""
    kind = find_class(name)
    if kind is not None and issubclass(kind, msgspec.Struct) and kind.__struct_config__.frozen:
        try:
            struct = kind(**fields)
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, AssertionError, RuntimeError):
            return FormerStruct(name, fields)  # other fields by now, or a `__post_init__` that refuses the old values
        for field, value in fields.items():
            msgspec.structs.force_setattr(struct, field, value)
        return struct
    if kind is not None and "__dataclass_params__" in kind.__dict__:
        restored = _restore_dataclass(kind, fields)
        if restored is not None:
            return restored
    return FormerStruct(name, fields)


def _restore_dataclass(kind: type, fields: dict[str, Any]) -> Any:
    declared = {field.name: field for field in dataclasses.fields(kind)}
    if not fields.keys() <= declared.keys():
        return None
    values = dict(fields)
    for field in declared.keys() - fields.keys():
        default = declared[field].default
        factory = declared[field].default_factory
        if default is not dataclasses.MISSING:
            values[field] = default
        elif factory is not dataclasses.MISSING:
            values[field] = factory()
        else:
            return None
    restored: Any = object.__new__(kind)
    for field, value in values.items():
        object.__setattr__(restored, field, value)
    if struct_fields(restored) is None:  # not frozen any more
        return None
    return restored


def _read_moment(kind: type[datetime] | type[time], tree: dict[str, Any]) -> datetime | time:
    moment = kind.fromisoformat(tree["v"])
    zone: tzinfo | None = moment.tzinfo
    if "zone" in tree:
        with contextlib.suppress(ZoneInfoNotFoundError):  # unknown to this machine: the offset that was written stays
            zone = ZoneInfo(tree["zone"])
    return moment.replace(tzinfo=zone, fold=1 if tree.get("fold") else 0)


_READERS: Final[Mapping[str, Callable[[dict[str, Any]], Any]]] = MappingProxyType(
    {
        "int": lambda tree: int(tree["v"], 0),
        "float": lambda tree: float(tree["v"]),
        "bytes": lambda tree: base64.b64decode(tree["v"], validate=True),
        "decimal": lambda tree: Decimal(tree["v"]),
        "date": lambda tree: date.fromisoformat(tree["v"]),
        "datetime": partial(_read_moment, datetime),
        "time": partial(_read_moment, time),
        "timedelta": lambda tree: timedelta(*tree["v"]),
        "uuid": lambda tree: UUID(tree["v"]),
    }
)
