"""What a browser is told of a value: plain JSON, one way.

Owns that translation; what it writes is never read back (see `promptgrimoire.state.values` for what is stored).
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType, NoneType
from typing import Any, Final
from uuid import UUID

import msgspec

from promptgrimoire.errors import NotSerialisable
from promptgrimoire.state.storable import DEEPEST, FormerStruct, Reference, Refusal, too_deep
from promptgrimoire.state.translation import LaterText

# What msgspec writes as browsers need it, without a look at its content.
_PLAIN: frozenset[type] = frozenset(
    [NoneType, bool, int, float, str, bytes, date, datetime, time, timedelta, UUID, msgspec.Raw]
)
_ONLY_STR: frozenset[type] = frozenset([str])

_write: Final = msgspec.json.Encoder(decimal_format="number").encode


def to_browser(value: Any) -> bytes:
    """The JSON text of a value for a browser.

    Decimals are numbers, dates and times ISO 8601 texts, tuples and sets arrays, bytes base64, numbers that are not
    finite null, structs and dataclasses objects (as msgspec writes them), records their `name`, dict keys texts.
    Raises NotSerialisable, naming the place inside the value and the type found there.
    """
    try:
        return _write(value if type(value) in _PLAIN else _form(value, 0))
    except Refusal as refusal:
        raise NotSerialisable(f"{refusal.text()}; expected something that JSON can carry") from None
    except UnicodeEncodeError as error:
        lone = ascii(error.object[error.start])
        raise NotSerialisable(
            f"text with the lone surrogate {lone} cannot travel: remove it, text.encode(errors='ignore').decode()"
        ) from None


def _form(value: Any, depth: int) -> Any:
    """The value, or what to write in its place."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is Decimal:
        return value if value.is_finite() else None
    if depth >= DEEPEST:
        raise too_deep()
    depth += 1
    if isinstance(value, dict):
        return _dict_form(value, depth)
    if isinstance(value, (list, tuple)):
        return value if _PLAIN.issuperset(map(type, value)) else _items_form(value, depth)
    if isinstance(value, (set, frozenset)):
        # A list, because only iterating keeps the order of a stored set.
        return _items_form(value, depth)
    if isinstance(value, Reference):
        return value.name  # type: ignore[attr-defined]
    if isinstance(value, FormerStruct):
        return _dict_form(value._fields, depth)
    if isinstance(value, msgspec.Struct) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        return _struct_form(value, depth)
    if isinstance(value, enum.Enum):
        return _form(value.value, depth)
    if isinstance(value, LaterText):
        return str(value)  # in the language of whoever the code runs for
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    raise Refusal(f"{kind.__module__}.{kind.__qualname__} was found")


def _items_form(items: Iterable[Any], depth: int) -> list[Any]:
    result: list[Any] = []
    for item in items:
        if type(item) not in _PLAIN:
            try:
                item = _form(item, depth)
            except Refusal as refusal:
                raise refusal.below(f"[{len(result)}]") from None
        result.append(item)
    return result


def _dict_form(items: Mapping[Any, Any], depth: int) -> Mapping[str, Any]:
    if _ONLY_STR.issuperset(map(type, items)) and _PLAIN.issuperset(map(type, items.values())):
        return items
    result: dict[str, Any] = {}
    for key, item in items.items():
        try:
            text = key if type(key) is str else _key(key)
            if text in result:
                raise Refusal(f"two keys are {json.dumps(text)} in JSON")
            result[text] = item if type(item) in _PLAIN else _form(item, depth)
        except Refusal as refusal:
            raise refusal.below(f".{key}" if isinstance(key, str) else f"[{key!r}]") from None
    return result


def _key(key: Any) -> str:
    """A dict key as JavaScript would write it; of a tuple, its items joined by commas."""
    kind = type(key)
    make = _KEYS.get(kind)
    if make is not None:
        return make(key)
    if isinstance(key, Reference):
        return str(key.name)  # type: ignore[attr-defined]
    if isinstance(key, enum.Enum):
        return _key(key.value)
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, tuple):
        return ",".join(map(_key, key))
    raise Refusal(f"{kind.__module__}.{kind.__qualname__} was found as a key")


_KEYS: Final[Mapping[type, Callable[[Any], str]]] = MappingProxyType(
    {
        NoneType: lambda key: "null",
        bool: lambda key: "true" if key else "false",
        str: str,
        int: str,
        float: repr,
        Decimal: str,
        bytes: lambda key: base64.b64encode(key).decode(),
        date: date.isoformat,
        datetime: datetime.isoformat,
        time: time.isoformat,
        timedelta: lambda key: str(msgspec.to_builtins(key)),
        UUID: str,
    }
)


def _struct_form(value: Any, depth: int) -> Any:
    """The struct itself where msgspec can write it; else a copy of its fields with what stands for them."""
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        written = value.__struct_encode_fields__
        config = value.__struct_config__
    else:
        names = written = tuple(field.name for field in dataclasses.fields(value))
        config = None
    items = [getattr(value, name) for name in names]
    if _PLAIN.issuperset(map(type, items)):
        return value
    forms = []
    for name, item in zip(names, items, strict=True):
        try:
            forms.append(_form(item, depth))
        except Refusal as refusal:
            raise refusal.below(f".{name}") from None
    if all(map(operator.is_, forms, items)):
        return value
    tag = [] if config is None or config.tag is None else [config.tag]
    if config is not None and config.array_like:
        return [*tag, *forms]
    result = dict(zip(written, forms, strict=True))
    return {config.tag_field: config.tag, **result} if config is not None and tag else result
