"""Models: lists of typed entries that only grow, each with an id and the time at which it was added.

    class Offer(metaclass=Entry):
        pid: PlayerIdentifier
        price: float

    session.offers = create_model(session, tag="offers")
    auto_add_entry(session.offers, player, Offer, price=3.5)          # pid is the player's
    for id, time, offer in filter_entries(session.offers, Offer, pid=player.pid): ...

A model is part of the session: durable, undone with the transaction. It is kept beside the session's fields, under the
name that its ModelIdentifier says. Owns what an entry is; the list that holds them is an ordinary stored one.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import msgspec

from promptgrimoire.authoring.lookup import handle, identify, running_session
from promptgrimoire.context import current
from promptgrimoire.errors import AuthorError
from promptgrimoire.state.identifiers import GroupIdentifier, ModelIdentifier, PlayerIdentifier, SessionIdentifier
from promptgrimoire.state.records import Group, Player, Record, Session

_IDENTIFIERS = (PlayerIdentifier, GroupIdentifier, SessionIdentifier, ModelIdentifier)
_MODELS = "models"  # the field of the session's hidden record

Found = tuple[UUID, float, Any]


class Entry(type):
    """`class Offer(metaclass=Entry)`: what entries of a model hold. Its objects cannot be changed."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        made: Any = super().__new__(mcs, name, bases, namespace)
        kind = dataclasses.dataclass(frozen=True)(made)
        if "id" in _names(kind):
            raise TypeError(f"{name}.id: every entry has an id already; choose another name, such as {name.lower()}_id")
        return kind

    def __init_subclass__(cls) -> None:
        raise TypeError(f"write class {cls.__name__}(metaclass=Entry)")


def create_model(session: Any, *, tag: str | None = None) -> ModelIdentifier:
    """A new, empty model of the session. `tag` names it; further ones of that name are numbered."""
    of = handle(session)
    if not isinstance(of, Session):
        raise AuthorError(f"create_model(session): expected a session, found {session!r}")
    if tag is not None and not isinstance(tag, str):
        raise AuthorError(f'create_model(session, tag=…): expected a text, as in tag="offers", found {tag!r}')
    state = of._state
    if _MODELS not in state.hidden._fields:
        state.writing().assign(state.hidden, _MODELS, {})
    models = state.hidden._fields[_MODELS]
    name, number = tag or "model", 1
    while name in models:
        number += 1
        name = f"{tag or 'model'}{number}"
    models[name] = {"entries": []}
    return ModelIdentifier(state.id, name)


def model_exists(model: Any) -> bool:
    """Whether there is such a model in the session for which this code runs."""
    if not isinstance(model, ModelIdentifier):
        return False
    state = running_session("model_exists")
    return model.sname == state.id and model.mname in state.hidden._fields.get(_MODELS, {})


def add_entry(model: Any, /, *what: Any, **fields: Any) -> UUID:
    """Add an entry, and give its id: `add_entry(model, Offer, pid=player.pid, price=3.5)`, or an Offer that was made.

    With a player in front, `add_entry(model, player, Offer, price=3.5)`, fields that are identifiers and are not given
    become those of the player, of their group and session, and of the model. Raises AuthorError for a field that does
    not exist, is missing, or has a value of another type.
    """
    player = handle(what[0]) if len(what) == 2 else None
    kind = what[-1] if what else None
    if len(what) == 1 and isinstance(type(kind), Entry) and not fields:
        kind, fields = type(kind), {name: getattr(kind, name) for name in _names(type(kind))}
    if not isinstance(kind, Entry) or len(what) > 2 or (len(what) == 2 and not isinstance(player, Player)):
        raise AuthorError(
            "add_entry: expected a model, a player and a class of entries, as in add_entry(session.offers, player, "
            f"Offer, price=3.5), found {', '.join(map(repr, what)) or 'nothing after the model'}"
        )
    name = kind.__name__
    if player is not None:
        fields = {**_filled(kind, player, model), **fields}
    names = _names(kind)
    unknown = [field for field in fields if field not in names]
    if unknown:
        raise AuthorError(f"{name} has no field {unknown[0]!r}; it has {', '.join(names)}")
    hints = typing.get_type_hints(kind)
    checked = {field: _checked(value, hints[field], f"{name}.{field}") for field, value in fields.items()}
    try:
        entry = kind(**checked)
    except TypeError as problem:
        raise AuthorError(f"{name}: {problem}") from None
    return _add(model, name, {field: getattr(entry, field) for field in names})


def auto_add_entry(model: Any, player: Any, kind: Any, /, **fields: Any) -> UUID:
    """`add_entry` with a player."""
    return add_entry(model, player, kind, **fields)


def add_raw_entry(model: Any, entry: Mapping[str, Any]) -> UUID:
    """Add an entry without a class: a dict. `get_entries(model, dict)` gives them."""
    if not isinstance(entry, Mapping):
        raise AuthorError(f"add_raw_entry(model, entry): expected a dict, found {entry!r}")
    return _add(model, "dict", dict(entry))


def get_entries(model: Any, kind: Any) -> list[Found]:
    """All entries of that class, oldest first: (id, seconds since 1970, entry)."""
    return list(_entries(model, kind))


def filter_entries(
    model: Any, kind: Any, /, predicate: Callable[[Any], Any] | None = None, **fields: Any
) -> list[Found]:
    """Those of `get_entries` whose fields have these values, and for which the predicate holds. `id=` asks for one."""
    id = fields.pop("id", None)
    asked = {name: identify(value) if isinstance(value, Record) else value for name, value in fields.items()}
    entries = get_entries(model, kind)
    known = list(asked) if kind is dict else _names(kind)
    for name in asked:
        if name not in known:
            raise AuthorError(f"filter_entries: {kind.__name__} has no field {name!r}; it has {', '.join(known)}")
    return [
        found
        for found in entries
        if (id is None or str(found[0]) == str(id))
        and all(_value(found[2], name) == value for name, value in asked.items())
        and (predicate is None or predicate(found[2]))
    ]


def get_latest_entry(model: Any, kind: Any) -> Found:
    """The entry of that class that was added last. Raises LookupError where there is none."""
    found = get_entries(model, kind)
    if not found:
        raise LookupError(f"{model} has no entry of {kind.__name__} yet")
    return found[-1]


# -------------------------------------------------------------------- under the hood


def model_record(model: Any) -> Any:
    """What the session keeps of a model: a dict with `entries`. Raises AuthorError where there is none."""
    if not isinstance(model, ModelIdentifier):
        raise AuthorError(f"expected a model, as create_model(session) gives it, found {model!r}")
    if not model_exists(model):
        raise AuthorError(f"{model!r}: there is no such model in the session for which this code runs")
    return running_session("model").hidden._fields[_MODELS][model.mname]


def _add(model: Any, kind: str, fields: dict[str, Any]) -> UUID:
    activity = current.get()
    record = model_record(model)
    assert activity is not None
    id = uuid4()
    record["entries"].append({"id": id, "time": activity.services.now(), "type": kind, "fields": fields})
    return id


def _entries(model: Any, kind: Any) -> Iterator[Found]:
    if kind is not dict and not isinstance(kind, Entry):
        raise AuthorError(f"expected a class of entries, class Offer(metaclass=Entry), found {kind!r}")
    for one in model_record(model)["entries"]:
        if one["type"] == kind.__name__:
            yield one["id"], one["time"], one["fields"] if kind is dict else _made(kind, one["fields"])


def _made(kind: Any, fields: Mapping[str, Any]) -> Any:
    """The entry with the values that were stored, also where its class has other fields by now."""
    made = object.__new__(kind)
    for field in dataclasses.fields(kind):
        if field.name in fields:
            object.__setattr__(made, field.name, fields[field.name])
    return made


def _value(entry: Any, name: str) -> Any:
    return entry.get(name) if isinstance(entry, dict) else getattr(entry, name, None)


def _names(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _filled(kind: Any, player: Player, model: Any) -> dict[str, Any]:
    """The identifiers that a player stands for, by field."""
    filled: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(kind).items():
        if hint is PlayerIdentifier:
            filled[name] = player.pid
        elif hint is SessionIdentifier:
            filled[name] = identify(player.session)
        elif hint is GroupIdentifier and isinstance(player.group, Group):
            filled[name] = identify(player.group)
        elif hint is ModelIdentifier:
            filled[name] = model
    return filled


def _checked(value: Any, hint: Any, name: str) -> Any:
    """The value as its field holds it: numbers and texts of a form are not converted, handles become identifiers."""
    if isinstance(value, Record) and any(kind in _IDENTIFIERS for kind in (hint, *typing.get_args(hint))):
        value = identify(value)
    try:
        converted = msgspec.convert(value, hint, strict=True)
        return value if isinstance(value, list | dict | set) else converted
    except msgspec.ValidationError as problem:
        raise AuthorError(f"{name}: {problem}; found {value!r}") from None
    except TypeError:
        return value  # a type that msgspec does not know; what cannot be stored is refused all the same
