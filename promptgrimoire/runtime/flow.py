"""Stays: a player's way through the pages, hooks once.

Entering a page belongs to whatever moved the player, never to the request that shows it. Submitting is two
transactions: leave, then enter. Owns which hooks have run; renders through `authoring.templates`; knows nothing of
HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from promptgrimoire.authoring.pages import PageSpec
from promptgrimoire.authoring.templates import render
from promptgrimoire.authoring.translate_tag import language_names
from promptgrimoire.commands import Entered, PlayerCreated, Rendered, Submitted
from promptgrimoire.errors import AuthorError, JournalError
from promptgrimoire.ids import hidden, new_token
from promptgrimoire.runtime.activities import Awaited
from promptgrimoire.runtime.hooks import call_hooks
from promptgrimoire.state.records import Player, Record
from promptgrimoire.state.values import encode, to_browser

if TYPE_CHECKING:
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.state.transaction import Transaction

log = logging.getLogger("promptgrimoire.flow")

Frame = Callable[[PageSpec, dict[str, Any]], dict[str, Any]]
Kind = Literal["page", "end", "held", "moment"]
CARRIED = "_calls"  # the field of a submission with the calls that its page had not settled
_CONSONANTS, _VOWELS = "bdfghklmnprstvz", "aeiou"


class Rendering(msgspec.Struct, frozen=True):
    """What a participant gets to see. `html` is filled for kind "page"; the web has pages of its own for the others."""

    kind: Kind
    html: str = ""
    status: int = 200
    reference: str = ""


class Entering(Awaited):
    """A player is being moved on. Which hook waits is journaled, so that a crash does not run it twice."""

    __slots__ = ("hook", "private")

    def __init__(self, host: Host, player: Player, private: Record) -> None:
        super().__init__(host, Entered(player.id), host.activity(player, "entering"))
        self.private = private
        self.hook = ""

    def before_suspension(self) -> None:
        if self.private._fields.get("hook", "") != self.hook:
            assert self.host.state.transaction is not None
            self.host.state.transaction.assign(self.private, "hook", self.hook)

    def fail(self, transaction: Transaction, error: BaseException) -> int:
        reference = self.report(error)
        seq = self._commit(transaction)
        self.host.flow.hold(self.private, self.cause, reference, self.hook)
        return seq


class Flow:
    """The way of each player of one session through the plan."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._entering: set[int] = set()
        self._leaving: dict[int, asyncio.Future[None]] = {}  # player -> the end of leaving a page, under way

    @property
    def busy(self) -> bool:
        """Whether somebody is being moved on."""
        return bool(self._entering)

    # ---------------------------------------------------------------- plan and place

    def private(self, player: int) -> Record:
        """What the framework keeps about a player: page, position, round, stay, moving, ran, held, hook."""
        return self._host.state.record(hidden(f"p{player}"))

    def page_of(self, player: Player) -> PageSpec | None:
        """The page where a player is, in the version of the experiment that runs now; None at the end."""
        return self._host.study.pages.get(player._about.get("page", ""))

    def plan_of(self, player: Player) -> list[str]:
        """Keys of the pages of a player's plan, in order."""
        return list(self.private(player.id)._fields.get("plan", ()))

    def ask_to_move(self, player: Player, target: Any) -> None:
        """`move_to_page(player, target)`: part of the open transaction; takes effect once it is committed."""
        transaction = self._host.state.writing()
        private = self.private(player.id)
        plan = self.plan_of(player)
        transaction.assign(private, "moving", self._position(player, plan, target))
        transaction.assign(private, "held", "")
        transaction.begin(partial(self.go_on, player))

    def _position(self, player: Player, plan: list[str], target: Any) -> int:
        if isinstance(target, int) and not isinstance(target, bool):
            if not 0 <= target <= len(plan):
                raise AuthorError(f"move_to_page: expected a position from 0 to {len(plan)} (the end), found {target}")
            return target
        spec = getattr(target, "__grimoire__", None)
        key = spec.key if spec is not None else target
        if not isinstance(key, str):
            raise AuthorError(f"move_to_page: expected a page, its name, or a 0-based position, found {target!r}")
        places = [index for index, page in enumerate(plan) if page == key or page.rpartition("/")[2] == key]
        if not places:
            raise AuthorError(f"move_to_page: '{key}' is not in this player's plan: {', '.join(plan)}")
        here = player.show_page
        return next((place for place in places if place > here), places[0])

    # ---------------------------------------------------------------- joining

    async def join(self, *, visitor: str = "", label: str = "", params: Mapping[str, str] | None = None) -> str:
        """A player's token; the same for the same visitor or label. Durable when it returns."""
        host, state = self._host, self._host.state
        found = state.labels.get(label) if label else state.visitors.get(visitor) if visitor else None
        if found is None:
            if len(state.everybody) >= host.limits.players:
                raise AuthorError(f"a session takes at most {host.limits.players} players")
            found = await self._create(visitor, label, dict(params or {}))
        await host.durable()
        token = self.private(found)._fields["token"]
        assert isinstance(token, str)
        return token

    async def _create(self, visitor: str, label: str, params: dict[str, str]) -> int:
        host, state = self._host, self._host.state
        id = len(state.everybody) + 1

        async def creating() -> Player:
            name = self._new_name()
            token = new_token(host.state.id)
            player = state.create_player(name=name, token=token, visitor=visitor, label=label, params=params)
            assert state.transaction is not None
            state.transaction.assign(self.private(player.id), "moving", 0)
            state.fill(player)
            await call_hooks(host, "new_player", player)
            return player

        self._entering.add(id)  # nobody enters a page before new_player has finished
        try:
            await host.perform(PlayerCreated(id), state.session, "new_player", creating(), encode(params))
        finally:
            self._entering.discard(id)
        self._go_on_now(state.player(id))
        return id

    def _new_name(self) -> str:
        rng = self._host.state.session.rng
        for length in (5, 5, 5, 7, 9, 11):
            letters = (rng.choice(_VOWELS if place % 2 else _CONSONANTS) for place in range(length))
            name = "".join(letters)
            if name not in self._host.state.names:
                return name
        return f"player{len(self._host.state.everybody) + 1}"

    # ---------------------------------------------------------------- moving on

    def go_on(self, player: Player) -> None:
        """Enter where the player is to move; soon, if an earlier move is still under way."""
        if player.id in self._entering or self._host.failure is not None:
            return
        self._go_on_now(player)

    def _go_on_now(self, player: Player) -> Entering | None:
        private = self.private(player.id)
        if private._fields.get("moving") is None or private._fields.get("held") or player.id in self._entering:
            return None
        if self._host.failure is not None:
            return None
        host = self._host
        run = Entering(host, player, private)
        self._entering.add(player.id)

        def ended() -> None:
            self._entering.discard(player.id)
            host.deliveries.moved(player.id)
            if private._fields.get("moving") is not None and run.error is None:
                asyncio.get_running_loop().call_soon(self.go_on, player, context=Context())

        run.on_end = ended

        def on_task(task: Any) -> None:
            run.waiter = asyncio.get_running_loop().create_future()

        host.start(self._enter(player, private, run), run, on_task)
        return run

    async def _enter(self, player: Player, private: Record, run: Entering) -> None:
        state = self._host.state
        fields = private._fields
        interrupted = fields.get("hook", "")  # had suspended when the server stopped: counts as run
        if "plan" not in fields:
            app = self._host.study.apps[0]
            order = app.order_for(player)
            state.writing().assign(private, "plan", tuple(spec.key for spec in order))
            state.writing().assign(private, "app", app.name)
        plan = fields["plan"]
        position = target = fields["moving"]
        while position < len(plan):
            self._arrive(private, plan[position], position)
            spec = self._host.study.pages.get(plan[position])
            if spec is None:
                raise AuthorError(f"the page {plan[position]} does not exist any more; move the player to another page")
            shown = await self._once(player, private, spec, "show", position, run, interrupted)
            if fields["moving"] != target:
                return  # a hook has moved the player elsewhere: an explicit move beats the natural advance
            if shown is None or shown:
                await self._once(player, private, spec, "before_once", position, run, interrupted)
                if fields["moving"] != target:
                    return
                break
            position += 1
        else:
            self._arrive(private, "", len(plan))
        state.writing().assign(private, "moving", None)
        if fields.get("hook"):
            state.writing().assign(private, "hook", "")

    def _arrive(self, private: Record, page: str, position: int) -> None:
        transaction = self._host.state.writing()
        transaction.assign(private, "page", page)
        transaction.assign(private, "position", position)
        transaction.assign(private, "stay", private._fields.get("stay", 0) + 1)
        transaction.assign(private, "since", self._host.chain.seq)  # nothing up to here is meant for this stay

    async def _once(
        self,
        player: Player,
        private: Record,
        spec: PageSpec,
        name: str,
        position: int,
        run: Entering | None = None,
        interrupted: str = "",
    ) -> Any:
        """Run a hook, once per player, place and round where its name says so. Gives its value."""
        hook = spec.hooks.get(name)
        if hook is None:
            return None
        mark = self._mark(private, position, name)
        once = name.endswith("_once")
        if once and mark in private._fields.get("ran", ()):
            return None
        if mark == interrupted:
            log.warning("%s of %s was interrupted when the server stopped; it counts as run", name, spec.key)
        else:
            if once:
                self._mark_run(private, mark)
            if run is not None:
                run.hook = mark
                run.activity.label = f"{spec.key}.{name}"
            result = hook(player)
            return await result if hook.is_async else result
        if once:
            self._mark_run(private, mark)
        return None

    def _mark(self, private: Record, position: int, name: str) -> str:
        return f"{position}.{private._fields.get('round', 0)}.{name}"

    def _mark_run(self, private: Record, mark: str) -> None:
        if "ran" not in private._fields:
            self._host.state.writing().assign(private, "ran", {mark})
        else:
            private._fields["ran"].add(mark)

    def hold(self, private: Record, cause: Any, reference: str, hook: str) -> None:
        """Entering failed in `hook`: the player waits at a plain page with "Try again", which runs it again."""
        host = self._host

        def holding() -> None:
            host.state.writing().assign(private, "held", reference)
            self._unfinished(private, hook)

        host.step(holding, Awaited(host, cause, host.activity(host.state.session, "held")))

    def _unfinished(self, private: Record, mark: str) -> None:
        """A hook that had suspended, so that it is marked as run, has failed."""
        if private._fields.get("hook"):
            self._host.state.writing().assign(private, "hook", "")
        if mark in private._fields.get("ran", ()):
            private._fields["ran"].discard(mark)

    async def retry(self, player: Player) -> None:
        """Run the unfinished hooks again."""
        private = self.private(player.id)
        if private._fields.get("held"):
            host = self._host
            run = Awaited(host, Entered(player.id), host.activity(player, "retry"))
            host.step(lambda: host.state.writing().assign(private, "held", ""), run)
        run_again = self._go_on_now(player)
        if run_again is not None and run_again.waiter is not None:
            await asyncio.shield(run_again.waiter)
        await self._host.durable()

    # ---------------------------------------------------------------- submitting

    async def submit(self, player: Player, stay: int, submission: str, data: Mapping[str, list[str]]) -> None:
        """Leave the page of that stay, once; from a stale page nothing happens. Durable when it returns."""
        host = self._host
        host.calls.carried(player, stay, data.get(CARRIED, ()))
        data = {name: values for name, values in data.items() if name != CARRIED}
        async with host.calls.turn(player.id, host.settings.grace.submission):
            private = self.private(player.id)
            while player.id in self._leaving:  # an after_once that takes long: no second Next overtakes it
                await asyncio.shield(self._leaving[player.id])
            if private._fields.get("stay") != stay or private._fields.get("moving") is not None:
                await host.durable()
                return
            label = f"{private._fields.get('page', '')}.after_once"
            cause = Submitted(player.id, stay, submission)
            leaving = self._leave(player, private, stay)
            mark = self._mark(private, private._fields["position"], "after_once")
            try:
                await host.perform(cause, player, label, leaving, to_browser(dict(data)))
            except Exception:
                step = Awaited(host, cause, host.activity(player, label))
                host.step(lambda: self._unfinished(private, mark), step)
                await host.durable()
                raise
        run = self._go_on_now(player)
        if run is not None and run.waiter is not None:
            await asyncio.shield(run.waiter)
        await host.durable()

    async def _leave(self, player: Player, private: Record, stay: int) -> None:
        position = private._fields["position"]
        spec = self.page_of(player)
        if spec is None:
            return  # the end has no Next
        ended = self._leaving[player.id] = asyncio.get_running_loop().create_future()
        try:
            await self._once(player, private, spec, "after_once", position)
        finally:
            del self._leaving[player.id]
            ended.set_result(None)
        if private._fields["stay"] == stay and private._fields.get("moving") is None:
            self._host.state.writing().assign(private, "moving", position + 1)

    # ---------------------------------------------------------------- rendering

    async def page(self, player: Player, frame: Frame) -> Rendering:
        """The player's page as HTML, as of now; everything that it shows is durable when this returns.

        `frame(spec, config)` gives what Base.html needs beside the author's names.
        """
        host = self._host
        private = self.private(player.id)
        fields = private._fields
        if fields.get("moving") is not None and not fields.get("held"):
            run = self._go_on_now(player)  # a crash between leaving and entering
            if run is not None and run.waiter is not None:
                await host.wait(run.waiter, 1.0)
        if fields.get("held"):
            held = Rendering("held", status=500, reference=fields["held"])
            await host.durable()
            return held
        if fields.get("moving") is not None:
            await host.durable()
            return Rendering("moment")
        spec = self.page_of(player)
        if spec is None:
            gone = bool(fields.get("page"))
            await host.durable()
            return Rendering("held", status=500) if gone else Rendering("end")
        stay, base = fields["stay"], host.chain.seq
        try:
            html = await host.perform(
                Rendered(player.id, stay),
                player,
                f"{spec.key}.templatevars",
                self._render(player, spec, stay, base, frame),
            )
        except JournalError:
            raise
        except Exception as error:
            await host.durable()
            return Rendering("held", status=500, reference=getattr(error, "reference", ""))
        host.attendance.delivered(player.id)
        await host.durable()
        return Rendering("page", html)

    async def _render(self, player: Player, spec: PageSpec, stay: int, base: int, frame: Frame) -> str:
        experiment = self._host.study.app(spec.app)
        language = self._host.study.language_of(player, spec.app)
        names: dict[str, Any] = {}
        variables: dict[str, Any] = {}
        for hook, into in (("templatevars", names), ("jsvars", variables)):
            found = spec.call(hook, player)
            if hook in spec.hooks and spec.hooks[hook].is_async:
                found = await found
            if found is not None:
                if not isinstance(found, Mapping):
                    raise AuthorError(f"{spec.key}.{hook}: expected a dict, found {type(found).__name__}")
                into.update(found)
        if experiment.export:
            variables.setdefault("C", dict(experiment.export))
        config = {
            "version": 1,
            "player": f"{self._host.id}.{player.id}",
            "stay": stay,
            "base": base,
            "live": f"/p/{self.private(player.id)._fields['token']}/live",
            "vars": msgspec.json.decode(to_browser(variables)),
            "tabs": spec.tabs,
            "texts": language.client,
            "words": language.known(spec.template.script_texts) if spec.template is not None else {},
        }
        shown: Any = (
            player if experiment.context_class is None else _WithContext(player, experiment.context_class(player))
        )
        context = {
            **frame(spec, config),
            "player": shown,
            "session": player.session,
            "group": player.group,
            "page": spec.page,
            "app": experiment.name,
            "C": experiment.constants,
            "title": spec.title,
            **language_names(language),
            **names,
        }
        return render(spec, context)


class _WithContext:
    """A player in a template, with `player.context`."""

    def __init__(self, player: Player, context: Any) -> None:
        self.context = context
        self._player = player

    def __getattr__(self, name: str) -> Any:
        return getattr(self._player, name)
