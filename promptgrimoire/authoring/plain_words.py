"""What a type hint expects and what a browser sent, in words that a researcher understands.

Owns the texts; never decides whether a value is accepted (arguments.py asks msgspec).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import inspect as hints

_STEP = re.compile(r"\[(\d+|\.\.\.)\]|\.([^.\[]+)")
_MISSING_FIELD = re.compile(r"missing required field `([^`]*)`")
_SIMPLE = {
    hints.BoolType: "true or false",
    hints.NoneType: "null",
    hints.BytesType: "bytes as base64 text",
    hints.ByteArrayType: "bytes as base64 text",
    hints.DateTimeType: "a date and time (as in 2026-05-01T12:30:00)",
    hints.DateType: "a date (as in 2026-05-01)",
    hints.TimeType: "a time (as in 12:30:00)",
    hints.TimeDeltaType: "a duration",
    hints.UUIDType: "a UUID",
    hints.AnyType: "any value",
    hints.RawType: "any value",
}
_OBJECTS = (hints.DictType, hints.StructType, hints.DataclassType, hints.TypedDictType, hints.AnyType, hints.RawType)
_ITEMS = (hints.ListType, hints.SetType, hints.FrozenSetType, hints.VarTupleType, hints.CollectionType)
_FIELDS = (hints.StructType, hints.DataclassType, hints.TypedDictType)


def bare(type_: hints.Type) -> hints.Type:
    """The type without the metadata around it."""
    while isinstance(type_, hints.Metadata):
        type_ = type_.type
    return type_


def takes_objects(type_: hints.Type) -> bool:
    """Whether a plain JSON object may be a value of this type."""
    type_ = bare(type_)
    if isinstance(type_, hints.UnionType):
        return any(takes_objects(one) for one in type_.types)
    return isinstance(type_, _OBJECTS)


def expected(type_: hints.Type) -> str:
    """What values of this type look like: "a number greater than 0"."""
    type_ = bare(type_)
    if type(type_) in _SIMPLE:
        return _SIMPLE[type(type_)]
    match type_:
        case hints.IntType():
            return "a whole number" + _bounds(type_)
        case hints.FloatType() | hints.DecimalType():
            return "a number" + _bounds(type_)
        case hints.StrType():
            return "text" + _lengths(type_) + (f" matching {type_.pattern}" if type_.pattern else "")
        case hints.LiteralType():
            return "one of " + ", ".join(found(value) for value in type_.values)
        case hints.EnumType():
            return "one of " + ", ".join(found(member.value) for member in type_.cls)
        case hints.UnionType():
            return " or ".join(expected(one) for one in type_.types)
        case hints.CustomType():
            return getattr(type_.cls, "expected", type_.cls.__name__)
        case hints.TupleType():
            return f"a list of {len(type_.item_types)}"
        case hints.DictType():
            return "an object" + _lengths(type_, "entries")
        case _ if isinstance(type_, _FIELDS):
            return "an object with " + ", ".join(one.encode_name for one in type_.fields)
        case _ if isinstance(type_, _ITEMS):
            return "a list" + _lengths(type_, "items")
    return type(type_).__name__.removesuffix("Type").lower()


def found(value: Any) -> str:
    """A JSON value as text, shortened."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**20:
        return "a number that is too large"
    text = msgspec.json.encode(value).decode(errors="replace")
    return text if len(text) <= 60 else text[:57] + "..."


def explain(name: str, type_: hints.Type, value: Any, problem: str) -> str:
    """One sentence about a value that msgspec refused with `problem`: `price: expected a number, got "x"`."""
    text, _, path = problem.partition(" - at `$")
    where = name
    for index, key in _STEP.findall(path.rstrip("`")):
        inner = _inside(type_, index or key)
        if inner is None:
            break
        if index == "...":
            return f"{where}: expected {expected(inner)} in every entry"
        try:
            value = value[int(index)] if index else value[key]
        except (LookupError, TypeError):
            break
        type_, where = inner, f"{where}[{index}]" if index else f"{where}.{key}"
    missing = _MISSING_FIELD.search(text)
    if missing:
        return f"{where}: missing {missing[1]}"
    if isinstance(bare(type_), hints.CustomType) and "`" not in text:
        return f"{where}: {text}"
    return f"{where}: expected {expected(type_)}, got {found(value)}"


def _inside(type_: hints.Type, step: str) -> hints.Type | None:
    """The type of an item, a value or a field; None where that is not clear (a union of several containers)."""
    type_ = bare(type_)
    if isinstance(type_, hints.UnionType):
        inner = [one for one in (_inside(one, step) for one in type_.types) if one is not None]
        return inner[0] if len(inner) == 1 else None
    if isinstance(type_, _ITEMS):
        return type_.item_type
    if isinstance(type_, hints.TupleType) and step.isdigit() and int(step) < len(type_.item_types):
        return type_.item_types[int(step)]
    if isinstance(type_, hints.DictType):
        return type_.value_type
    if isinstance(type_, _FIELDS):
        return next((one.type for one in type_.fields if one.encode_name == step), None)
    return None


def _bounds(type_: Any) -> str:
    low, high = getattr(type_, "ge", None), getattr(type_, "le", None)
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    words = (("gt", "greater than"), ("ge", "of at least"), ("lt", "less than"), ("le", "of at most"))
    parts = [f"{word} {getattr(type_, name):g}" for name, word in words if getattr(type_, name, None) is not None]
    if getattr(type_, "multiple_of", None) is not None:
        parts.append(f"that is a multiple of {type_.multiple_of:g}")
    return (" " + " and ".join(parts)) if parts else ""


def _lengths(type_: Any, unit: str = "characters") -> str:
    low, high = type_.min_length, type_.max_length
    if low is not None and high is not None:
        return f" of {low} to {high} {unit}"
    if low is not None:
        return f" of at least {low} {unit}"
    return f" of at most {high} {unit}" if high is not None else ""
