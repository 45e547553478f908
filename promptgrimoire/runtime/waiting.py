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
from typing import TYPE_CHECKING, Any, NamedTuple

from promptgrimoire.authoring.messages import Notice, Volatile
from promptgrimoire.authoring.pages import GroupCreatingWait
from promptgrimoire.authoring.texts import WAIT, WAIT_ARRIVED
from promptgrimoire.runtime.arriving import WaitRun, arrive
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
        self._telling = False

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
        """The player is one of those who wait."""
        self._forget(player.id)
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
        there = about.get("joined") or about.get("position", -1) > 0 or about.get("arrived")
        return bool(there) and not Waiting.is_lost(player)

    # ---------------------------------------------------------------- looking

    def changed(self, player: Player) -> None:
        """Something about a player has changed that others may wait for: page, presence, group, dropping out."""
        spot = self._at.get(player.id)
        if spot is not None and player._about.get("stay") != self._here[spot][player.id]:
            self._forget(player.id)
            self._tell(spot)
            spot = None
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

    def regrouped(self, players: Iterable[Player]) -> None:
        """These have been put into another group, or out of one."""
        for player in players:
            self.changed(player)

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

    # ---------------------------------------------------------------- what those who wait are told

    def progress(self, player: Player, spec: PageSpec) -> Progress:
        """How far it is with what the player waits for."""
        spot = spot_at(player._about["plan"], player._about["position"])
        if issubclass(spec.page, GroupCreatingWait):
            return Progress("matching", *self.grouping.progress(player, spot, spec))
        here, absent = self.synchronizing.company(player, spot, spec)
        kind = "session" if spec.settings.get("synchronize") == "session" else "group"
        return Progress(kind, len(here), len(here) + len(absent))

    def context(self, player: Player, spec: PageSpec, language: Language) -> dict[str, Any]:
        """What the template of a wait page gets beside the author's names."""
        progress = self.progress(player, spec)
        shown = {name: language.gettext(text) for name, text in WAIT.items()}
        shown["reason"] = language.gettext(WAIT[progress.kind])
        shown["arrived"] = _text(progress, language)
        self._told[player.id] = to_browser(shown["arrived"])
        return {"waiting": shown, "buttons": False, "title": spec.title or shown["title"]}

    def reasons(self) -> list[Reason]:
        """Everybody who waits, what for, and since when (seconds since 1970)."""
        found = []
        for spot in self.spots():
            spec = self._host.study.pages.get(spot.key)
            for player in self.at(spot) if spec is not None else ():
                assert spec is not None
                absent: list[Player] = []
                if not issubclass(spec.page, GroupCreatingWait):
                    absent = self.synchronizing.company(player, spot, spec)[1]
                since = player._about["arrived"]["at"]
                found.append(Reason(player, str(spot), since, self.progress(player, spec), absent))
        return found

    def _tell(self, spot: Spot) -> None:
        """Those who are at the spot hear in a moment who is here."""
        self._news[spot] = None
        if not self._telling and self._here.get(spot):
            self._telling = True
            self._host.clock.at(self._host.clock.now() + _NEWS, self._tell_all)

    def _tell_all(self) -> None:
        self._telling = False
        host, spots, self._news = self._host, self._news, {}
        if host.failure is not None or host.closing:
            return
        texts: dict[bytes, list[int]] = {}
        for spot in spots:
            spec = host.study.pages.get(spot.key)
            for player in self.at(spot) if spec is not None else ():
                assert spec is not None
                text = to_browser(_text(self.progress(player, spec), host.study.language_of(player, spec.app)))
                if self._told.get(player.id) != text:
                    self._told[player.id] = text
                    texts.setdefault(text, []).append(player.id)
        for text, players in texts.items():
            message = b'{"type":"event","name":"%s","data":%s}' % (EVENT.encode(), text)
            notice = Volatile(Notice(EVENT, players, (), None, False, 0))
            host.tell_function(host.deliveries.volatile(notice.notice, message))


def _text(progress: Progress, language: Language) -> str:
    text = language.ngettext(*WAIT_ARRIVED, progress.here)
    return text.replace("{n}", str(progress.here)).replace("{total}", str(progress.total))
