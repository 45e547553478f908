"""Entering pages: on behalf of whatever moved the player, up to the next page that is shown.

Owns the order of the hooks that run before a page is shown, and what becomes of a player where one of them fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promptgrimoire.commands import Entered
from promptgrimoire.errors import AuthorError
from promptgrimoire.runtime.activities import Awaited
from promptgrimoire.runtime.deadlines import page_deadline
from promptgrimoire.runtime.once import HookRun
from promptgrimoire.runtime.page_times import note
from promptgrimoire.runtime.plan import in_same_round

if TYPE_CHECKING:
    from promptgrimoire.authoring.pages import PageRequest, PageSpec
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.runtime.plan import Place
    from promptgrimoire.state.records import Player
    from promptgrimoire.state.transaction import Transaction


class Entering(HookRun):
    """A player is being moved on. Which hook waits is journaled, so that a crash does not run it twice.

    `asked` is what `early` and `show` of the page have said, and where that was ("position"). It is stored while a
    later hook waits: whoever goes on there, after a crash or a failure, does not ask again.
    """

    __slots__ = ("asked", "held", "request")

    def __init__(self, host: Host, player: Player, request: PageRequest | None) -> None:
        super().__init__(host, Entered(player.id), player, "entering")
        self.request = request  # what led here; None after a crash, for timers and for moves by others
        self.held = False
        self.asked: dict[str, Any] = dict(self.private._fields.get("asked") or {})

    def arrive(self, position: int) -> None:
        """What was said elsewhere does not count here."""
        if self.asked.get("position") != position:
            self.asked = {"position": position}
        self.forget(position)

    def before_suspension(self) -> None:
        super().before_suspension()
        if self.host.flow.entering.get(self.player.id) is not self:
            return  # somebody has moved the player meanwhile: where a crash goes on is said by who enters now
        asked = dict(self.asked) if len(self.asked) > 1 else None
        for name, value, nothing in (("asked", asked, None), ("hook", self.hook, "")):
            if self.private._fields.get(name, nothing) != value:
                self.host.state.writing().assign(self.private, name, value)

    def fail(self, transaction: Transaction, error: BaseException) -> int:
        """The player waits at a plain page with "Try again", unless somebody has moved them elsewhere by now."""
        if self.lost(error):
            return 0
        reference = self.report(error)
        seq = self._commit(transaction)
        host, private = self.host, self.private
        self.held = private._fields.get("moving") == self.seen and host.flow.entering.get(self.player.id) is self

        def holding() -> None:
            writing = host.state.writing()
            if self.held:
                writing.assign(private, "held", reference)
            if private._fields.get("hook") == self.hook:
                writing.assign(private, "hook", "")
            self.unmark()

        host.step(holding, Awaited(host, self.cause, host.activity(host.state.session, "held")))
        return seq


async def enter(run: Entering) -> None:
    """Go from page to page until one is shown, a wait page is reached, or the end.

    A hook that moves the player elsewhere ends it: whoever started the run goes on from there.
    """
    host, player, private = run.host, run.player, run.private
    flow, fields = host.flow, private._fields
    flow.route.begin(player, private)
    position: int = fields["moving"]
    while True:
        run.arrive(position)
        spec = _arrive(run, position)
        if spec is None:
            _end(run)
            break
        stay = fields["stay"]
        stopped = await _hooks(run, spec, position, stay)
        if fields["moving"] != position or fields["stay"] != stay:
            return  # an explicit move beats the natural advance
        if stopped:
            break
        position += 1
        host.state.writing().assign(private, "moving", position)
    host.state.writing().assign(private, "moving", None)
    if fields.get("hook"):
        host.state.writing().assign(private, "hook", "")
    if fields.get("asked"):
        host.state.writing().assign(private, "asked", None)


async def _hooks(run: Entering, spec: PageSpec, position: int, stay: int) -> bool:
    """The hooks of entering, in their order; whether the player stays at this page."""
    fields = run.private._fields

    def gone() -> bool:
        return bool(fields["moving"] != position or fields["stay"] != stay)

    if not spec.is_logic and "early" in spec.hooks and "early" not in run.asked:
        await run.call(spec, "early", position, run.request)
        if gone():
            return False
        run.asked["early"] = None
    await run.call(spec, "before_always_once", position)
    if gone():
        return False
    if not await _is_shown(run, spec, position):
        if gone():
            return False
        await run.call(spec, "after_always_once", position)
        return False
    if gone():
        return False
    await run.call(spec, "before_once", position)
    if gone():
        return False
    seconds = await _timeout(run, spec, position)
    if gone():
        return False
    host = run.host
    host.state.writing().assign(run.private, "entered", host.clock.now())
    if seconds is not None:
        deadline = host.clock.now() + seconds
        host.state.writing().assign(run.private, "deadline", deadline)
        host.deadlines.set(page_deadline(run.player), deadline + host.settings.grace.timeout, "grace")
    _complete(run, spec, position)
    if not spec.waits:
        _leave_a_trail(run, position)
    elif fields.get("trail"):  # others may have gone on with this player: Back must not lead behind it
        host.state.writing().assign(run.private, "trail", [])
    return True


async def _is_shown(run: Entering, spec: PageSpec, position: int) -> bool:
    """What `show` says, who is asked once for each arrival."""
    if spec.is_logic or "show" not in spec.hooks:
        return not spec.is_logic
    if "show" not in run.asked:
        shown = await run.call(spec, "show", position)
        run.asked["show"] = shown is None or bool(shown)
    return bool(run.asked["show"])


async def _timeout(run: Entering, spec: PageSpec, position: int) -> float | None:
    """Seconds until the page is over; None where it has no limit."""
    if "timeout" not in spec.hooks:
        found = spec.settings.get("timeout")
        return None if found is None else float(found)
    seconds: Any = await run.call(spec, "timeout", position)
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 10**9:
        where = spec.hooks["timeout"].where
        raise AuthorError(f"{where}: {spec.name}.timeout: expected seconds (above 0) or None, found {seconds!r}")
    return float(seconds)


def _arrive(run: Entering, position: int) -> PageSpec | None:
    """The player is at this position from here on, in a stay of its own; None at the end."""
    host, player, private = run.host, run.player, run.private
    route, fields = host.flow.route, private._fields
    before = route.here(player)
    place = route.reach(player, private, position)
    transaction = host.state.writing()
    if place is None:
        position = len(fields["plan"])
        if fields["moving"] != position:
            transaction.assign(private, "moving", position)
    if before is None or place is None or not in_same_round(before, place):
        route.settle(player, private, before, place)
        if fields.get("trail"):
            transaction.assign(private, "trail", [])
    note(host, player)  # unless that was done on leaving it
    if fields.get("entered") is not None:
        transaction.assign(private, "entered", None)
    host.deadlines.clear(page_deadline(player))  # of the page before
    if fields.get("deadline") is not None:
        transaction.assign(private, "deadline", None)
    if fields.get("leaving"):  # somebody has moved the player while hooks of the page before had still to end
        transaction.assign(private, "leaving", None)
    transaction.assign(private, "page", "" if place is None else place.key)
    transaction.assign(private, "position", position)
    transaction.assign(private, "stay", fields.get("stay", 0) + 1)
    transaction.assign(private, "since", host.chain.seq)  # nothing up to here is meant for this stay
    return None if place is None else _spec(run, place)


def _complete(run: Entering, spec: PageSpec, position: int) -> None:
    """On a last page that asks nothing the player is through: many have no button, and nobody need press one."""
    fields = run.private._fields
    is_last = position and position == len(fields["plan"]) - 1
    if is_last and spec.asks_nothing:
        _end(run)
    elif fields.get("completion"):  # went Back from there
        run.host.state.writing().assign(run.private, "completion", "")


def _end(run: Entering) -> None:
    """Behind the last page, or on it: the player is through, however they got here."""
    fields, writing = run.private._fields, run.host.state.writing()
    if not fields.get("completion"):
        writing.assign(run.private, "completion", "completed")


def _spec(run: Entering, place: Place) -> PageSpec:
    spec = run.host.study.pages.get(place.key)
    if spec is None:
        raise AuthorError(f"the page {place.key} does not exist any more; move the player to another page")
    run.at(spec)
    return spec


def _leave_a_trail(run: Entering, position: int) -> None:
    """Note the pages that were shown in this app and round since the last wait page, for Back.

    Only in apps where a page allows it.
    """
    pages = run.host.study.app(run.activity.app).pages.values()
    if any(spec.settings.get("allow_back") for spec in pages):
        trail = [place for place in run.private._fields.get("trail", ()) if place < position]
        run.host.state.writing().assign(run.private, "trail", [*trail, position])
