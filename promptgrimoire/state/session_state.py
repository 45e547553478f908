"""All that one session knows, in memory: its records, by key. Pure: no I/O, no clock.

Owns the records and their indexes (token, label, visitor -> player); the transaction that is open, if one is. Never
decides anything: the host does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import msgspec

from promptgrimoire.context import this_thread
from promptgrimoire.errors import JournalDamaged, NoTransaction
from promptgrimoire.ids import SESSION_KEY, group_key, hidden, player_key
from promptgrimoire.state.declared import declared_defaults, declared_fields
from promptgrimoire.state.lines import Lines
from promptgrimoire.state.observed import consistent_throughout
from promptgrimoire.state.patches import Patch, apply
from promptgrimoire.state.records import Group, Hidden, Player, Players, Record, Session
from promptgrimoire.state.transaction import Transaction


class Archive(Protocol):
    """The past of a record; the host answers from the journal."""

    async def history(self, record: Record, field: str) -> list[Any]: ...

    async def at(self, record: Record, moment: Any) -> Any: ...


class SessionState:
    """Records of one session.

    `everybody` is the one collection of all players, in order of their ids; it is replaced when somebody joins.
    """

    def __init__(self, id: str, lines: Lines | None = None) -> None:
        self.id = id
        self.lines = lines or Lines()
        self.transaction: Transaction | None = None
        self.records: dict[str, Record] = {}
        self._players: dict[int, Player] = {}
        self._everybody: Players | None = None
        self.tokens: dict[str, int] = {}
        self.labels: dict[str, int] = {}
        self.visitors: dict[str, int] = {}
        self.names: dict[str, int] = {}
        self.online: set[int] = set()
        self.archive: Archive | None = None
        self.fields: dict[type[Record], dict[str, Any]] = {}  # declared fields (PlayerFields) by kind of record
        self._defaults: dict[type[Record], dict[str, Any]] = {}
        self._open: dict[type[Record], set[str]] = {}  # … and the apps that declare none of them
        self.mover: Callable[[Player, Any], None] | None = None  # what `player.show_page = …` does
        self.plan: Callable[[Player], list[str]] = lambda player: []
        # the loop in which a player is or was last, its rounds so far, and whether further ones follow
        self.rounds: Callable[[Player], tuple[str, list[int], bool]] = lambda player: ("", [], False)
        self.regrouped: Callable[[list[Player]], None] = lambda players: None  # told after the commit
        self.place: Callable[[Player, int], tuple[str, int] | None] = lambda player, position: None
        self.context_of: Callable[[Record], Any] = lambda record: None  # the app's Context, as player.context
        self.session: Session = self._make(SESSION_KEY)
        self.hidden = self.record(hidden(SESSION_KEY))

    # ---------------------------------------------------------------- records

    def declare(self, declared: Mapping[str, Mapping[str, type[Any]]]) -> None:
        """From now on, records have the fields that the apps declare: {"market": {"player": a PlayerFields, …}, …}."""
        self.fields, self._defaults, self._open = {}, {}, {}
        kinds: dict[str, type[Record]] = {"player": Player, "group": Group, "session": Session}
        for name, kind in kinds.items():
            found = [classes[name] for classes in reversed(list(declared.values())) if name in classes]
            if found:  # of two defaults, the earlier app's
                self.fields[kind] = {field: hint for one in found for field, hint in declared_fields(one).items()}
                self._defaults[kind] = {
                    field: value for one in found for field, value in declared_defaults(one).items()
                }
                self._open[kind] = {app for app, classes in declared.items() if name not in classes}

    def takes_any(self, kind: type[Record]) -> bool:
        """Whether the app whose code runs declares nothing for that kind of record, though others of the study do."""
        return self.session.app in self._open.get(kind, ())

    def fill(self, record: Record) -> None:
        """Give a new record the defaults of its declared fields, as a write of the open transaction."""
        for name, value in self._defaults.get(type(record), {}).items():
            setattr(record, name, value)

    def record(self, key: str) -> Record:
        """The record of that key; made where it is not there yet."""
        found = self.records.get(key)
        return found if found is not None else self._make(key)

    def _make(self, key: str) -> Any:
        try:
            if key.startswith("!"):
                record: Record = Hidden(self, key)
            elif key == SESSION_KEY:
                record = Session(self, key)
            elif key[0] == "p":
                record = self._players[int(key[1:])] = Player(self, key, int(key[1:]))
                self._everybody = None
            elif key[0] == "g":
                record = Group(self, key, int(key[1:]))
            else:
                raise ValueError(key)
        except (ValueError, IndexError):
            raise JournalDamaged(f"session {self.id}: no such kind of record: {key!r}") from None
        self.records[key] = record
        return record

    def resolve(self, key: str) -> Any:
        """The handle that a stored reference means."""
        return self.record(key)

    def player(self, id: int) -> Player:
        """The player of that id; raises KeyError."""
        return self._players[id]

    @property
    def everybody(self) -> Players:
        found = self._everybody
        if found is None:
            found = self._everybody = Players((self._players[id] for id in sorted(self._players)), scope=())
        return found

    @property
    def groups(self) -> list[Group]:
        return [record for record in self.records.values() if isinstance(record, Group)]

    def writing(self) -> Transaction:
        """The open transaction; raises NoTransaction where there is none, or where it is another thread's."""
        transaction = self.transaction
        if transaction is None or transaction.thread != this_thread():  # else it would write into somebody else's
            raise NoTransaction(
                "State can be written only in hooks, live methods, timers and tasks, on the server's thread. "
                "Start a task with spawn(…) to write from elsewhere, or return plain values from a thread and write "
                "them here."
            )
        return transaction

    def create_player(
        self, *, name: str, token: str, visitor: str = "", label: str = "", params: dict[str, str]
    ) -> Player:
        """A new player, as a write of the open transaction: undone with it."""
        transaction = self.writing()
        id = len(self._players) + 1
        player = self.record(player_key(id))
        assert isinstance(player, Player)
        private = self.record(hidden(player_key(id)))
        transaction.did(partial(self._forget, id))
        for field, value in (
            ("name", name),
            ("token", token),
            ("visitor", visitor),
            ("label", label),
            ("params", params),
        ):
            if value or field == "name":
                transaction.assign(private, field, value)
        self._index(id)
        return player

    def _forget(self, id: int) -> None:
        del self._players[id]
        self._everybody = None
        for record in (player_key(id), hidden(player_key(id))):
            self.records.pop(record, None)
        self.reindex()  # the newcomer may have taken over another's visitor or label

    def create_group(self, members: list[Player], name: str | None, app: str, *, history: bool = False) -> Group:
        """A new group, as a write of the open transaction. `history`: see `set_members`."""
        transaction = self.writing()
        id = self.hidden._fields.get("groups", 0) + 1
        transaction.assign(self.hidden, "groups", id)
        group = self.record(group_key(id))
        assert isinstance(group, Group)
        transaction.did(partial(self._forget_group, group_key(id)))
        private = self.record(hidden(group_key(id)))
        transaction.assign(private, "name", name or f"group{id}")
        transaction.assign(private, "app", app)
        self.set_members(group, members, history=history)
        self.fill(group)
        return group

    def _forget_group(self, key: str) -> None:
        for record in (key, hidden(key)):
            self.records.pop(record, None)

    def set_members(self, group: Group, members: list[Player], *, history: bool = False) -> None:
        """Make exactly these the members; each leaves the group they were in.

        With `history`, groups that they were in keep them on their lists: those groups are over, and were theirs.
        """
        transaction = self.writing()
        gone = [member for member in group.players if member not in members]
        for member in gone:
            if member.group is group:
                transaction.assign(self.record(hidden(member._key)), "group", None)
        for member in members:
            old = member.group
            if old is not None and old is not group and not history:
                rest = [other.id for other in old.players if other is not member]
                transaction.assign(self.record(hidden(old._key)), "members", tuple(rest))
            transaction.assign(self.record(hidden(member._key)), "group", group.id)
        transaction.assign(self.record(hidden(group._key)), "members", tuple(member.id for member in members))
        transaction.begin(partial(self.regrouped, [*members, *gone]))

    # ---------------------------------------------------------------- indexes, snapshots

    def _index(self, id: int) -> None:
        fields = self.record(hidden(player_key(id)))._fields
        for index, name in (
            (self.tokens, "token"),
            (self.labels, "label"),
            (self.visitors, "visitor"),
            (self.names, "name"),
        ):
            value = fields.get(name)
            if value:
                index[value] = id

    def reindex(self) -> None:
        """Build the indexes anew."""
        for index in (self.tokens, self.labels, self.visitors, self.names):
            index.clear()
        for player in self.everybody:
            self._index(player.id)

    def apply(self, patch: Patch, value: msgspec.Raw | bytes) -> None:
        """One patch of the journal, silently."""
        if patch.record.startswith("!"):
            self.record(patch.record[1:])  # a player without a field of their own is known by what the framework keeps
        owner = self.record(patch.record)
        field = patch.path[0]
        place = (patch.app, patch.round)
        if owner._written.get(field) != place:
            owner._turn_page(field, patch.app, patch.round)
        apply(owner._fields, owner, patch, value, self.resolve)

    def put_back(self, records: dict[str, bytes], known: set[str]) -> None:
        """Give these records the content that `snapshot` gave, and forget those that were not known then."""
        for key in [key for key in self.records if key not in known]:
            del self.records[key]
        self._players = {id: player for id, player in self._players.items() if player._key in known}
        self._everybody = None
        for key, text in records.items():
            self.records[key]._restore(text)
        self.reindex()

    def snapshot(self, key: str) -> bytes:
        """A record's content as JSON text, for `restore`."""
        return self.records[key]._snapshot()

    def changed_behind(self, key: str) -> list[str]:
        """Fields of a record that C code has changed without telling (see `consistent_throughout`)."""
        return [name for name, value in self.records[key]._fields.items() if not consistent_throughout(value)]

    def restore(self, key: str, text: bytes) -> None:
        """A record's content, as `snapshot` gave it."""
        if key.startswith("!"):
            self.record(key[1:])
        self.record(key)._restore(text)
