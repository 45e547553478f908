"""What a participant gets to see: the page where they are, with its form; or that there is nothing to see yet.

Rendering may write (authors do so in templatevars) but runs no once-hook and moves nobody. Knows nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from promptgrimoire.authoring.countdown import countdown
from promptgrimoire.authoring.extras import IDS
from promptgrimoire.authoring.page_buttons import PageButtons
from promptgrimoire.authoring.pages import PageSpec
from promptgrimoire.authoring.shown_app import ShownApp
from promptgrimoire.authoring.templates import render
from promptgrimoire.authoring.translate_tag import language_names
from promptgrimoire.commands import Rendered
from promptgrimoire.context import current
from promptgrimoire.errors import AuthorError, JournalError
from promptgrimoire.state.records import Player, Record
from promptgrimoire.state.values import to_browser

if TYPE_CHECKING:
    from promptgrimoire.authoring.forms import Form
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.runtime.page_forms import Posted

Frame = Callable[[PageSpec, dict[str, Any]], dict[str, Any]]
Forming = Callable[[], Awaitable["Form"]]
Kind = Literal["page", "end", "held", "moment"]
REFUSED = 422  # status of a page whose submission was refused
PATIENCE = 1.0  # seconds that a page is waited for before "one moment" is shown instead


class Rendering(msgspec.Struct, frozen=True):
    """What a participant gets to see. `html` is filled for kind "page"; the web has pages of its own for the others."""

    kind: Kind
    html: str = ""
    status: int = 200
    reference: str = ""


class Renderings:
    """The pages of one session's players, as HTML."""

    def __init__(self, host: Host) -> None:
        self._host = host
        host.state.context_of = self._context_of

    def _context_of(self, record: Record) -> Any:
        """`player.context` in Python; None where the player's app defines no Context."""
        if not isinstance(record, Player):
            return None
        app = next((app for app in self._host.study.apps if app.name == record.app), None)
        return None if app is None or app.context_class is None else app.context_class(record)

    async def page(self, player: Player, frame: Frame, patience: float = PATIENCE) -> Rendering:
        """The player's page, as of now; everything that it shows is durable when this returns.

        `frame(spec, config)` gives what Base.html needs beside the author's names. While the player is being moved, it
        is waited for, `patience` seconds at most; then there is "one moment" to see.
        """
        host, flow = self._host, self._host.flow
        fields = flow.private(player.id)._fields
        end = host.clock.now() + patience
        flow.go_on(player)
        while (run := flow.under_way(player)) is not None and run.waiter is not None and not host.closing:
            left = end - host.clock.now()
            if left <= 0:
                break
            await host.wait(run.waiter, min(left, PATIENCE))  # in pieces: a server that stops waits for nobody
            flow.go_on(player)
        if fields.get("held"):
            held = Rendering("held", status=500, reference=fields["held"])
            await host.durable()
            return held
        if flow.under_way(player) is not None or fields.get("moving") is not None:
            await host.durable()
            return Rendering("moment")
        spec = flow.page_of(player)
        if spec is None:
            gone = bool(fields.get("page"))
            await host.durable()
            return Rendering("held", status=500) if gone else Rendering("end")
        return await self._page(player, spec, frame, partial(flow.forms.form, player, spec))

    async def refused(
        self, player: Player, spec: PageSpec, posted: Posted, errors: Mapping[str, list[str]], frame: Frame
    ) -> Rendering:
        """The page again as the answer to a submission: with what was posted, and what is wrong with it."""

        async def form() -> Form:
            found = await self._host.flow.forms.form(player, spec)
            found.check(posted.data, posted.uploads)
            found.refused(errors)
            return found

        return await self._page(player, spec, frame, form, REFUSED)

    async def _page(self, player: Player, spec: PageSpec, frame: Frame, form: Forming, status: int = 200) -> Rendering:
        host = self._host
        stay, base = player._about["stay"], host.chain.seq
        rendering = self._render(player, spec, stay, base, frame, form)
        try:
            html = await host.perform(Rendered(player.id, stay), player, _showing(spec), rendering)
        except JournalError:
            raise
        except Exception as error:
            await host.durable()
            return Rendering("held", status=500, reference=getattr(error, "reference", ""))
        host.attendance.delivered(player.id)
        await host.durable()
        return Rendering("page", html, status)

    async def _render(
        self, player: Player, spec: PageSpec, stay: int, base: int, frame: Frame, forming: Forming
    ) -> str:
        host = self._host
        app = host.study.app(spec.app)
        activity = current.get()
        assert activity is not None  # its label is what the log names where something fails
        if "fields" in spec.hooks:
            activity.label = f"{spec.key}.fields"
        form = await forming()
        language = host.study.language_of(player, spec.app)
        names: dict[str, Any] = {}
        variables: dict[str, Any] = {}
        for hook, into in (("templatevars", names), ("jsvars", variables)):
            if hook not in spec.hooks:
                continue
            activity.label = f"{spec.key}.{hook}"
            found = spec.call(hook, player)
            if spec.hooks[hook].is_async:
                found = await found
            if found is not None:
                if not isinstance(found, Mapping):
                    raise AuthorError(f"{spec.key}.{hook}: expected a dict, found {type(found).__name__}")
                into.update(found)
        activity.label = _showing(spec)
        if app.export:
            variables.setdefault("C", dict(app.export))
        about, now = player._about, host.clock.now()
        deadline: float | None = about.get("deadline")
        config = {
            "version": 1,
            "player": f"{host.id}.{player.id}",
            "stay": stay,
            "base": base,
            "live": f"/p/{about['token']}/live",
            "clock": now,
            "deadline": deadline,
            "countdown": None if deadline is None else countdown(language, deadline - now, spec.waits),
            "vars": msgspec.json.decode(to_browser(variables)),
            "tabs": spec.tabs,
            "back": bool(spec.settings.get("allow_back")) and len(about.get("trail", ())) > 1,
            "texts": language.client,
            "words": language.known(spec.template.script_texts) if spec.template is not None else {},
        }
        ids = "uproot" if spec.template is not None and IDS in spec.template.extras else "grimoire"
        buttons = PageButtons(language.says, bool(config["back"]), ids)
        shown: Any = player if app.context_class is None else _WithContext(player, app.context_class(player))
        context = {
            **form.context(),
            **frame(spec, config),
            "player": shown,
            "session": player.session,
            "group": player.group,
            "page": spec.page,
            "app": ShownApp(app.name, app.module),
            "C": app.constants,
            "settings": player.session.settings,
            "title": spec.title,
            "timeout": None if deadline is None else max(0.0, deadline - now),
            **language_names(language),
            **(host.waiting.context(player, spec, language) if spec.waits else {}),
            "grimoire_buttons": buttons,
            "button_next": buttons.next,
            "button_back": buttons.back,
            **names,
        }
        return render(spec, context)


def _showing(spec: PageSpec) -> str:
    return f"showing {spec.key}"


class _WithContext:
    """A player in a template, with `player.context`."""

    def __init__(self, player: Player, context: Any) -> None:
        self.context = context
        self._player = player

    def __getattr__(self, name: str) -> Any:
        return getattr(self._player, name)
