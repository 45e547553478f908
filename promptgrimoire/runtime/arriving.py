"""Arriving at wait pages: what is asked about a player there, and what becomes of those whom an error holds up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from promptgrimoire.authoring.lookup import handle
from promptgrimoire.commands import Waited
from promptgrimoire.context import Activity
from promptgrimoire.errors import AuthorError
from promptgrimoire.runtime.activities import Awaited
from promptgrimoire.state.answers import place_in_loop
from promptgrimoire.state.records import Player, Record

if TYPE_CHECKING:
    from promptgrimoire.authoring.pages import PageSpec
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.state.transaction import Transaction


PATIENCE = "patience"  # the kind of the deadlines


class WaitRun(Awaited):
    """What happens at a wait page. Where a hook fails, `players` are held up, and `unmark` makes it run again."""

    __slots__ = ("_stays", "mark", "players", "unmark")

    def __init__(self, host: Host, record: Record, label: str, players: list[Player]) -> None:
        player = players[0]
        about = player._about
        app, place = about.get("app", ""), place_in_loop(about)  # what it reads of others is of this round too
        activity = Activity(host.tasks, record, app, about.get("round", 0), label, place)
        super().__init__(host, Waited(player.id, about.get("stay", 0)), activity)
        self.players = players
        self._stays = [one._about.get("stay") for one in players]
        self.mark: Callable[[], None] | None = None
        self.unmark: Callable[[], None] | None = None

    @property
    def still_here(self) -> list[Player]:
        """Those players who are where they were when this began: while a hook waits, others may move them."""
        stays = zip(self.players, self._stays, strict=True)
        return [player for player, stay in stays if player._about.get("stay") == stay]

    def before_suspension(self) -> None:
        if self.mark is not None:
            self.mark()

    def fail(self, transaction: Transaction, error: BaseException) -> int:
        if self.lost(error):
            return 0
        if getattr(self.activity.record, "_key", "") not in self.host.state.records:
            self.activity.record = self.players[0]  # the group has been undone
        reference = self.report(error)
        seq = self._commit(transaction)
        host = self.host

        def holding() -> None:
            if self.unmark is not None:
                self.unmark()
            host.waiting.hold(self.still_here, reference)

        host.step(holding, Awaited(host, self.cause, self.activity))
        return seq


async def arrive(run: WaitRun, player: Player, spec: PageSpec, stay: int) -> None:
    """Ask the page's hooks about the player, and note that they are here."""
    host = run.host
    about = player._about
    arrived: dict[str, Any] = {"stay": stay, "order": 0, "at": 0.0}
    for name, field, read in (("group_by", "key", _key), ("wait_for", "awaited", _ids)):
        hook = spec.hooks.get(name)
        if hook is not None:
            run.activity.label = f"{spec.key}.{name}"
            found = hook(player)
            if hook.is_async:
                found = await found
            arrived[field] = read(found, player, hook.where)
    if about.get("stay") != stay or about.get("moving") is not None:
        return
    host.state.writing().assign(host.flow.private(player.id), "arrived", arrived)
    if about.get("joined") or about["position"] > 0:
        begin_to_wait(host, player, spec)


def begin_to_wait(host: Host, player: Player, spec: PageSpec) -> None:
    """The player waits from now on: not before somebody has taken their place. Part of the open transaction."""
    arrived, now = player._about["arrived"], host.clock.now()
    arrived["order"], arrived["at"] = host.chain.seq, now
    patience = spec.settings.get("patience")
    if patience is not None:
        host.deadlines.set(patience_of(player), now + patience, "pause")


def patience_of(player: Player) -> str:
    """The key of the deadline at which a player who has arrived has waited long enough."""
    return f"{PATIENCE}:{player.id}:{player._about['arrived']['stay']}"


def release(host: Host, player: Player) -> None:
    """The player goes on from where they wait. Part of the open transaction."""
    host.deadlines.clear(patience_of(player))
    host.flow.advance(player, player._about["arrived"]["stay"])


def send_away(host: Host, spec: PageSpec, player: Player) -> None:
    """What follows once nobody is waited for any longer, where `if_missing` is a page. Part of the open transaction."""
    host.deadlines.clear(patience_of(player))
    host.flow.ask_to_move(player, spec.settings["if_missing"])


def _key(found: Any, player: Player, where: str) -> Any:
    try:
        hash(found)
    except TypeError:
        mend = "; return a tuple" if isinstance(found, list) else ""
        raise AuthorError(
            f"{where}: group_by: expected a text, a number or a tuple of these, found {found!r}{mend}"
        ) from None
    return found


async def awaited(player: Player, spec: PageSpec) -> list[int] | None:
    """The ids of those whom `wait_for` names; None where the page has no such hook."""
    hook = spec.hooks.get("wait_for")
    if hook is None:
        return None
    found = hook(player)
    return _ids(await found if hook.is_async else found, player, hook.where)


def _ids(found: Any, player: Player, where: str) -> list[int]:
    """The players that `wait_for` names: handles, ids or names; one of them, or several."""
    several = found.players if isinstance(found, Record) else found
    if isinstance(several, str | int) or several is None:
        several = [] if several is None else [several]
    ids: set[int] = set()
    if not isinstance(several, Iterable) or isinstance(several, Mapping):
        raise AuthorError(f"{where}: wait_for: expected players or their ids, found {found!r}")
    for one in several:
        named = isinstance(one, str | int) and not isinstance(one, bool)
        known = player.session.players.get(one) if named else handle(one)
        if not isinstance(known, Player) or known.session is not player.session:
            raise AuthorError(f"{where}: wait_for: expected players of this session or their ids, found {one!r}")
        ids.add(known.id)
    return sorted(ids - {player.id})
