"""Stays: a player's way through the pages of their plan, and who may move them.

Leaving and entering are two transactions: leaving.py and entering.py run their hooks, this module decides when, and
that no two of them move one player. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from promptgrimoire.authoring.messages import THE_END
from promptgrimoire.authoring.pages import PageRequest, PageSpec
from promptgrimoire.commands import Entered, Submitted
from promptgrimoire.errors import Refused
from promptgrimoire.ids import hidden
from promptgrimoire.runtime.activities import Awaited
from promptgrimoire.runtime.deadlines import PAGE
from promptgrimoire.runtime.entering import Entering, enter
from promptgrimoire.runtime.joining import Joining
from promptgrimoire.runtime.leaving import Leaving, depart, go_back, going, stealth_of, submit
from promptgrimoire.runtime.page_forms import PageForms, Posted
from promptgrimoire.runtime.page_times import TIMES, BrowserTimes, browser_times
from promptgrimoire.runtime.rendering import Rendering, Renderings
from promptgrimoire.runtime.route import Route
from promptgrimoire.state.records import Player, Record
from promptgrimoire.state.values import to_browser

if TYPE_CHECKING:
    from promptgrimoire.authoring.uploads import Upload
    from promptgrimoire.runtime.host import Host

CARRIED = "_calls"  # the field of a submission with the calls that its page had not settled
BACK = "_back"  # pressed instead of Next
TIMED_OUT = "_timed_out"  # posted by the browser itself, when the time of the page was over
_EARLY = 2.0  # seconds by which a browser may think that its time is over before it is


class Flow:
    """The way of each player of one session through their plan.

    `private(id)` holds: plan, position, page, app, round, levels, stay, since (the entry before the stay), moving (the
    position to enter next), leaving (a stay whose after-hooks run), hook and ran (see once.py), asked, held, deadline,
    trail, answer, completion, and what page_forms.py keeps.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.route = Route(host)
        self.forms = PageForms(host)
        self.joining = Joining(host)
        self.renderings = Renderings(host)
        self.entering: dict[int, Entering] = {}
        self.leaving: dict[int, Leaving] = {}
        host.deadlines.on(PAGE, self._page_is_over)
        self._requests: dict[int, PageRequest] = {}  # by which a player is about to be moved on

    @property
    def busy(self) -> bool:
        """Whether somebody is being moved on."""
        return bool(self.entering or self.leaving or self.joining.creating)

    # ---------------------------------------------------------------- place

    def private(self, player: int) -> Record:
        """What the framework keeps about a player."""
        return self._host.state.record(hidden(f"p{player}"))

    def page_of(self, player: Player) -> PageSpec | None:
        """The page where a player is, in the version of the study that runs now; None at the end."""
        return self._host.study.pages.get(player._about.get("page", ""))

    def place_of(self, player: Player, position: int) -> tuple[str, int] | None:
        """Page and round at a position of a player's plan; None where no page is known."""
        place = self.route.place(player, position)
        return None if place is None else (place.key, place.round)

    def under_way(self, player: Player) -> Awaited | None:
        """What moves the player at the moment: entering, or leaving with what was posted accepted."""
        entering = self.entering.get(player.id)
        if entering is not None:
            return entering
        leaving = self.leaving.get(player.id)
        return leaving if leaving is not None and leaving.accepted and leaving.current else None

    # ---------------------------------------------------------------- moving on

    def ask_to_move(self, player: Player, target: Any) -> None:
        """`move_to_page(player, target)`: part of the open transaction; takes effect once it is committed."""
        transaction = self._host.state.writing()
        private = self.private(player.id)
        transaction.assign(private, "moving", self.route.position(player, target))
        if private._fields.get("held"):
            transaction.assign(private, "held", "")
        if target is not THE_END and private._fields.get("completion"):
            transaction.assign(private, "completion", "")
        transaction.begin(partial(self.go_on, player))

    def go_on(self, player: Player, request: PageRequest | None = None) -> Entering | None:
        """Enter where the player is to move, unless a hook that asked for it has still to finish."""
        fields = self.private(player.id)._fields
        if request is not None:
            self._requests[player.id] = request
        moving = fields.get("moving")
        if moving is None or fields.get("held") or player.id in self.joining.creating:
            return None
        entering, leaving = self.entering.get(player.id), self.leaving.get(player.id)
        if entering is not None and entering.seen == moving:
            return None  # its own hook asked for it, or nobody did
        if leaving is not None and leaving.current and leaving.seen == moving:
            return None
        return self._enter(player)

    def _enter(self, player: Player, interrupted: str = "") -> Entering | None:
        host = self._host
        if host.failure is not None or host.closing:
            return None
        run = Entering(host, player, self._requests.pop(player.id, None))
        run.interrupted = interrupted
        self.entering[player.id] = run

        def ended() -> None:
            if self.entering.get(player.id) is not run:
                return  # somebody has moved the player meanwhile
            del self.entering[player.id]
            host.deliveries.moved(player.id)
            if not run.held:
                asyncio.get_running_loop().call_soon(self._entered, player, context=Context())

        self._start(enter(run), run, ended)
        return run

    def _entered(self, player: Player) -> None:
        """A hook has moved the player on, or they have reached a wait page."""
        host = self._host
        if host.failure is not None or player.id in self.entering:
            return
        if self.private(player.id)._fields.get("moving") is not None:
            self.go_on(player)
            return
        spec = self.page_of(player)
        if spec is not None and spec.waits:
            host.waiting.arrived(player, spec, player._about["stay"])
        else:
            host.waiting.changed(player)

    def _start(self, coroutine: Coroutine[Any, Any, None], run: Awaited, ended: Callable[[], None]) -> None:
        run.on_end = ended

        def on_task(task: Any) -> None:
            run.waiter = asyncio.get_running_loop().create_future()

        self._host.start(coroutine, run, on_task)

    async def retry(self, player: Player, request: PageRequest | None = None) -> None:
        """Enter the page again that could not be entered: its unfinished hooks run again."""
        host, private = self._host, self.private(player.id)
        if private._fields.get("held"):
            run = Awaited(host, Entered(player.id), host.activity(player, "retry"))
            host.step(partial(host.waiting.let_go, player), run)
        end = host.clock.now() + host.settings.grace.submission
        if self._goes_on_leaving(player):
            await self._until(self.leaving.get(player.id), end)
        if self.go_on(player, request) is None:
            self._entered(player)
        await self._until(self.entering.get(player.id), end)
        await host.durable()

    def restored(self) -> None:
        """The session was loaded: what was under way when the server stopped goes on."""
        for player in self._host.state.everybody:
            fields, spec = self.private(player.id)._fields, self.page_of(player)
            if fields.get("held") or self._goes_on_leaving(player):
                continue
            if fields.get("moving") is not None:
                self._enter(player, fields.get("hook", ""))
            elif spec is not None and spec.waits:
                self._host.waiting.arrived(player, spec, fields["stay"])

    def _goes_on_leaving(self, player: Player) -> bool:
        """Whether after-hooks of the player's stay have still to run; then they do."""
        fields = self.private(player.id)._fields
        leaving = fields.get("leaving")
        if leaving is None or leaving["stay"] != fields.get("stay") or self.page_of(player) is None:
            return False
        self._depart(player, leaving["stay"], leaving["timed_out"], leaving["hook"])
        return True

    # ---------------------------------------------------------------- leaving without a form

    def advance(self, player: Player, stay: int, timed_out: bool = False) -> None:
        """Leave the page of that stay through its after-hooks and go on; nothing where the stay is over.

        Inside a transaction this is part of it: it begins once that is committed, and survives a crash.
        """
        transaction = self._host.state.transaction
        private = self.private(player.id)
        if transaction is None:
            self._depart(player, stay, timed_out)
        elif private._fields.get("stay") == stay and private._fields.get("moving") is None:
            transaction.assign(private, "leaving", going(stay, timed_out))
            transaction.begin(partial(self._depart, player, stay, timed_out))

    def _depart(self, player: Player, stay: int, timed_out: bool, interrupted: str = "") -> None:
        spec, fields = self.page_of(player), self.private(player.id)._fields
        under_way = self.leaving.get(player.id)
        if spec is None or fields.get("stay") != stay or fields.get("held") or self._host.failure is not None:
            return
        if under_way is not None and under_way.current and under_way.accepted:
            return
        run = Leaving(self._host, Submitted(player.id, stay), player, timed_out=timed_out)
        run.interrupted, run.unasked = interrupted, True
        self._leave(depart(run, spec), run)

    def time_out(self, player: Player, stay: int) -> None:
        """The time of that stay is over and its browser has posted nothing: the server acts. See `leaving.submit`.

        A submission that has been accepted goes on; one that is still being checked is overtaken: what it says counts
        as what the browser would have posted.
        """
        spec = self.page_of(player)
        fields, under_way = self.private(player.id)._fields, self.leaving.get(player.id)
        if spec is None or self._host.failure is not None:
            return
        if fields.get("stay") != stay or fields.get("moving") is not None or fields.get("held"):
            return
        posted = None
        if under_way is not None and under_way.current:
            if under_way.accepted or under_way.timed_out:
                return
            posted = under_way.posted
        run = Leaving(self._host, Submitted(player.id, stay), player, timed_out=True)
        run.unasked = True
        self._leave(submit(run, spec, posted or Posted()), run)

    def _page_is_over(self, id: str) -> None:
        player = self._host.state.player(int(id))
        self.time_out(player, player._about["stay"])

    def _leave(self, coroutine: Coroutine[Any, Any, None], run: Leaving) -> None:
        player = run.player
        self.leaving[player.id] = run

        def ended() -> None:
            if self.leaving.get(player.id) is not run:
                return
            del self.leaving[player.id]
            if run.held:
                self._host.deliveries.moved(player.id)
            if run.request is not None and self.private(player.id)._fields.get("moving") is not None:
                self._requests[player.id] = run.request
            asyncio.get_running_loop().call_soon(self.go_on, player, context=Context())

        self._start(coroutine, run, ended)

    # ---------------------------------------------------------------- submitting

    async def submit(
        self,
        player: Player,
        stay: int,
        submission: str,
        data: Mapping[str, list[str]],
        uploads: Mapping[str, Upload] | None = None,
        request: PageRequest | None = None,
    ) -> Rendering | None:
        """Leave the page of that stay, once; from a stale page nothing happens. Durable when it returns.

        None: go and look where the player is now. Else what to answer: the page again with what is wrong, or "one
        moment", where hooks take longer than the grace for submissions; they go on. Raises Refused "busy" where what
        was posted has not been accepted by then: whoever posts it again joins what is under way.
        """
        host = self._host
        grace = host.settings.grace.submission
        host.calls.carried(player, stay, data.get(CARRIED, ()))
        posted = Posted({name: values for name, values in data.items() if name not in (CARRIED, TIMES)}, uploads)
        times = browser_times(host, player, data.get(TIMES, ()))
        key = _key(submission, posted, self.page_of(player))
        run = self._same(player, stay, key)
        if run is None:
            async with host.calls.turn(player.id, grace):
                end = host.clock.now() + grace
                run = self._same(player, stay, key)
                other = self.leaving.get(player.id)
                if run is None and other is not None and other.stay == stay:  # another tab's; it may be refused
                    await self._until(other, end)
                    if self.leaving.get(player.id) is other:
                        return await self._not_yet(other)
                if run is None:
                    if self._is_over(player, stay):
                        await host.durable()
                        return None
                    answer = await self._answered(player, stay, key, posted)
                    if answer is not None:
                        return answer
                    run = self._submission(player, stay, submission, key, posted, request, times)
                await self._until(run, end)
        else:
            end = host.clock.now() + grace
            await self._until(run, end)
        return await self._outcome(player, run, posted, end)

    def _submission(
        self,
        player: Player,
        stay: int,
        submission: str,
        key: str,
        posted: Posted,
        request: PageRequest | None,
        times: BrowserTimes | None,
    ) -> Leaving:
        spec, deadline = self.page_of(player), player._about.get("deadline")
        assert spec is not None
        now = self._host.clock.now()
        timed_out = TIMED_OUT in posted.data and deadline is not None and now >= deadline - _EARLY
        hidden = stealth_of(spec)
        value = to_browser({name: values for name, values in posted.data.items() if name not in hidden})
        run = Leaving(self._host, Submitted(player.id, stay, submission), player, value, key=key, timed_out=timed_out)
        run.request, run.posted, run.times = request, posted, times
        self._leave((go_back if BACK in posted.data else submit)(run, spec, posted), run)
        return run

    def _same(self, player: Player, stay: int, key: str) -> Leaving | None:
        """The submission under way that this one repeats."""
        run = self.leaving.get(player.id)
        return run if run is not None and key and run.key == key and run.stay == stay else None

    def _is_over(self, player: Player, stay: int) -> bool:
        """Whether nothing can be submitted there (any more): also on wait pages, which nobody leaves by pressing."""
        fields, spec = self.private(player.id)._fields, self.page_of(player)
        moves = fields.get("moving") is not None or bool(fields.get("held"))
        return fields.get("stay") != stay or moves or spec is None or spec.waits

    async def _answered(self, player: Player, stay: int, key: str, posted: Posted) -> Rendering | None:
        """The answer that this submission got before; it runs nothing again."""
        answer = self.private(player.id)._fields.get("answer") or {}
        spec = self.page_of(player)
        if not key or spec is None or (answer.get("stay"), answer.get("id")) != (stay, key):
            return None
        return await self._refusal(player, spec, posted, answer["errors"])

    async def _outcome(self, player: Player, run: Leaving, posted: Posted, end: float) -> Rendering | None:
        host = self._host
        if self.leaving.get(player.id) is run:
            return await self._not_yet(run)
        if run.error is not None:
            await host.durable()
            raise run.error
        spec = self.page_of(player)
        if run.errors and spec is not None and not self._is_over(player, run.stay):
            return await self._refusal(player, spec, posted, run.errors)
        self.go_on(player)
        await self._until(self.entering.get(player.id), end)
        await host.durable()
        return None

    async def _refusal(
        self, player: Player, spec: PageSpec, posted: Posted, errors: Mapping[str, list[str]]
    ) -> Rendering:
        """The page again, with what was entered and what is wrong with it."""
        return await self.renderings.refused(player, spec, posted, errors, self._host.around.frame)

    async def _not_yet(self, run: Leaving) -> Rendering:
        await self._host.durable()
        if not run.accepted:
            raise Refused("busy", "Your answers are still being checked.")
        run.unasked = True  # from here on nobody waits for it: should it fail, it is shown as a page
        return Rendering("moment")

    async def _until(self, run: Awaited | None, end: float) -> None:
        """Return when the run has ended, or at `end` (seconds since 1970)."""
        if run is not None and run.waiter is not None and not run.waiter.done():
            await self._host.wait(run.waiter, end - self._host.clock.now())


def _key(submission: str, posted: Posted, spec: PageSpec | None) -> str:
    """What a repeated submission is known by: its id, and what it says, since a browser that goes back repeats the id.

    Without what must not be stored, not even as a digest.
    """
    if not submission:
        return ""
    left_out = stealth_of(spec) if spec is not None else frozenset()
    said: list[Any] = [[name, values] for name, values in sorted(posted.data.items()) if name not in left_out]
    said += [[name, upload.digest] for name, upload in sorted(posted.uploads.items())]
    return f"{submission}:{blake2b(to_browser(said), digest_size=8).hexdigest()}"


__all__ = ["BACK", "CARRIED", "TIMED_OUT", "Flow"]
