"""Wait pages that release their players together: once everybody whom they wait for has arrived, or will not come.

`all_here` runs once for each company of players who wait for each other, in one transaction with their release where it
waits for nothing. Whoever comes later passes at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from promptgrimoire.errors import AuthorError
from promptgrimoire.ids import hidden
from promptgrimoire.runtime.arriving import WaitRun, awaited, release, send_away
from promptgrimoire.runtime.spots import Spot, in_order, spot_at, will_not_come
from promptgrimoire.state.records import Group, Player, Players, Record

if TYPE_CHECKING:
    from promptgrimoire.authoring.pages import PageSpec
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.runtime.waiting import Waiting

_FEW = 20
log = logging.getLogger("promptgrimoire.waiting")


class Company(NamedTuple):
    """Players who wait for each other at a spot. `record` is the group or session that remembers their release."""

    record: Record
    mark: str
    awaited: tuple[int, ...] | None  # with wait_for: who they are


class Synchronizing:
    """The SynchronizingWaits of one session.

    `waits` of a group's or the session's hidden record: by mark "going" (all_here has suspended) or "over".
    """

    def __init__(self, host: Host, waiting: Waiting) -> None:
        self._host = host
        self._waiting = waiting
        self.wide: dict[Spot, None] = {}  # where players wait for others than those of their group
        self._blockers: dict[tuple[Spot, str], int] = {}  # whom a company waited for when it was last looked at
        self._warned: set[Spot] = set()

    async def may_proceed(self, player: Player, spec: PageSpec) -> bool:
        """Whether the player, who gets to this page now, would have to wait for nobody."""
        named = await awaited(player, spec)
        spot = spot_at(player._about["plan"], player.show_page)
        by_session = spec.settings.get("synchronize") == "session"
        record = self._host.state.session if by_session else player.group or player
        company = Company(record, str(spot), None if named is None else tuple(named))
        if company.awaited is None and isinstance(record, Player):
            return False  # in no group: nobody ever comes
        return all(one is player or self._has_come(one, company, spot) for one in self._members(company))

    # ---------------------------------------------------------------- looking

    def look(self, spot: Spot, spec: PageSpec, players: Iterable[int]) -> None:
        """Release those companies of these players that are complete."""
        if spec.settings.get("synchronize") == "session" or "wait_for" in spec.hooks:
            self.wide[spot] = None
            if "wait_for" in spec.hooks:
                players = [player.id for player in self._waiting.at(spot)]
        seen = set()
        for id in sorted(players):
            player = self._host.state.player(id)
            if self._waiting.spot_of(player) != spot or player._about.get("held"):
                continue
            company = self._company(player, spot, spec)
            if company is None:
                self._alone(player, spot, spec)
            elif (company.record._key, company.mark) not in seen:
                seen.add((company.record._key, company.mark))
                self._look_at(company, spot, spec)
        if not self._waiting.anybody_at(spot):
            self.wide.pop(spot, None)

    def _look_at(self, company: Company, spot: Spot, spec: PageSpec) -> None:
        key = company.record._key, company.mark
        if key in self._waiting.running:
            return
        waits = self._host.state.record(hidden(company.record._key))._fields.get("waits") or {}
        missed = waits.get(_missing(company)) == "over"
        if waits.get(company.mark):
            if waits[company.mark] == "going":
                log.warning("all_here of %s was interrupted when the server stopped; it counts as run", spec.key)
            self._release(company, spot, spec, hook=False)
        elif missed and spec.settings.get("if_missing", "wait") != "wait":
            self._follow(company, spot, spec)
        elif self._is_complete(company, spot, spec):
            self._release(company, spot, spec, hook=True)
        elif not missed and self._is_impatient(company, spot, spec):
            self._give_up(company, spot, spec)

    def _is_impatient(self, company: Company, spot: Spot, spec: PageSpec) -> bool:
        """Whether one of those who wait has waited long enough."""
        if spec.settings.get("patience") is None:
            return False
        return any(one._about["arrived"].get("impatient") for one in self._waiting_in(company, spot, spec))

    def _follow(self, company: Company, spot: Spot, spec: PageSpec) -> None:
        """Do what `if_missing` says, also with those who come when the others are gone."""
        if isinstance(spec.settings["if_missing"], str):
            self._release(company, spot, spec, hook=True)
            return
        players = self._waiting_in(company, spot, spec)

        def sending() -> None:
            for player in players:
                send_away(self._host, spec, player)

        if players:
            self._host.step(sending, WaitRun(self._host, company.record, f"{spec.key}.missing", players))

    def _company(self, player: Player, spot: Spot, spec: PageSpec) -> Company | None:
        """With whom the player waits; None where they are in no group."""
        session = self._host.state.session
        by_session = spec.settings.get("synchronize") == "session"
        awaited = player._about["arrived"].get("awaited")
        if awaited is not None:
            members = tuple(sorted({player.id, *awaited}))
            record = session if by_session or player.group is None else player.group
            return Company(record, f"{spot} {','.join(map(str, members))}", members)
        if by_session:
            return Company(session, str(spot), None)
        return None if player.group is None else Company(player.group, str(spot), None)

    def _members(self, company: Company) -> Sequence[Player]:
        if company.awaited is not None:
            return [self._host.state.player(id) for id in company.awaited]
        if isinstance(company.record, Group):
            return [player for player in company.record.players if player.group is company.record]
        return self._host.state.everybody

    def _is_complete(self, company: Company, spot: Spot, spec: PageSpec) -> bool:
        members = self._members(company)
        start = self._blockers.pop((spot, company.mark), 0)  # who was missed last time is missed again, most likely
        for index in (*range(start, len(members)), *range(start)):
            if not self._has_come(members[index], company, spot):
                if len(members) > _FEW:
                    self._blockers[spot, company.mark] = index
                return False
        return True

    def _has_come(self, player: Player, company: Company, spot: Spot) -> bool:
        """Whether nobody has to wait for this player here (any more)."""
        waiting = self._waiting
        if waiting.spot_of(player) == spot or waiting.is_lost(player):
            return True
        if company.awaited is None and not isinstance(company.record, Group) and not waiting.takes_part(player):
            return True
        return will_not_come(player._about, spot)

    def company(
        self, player: Player, spot: Spot, spec: PageSpec, known: dict[Any, Any]
    ) -> tuple[list[Player], list[Player]]:
        """Those for whom the player waits, and the player: (who is here or beyond, who is not)."""
        if (player._about.get("arrived") or {}).get("stay") != player._about.get("stay"):
            return [player], []
        company = self._company(player, spot, spec)
        if company is None:
            return [player], []
        if company not in known:
            known[company] = self._company_of(company, player, spot)
        found: tuple[list[Player], list[Player]] = known[company]
        return found

    def _company_of(self, company: Company, player: Player, spot: Spot) -> tuple[list[Player], list[Player]]:
        here: list[Player] = []
        absent: list[Player] = []
        for one in self._members(company):
            if company.awaited is None and not isinstance(company.record, Group) and not self._waiting.takes_part(one):
                continue
            (here if one is player or self._has_come(one, company, spot) else absent).append(one)
        return here, absent

    def _alone(self, player: Player, spot: Spot, spec: PageSpec) -> None:
        """In no group: who goes on without one passes, as who has waited long enough; others may get one yet."""
        impatient = player._about["arrived"].get("impatient")
        policy = spec.settings.get("if_missing", "wait") if impatient else "wait"
        if player._about.get("left_group") or policy in ("proceed", "dissolve"):
            run = WaitRun(self._host, player, f"{spec.key}.all_here", [player])
            self._host.step(lambda: release(self._host, player), run)
        elif policy != "wait":
            run = WaitRun(self._host, player, f"{spec.key}.missing", [player])
            self._host.step(lambda: send_away(self._host, spec, player), run)
        elif spot not in self._warned:
            self._warned.add(spot)
            log.warning(
                "session %s: %s waits at %s for the other members of their group, but is in no group; put a "
                "GroupCreatingWait before it, or call create_group",
                *(self._host.id, player.name, spot),
            )

    # ---------------------------------------------------------------- releasing

    def _waiting_in(self, company: Company, spot: Spot, spec: PageSpec) -> list[Player]:
        """Those of a company who wait there now."""
        waiting = self._waiting
        if company.awaited is None and isinstance(company.record, Group):
            members = company.record.players
            found = [one for one in members if waiting.spot_of(one) == spot and one.group is company.record]
            return in_order(one for one in found if not one._about.get("held"))
        return [one for one in waiting.at(spot) if self._company(one, spot, spec) == company]

    def _release(self, company: Company, spot: Spot, spec: PageSpec, *, hook: bool) -> None:
        waiting = self._waiting
        players = self._waiting_in(company, spot, spec)
        if not players:
            return
        run = WaitRun(self._host, company.record, f"{spec.key}.all_here", players)
        key = company.record._key, company.mark
        waiting.running.add(key)

        def ended() -> None:
            waiting.running.discard(key)
            if run.error is None:
                for player in players:
                    waiting.changed(player)

        waiting.start(self._releasing(run, company, spot, spec, hook), run, ended)

    async def _releasing(self, run: WaitRun, company: Company, spot: Spot, spec: PageSpec, hook: bool) -> None:
        found = spec.hooks.get("all_here") if hook else None
        if found is not None:
            run.mark = partial(self._mark, company, "going")
            run.unmark = partial(self._mark, company, "")
            about = company.record
            if spec.settings.get("synchronize", "group") == "group" and not isinstance(about, Group):
                raise AuthorError(
                    f"{found.where}: all_here gets the players' group, but {run.players[0].name} is in none; put a "
                    'GroupCreatingWait before it, or say synchronize = "session"'
                )
            result: Any = found(about)
            if found.is_async:
                await result
            run.mark = None
        self._mark(company, "over")
        for player in self._waiting_in(company, spot, spec):
            release(self._host, player)

    # ---------------------------------------------------------------- giving up

    def _give_up(self, company: Company, spot: Spot, spec: PageSpec) -> None:
        """Somebody has waited long enough, and others have not come."""
        waiting = self._waiting
        players = self._waiting_in(company, spot, spec)
        run = WaitRun(self._host, company.record, f"{spec.key}.missing", players)
        key = company.record._key, company.mark
        waiting.running.add(key)

        def ended() -> None:
            waiting.running.discard(key)
            if run.error is None:
                waiting.look(spot, *(player.id for player in players))

        waiting.start(self._giving_up(run, company, spot, spec), run, ended)

    async def _giving_up(self, run: WaitRun, company: Company, spot: Spot, spec: PageSpec) -> None:
        host, mark = self._host, _missing(company)
        absent = [player for player in self._members(company) if not self._has_come(player, company, spot)]
        hook = spec.hooks.get("missing")
        waits = host.state.record(hidden(company.record._key))._fields.get("waits") or {}
        if waits.get(mark) == "going":
            log.warning("missing of %s was interrupted when the server stopped; it counts as run", spec.key)
        elif hook is not None:
            run.mark = partial(self._mark, company, "going", mark)
            run.unmark = partial(self._mark, company, "", mark)
            result: Any = hook(company.record, Players(absent))
            if hook.is_async:
                await result
            run.mark = None
            absent = [player for player in absent if not self._has_come(player, company, spot)]
        self._mark(company, "over", mark)
        policy = spec.settings.get("if_missing", "wait")
        group = company.record
        if policy == "dissolve" and isinstance(group, Group):
            for player in absent:
                if player.group is group:
                    host.state.writing().assign(host.flow.private(player.id), "left_group", group.id)
            host.state.set_members(group, [player for player in group.players if player not in absent])

    def _mark(self, company: Company, how: str, mark: str = "") -> None:
        """How far all_here (or `missing`) is; "" where it is to run again."""
        mark = mark or company.mark
        private = self._host.state.record(hidden(company.record._key))
        waits = private._fields.get("waits")
        if how == "" and (waits is None or mark not in waits):
            return
        if waits is None:
            self._host.state.writing().assign(private, "waits", {})
            waits = private._fields["waits"]
        if waits.get(mark) != how:
            waits[mark] = how


def _missing(company: Company) -> str:
    return f"{company.mark} missing"
