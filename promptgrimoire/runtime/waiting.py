"""Wait pages: who has arrived where, whom they wait for, and when that is looked at again.

Arriving is a transaction of its own after entering the page, and so is what releases players (grouping.py,
synchronizing.py): a crash between any two of them is made good by loading the session. Who waits where is said by the
players' private records (`arrived`); the index here is made of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from promptgrimoire.authoring.messages import Notice
from promptgrimoire.authoring.pages import GroupCreatingWait
from promptgrimoire.authoring.texts import WAIT, WAIT_ARRIVED, WAIT_PATIENCE
from promptgrimoire.commands import DeadlineReached, Waited
from promptgrimoire.runtime.activities import Awaited
from promptgrimoire.runtime.arriving import PATIENCE, WaitRun, arrive, begin_to_wait, patience_of
from promptgrimoire.runtime.grouping import Grouping
from promptgrimoire.runtime.spots import Spot, in_order, spot_at
from promptgrimoire.runtime.synchronizing import Synchronizing
from promptgrimoire.state.records import Player
from promptgrimoire.state.values import to_browser

if TYPE_CHECKING:
    from promptgrimoire.authoring.language import Language
    from promptgrimoire.authoring.pages import PageSpec
    from promptgrimoire.runtime.host import Host

log = logging.getLogger("promptgrimoire.waiting")
_NEWS = 0.5  # seconds between two texts about who is here
_PER_SECOND = 500  # so many are told in a second at most
_MINUTE = 60.0
EVENT = "!waiting"  # under which wait pages hear of it; authors' events cannot be named so


class Progress(NamedTuple):
    """How far it is: `here` of `total` have come. `kind`: "group", "session" or "matching"."""

    kind: str
    here: int
    total: int


class Reason(NamedTuple):
    """Why a player waits, for whoever runs the study. `absent`: those who are waited for, where it is certain ones."""

    player: Player
    page: str
    since: float
    progress: Progress
    absent: list[Player]


class Waiting:
    """The wait pages of one session.

    `private(id)["arrived"]` of a player: stay, order (of arrival), at (when), and what the page's hooks said: key
    (group_by), awaited (wait_for); group, once the player belongs to the group that is being formed.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.grouping = Grouping(host, self)
        self.synchronizing = Synchronizing(host, self)
        self.running: set[tuple[str, str]] = set()  # (record, spot) whose hooks are under way
        self._at: dict[int, Spot] = {}  # where each player who has arrived waits
        self._here: dict[Spot, dict[int, int]] = {}  # the same by spot: players with their stays
        self._arriving: set[tuple[int, int]] = set()
        self._due: dict[Spot, set[int]] = {}  # what is to be looked at, on behalf of whom
        self._planned = False
        self._news: dict[Spot, None] = {}
        self._told: dict[int, bytes] = {}
        self._telling = self._counting = False  # whether that is planned: in a moment, in a minute
        host.deadlines.on(PATIENCE, self._patience_over)

    @property
    def busy(self) -> bool:
        """Whether hooks of wait pages are under way."""
        return bool(self.running or self._arriving)

    # ---------------------------------------------------------------- arriving

    def arrived(self, player: Player, spec: PageSpec, stay: int) -> None:
        """The player is at a wait page, which is committed. Called again for the same stay when the session loads."""
        about = player._about
        if about.get("stay") != stay or about.get("moving") is not None or about.get("held"):
            return
        if (about.get("arrived") or {}).get("stay") == stay:
            self._settle(player, stay)
        elif (player.id, stay) not in self._arriving:
            self._arriving.add((player.id, stay))
            run = WaitRun(self._host, player, f"{spec.key}.arrived", [player])
            self.start(arrive(run, player, spec, stay), run, lambda: self._arrival_over(player, stay))

    def _arrival_over(self, player: Player, stay: int) -> None:
        self._arriving.discard((player.id, stay))
        if (player._about.get("arrived") or {}).get("stay") == stay:
            self._settle(player, stay)

    def _settle(self, player: Player, stay: int) -> None:
        """The player is one of those who wait; not before somebody has taken their place."""
        self._forget(player.id)
        if not player._about["arrived"]["at"]:
            self._first_comes(player)
            return
        spot = spot_at(player._about["plan"], player._about["position"])
        self._at[player.id] = spot
        self._here.setdefault(spot, {})[player.id] = stay
        self.look(spot, player.id)

    def _forget(self, player: int) -> None:
        spot = self._at.pop(player, None)
        if spot is not None:
            here = self._here.get(spot, {})
            here.pop(player, None)
            self._told.pop(player, None)
            if not here:
                self._here.pop(spot, None)

    # ---------------------------------------------------------------- who is here

    def spot_of(self, player: Player) -> Spot | None:
        """Where a player waits; None where they have not arrived, or have been released."""
        spot = self._at.get(player.id)
        if spot is None:
            return None
        about = player._about
        if (
            about.get("stay") == self._here[spot][player.id]
            and about.get("moving") is None
            and not about.get("leaving")
        ):
            return spot
        return None

    def at(self, spot: Spot) -> list[Player]:
        """Those who wait there and are not held up by an error, in the order of their arrival."""
        state = self._host.state
        found = [state.player(id) for id in self._here.get(spot, ())]
        return in_order(one for one in found if self.spot_of(one) is not None and not one._about.get("held"))

    def anybody_at(self, spot: Spot) -> bool:
        """Whether somebody is there; perhaps somebody who has been released just now."""
        return bool(self._here.get(spot))

    def spots(self) -> Iterable[Spot]:
        """Wait pages at which somebody is."""
        return list(self._here)

    @staticmethod
    def is_lost(player: Player) -> bool:
        """Whether nobody is to wait for this player any more: they are through, or have dropped out."""
        return bool(player._about.get("completion") or player._about.get("dropped_out"))

    @staticmethod
    def takes_part(player: Player) -> bool:
        """Whether somebody has taken this place in the session, and is not lost."""
        about = player._about
        there = about.get("joined") or about.get("position", -1) > 0
        return bool(there) and not Waiting.is_lost(player)

    # ---------------------------------------------------------------- looking

    def connected(self, player: int) -> None:
        """A browser of the player's is there: it may have missed what was said since its page was rendered."""
        spot = self._at.get(player)
        if spot is not None:
            self._told.pop(player, None)
            self._tell(spot)

    def changed(self, player: Player) -> None:
        """Something about a player has changed that others may wait for: page, presence, group, dropping out."""
        spot = self._at.get(player.id)
        if spot is not None and player._about.get("stay") != self._here[spot][player.id]:
            self._forget(player.id)
            self._tell(spot)
            spot = None
        arrived = player._about.get("arrived")
        if arrived and not arrived["at"] and arrived["stay"] == player._about.get("stay"):
            self._first_comes(player)
        if not self._here:
            return
        if spot is not None:
            self.look(spot, player.id)
        for member in player.group.players if player.group is not None else ():
            other = self._at.get(member.id)
            if other is not None:
                self.look(other, member.id)
        for other in (*self.synchronizing.wide, *self.grouping.gathering):
            if other in self._here:
                self.look(other, next(iter(self._here[other])), player.id)

    def _first_comes(self, player: Player) -> None:
        """Of a place that nobody had taken when it came to the wait page: perhaps somebody has now."""
        host, spec = self._host, self._host.flow.page_of(player)
        if player.online and spec is not None and spec.waits:
            run = Awaited(host, Waited(player.id, player._about["stay"]), host.activity(player, "arrived"))
            host.step(partial(begin_to_wait, host, player, spec), run)
            if player._about["arrived"]["at"]:
                self._settle(player, player._about["stay"])

    def regrouped(self, players: Iterable[Player]) -> None:
        """These have been put into another group, or out of one."""
        for player in players:
            self.changed(player)

    def look_again(self) -> None:
        """Another version of the study runs: whoever waits may be released by it."""
        for spot, players in self._here.items():
            self.look(spot, *players)

    def look(self, spot: Spot, *players: int) -> None:
        """Look soon whether somebody there can go on, on behalf of these players."""
        self._due.setdefault(spot, set()).update(players)
        if not self._planned:
            self._planned = True
            asyncio.get_running_loop().call_soon(self._look, context=Context())

    def _look(self) -> None:
        self._planned = False
        host, due, self._due = self._host, self._due, {}
        for spot, players in due.items():
            if host.failure is not None or host.closing:
                return
            spec = host.study.pages.get(spot.key)
            if spec is None or not self._here.get(spot):
                continue
            if issubclass(spec.page, GroupCreatingWait):
                self.grouping.look(spot, spec)
            else:
                self.synchronizing.look(spot, spec, players)
            self._tell(spot)

    def _patience_over(self, about: str) -> None:
        """A player has waited long enough: smaller groups may do, and others are missing."""
        id, stay = map(int, about.split(":"))
        host, player = self._host, self._host.state.player(id)
        arrived = player._about.get("arrived") or {}
        here = arrived.get("stay") == stay == player._about.get("stay")

        def noting() -> None:
            host.deadlines.clear(f"{PATIENCE}:{about}")
            if here:
                player._about["arrived"]["impatient"] = True

        run = Awaited(host, DeadlineReached(f"{PATIENCE}:{about}"), host.activity(player, "patience"))
        host.step(noting, run)
        spot = self._at.get(id)
        if here and spot is not None:
            self.look(spot, id)

    # ---------------------------------------------------------------- hooks that fail

    def start(self, coroutine: Coroutine[Any, Any, None], run: WaitRun, ended: Callable[[], None]) -> None:
        """Step what arrives, groups or releases."""
        run.on_end = ended

        def on_task(task: Any) -> None:
            run.waiter = asyncio.get_running_loop().create_future()

        self._host.start(coroutine, run, on_task)

    def hold(self, players: Iterable[Player], reference: str) -> None:
        """A hook has failed: these see a plain page with "Try again". Part of the open transaction."""
        for player in players:
            if player._about.get("moving") is None:
                self._host.state.writing().assign(self._host.flow.private(player.id), "held", reference)
                self._host.state.writing().begin(partial(self._host.deliveries.moved, player.id))

    def let_go(self, player: Player) -> None:
        """One of those whom an error holds up tries again: so do all whom the same one holds up.

        Part of the open transaction.
        """
        reference = player._about.get("held")
        for other in self._host.state.everybody:
            if other._about.get("held") == reference:
                self._host.state.writing().assign(self._host.flow.private(other.id), "held", "")
                self._host.state.writing().begin(partial(self._again, other))

    def _again(self, player: Player) -> None:
        spec = self._host.flow.page_of(player)
        if spec is not None and spec.waits and self._host.failure is None:
            self.arrived(player, spec, player._about["stay"])

    # ---------------------------------------------------------------- what those who wait are told

    def progress(self, player: Player, spec: PageSpec, known: dict[Any, Any] | None = None) -> Progress:
        """How far it is with what the player waits for. `known`: of others, for whom it was found at the same time."""
        known = {} if known is None else known
        spot = self._at.get(player.id) or spot_at(player._about["plan"], player._about["position"])
        if issubclass(spec.page, GroupCreatingWait):
            return Progress("matching", *self.grouping.progress(player, spot, spec, known))
        here, absent = self.synchronizing.company(player, spot, spec, known)
        kind = "session" if spec.settings.get("synchronize") == "session" else "group"
        return Progress(kind, len(here), len(here) + len(absent))

    def context(self, player: Player, spec: PageSpec, language: Language) -> dict[str, Any]:
        """What the template of a wait page gets beside the author's names."""
        progress = self.progress(player, spec)
        shown = {name: language.gettext(text) for name, text in WAIT.items()}
        shown["reason"] = language.gettext(WAIT[progress.kind])
        shown |= self._news_for(player, spec, language)
        return {"waiting": shown, "buttons": False, "title": spec.title or shown["title"]}

    def _news_for(
        self, player: Player, spec: PageSpec, language: Language, known: dict[Any, Any] | None = None
    ) -> dict[str, str]:
        """What may change while the player waits: who is here, and how long they wait at most."""
        progress = self.progress(player, spec, known)
        arrived = language.ngettext(*WAIT_ARRIVED, progress.here)
        news = {"arrived": _with(arrived, n=progress.here, total=progress.total), "patience": ""}
        if progress.total < 2:
            news["arrived"] = ""  # in no group (yet): for how many they wait is not known, and "1 of 1" would be odd
        if spec.settings.get("if_missing", "wait") != "wait" and player._about.get("arrived"):
            due = self._host.deadlines.due(patience_of(player))
            if due is not None:
                minutes = max(1, ceil((due - self._host.clock.now()) / 60))
                news["patience"] = _with(language.ngettext(*WAIT_PATIENCE, minutes), n=minutes)
        self._told[player.id] = to_browser(news)
        return news

    def reasons(self) -> list[Reason]:
        """Everybody who waits, what for, and since when (seconds since 1970)."""
        found = []
        for spot in self.spots():
            spec = self._host.study.pages.get(spot.key)
            known: dict[Any, Any] = {}
            for player in self.at(spot) if spec is not None else ():
                assert spec is not None
                absent: list[Player] = []
                if not issubclass(spec.page, GroupCreatingWait):
                    absent = self.synchronizing.company(player, spot, spec, known)[1]
                since = player._about["arrived"]["at"]
                found.append(Reason(player, str(spot), since, self.progress(player, spec, known), absent))
        return found

    def _tell(self, spot: Spot) -> None:
        """Those who are at the spot hear in a moment who is here."""
        self._news[spot] = None
        if not self._telling and self._here.get(spot):
            self._telling = True
            delay = _NEWS + len(self._here[spot]) / _PER_SECOND
            self._host.clock.at(self._host.clock.now() + delay, self._tell_all)

    def _tell_all(self) -> None:
        self._telling = False
        host, spots, self._news = self._host, self._news, {}
        if host.failure is not None or host.closing:
            return
        texts: dict[bytes, list[int]] = {}
        counting = False
        for spot in spots:
            spec = host.study.pages.get(spot.key)
            known: dict[Any, Any] = {}
            for player in self.at(spot) if spec is not None else ():
                assert spec is not None
                before = self._told.get(player.id)
                news = self._news_for(player, spec, host.study.language_of(player, spec.app), known)
                counting = counting or bool(news["patience"])
                if self._told[player.id] != before:
                    texts.setdefault(self._told[player.id], []).append(player.id)
        for text, players in texts.items():
            message = b'{"type":"event","name":"%s","data":%s}' % (EVENT.encode(), text)
            host.tell_function(host.deliveries.volatile(Notice(EVENT, players, (), None, False, 0), message))
        if counting and not self._counting:
            self._counting = True
            host.clock.at(host.clock.now() + _MINUTE, self._minute_over)

    def _minute_over(self) -> None:
        self._counting = False
        for spot in self.spots():
            self._tell(spot)


def _with(text: str, **values: int) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text
