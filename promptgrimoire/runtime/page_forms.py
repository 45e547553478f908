"""The forms of the pages that players are on: which fields, in which order, filled in with what.

Owns that a page's `fields` hook is called once per stay, and the hidden fields `shown` (the order that was shown),
`drafts` (what Back leaves behind) and `files` (those that were sent with what was refused, which browsers do not send
again by themselves). What a form does with what was posted is `authoring.forms`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from promptgrimoire.authoring.forms import Form, build_form
from promptgrimoire.errors import AuthorError

if TYPE_CHECKING:
    from promptgrimoire.authoring.pages import PageSpec
    from promptgrimoire.authoring.uploads import Upload
    from promptgrimoire.runtime.host import Host
    from promptgrimoire.state.records import Player, Record


class Posted:
    """What a browser has posted: texts by field, and the files that are stored already."""

    __slots__ = ("data", "uploads")

    def __init__(
        self, data: Mapping[str, list[str]] | None = None, uploads: Mapping[str, Upload] | None = None
    ) -> None:
        self.data = data or {}
        self.uploads = uploads or {}


class PageForms:
    """Makes the forms of one session."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._fields: dict[int, tuple[int, PageSpec, Mapping[str, Any]]] = {}  # player -> what their hook gave
        self._asking: dict[tuple[int, int], asyncio.Future[None]] = {}

    async def form(self, player: Player, spec: PageSpec) -> Form:
        """A form of the page where the player is, for one rendering or one submission. Within a transaction."""
        fields = await self._fields_of(player, spec)
        private = self._host.flow.private(player.id)
        shown = private._fields.get("shown") or {}
        stay = private._fields.get("stay")
        order = shown.get("order") if shown.get("stay") == stay else None
        language = self._host.study.language_of(player, spec.app)
        form = build_form(fields, language=language, defaults=self._defaults(player, spec, fields), order=order)
        if order is None and "fields" in spec.hooks and len(form):  # an attribute gives the same order every time
            self._host.state.writing().assign(private, "shown", {"stay": stay, "order": form.shown})
        return form

    def known(self, player: Player, spec: PageSpec) -> Mapping[str, Any] | None:
        """The page's fields, as far as that is known without asking a hook."""
        if "fields" not in spec.hooks:
            return spec.settings.get("fields") or {}
        known = self._fields.get(player.id)
        return known[2] if known is not None and known[:2] == (player._about.get("stay", 0), spec) else None

    async def _fields_of(self, player: Player, spec: PageSpec) -> Mapping[str, Any]:
        """The page's fields, from its attribute or its hook; that is called once per stay, and after a restart."""
        hook = spec.hooks.get("fields")
        if hook is None:
            found: Mapping[str, Any] = spec.settings.get("fields") or {}
            return found
        stay: int = player._about.get("stay", 0)
        while (player.id, stay) in self._asking:
            await asyncio.shield(self._asking[player.id, stay])
        known = self._fields.get(player.id)
        if known is not None and known[:2] == (stay, spec):  # a reload of the code asks anew
            return known[2]
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asking[player.id, stay] = ended
        try:
            fields = hook(player)
            if hook.is_async:
                fields = await fields
        finally:
            del self._asking[player.id, stay]
            ended.set_result(None)
        if fields is None:
            fields = {}
        if not isinstance(fields, Mapping):
            raise AuthorError(f"{hook.where}: {spec.name}.fields: expected a dict of fields, found {fields!r}")
        self._fields[player.id] = (stay, spec, fields)
        return fields

    def _defaults(self, player: Player, spec: PageSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What a page is filled in with: files sent in this stay; what Back left or was stored, if it keeps values."""
        about = player._about
        sent = about.get("files") or {}
        files: Mapping[str, Any] = sent["files"] if sent.get("stay") == about.get("stay") else {}
        if not spec.settings.get("keep_values"):
            return dict(files)
        draft = {**about.get("drafts", {}).get(self._place(player, spec), {}), **files}
        return {
            name: draft.get(name, player._fields.get(name))
            for name in fields
            if name in draft or (name in player._fields and player._written.get(name) == (player.app, player.round))
        }

    async def keep_draft(self, player: Player, spec: PageSpec, posted: Posted) -> None:
        """Keep what was filled in so far, as far as it is valid, for the next time at this page in this round."""
        form = await self.form(player, spec)
        checked = form.check(posted.data, posted.uploads)
        values = {
            name: value for name, value in checked.values.items() if name not in checked.errors and value is not None
        }
        self._drafts(player)[self._place(player, spec)] = values

    def keep_files(self, player: Player, form: Form, left_out: Collection[str]) -> None:
        """Remember which of the files that were sent are still good, though the submission was refused."""
        files = {name: file for name, file in form.files.items() if name not in left_out}
        if files:
            kept = {"stay": player._about.get("stay"), "files": files}
            self._host.state.writing().assign(self._host.flow.private(player.id), "files", kept)

    def drop_draft(self, player: Player, spec: PageSpec) -> None:
        """The page was submitted: what counts is what was stored."""
        self._drafts(player).pop(self._place(player, spec), None)

    def _drafts(self, player: Player) -> Any:
        private: Record = self._host.flow.private(player.id)
        if "drafts" not in private._fields:
            self._host.state.writing().assign(private, "drafts", {})
        return private._fields["drafts"]

    def _place(self, player: Player, spec: PageSpec) -> str:
        return f"{spec.key}@{player.round}" if player.round else spec.key
