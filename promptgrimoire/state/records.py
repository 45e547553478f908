"""Session, Group, Player: typed handles on what a session knows."""

from __future__ import annotations

import random
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from promptgrimoire.errors import NotStorable, ReadOnly, UnknownField
from promptgrimoire.ids import hidden
from promptgrimoire.state.answers import LATEST, answer_for_reader
from promptgrimoire.state.identifiers import PlayerIdentifier
from promptgrimoire.state.page_time import PageTime, page_time
from promptgrimoire.state.players import Players
from promptgrimoire.state.record import Hidden, Past, Record
from promptgrimoire.state.settings_view import SettingsView

if TYPE_CHECKING:
    from promptgrimoire.state.session_state import SessionState
    from promptgrimoire.state.transaction import Transaction

_set = object.__setattr__
_ZERO = Decimal(0)


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
        """The app whose code runs at the moment; outside of it, the first one."""
        running = self._state.transaction
        found = running.app if running is not None else ""
        return found or str(self._state.hidden._fields.get("app", ""))

    @property
    def config(self) -> str:
        """The name of the config that the session runs; of an app by itself, the app's."""
        return str(self._state.hidden._fields.get("config", ""))

    @property
    def players(self) -> Players:
        """Everybody, in the order of joining."""
        return self._state.everybody

    @property
    def groups(self) -> Groups:
        """All groups; `groups(app="market")` those of one app."""
        return Groups(self._state.groups)

    @property
    def settings(self) -> SettingsView:
        """What the config set when the session was made; read-only."""
        return SettingsView(self._state.hidden._fields.get("settings", {}))

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

    def __getattr__(self, name: str) -> Any:
        if "loop" in self._about and name in self._about["loop"]["fields"]:  # an answer, in rounds
            found = answer_for_reader(self, name)
            if found is not LATEST:
                return found
        try:
            return self._fields[name]  # every read comes by here: no call more than there must be
        except KeyError:
            return super().__getattr__(name)

    def fields(self) -> dict[str, Any]:
        found = super().fields()
        for name in self._about["loop"]["fields"] if "loop" in self._about else ():
            try:
                value = answer_for_reader(self, name)
            except UnknownField:
                found.pop(name, None)
                continue
            if value is not LATEST:
                found[name] = value
        return found

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
    def pid(self) -> PlayerIdentifier:
        """Session and name, as a value of its own: hashable, and stored as what it says."""
        return PlayerIdentifier(self._state.id, self.name)

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
    def round_nested(self) -> list[int]:
        """The round at each level, outermost first; [] outside rounds. `round` counts through all of them."""
        return list(self._about.get("levels", ()))

    @property
    def completion(self) -> str:
        """How the player reached the end: "completed", or what `finish` said; "" before."""
        return str(self._about.get("completion", ""))

    @property
    def dropped_out(self) -> bool:
        """Whether the player was declared lost; assigning False takes it back."""
        return bool(self._about.get("dropped_out"))

    @property
    def page_times(self) -> list[PageTime]:
        """How long the player was on each page so far, in the order in which they left them."""
        return [page_time(stored) for stored in self._about.get("page_times", ())]

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

    def _set_built_in(self, name: str, value: Any) -> None:
        state = self._state
        if name == "show_page":
            assert state.mover is not None
            state.mover(self, value)
        elif name == "dropped_out":
            if value is not False:
                raise ReadOnly(f"{self!r}.dropped_out: expected False, found {value!r}; mark_dropout(player) sets it")
            state.writing().assign(state.record(hidden(self._key)), "dropped_out", False)
        elif name == "label":
            self._set_label(str(value))
        elif name == "rng":
            self._set_seed(value)
        else:
            super()._set_built_in(name, value)

    def _check_payoff(self, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise NotStorable(f"{self!r}.payoff: expected a number (int, float or Decimal), found {value!r}")

    def _set_label(self, label: str) -> None:
        state = self._state
        transaction = state.writing()
        before = dict(state.labels)
        transaction.assign(state.record(hidden(self._key)), "label", label)
        transaction.did(partial(_put_back, state.labels, before))
        for old in [old for old, id in before.items() if id == self.id]:
            del state.labels[old]
        if label:
            state.labels[label] = self.id

    def _set_seed(self, generator: Any) -> None:
        if not isinstance(generator, random.Random):
            raise ReadOnly(f"{self!r}.rng: expected random.Random(seed), found {type(generator).__name__}")
        transaction = self._state.writing()
        private = self._state.record(hidden(self._key))
        transaction.assign(private, "seed", str(generator.getrandbits(128)))
        transaction.assign(private, "draws", 0)

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


def _put_back(labels: dict[str, int], before: dict[str, int]) -> None:
    labels.clear()
    labels.update(before)


__all__ = ["Group", "Groups", "Hidden", "Past", "Player", "Players", "Record", "Session"]
