"""A record: fields that may be set at any time, and what each was in earlier rounds. Writes go to the transaction.

Knows nothing of what the kinds of records (records.py) mean.
"""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from promptgrimoire.errors import AuthorError, ReadOnly, UnknownField
from promptgrimoire.ids import hidden
from promptgrimoire.state.declared import BUILT_IN, check_declared
from promptgrimoire.state.observables import adopt, ordered_set
from promptgrimoire.state.values import Reference, decode, encode

if TYPE_CHECKING:
    from promptgrimoire.state.session_state import SessionState
    from promptgrimoire.state.transaction import Transaction

Along = Callable[[str], "list[tuple[int, Past]]"]
_set = object.__setattr__
_frozen_encoder = msgspec.json.Encoder()


class Past:
    """A record as it was in another round or app, or at another moment. Read-only."""

    def __init__(self, fields: dict[str, Any], about: str, along: Along | None = None) -> None:
        _set(self, "_past", fields)
        _set(self, "_about", about)
        _set(self, "_along", along)

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

    @property
    def strict(self) -> Past:
        """The same: what was not written there is missing, with or without it."""
        return self

    def along(self, name: str) -> list[tuple[int, Past]]:
        """`player.within(app="market").along("round")`: see Record.along."""
        if self._along is None:
            raise AuthorError(f'{self._about} has no rounds; write within(app=…).along("round")')
        found: list[tuple[int, Past]] = self._along(name)
        return found


# Names of players and sessions in oTree.
_OTREE: Mapping[str, str] = MappingProxyType(
    {
        "id_in_group": "player.member_id, which counts from 0; roles are better said by player.role",
        "id_in_subsession": "player.id",
        "participant": "the player: fields of a player are there in all apps and rounds",
        "subsession": "player.session",
        "vars": "the player or session itself: player.x = 1",
        "round_number": "player.round",
        "in_round": "player.within(round=1)",
        "in_previous_rounds": 'player.along("round")',
        "in_all_rounds": 'player.along("round")',
        "get_others_in_group": "player.others_in_group",
        "get_others_in_subsession": "player.others_in_session",
        "get_players": "session.players, group.players",
        "get_player_by_role": 'group.players.find_one(role="buyer")',
        "get_player_by_id": "group.players[0], which counts from 0",
        "get_groups": "session.groups",
        "group_randomly": "a GroupCreatingWait",
        "field_maybe_none": 'player.get("name")',
    }
)


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
        if name == "context":
            found = self._state.context_of(self)
            if found is not None:
                return found
        raise UnknownField(f"{self!r} has no field '{name}'{self._hint(name)}")

    def _hint(self, name: str) -> str:
        """What to write instead of a field that is not there."""
        rounds = [round for _, round, _ in self._pages.get(name, ()) if round]
        if rounds:
            return f" any more: a new round has begun without it. within(round={rounds[-1]}).{name} still has it"
        if name in _OTREE:
            return f"; that is oTree's name; here it is: {_OTREE[name]}"
        near = difflib.get_close_matches(name, [*self._fields, *_built_ins(type(self))], 1)
        if near:
            return f"; did you mean '{near[0]}'?"
        return f". Set it in new_player or new_session, or use get({name!r}, default)."

    def __setattr__(self, name: str, value: Any) -> None:
        state = self._state
        if name in BUILT_IN or name[0] == "_":
            self._set_built_in(name, value)
            return
        declared = state.fields.get(type(self))
        if declared is not None:
            check_declared(declared, self, name, value)
        if name == "payoff":
            self._check_payoff(value)
        state.writing().assign(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name in BUILT_IN or name not in self._fields:
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
        for name in dict.fromkeys((*self._fields, *self._pages)):  # a new round may have taken the field away
            if name in self._fields and _fits(self._written[name], app, round):
                found[name] = self._fields[name]
                continue
            for then_app, then_round, text in reversed(self._pages.get(name, ())):
                if _fits((then_app, then_round), app, round):
                    found[name] = decode(text, self._state.resolve)
                    break
        where = ", ".join(f"{key}={value!r}" for key, value in (("app", app), ("round", round)) if value is not None)
        return Past(found, f"{self!r} within {where}", partial(self._rounds, app) if round is None else None)

    def along(self, name: str) -> list[tuple[int, Past]]:
        """`for number, then in player.along("round")`: each round in which something was written, with its fields."""
        return self._rounds(None, name)

    def _rounds(self, app: str | None, name: str) -> list[tuple[int, Past]]:
        if name != "round":
            raise AuthorError(f'along({name!r}): expected along("round")')
        places = {*self._written.values(), *((app, round) for kept in self._pages.values() for app, round, _ in kept)}
        rounds = sorted({round for place, round in places if round and _fits((place, round), app, None)})
        return [(round, self.within(app=app, round=round)) for round in rounds]

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

    def _set_built_in(self, name: str, value: Any) -> None:
        """An assignment to a name that is not the author's; raises ReadOnly where it cannot be set."""
        raise ReadOnly(_why_read_only(self, name))

    def _check_payoff(self, value: Any) -> None:
        """Of players: that it is an amount. A field of that name of a group or session is the author's."""

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


def _built_ins(kind: type[Record]) -> list[str]:
    return [name for name in dir(kind) if not name.startswith("_")]


def _why_read_only(record: Record, name: str) -> str:
    if name.startswith("_"):
        return f"{record!r}: names that start with an underscore are the framework's: found '{name}'"
    mend = {
        "group": "create_group or add_to_group",
        "round": "Rounds in page_order",
        "app": "page_order",
        "completion": "finish(player, …)",
    }.get(name)
    return f"'{name}' of {record!r} is built in and cannot be assigned" + (
        f"; use {mend}" if mend else f"; choose another name, such as 'participant_{name}'"
    )


def _fits(place: tuple[str, int], app: str | None, round: int | None) -> bool:
    return (app is None or place[0] == app) and (round is None or place[1] == round)
