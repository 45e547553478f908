"""Leaving pages: a submission, a timeout, Back, or the release from a wait page; up to where the player is to move.

Owns the order of the hooks of a submission, what is stored of its data, and the answer that a repeated submission gets
again. Entering the next page is a transaction of its own (entering.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from promptgrimoire.authoring import form_texts
from promptgrimoire.commands import Cause
from promptgrimoire.errors import AuthorError, JournalError, Refused, Reject
from promptgrimoire.runtime.activities import Awaited
from promptgrimoire.runtime.deadlines import page_deadline
from promptgrimoire.runtime.once import HookRun
from promptgrimoire.runtime.page_times import BrowserTimes, note

if TYPE_CHECKING:
    from promptgrimoire.authoring.forms import Form
    from promptgrimoire.authoring.pages import PageRequest, PageSpec
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.runtime.page_forms import Posted
    from promptgrimoire.state.records import Player
    from promptgrimoire.state.transaction import Transaction

Errors = dict[str, list[str]]  # by field; "" for the page as a whole


class Leaving(HookRun):
    """A player is leaving a page. Once its data is `accepted`, a crash lets the rest of its hooks run on loading."""

    __slots__ = ("accepted", "errors", "held", "key", "posted", "request", "stay", "timed_out", "times", "unasked")

    def __init__(
        self,
        host: Host,
        cause: Cause,
        player: Player,
        value: bytes = b"null",
        *,
        key: str = "",
        timed_out: bool = False,
    ) -> None:
        super().__init__(host, cause, player, f"{player._about.get('page', '')}.after_once", value)
        self.stay: int = self.private._fields["stay"]
        self.key = key  # of the submission: its id and what it said
        self.timed_out = timed_out
        self.unasked = False  # no participant has pressed anything: a timeout, a release, a crash
        self.held = False
        self.accepted = False
        self.errors: Errors = {}
        self.times: BrowserTimes | None = None
        self.request: PageRequest | None = None  # what it came with
        self.posted: Posted | None = None

    @property
    def current(self) -> bool:
        """Whether the player is still in the stay that this leaves, and nothing has taken its place."""
        return bool(
            self.private._fields.get("stay") == self.stay and self.host.flow.leaving.get(self.player.id) is self
        )

    def before_suspension(self) -> None:
        super().before_suspension()
        if self.accepted and self.current:
            underway = going(self.stay, self.timed_out, self.hook)
            if self.private._fields.get("leaving") != underway:
                self.host.state.writing().assign(self.private, "leaving", underway)

    def fail(self, transaction: Transaction, error: BaseException) -> int:
        """The player stays; what had been committed at a suspension is kept, and the hook may run again.

        Who has pressed Next sees the failure, and may press it again; who was released or is out of time is held.
        """
        if (self.unasked or self.waiter is not None) and self.lost(error):
            return 0
        reference = ""
        if not isinstance(error, JournalError | Reject | Refused | asyncio.CancelledError):
            reference = error.reference = self.report(error)  # type: ignore[attr-defined]
        seq = self._commit(transaction)
        host, private = self.host, self.private
        self.held = self.unasked and self.current and bool(reference)

        def staying() -> None:
            writing = host.state.writing()
            self.unmark()
            if self.held:
                writing.assign(private, "leaving", going(self.stay, self.timed_out))
                writing.assign(private, "held", reference)
                host.deadlines.clear(page_deadline(self.player))  # whoever tries again goes on leaving
                return
            if (private._fields.get("leaving") or {}).get("stay") == self.stay and reference and self.current:
                writing.assign(private, "leaving", None)
            self._stand_again()

        host.step(staying, Awaited(host, self.cause, host.activity(self.player, self.activity.label)))
        return seq

    def _stand_again(self) -> None:
        """The player stays after all: the page's deadline, which was cleared when leaving began, is one again."""
        deadlines, key = self.host.deadlines, page_deadline(self.player)
        deadline = self.private._fields.get("deadline")
        if self.current and deadline is not None and deadlines.due(key) is None:
            deadlines.set(key, deadline + self.host.settings.grace.timeout, "grace")


def going(stay: int, timed_out: bool, hook: str = "") -> dict[str, Any]:
    """The hidden field `leaving`: a stay whose after-hooks have still to run; `hook` had suspended."""
    return {"stay": stay, "timed_out": timed_out, "hook": hook}


async def submit(run: Leaving, spec: PageSpec, posted: Posted) -> None:
    """Check and store what was posted, then leave. `run.errors` says what is wrong; then nothing has moved."""
    position: int = run.private._fields["position"]
    run.at(spec)
    if run.timed_out:
        await _store_touched(run, spec, posted)
    else:
        form = await run.host.flow.forms.form(run.player, spec)
        errors = await _refused(run, spec, position, posted, form) if run.current else {}
        if not run.current:
            return  # somebody has moved the player meanwhile
        if errors:
            if run.private._fields.get("moving") is None:  # else a hook has moved the player, which says more
                run.errors = errors
                run.host.flow.forms.keep_files(run.player, form, stealth_of(spec))
                _remember(run)
            return
    if run.current:
        run.accepted = True
        await depart(run, spec)


async def depart(run: Leaving, spec: PageSpec) -> None:
    """The hooks after a page, those that have not run; then the next position, unless one of them says another."""
    private, fields = run.private, run.private._fields
    position: int = fields["position"]
    run.accepted = True
    run.at(spec)
    run.host.deadlines.clear(page_deadline(run.player))
    note(run.host, run.player, run.times, run.timed_out)
    if run.timed_out:
        await run.call(spec, "timeout_reached", position)
    for name in ("after_once", "after_always_once"):
        if not run.current:
            return
        await run.call(spec, name, position, timed_out=run.timed_out)
    if not run.current:
        return
    writing = run.host.state.writing()
    if fields.get("moving") is None:
        writing.assign(private, "moving", position + 1)
    if fields.get("leaving") is not None:
        writing.assign(private, "leaving", None)


async def go_back(run: Leaving, spec: PageSpec, posted: Posted) -> None:
    """To the page that was shown before, in the same app and round. What was filled in is kept with `keep_values`."""
    fields = run.private._fields
    trail = fields.get("trail", ())
    if not spec.settings.get("allow_back") or len(trail) < 2:
        return
    if spec.settings.get("keep_values"):
        await run.host.flow.forms.keep_draft(run.player, spec, posted)
    if run.current and fields.get("moving") is None:
        note(run.host, run.player, run.times)
        run.host.state.writing().assign(run.private, "moving", trail[-2])


# -------------------------------------------------------------------- what was posted


async def _refused(run: Leaving, spec: PageSpec, position: int, posted: Posted, form: Form) -> Errors:
    """What is wrong with a submission; what is right with it is stored before its last hooks are asked."""
    checked = form.check(posted.data, posted.uploads)
    _count(run, spec, checked.attempted)
    if checked.errors:
        return checked.errors
    data: dict[str, Any] = dict(checked.values)
    errors = _told(form, spec, "validate", await run.call(spec, "validate", position, data))
    if errors or not run.current:
        return errors
    changed = await run.call(spec, "before_form_save", position, data)
    if changed is not None:
        raise AuthorError(
            f"{spec.hooks['before_form_save'].where}: before_form_save: change `data` in place and return nothing; to "
            "refuse it, use validate"
        )
    if not run.current:
        return {}
    hidden = stealth_of(spec)
    _store(run, spec, {name: value for name, value in data.items() if name not in hidden})
    if hidden:
        secret = {name: value for name, value in data.items() if name in hidden}
        found = await run.call(spec, "handle_stealth_fields", position, secret)
        errors = _told(form, spec, "handle_stealth_fields", found)
        if errors or not run.current:
            return errors
    proceed = await run.call(spec, "may_proceed", position)
    if proceed is None or proceed is True:
        return {}
    not_yet = run.host.study.language_of(run.player, spec.app).gettext(form_texts.NOT_YET)
    return _told(form, spec, "may_proceed", proceed or not_yet)


async def _store_touched(run: Leaving, spec: PageSpec, posted: Posted) -> None:
    """Of a page whose time is over: valid fields that the participant has touched; the others are missing, as None.

    A field that was answered before in this round (the participant came back to it) stays as it is.
    """
    form = await run.host.flow.forms.form(run.player, spec)
    if not run.current:
        return
    hidden = stealth_of(spec)
    player = run.player
    place = player._place(run.host.state.writing())
    values = {
        name: value
        for name, value in form.timed_out(posted.data, posted.uploads).items()
        if name not in hidden
        and (value is not None or name not in player._fields or player._written.get(name) != place)
    }
    _store(run, spec, values)


def _store(run: Leaving, spec: PageSpec, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name != "payoff" or value is not None:  # an amount that nobody has entered leaves the payoff as it is
            setattr(run.player, name, value)
    _answered(run, spec, values)
    if run.private._fields.get("drafts"):
        run.host.flow.forms.drop_draft(run.player, spec)


def _count(run: Leaving, spec: PageSpec, attempted: Iterable[str]) -> None:
    """Count the attempts at fields with a correct answer, in `<field>_attempts`; also where the form is refused."""
    names = [f"{name}_attempts" for name in attempted]
    for name in names:  # not the author's, so that nobody has to declare them
        run.host.state.writing().assign(run.player, name, run.player._fields.get(name, 0) + 1)
    _answered(run, spec, names)


def _answered(run: Leaving, spec: PageSpec, names: Iterable[str]) -> None:
    """Remember which page's answers these are: in rounds, the next one begins without them."""
    private = run.private
    if not private._fields.get("round"):
        for name in set(names).intersection(private._fields.get("answered") or ()):
            del private._fields["answered"][name]  # given in an earlier loop too; this one belongs to none
        return
    if "answered" not in private._fields:
        run.host.state.writing().assign(private, "answered", {})
    answered = private._fields["answered"]
    for name in names:
        if answered.get(name) != spec.key:
            answered[name] = spec.key
    run.host.flow.route.answered(run.player, names)


def _remember(run: Leaving) -> None:
    """Should the same submission come again, it gets the same answer and runs nothing."""
    if run.key:
        before, shown = run.private._fields.get("answer") or {}, run.times and run.times.shown
        if before.get("stay") == run.stay and before.get("shown") is not None:
            shown = before["shown"]  # the page has been seen before
        answer = {"stay": run.stay, "id": run.key, "errors": run.errors, "shown": shown}
        run.host.state.writing().assign(run.private, "answer", answer)


def stealth_of(spec: PageSpec) -> frozenset[str]:
    """Names of fields that are handed to `handle_stealth_fields` and stored nowhere, also not in the journal."""
    names = spec.settings.get("stealth_fields") or ()
    return frozenset([names] if isinstance(names, str) else names)


def _told(form: Form, spec: PageSpec, hook: str, found: object) -> Errors:
    """What a hook returned as errors, which the form shows from here on; {} where all is well."""
    try:
        return form.refuse(found)
    except AuthorError as problem:
        raise AuthorError(f"{spec.hooks[hook].where}: {hook}: {problem}") from None
