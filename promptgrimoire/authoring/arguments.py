"""From the browser's JSON array to the arguments of a Python function, by its type hints.

Owns what is accepted and how a refusal reads. The way for a valid call is one typed msgspec decoder; everything else
(keyword arguments, *args, anything refused) takes the slow way, which must agree with it. Never runs the function.
"""

from __future__ import annotations

import difflib
import inspect
import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, NoReturn, Union

import msgspec
from msgspec import inspect as hints

from promptgrimoire.authoring.plain_words import bare, explain, takes_objects
from promptgrimoire.errors import Refused
from promptgrimoire.state.declared import GroupFields, PlayerFields
from promptgrimoire.state.records import Group, Player

Resolve = Callable[[Literal["player", "group"], str | int], Any]
# What msgspec raises for JSON that it cannot take: wrong type, malformed, not UTF-8, unhashable, nested too deeply.
_REFUSALS = (msgspec.MsgspecError, ValueError, TypeError, RecursionError)
_items = msgspec.json.Decoder(list[msgspec.Raw])
_named = msgspec.json.Decoder(dict[str, msgspec.Raw])
_anything = msgspec.json.Decoder()


class CannotValidate(Exception):
    """A signature that live methods cannot have; the text says which parameter and what to write instead."""


class _Reference:
    """A player or group as the browser names it; replaced by the handle before the method runs."""

    kind: Literal["player", "group"]
    expected: str

    def __init__(self, key: str | int) -> None:
        self.key = key


class _PlayerReference(_Reference):
    kind = "player"
    expected = "a player's name or id"


class _GroupReference(_Reference):
    kind = "group"
    expected = "a group's name or id"


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One parameter after `page, player`."""

    name: str
    hint: Any
    type: hints.Type
    kind: Any  # inspect.Parameter.POSITIONAL_OR_KEYWORD, ...
    required: bool
    decode: Callable[[Any], Any]
    takes_objects: bool
    has_references: bool


class Arguments:
    """The parameters of one function, and how JSON becomes their values."""

    def __init__(self, function: Callable[..., Any], skip: int) -> None:
        """`skip` leading parameters are not the browser's. Raises CannotValidate."""
        try:
            annotations = typing.get_type_hints(function, include_extras=True)
        except (NameError, TypeError, AttributeError, SyntaxError) as problem:
            raise CannotValidate(f"a type hint cannot be read: {problem}") from None
        self.parameters = [
            _parameter(one, annotations.get(one.name, Any))
            for one in list(inspect.signature(function).parameters.values())[skip:]
        ]
        by_kind: dict[Any, list[Parameter]] = {}
        for one in self.parameters:
            by_kind.setdefault(one.kind, []).append(one)
        self._positional = by_kind.get(inspect.Parameter.POSITIONAL_ONLY, []) + by_kind.get(
            inspect.Parameter.POSITIONAL_OR_KEYWORD, []
        )
        self._keyword = {one.name: one for one in by_kind.get(inspect.Parameter.KEYWORD_ONLY, [])}
        self._rest = next(iter(by_kind.get(inspect.Parameter.VAR_POSITIONAL, [])), None)
        self._rest_named = next(iter(by_kind.get(inspect.Parameter.VAR_KEYWORD, [])), None)
        self._references = any(one.has_references for one in self._positional)
        self._numbers = any(_mentions(one.type, (hints.FloatType, hints.DecimalType)) for one in self._positional)
        self._defaults = any(not one.required for one in self._positional)
        self._decode = self._quick_decoder()

    def _quick_decoder(self) -> Callable[[Any], msgspec.Struct] | None:
        """One decoder for the whole array; None where a call always needs the slow way."""
        if self._rest is not None or any(one.required for one in self._keyword.values()):
            return None
        fields: list[tuple[str, Any, Any]] = [
            (f"p{index}", one.hint, msgspec.NODEFAULT if one.required else msgspec.UNSET)
            for index, one in enumerate(self._positional)
        ]
        struct = msgspec.defstruct("Arguments", fields, array_like=True, forbid_unknown_fields=True, gc=False)
        return msgspec.json.Decoder(struct, strict=False, dec_hook=_refer).decode

    def parse(self, raw: msgspec.Raw | bytes, resolve: Resolve) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments. Raises Refused("arguments", ...)."""
        if self._decode is None:
            return self._parse_slowly(raw, resolve)
        try:
            values = msgspec.structs.astuple(self._decode(raw))
        except _REFUSALS:
            return self._parse_slowly(raw, resolve)
        if self._defaults:
            while values and values[-1] is msgspec.UNSET:
                values = values[:-1]
        if self._numbers and _may_hold_nan(bytes(raw)) and not _all_finite(values):
            return self._parse_slowly(raw, resolve)
        if self._references:
            values = tuple(
                _resolved(one.name, value, resolve) for one, value in zip(self._positional, values, strict=False)
            )
        return values, {}

    # ---------------------------------------------------------------- the slow way

    def _parse_slowly(self, raw: Any, resolve: Resolve) -> tuple[tuple[Any, ...], dict[str, Any]]:
        try:
            items = _items.decode(raw)
        except _REFUSALS as problem:
            _refuse(_why_unreadable(problem))
        named = self._trailing_keywords(items)
        limit = len(self._positional)
        if len(items) > limit and self._rest is None:
            names = f" ({', '.join(one.name for one in self._positional)})" if limit else ""
            _refuse(f"too many arguments: expected at most {limit}{names}, got {len(items)}")
        args = []
        for index, item in enumerate(items):
            parameter = self._positional[index] if index < limit else self._rest
            assert parameter is not None
            args.append(_value(parameter, parameter.name, item, resolve))
        kwargs = {
            name: _value(self._named(name, given=len(items)), name, item, resolve) for name, item in named.items()
        }
        for one in [*self._positional[len(items) :], *self._keyword.values()]:
            if one.required and one.name not in kwargs:
                _refuse(f"missing argument: {one.name}")
        return tuple(args), kwargs

    def _trailing_keywords(self, items: list[msgspec.Raw]) -> dict[str, msgspec.Raw]:
        """Takes a trailing plain object from `items` where it stands for keyword arguments."""
        if not items or bytes(items[-1]).lstrip()[:1] != b"{":
            return {}
        index = len(items) - 1
        target = self._positional[index] if index < len(self._positional) else self._rest
        if target is not None and target.takes_objects:
            return {}
        try:
            return _named.decode(items.pop())
        except _REFUSALS as problem:
            _refuse(_why_unreadable(problem))

    def _named(self, name: str, given: int) -> Parameter:
        for index, one in enumerate(self._positional):
            if one.name == name and one.kind is not inspect.Parameter.POSITIONAL_ONLY:
                if index < given:
                    _refuse(f"{name}: given twice, by position and by name")
                return one
        found = self._keyword.get(name, self._rest_named)
        if found is None:
            names = [*(one.name for one in self._positional), *self._keyword]
            near = difflib.get_close_matches(name, names, 1)
            _refuse(f"unknown argument: {name}" + (f"; did you mean {near[0]}?" if near else ""))
        return found


def _parameter(parameter: inspect.Parameter, hint: Any) -> Parameter:
    name = parameter.name
    if parameter.default is None:
        hint = Union[hint, None]  # noqa: UP007  # `text: str = None` accepts null
    hint = _with_references(hint)
    try:
        type_ = hints.type_info(hint)
        decoder = msgspec.json.Decoder(hint, strict=False, dec_hook=_refer)
    except (TypeError, ValueError, NameError, AttributeError, NotImplementedError) as problem:
        text = (
            str(problem)
            .replace(f"{__name__}._PlayerReference", "Player")
            .replace(f"{__name__}._GroupReference", "Group")
        )
        raise CannotValidate(f"the hint of '{name}' cannot be validated: {text}") from None
    strange = _strange(type_, set())
    if strange is not None:
        raise CannotValidate(
            f"the hint of '{name}' cannot be validated: browsers cannot send a {strange.__qualname__}; "
            "use int, float, str, bool, list, dict, Literal, an Enum, a dataclass, Player or Group"
        )
    required = parameter.default is inspect.Parameter.empty and parameter.kind not in (
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
    )
    references = _mentions(type_, (hints.CustomType,))
    return Parameter(name, hint, type_, parameter.kind, required, decoder.decode, takes_objects(type_), references)


def _value(parameter: Parameter, name: str, raw: msgspec.Raw, resolve: Resolve) -> Any:
    try:
        value = parameter.decode(raw)
    except _REFUSALS as problem:
        try:
            sent = _anything.decode(raw)
        except _REFUSALS as unreadable:
            _refuse(f"{name}: {_why_unreadable(unreadable)}")
        _refuse(explain(name, parameter.type, sent, str(problem)))
    if not _all_finite(value) and _mentions(parameter.type, (hints.FloatType, hints.DecimalType)):
        _refuse(f"{name}: expected a finite number, got one that is not")
    return _resolved(name, value, resolve) if parameter.has_references else value


def _resolved(name: str, value: Any, resolve: Resolve) -> Any:
    """The value with handles in place of references."""
    if isinstance(value, _Reference):
        try:
            return resolve(value.kind, value.key)
        except LookupError:
            _refuse(f"{name}: no {value.kind} {value.key!r} in this session")
    if isinstance(value, dict):
        return {_resolved(name, key, resolve): _resolved(name, one, resolve) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_resolved(name, one, resolve) for one in value)
    return value


def _refer(type_: type, value: Any) -> Any:
    """Called by msgspec for the types that it does not know: references."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"expected {type_.expected}, got {msgspec.json.encode(value).decode()[:60]}")  # type: ignore[attr-defined]
    return type_(value)


def _refuse(message: str) -> NoReturn:
    raise Refused("arguments", message) from None


def _why_unreadable(problem: BaseException) -> str:
    if isinstance(problem, RecursionError):
        return "the arguments are nested too deeply"
    if isinstance(problem, msgspec.ValidationError):
        text = str(problem)
        return "a number is too large" if "out of range" in text else "expected a list of arguments"
    return "the arguments are not valid JSON text (half a character, or cut off)"


# -------------------------------------------------------------------- hints


def _with_references(hint: Any) -> Any:
    """The hint with Player and Group (anywhere inside) replaced by what a browser sends for them."""
    if hint is object or hint is inspect.Parameter.empty:
        return Any
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
        if issubclass(hint, Player | PlayerFields):
            return _PlayerReference
        return _GroupReference if issubclass(hint, Group | GroupFields) else hint
    if hasattr(hint, "__value__"):  # `type Offer = ...` of Python 3.12
        return _with_references(hint.__value__)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is None or origin is Literal or not inner:
        return hint
    if origin is Annotated:
        return Annotated[(_with_references(inner[0]), *inner[1:])]
    replaced = tuple(one if one is Ellipsis else _with_references(one) for one in inner)
    if origin is Union or origin is types.UnionType:
        return Union[replaced]  # noqa: UP007
    if all(new is old for new, old in zip(replaced, inner, strict=True)):
        return hint
    return origin[replaced]


def _inner_types(type_: hints.Type) -> list[hints.Type]:
    match type_:
        case hints.UnionType():
            return list(type_.types)
        case hints.TupleType():
            return list(type_.item_types)
        case hints.DictType():
            return [type_.key_type, type_.value_type]
        case hints.StructType() | hints.DataclassType() | hints.TypedDictType() | hints.NamedTupleType():
            return [one.type for one in type_.fields]
    item = getattr(type_, "item_type", None)
    return [item] if item is not None else []


def _strange(type_: hints.Type, seen: set[int]) -> type | None:
    """The first class inside that a browser cannot send, or None."""
    type_ = bare(type_)
    if id(type_) in seen:
        return None
    seen.add(id(type_))
    if isinstance(type_, hints.CustomType):
        return None if issubclass(type_.cls, _Reference) else type_.cls
    for one in _inner_types(type_):
        found = _strange(one, seen)
        if found is not None:
            return found
    return None


def _mentions(type_: hints.Type, kinds: tuple[type, ...], seen: frozenset[int] = frozenset()) -> bool:
    type_ = bare(type_)
    if isinstance(type_, kinds):
        return True
    if id(type_) in seen:
        return False
    return any(_mentions(one, kinds, seen | {id(type_)}) for one in _inner_types(type_))


def _may_hold_nan(text: bytes) -> bool:
    """JSON has no NaN; it can only come from text ("nan", "inf", or escaped) that a number hint accepts."""
    return b"n" in text or b"N" in text or b"\\" in text


def _all_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Decimal):
        return value.is_finite()
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_all_finite, value))
    if isinstance(value, dict):
        return all(map(_all_finite, value.values()))
    if hasattr(value, "__dataclass_fields__") or isinstance(value, msgspec.Struct):
        return all(_all_finite(getattr(value, name)) for name in _field_names(value))
    return True


def _field_names(value: Any) -> typing.Iterable[str]:
    return value.__struct_fields__ if isinstance(value, msgspec.Struct) else value.__dataclass_fields__
