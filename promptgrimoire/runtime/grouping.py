"""Wait pages that form groups: of those who are present, in the order of their arrival, or by a schedule.

A group, its roles and what `after_grouping` writes are one transaction with the release of its members, where the hook
waits for nothing. Else the group is there from the hook's first wait on, so that nobody is in two of them.
"""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from promptgrimoire.ids import hidden
from promptgrimoire.runtime import matching
from promptgrimoire.runtime.arriving import WaitRun, release, send_away
from promptgrimoire.runtime.matching import Arrival
from promptgrimoire.runtime.plan import Match, page_of_step
from promptgrimoire.runtime.spots import Spot, will_not_come
from promptgrimoire.state.records import Group, Player, Players

if TYPE_CHECKING:
    from promptgrimoire.authoring.pages import PageSpec
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.runtime.waiting import Waiting

log = logging.getLogger("promptgrimoire.waiting")


class Grouping:
    """The GroupCreatingWaits of one session.

    The session's hidden record holds `schedules`: by key of a Rounds(match=…), a list of {"rounds": for each round
    its groups}. A group's own has `waits`: {spot: "going" or "over"}.
    """

    def __init__(self, host: Host, waiting: Waiting) -> None:
        self._host = host
        self._waiting = waiting
        self.gathering: dict[Spot, int] = {}  # where a schedule waits for everybody, and for whom it was waited last

    # ---------------------------------------------------------------- looking

    def look(self, spot: Spot, spec: PageSpec) -> None:
        """Form the groups that can be formed."""
        players = self._waiting.at(spot)
        for group in dict.fromkeys(player._about["arrived"].get("group") for player in players):
            if group is not None and (f"g{group}", str(spot)) not in self._waiting.running:
                mine = [player for player in players if player._about["arrived"].get("group") == group]
                self._form(spot, spec, mine, self._host.state.records[f"g{group}"])
        free = [player for player in players if self._is_free(player)]
        match = _match(free[0]) if free else None
        if match is None:
            self._by_arrival(spot, spec, free)
        else:
            self._by_schedule(spot, spec, free, match)
        for player in players:
            if self._waiting.spot_of(player) == spot and self._is_alone(player):
                arrived = player._about["arrived"]
                if arrived.get("impatient") and arrived.get("missing") != "over":
                    self._give_up(spot, spec, player)

    def _is_free(self, player: Player) -> bool:
        """Whether a player who has arrived can be put into a group now."""
        return self._is_alone(player) and not self._waiting.is_lost(player)

    def _is_alone(self, player: Player) -> bool:
        """Whether a player is present and in no group that is being formed, also if they count as dropped out."""
        if (player._key, "missing") in self._waiting.running:
            return False
        return player._about["arrived"].get("group") is None and player.online

    def _by_arrival(self, spot: Spot, spec: PageSpec, free: list[Player]) -> None:
        size, roles = spec.settings["group_size"], tuple(spec.settings.get("roles") or ())
        if len(free) < (spec.settings.get("min_size") or size):
            return
        found = matching.arrivals(
            [self._arrival(player, roles) for player in free],
            size,
            Random(0),  # who gets which role is drawn when the group is formed
            min_size=spec.settings.get("min_size"),
            roles=roles,
        )
        for formed in found:
            self._form(spot, spec, [self._host.state.player(id) for id in formed.members])

    def _arrival(self, player: Player, roles: tuple[str, ...]) -> Arrival:
        arrived = player._about["arrived"]
        role = player._fields.get("role")
        return Arrival(player.id, arrived.get("key"), role if role in roles else None, bool(arrived.get("impatient")))

    # ---------------------------------------------------------------- schedules

    def _by_schedule(self, spot: Spot, spec: PageSpec, free: list[Player], match: Match) -> None:
        """Groups whose members are all here, of the schedules that are drawn; else draw one for those who are new."""
        size = spec.settings["group_size"]
        schedules = self._host.state.hidden._fields.get("schedules", {}).get(match.key, ())
        here = {player.id: player for player in free}
        scheduled: set[int] = set()
        for drawn in schedules:
            for members in drawn["rounds"][match.round - 1]:
                scheduled.update(members)
                if any(id in here for id in members) and self._is_complete(spec, members, here):
                    self._form(spot, spec, [here[id] for id in members if id in here])
        new = [player for player in free if player.id not in scheduled]
        self.gathering.pop(spot, None)
        if len(new) >= size and self._all_have_come(spot, {player.id for player in new} | scheduled):
            self._draw(spot, spec, new, match)

    def _is_complete(self, spec: PageSpec, members: Any, here: dict[int, Player]) -> bool:
        absent = [id for id in members if id not in here]
        if not absent:
            return True
        least = spec.settings.get("min_size")
        come = len(members) - len(absent)
        if least is None or come < least:
            return False
        lost = all(self._waiting.is_lost(self._host.state.player(id)) for id in absent)
        return lost or any(here[id]._about["arrived"].get("impatient") for id in members if id in here)

    def _all_have_come(self, spot: Spot, known: set[int]) -> bool:
        """Whether everybody who takes part in the session is among these, or will not come here."""
        blocker = self.gathering.get(spot)
        state = self._host.state
        first = [state.player(blocker)] if blocker is not None else []
        for player in (*first, *state.everybody):
            if player.id in known or not self._waiting.takes_part(player):
                continue
            if not will_not_come(player._about, spot):
                if any(state.player(id)._about["arrived"].get("impatient") for id in known):
                    continue
                self.gathering[spot] = player.id
                return False
        return True

    def _draw(self, spot: Spot, spec: PageSpec, new: list[Player], match: Match) -> None:
        """A schedule for all rounds, for as many as a multiple of the size allows; none where there is none yet."""
        host, size = self._host, spec.settings["group_size"]
        record = host.state.hidden
        part, _spare = matching.cohort([player.id for player in new], size)
        drawn = len(record._fields.get("schedules", {}).get(match.key, ()))
        rng = Random(f"{record._fields.get('seed')}:{match.key}:{drawn}")
        try:
            rounds = matching.schedule(part, size, match.n - match.round + 1, match.policy, rng)
        except matching.NoSchedule as problem:
            log.info("session %s, %s: %s; further players are waited for", host.id, spot, problem)
            return

        async def drawing() -> None:
            if "schedules" not in record._fields:
                host.state.writing().assign(record, "schedules", {})
            schedules = record._fields["schedules"]
            if match.key not in schedules:
                schedules[match.key] = []
            before: list[Any] = [[] for _ in range(match.round - 1)]
            schedules[match.key].append({"rounds": [*before, *rounds]})

        run = WaitRun(host, host.state.session, f"{spec.key}.match", new)
        self._waiting.start(drawing(), run, lambda: None)
        if run.error is None:
            self._waiting.look(spot, new[0].id)

    # ---------------------------------------------------------------- forming

    def _form(self, spot: Spot, spec: PageSpec, members: list[Player], group: Any = None) -> None:
        """One group, in a transaction of its own. With `group`: it is there already, and its hook has still to run."""
        run = WaitRun(self._host, members[0] if group is None else group, f"{spec.key}.after_grouping", members)
        forming = _Forming(self._host, spot, spec, run)
        self._waiting.start(forming.go(members, group), run, forming.over)

    def _give_up(self, spot: Spot, spec: PageSpec, player: Player) -> None:
        """The player has waited long enough, and there is no group for them."""
        running = self._waiting.running
        run = WaitRun(self._host, player, f"{spec.key}.missing", [player])
        running.add((player._key, "missing"))

        def ended() -> None:
            running.discard((player._key, "missing"))
            if run.error is None:
                self._waiting.look(spot)

        self._waiting.start(self._giving_up(run, spot, spec, player), run, ended)

    async def _giving_up(self, run: WaitRun, spot: Spot, spec: PageSpec, player: Player) -> None:
        host, stay = self._host, player._about["stay"]
        arrived = player._about["arrived"]
        hook = spec.hooks.get("missing")
        if arrived.get("missing") == "going":
            log.warning("missing of %s was interrupted when the server stopped; it counts as run", spec.key)
        elif hook is not None:
            run.mark = partial(_note, player, stay, "going")
            run.unmark = partial(_note, player, stay, "")
            match = _match(player)
            partners = self._partners(player.id, match, {}) if match is not None else []
            here = {one.id for one in self._waiting.at(spot)}
            absent = [host.state.player(id) for id in partners if id not in here]
            result = hook(player, Players(absent))
            if hook.is_async:
                await result
            run.mark = None
        if player._about.get("stay") != stay or player._about.get("moving") is not None:
            return
        _note(player, stay, "over")
        policy = spec.settings.get("if_missing", "wait")
        if policy == "proceed":
            if player.group is not None:  # of before: that is over
                host.state.writing().assign(host.flow.private(player.id), "group", None)
            host.state.writing().assign(host.flow.private(player.id), "left_group", True)  # nobody to wait for later
            release(host, player)
        elif policy != "wait":
            send_away(host, spec, player)

    def progress(self, player: Player, spot: Spot, spec: PageSpec, known: dict[Any, Any]) -> tuple[int, int]:
        """(how many of a group are here, of how many)."""
        size: int = spec.settings["group_size"]
        arrived = player._about.get("arrived") or {}
        if arrived.get("stay") != player._about.get("stay"):
            return 1, size
        if "here" not in known:
            known["here"] = {one.id: one for one in self._waiting.at(spot) if self._is_free(one)}
            known["keys"] = Counter(one._about["arrived"].get("key") for one in known["here"].values())
        match = _match(player)
        if match is not None:
            return self._gathered(player, spot, size, match, known)
        alike: int = known["keys"][arrived.get("key")] + (player.id not in known["here"])
        return min(alike, size), size

    def _gathered(self, player: Player, spot: Spot, size: int, match: Match, known: dict[Any, Any]) -> tuple[int, int]:
        """With a schedule: of the player's group; before it is drawn, of everybody."""
        here = {player.id, *known["here"]}
        members = self._partners(player.id, match, known)
        if members:
            return len(here.intersection(members)), len(members)
        if "total" not in known:
            everybody = self._host.state.everybody
            coming = [one for one in everybody if one.id not in here and self._waiting.takes_part(one)]
            known["total"] = len(here) + sum(not will_not_come(one._about, spot) for one in coming)
        return len(here), max(known["total"], size)

    def _partners(self, player: int, match: Match, known: dict[Any, Any]) -> list[int]:
        """The player's group in this round, as a schedule has it; [] where none has."""
        if "partners" not in known:
            drawn = self._host.state.hidden._fields.get("schedules", {}).get(match.key, ())
            groups = [list(members) for one in drawn for members in one["rounds"][match.round - 1]]
            known["partners"] = {id: members for members in groups for id in members}
        found: list[int] = known["partners"].get(player, [])
        return found


def _note(player: Player, stay: int, how: str) -> None:
    """How far `missing` is for a player who waits for a group; "" where it is to run again."""
    arrived = player._about["arrived"]
    if arrived["stay"] == stay and arrived.get("missing", "") != how:
        arrived["missing"] = how


def _match(player: Player) -> Match | None:
    place = page_of_step(player._about["plan"][player._about["position"]])
    return place.match


class _Forming:
    """One group is being formed."""

    def __init__(self, host: Host, spot: Spot, spec: PageSpec, run: WaitRun) -> None:
        self._host = host
        self._spot = spot
        self._spec = spec
        self._run = run
        self._key: tuple[str, str] | None = None

    def over(self) -> None:
        """The hook has ended, or failed."""
        waiting = self._host.waiting
        if self._key is not None:
            waiting.running.discard(self._key)
        if self._run.error is None:
            waiting.look(self._spot)

    async def go(self, members: list[Player], group: Group | None) -> None:
        host, spec, run = self._host, self._spec, self._run
        waiting = host.waiting
        if any(waiting.spot_of(one) != self._spot or one._about.get("held") for one in members):
            return  # the hook of a group formed just before has moved one of them
        if group is None:
            group = host.state.create_group(members, None, spec.app, history=True)
            self._give_roles(members)
            for member in members:
                member._about["arrived"]["group"] = group.id
        private = host.state.record(hidden(group._key))
        key = self._key = group._key, str(self._spot)
        waiting.running.add(key)
        waits = private._fields.get("waits") or {}
        run.activity.record = group
        run.mark = partial(self._mark, group, "going")
        run.unmark = partial(self._mark, group, "")
        if waits.get(str(self._spot)) == "going":
            log.warning("after_grouping of %s was interrupted when the server stopped; it counts as run", spec.key)
        else:
            hook = spec.hooks.get("after_grouping")
            if hook is not None:
                result = hook(group)
                if hook.is_async:
                    await result
        run.mark = None
        self._mark(group, "over")
        for member in run.still_here:
            release(host, member)

    def _give_roles(self, members: list[Player]) -> None:
        """Whoever has one of the roles keeps it where that works out; the others draw. In total-strangers, by place."""
        spec, state = self._spec, self._host.state
        roles = tuple(spec.settings.get("roles") or ())
        if not roles:
            return
        match = _match(members[0])
        if match is not None and match.policy == "total_strangers":
            given = list(roles[: len(members)])
        else:
            arrivals = [self._host.waiting.grouping._arrival(member, roles) for member in members]
            own = [arrival.role for arrival in arrivals if arrival.role is not None]
            if any(own.count(role) > roles.count(role) for role in own):
                arrivals = [Arrival(arrival.player) for arrival in arrivals]
            given = matching.assigned(arrivals, roles, state.session.rng)
        for member, role in zip(members, given, strict=True):
            if member._fields.get("role") != role:
                state.writing().assign(member, "role", role)

    def _mark(self, group: Group, how: str) -> None:
        """How far the hook is; "" where it is to run again."""
        private = self._host.state.record(hidden(group._key))
        if how == "" and str(self._spot) not in (private._fields.get("waits") or {}):
            return
        if "waits" not in private._fields:
            self._host.state.writing().assign(private, "waits", {})
        waits = private._fields["waits"]
        if waits.get(str(self._spot)) != how:
            waits[str(self._spot)] = how
