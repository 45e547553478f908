"""Session, Group, Player: typed handles on what a session knows. A record's fields live here; writes go to the transaction."""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from promptgrimoire.errors import ReadOnly, UnknownField
from promptgrimoire.ids import hidden, player_key
from promptgrimoire.state.declared import check_declared
from promptgrimoire.state.observables import adopt, ordered_set
from promptgrimoire.state.players import Players
from promptgrimoire.state.values import Reference, decode, encode

if TYPE_CHECKING:
    from promptgrimoire.state.session_state import SessionState
    from promptgrimoire.state.transaction import Transaction

_set = object.__setattr__
_frozen_encoder = msgspec.json.Encoder()


class Past:
    """A record as it was in another round or app, or at another moment. Read-only."""

    def __init__(self, fields: dict[str, Any], about: str) -> None:
        _set(self, "_past", fields)
        _set(self, "_about", about)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._past[name]
        except KeyError:
            raise UnknownField(f"{self._about} has no field '{name}'") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise ReadOnly(f"{self._about} is the past: '{name}' cannot be set")

    def get(self, name: str, default: Any = None) -> Any:
        return self._past.get(name, default)

    def fields(self) -> dict[str, Any]:
        return dict(self._past)


class Record(Reference):
    """What Session, Group and Player have in common: any field may be set, at any time, and is recorded."""

    _state: SessionState
    _key: str
    _fields: dict[str, Any]
    _written: dict[str, tuple[str, int]]  # (app, round) in which a field was last written
    _pages: dict[str, list[tuple[str, int, bytes]]]  # what it was in earlier (app, round)s

    __slots__ = ("__weakref__", "_fields", "_key", "_pages", "_state", "_written")

    def __init__(self, state: SessionState, key: str) -> None:
        _set(self, "_state", state)
        _set(self, "_key", key)
        _set(self, "_fields", {})
        _set(self, "_written", {})
        _set(self, "_pages", {})

    # ---------------------------------------------------------------- fields

    def __getattr__(self, name: str) -> Any:
        try:
            return self._fields[name]
        except KeyError:
            pass
        near = difflib.get_close_matches(name, [*self._fields, *_built_ins(type(self))], 1)
        hint = (
            f"; did you mean '{near[0]}'?"
            if near
            else f". Set it in new_player or new_session, or use get({name!r}, default)."
        )
        raise UnknownField(f"{self!r} has no field '{name}'{hint}")

    def __setattr__(self, name: str, value: Any) -> None:
        state = self._state
        if name in _READ_ONLY or name[0] == "_" or name in _SETTERS:
            setter = _SETTERS.get(name)
            if setter is None:
                raise ReadOnly(_why_read_only(self, name))
            setter(self, value)
            return
        declared = state.fields.get(type(self))
        if declared is not None:
            check_declared(declared, self, name, value)
        transaction = state.transaction
        if transaction is None:
            transaction = state.writing()
        transaction.assign(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name in _READ_ONLY or name not in self._fields:
            raise UnknownField(f"{self!r} has no field '{name}' to delete")
        self._state.writing().remove(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """A field's value, or `default` where it was never set."""
        return getattr(self, name, default)

    def fields(self) -> dict[str, Any]:
        """All fields that were set, as a new dict."""
        return dict(self._fields)

    def within(self, *, app: str | None = None, round: int | None = None, strict: bool = False) -> Past:
        """The fields as they were last written in that app and round.

        A field that was not written there is missing. `strict` is accepted: it is how this always works.
        """
        found: dict[str, Any] = {}
        for name, value in self._fields.items():
            if _fits(self._written[name], app, round):
                found[name] = value
                continue
            for then_app, then_round, text in reversed(self._pages.get(name, ())):
                if _fits((then_app, then_round), app, round):
                    found[name] = decode(text, self._state.resolve)
                    break
        where = ", ".join(f"{key}={value!r}" for key, value in (("app", app), ("round", round)) if value is not None)
        return Past(found, f"{self!r} within {where}")

    async def history(self, field: str) -> list[Any]:
        """All values that a field has had, oldest first: objects with `value, at, app, round, line, cause`."""
        archive = self._state.archive
        assert archive is not None, "a session's host answers history()"
        return await archive.history(self, field)

    async def at(self, moment: Any) -> Any:
        """This record as of a moment: a datetime, seconds since 1970, or an entry's `seq` (int). Read-only."""
        archive = self._state.archive
        assert archive is not None, "a session's host answers at()"
        return await archive.at(self, moment)

    @property
    def rng(self) -> random.Random:
        """Random numbers that a rollback, a restart and concurrency do not disturb.

        Seeded from the session's seed, this record and a journaled counter; one generator per transaction and record.
        """
        return self._state.record(hidden(self._key))._draw()

    def _draw(self) -> random.Random:
        transaction = self._state.writing()
        drawn = self._fields.get("draws", 0) + 1
        transaction.assign(self, "draws", drawn)
        seed = self._fields.get("seed") or f"{self._state.hidden._fields.get('seed', self._state.id)}:{self._key}"
        return random.Random(f"{seed}:{drawn}")

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    # ---------------------------------------------------------------- for the transaction

    def _recorder(self) -> Transaction:
        return self._state.writing()

    def _reference(self) -> str:
        return self._key

    def _place(self, transaction: Transaction) -> tuple[str, int]:
        """The app and round to which a write of this record belongs."""
        return transaction.app, transaction.round

    def _turn_page(self, field: str, app: str, round: int) -> Callable[[], None]:
        """The field is written in another app or round than before: keep what it was. Gives the undo."""
        written, pages = self._written, self._pages
        before = written.get(field)
        kept = before is not None and field in self._fields
        if kept and before is not None:
            pages.setdefault(field, []).append((*before, encode(self._fields[field])))
        written[field] = (app, round)

        def undo() -> None:
            if before is None:
                written.pop(field, None)
            else:
                written[field] = before
            if kept:
                pages[field].pop()

        return undo

    def _snapshot(self) -> bytes:
        places = _frozen_encoder.encode([[name, app, round] for name, (app, round) in self._written.items()])
        pages = b",".join(
            _frozen_encoder.encode([name, app, round, msgspec.Raw(text)])
            for name, list_ in self._pages.items()
            for app, round, text in list_
        )
        return b'{"fields":%s,"written":%s,"pages":[%s]}' % (encode(self._fields), places, pages)

    def _restore(self, text: bytes) -> None:
        raw = msgspec.json.decode(text, type=_RecordText)
        self._fields.clear()
        for name, value in decode(raw.fields, self._state.resolve, make_set=ordered_set).items():
            self._fields[name] = adopt(value, self, name)
        _set(self, "_written", {name: (app, round) for name, app, round in raw.written})
        pages: dict[str, list[tuple[str, int, bytes]]] = {}
        for name, app, round, value in raw.pages:
            pages.setdefault(name, []).append((app, round, bytes(value)))
        _set(self, "_pages", pages)

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} is a handle of a running session: pass its name or id instead")

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self


class _RecordText(msgspec.Struct):
    fields: msgspec.Raw
    written: list[tuple[str, str, int]]
    pages: list[tuple[str, str, int, msgspec.Raw]]


class Hidden(Record):
    """What the framework keeps about a record, journaled like everything else."""

    __slots__ = ()

    def __init__(self, state: SessionState, key: str) -> None:
        super().__init__(state, key)

    def __repr__(self) -> str:
        return f"<{self._key}>"

    def _place(self, transaction: Transaction) -> tuple[str, int]:
        return "", 0


class Session(Record):
    """One run of an experiment with its players."""

    __slots__ = ()

    @property
    def id(self) -> str:
        return self._state.id

    @property
    def name(self) -> str:
        return self._state.id

    @property
    def app(self) -> str:
        found = self._state.hidden._fields.get("app", "")
        assert isinstance(found, str)
        return found

    @property
    def players(self) -> Players:
        """Everybody, in the order of joining."""
        return self._state.everybody

    @property
    def groups(self) -> Groups:
        """All groups; `groups(app="market")` those of one app."""
        return Groups(self._state.groups)

    @property
    def settings(self) -> Any:
        return self._state.hidden._fields.get("settings", {})

    def __repr__(self) -> str:
        return f"<session {self._state.id}>"


class Group(Record):
    """Players who interact."""

    __slots__ = ("_id",)

    def __init__(self, state: SessionState, key: str, id: int) -> None:
        super().__init__(state, key)
        _set(self, "_id", id)

    @property
    def _about(self) -> dict[str, Any]:
        return self._state.record(hidden(self._key))._fields

    @property
    def id(self) -> int:
        found = self._id
        assert isinstance(found, int)
        return found

    @property
    def name(self) -> Any:
        return self._about.get("name", self._key)

    @property
    def app(self) -> Any:
        return self._about.get("app", "")

    @property
    def session(self) -> Session:
        return self._state.session

    @property
    def players(self) -> Players:
        """Its members, in order of their member_id."""
        return Players(self._state.player(id) for id in self._about.get("members", ()))

    def __repr__(self) -> str:
        return f"<group {self.name} of {self._state.id}>"


class Groups(tuple[Group, ...]):
    """Groups of a session; can be called to choose those of an app."""

    def __call__(self, *, app: str | None = None) -> Groups:
        return Groups(group for group in self if app is None or group.app == app)


class Player(Record):
    """One participant's record in one session."""

    __slots__ = ("_about", "_id")

    def __init__(self, state: SessionState, key: str, id: int) -> None:
        super().__init__(state, key)
        _set(self, "_id", id)
        _set(self, "_about", state.record(hidden(key))._fields)

    def _place(self, transaction: Transaction) -> tuple[str, int]:
        about = self._about
        return about.get("app", transaction.app), about.get("round", 0)

    @property
    def id(self) -> int:
        """1, 2, … in the order of joining."""
        found = self._id
        assert isinstance(found, int)
        return found

    @property
    def name(self) -> str:
        """A short code that others may see; no credential."""
        found = self._about.get("name", self._key)
        assert isinstance(found, str)
        return found

    @property
    def label(self) -> Any:
        return self._about.get("label", "")

    @property
    def params(self) -> Any:
        return self._about.get("params", {})

    @property
    def app(self) -> Any:
        return self._about.get("app", self._state.session.app)

    @property
    def round(self) -> int:
        """1-based; 0 outside rounds."""
        found = self._about.get("round", 0)
        assert isinstance(found, int)
        return found

    @property
    def session(self) -> Session:
        return self._state.session

    @property
    def group(self) -> Group | None:
        id = self._about.get("group")
        if not id:
            return None
        found = self._state.records[f"g{id}"]
        assert isinstance(found, Group)
        return found

    @property
    def member_id(self) -> int | None:
        """0-based place in the group."""
        group = self.group
        return None if group is None else list(group._about["members"]).index(self.id)

    @property
    def payoff(self) -> Any:
        return self._fields.get("payoff", _ZERO)

    @property
    def online(self) -> bool:
        """Whether somebody is here: a connection, or none for less than the grace."""
        return self.id in self._state.online

    @property
    def page_order(self) -> list[str]:
        """Names of the pages of this player's plan."""
        return self._state.plan(self)

    @property
    def show_page(self) -> int:
        """The 0-based position in the plan; assigning moves the player there."""
        found = self._about.get("position", -1)
        assert isinstance(found, int)
        return found

    @property
    def players(self) -> Players:
        return Players((self,))

    @property
    def others_in_group(self) -> Players:
        group = self.group
        return Players() if group is None else Players(player for player in group.players if player is not self)

    @property
    def other_in_group(self) -> Player:
        return _the_other(self, self.others_in_group, "group")

    @property
    def others_in_session(self) -> Players:
        everybody = self._state.everybody
        return Players((player for player in everybody if player is not self), scope=(self.id,))

    @property
    def other_in_session(self) -> Player:
        return _the_other(self, self.others_in_session, "session")

    def __repr__(self) -> str:
        return f"<player {self.name} of {self._state.id}>"


def _the_other(player: Player, others: Players, where: str) -> Player:
    if len(others) != 1:
        raise LookupError(
            f"other_in_{where}({player.name}): expected exactly one other player in the {where}, found {len(others)}"
            + ("; the player is in no group yet" if where == "group" and player.group is None else "")
        )
    only = others[0]
    assert isinstance(only, Player)
    return only


_ZERO = Decimal(0)


def _move(record: Record, target: Any) -> None:
    mover = record._state.mover
    assert mover is not None
    assert isinstance(record, Player)
    mover(record, target)


def _label(record: Record, value: Any) -> None:
    state = record._state
    if not isinstance(record, Player):
        state.writing().assign(record, "label", value)
        return
    transaction = state.writing()
    before = dict(state.labels)
    transaction.assign(state.record(hidden(record._key)), "label", str(value))
    transaction.did(partial(_put_back_labels, state.labels, before))
    for label in [label for label, id in before.items() if id == record.id]:
        del state.labels[label]
    if value:
        state.labels[str(value)] = record.id


def _put_back_labels(labels: dict[str, int], before: dict[str, int]) -> None:
    labels.clear()
    labels.update(before)


def _seed(record: Record, value: Any) -> None:
    if not isinstance(value, random.Random):
        raise ReadOnly(f"{record!r}.rng: expected random.Random(seed), found {type(value).__name__}")
    transaction = record._state.writing()
    private = record._state.record(hidden(record._key))
    transaction.assign(private, "seed", str(value.getrandbits(128)))
    transaction.assign(private, "draws", 0)


_SETTERS: dict[str, Callable[[Record, Any], None]] = {"show_page": _move, "label": _label, "rng": _seed}
_READ_ONLY = frozenset(
    [
        "name",
        "id",
        "member_id",
        "session",
        "group",
        "groups",
        "app",
        "round",
        "online",
        "params",
        "settings",
        "players",
        "page_order",
        "others_in_group",
        "other_in_group",
        "others_in_session",
        "other_in_session",
        "get",
        "fields",
        "within",
        "history",
        "at",
        "rng",
    ]
)


def _built_ins(kind: type[Record]) -> list[str]:
    return [name for name in dir(kind) if not name.startswith("_")]


def _why_read_only(record: Record, name: str) -> str:
    if name.startswith("_"):
        return f"{record!r}: names that start with an underscore are the framework's: found '{name}'"
    mend = {"group": "create_group or add_to_group", "round": "Rounds in page_order", "app": "page_order"}.get(name)
    return f"'{name}' of {record!r} is built in and cannot be assigned" + (
        f"; use {mend}" if mend else f"; choose another name, such as '{'participant_' + name}'"
    )


def _fits(place: tuple[str, int], app: str | None, round: int | None) -> bool:
    return (app is None or place[0] == app) and (round is None or place[1] == round)


__all__ = ["Group", "Groups", "Hidden", "Past", "Player", "Players", "Record", "Session", "player_key"]
