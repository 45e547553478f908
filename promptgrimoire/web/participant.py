"""A participant's way in and through: the session link, joining, their page, submitting it.

Owns the visitor cookie and what a request means; what happens is the host's. A GET never creates anybody
and never moves anybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from promptgrimoire.authoring.pages import PageRequest
from promptgrimoire.authoring.uploads import Upload
from promptgrimoire.ids import new_secret
from promptgrimoire.web.pages import ConsolePages, html_response, speaks
from promptgrimoire.web.seam import Gateway, Host, Rendering
from promptgrimoire.web.security import refuse_foreign
from promptgrimoire.web.uploads import read_submission

COOKIE = "visitor"
COOKIE_AGE = 365 * 24 * 3600  # seconds
STAY = "_stay"  # hidden fields of every form that a page posts
SUBMISSION = "_submission"
RETRY = "_retry"
WAITING = "waiting"
_PATIENCE = 20.0  # seconds for which such a request is held: less than proxies allow
_CREDENTIALS = ("cookie", "authorization")
_SECRET = re.compile(r"[a-z0-9]{26}")
_SUBMISSION = re.compile(r"[A-Za-z0-9_-]{0,64}")


class Participants:
    """The endpoints `/s/{session}/` and `/p/{token}/`."""

    def __init__(self, gateway: Gateway, pages: ConsolePages) -> None:
        self._gateway = gateway
        self._pages = pages

    async def session_link(self, request: Request) -> Response:
        """GET of `/s/{session}/`: a page with a button; who has joined goes on where they were."""
        host = await self._gateway.host(request.path_params["session"])
        speaks(request, host.language)
        visitor = visitor_of(request)
        token = await host.visitor_token(visitor) if visitor else None
        if token and not self._gateway.development:
            return _see_other(f"/p/{token}/")
        response = self._pages.told(
            request,
            "join.html",
            title=self._title(host.config),
            landing=Markup(await self._gateway.landing(host.id)),
            token=token or "",
            key=new_secret(),
            development=self._gateway.development,
        )
        if not visitor and request.method == "GET":
            set_visitor(request, response, new_secret())
        return response

    async def join(self, request: Request) -> Response:
        """POST of `/s/{session}/`: joins, once for each visitor or label, and leads to their page.

        Without a cookie the form's key takes its place: a double click makes one player, not two.
        """
        refuse_foreign(request.scope)
        host = await self._gateway.host(request.path_params["session"])
        speaks(request, host.language)
        form = await read_form(request)
        key = _first(form, "key")
        key = key if _SECRET.fullmatch(key) else new_secret()
        params = dict(request.query_params)
        if self._gateway.development and "another" in form:
            return _see_other(f"/p/{await host.join(visitor=key, params=params, request=_as_data(request))}/")
        visitor = visitor_of(request) or key
        label = params.pop("label", "")
        token = await host.join(visitor=visitor, label=label, params=params, request=_as_data(request))
        response = _see_other(f"/p/{token}/")
        if visitor == key:
            set_visitor(request, response, visitor)
        return response

    async def page(self, request: Request) -> Response:
        """GET of `/p/{token}/`: the page where this participant is.

        What is shown for the time being ("one moment") asks again with `?waiting`, which is answered as soon as there
        is something to see.
        """
        token = request.path_params["token"]
        host = await self._gateway.host_of(token)
        speaks(request, partial(host.language, token))
        if WAITING not in request.query_params:
            return self._shown(request, await host.page(token))
        rendering = await host.page(token, _PATIENCE)
        return self._shown(request, rendering) if rendering.kind == "moment" else _see_other(f"/p/{token}/")

    def _shown(self, request: Request, rendering: Rendering) -> Response:
        if rendering.kind == "page":
            return html_response(request, rendering.html, rendering.status)
        return self._pages.told(request, f"{rendering.kind}.html", rendering.status, reference=rendering.reference)

    async def submit(self, request: Request) -> Response:
        """POST of `/p/{token}/`: what the page's form says, then on to the next page.

        A submission of a stay that is over, or one that is repeated, changes nothing. One that is refused is answered
        by the page, with what is wrong.
        """
        refuse_foreign(request.scope)
        token = request.path_params["token"]
        host = await self._gateway.host_of(token)
        speaks(request, partial(host.language, token))
        form, uploads = await _read_submission(request, host, token)
        if RETRY in form:
            await host.retry(token, _as_data(request))
            return _see_other(f"/p/{token}/")
        stay, submission = _first(form, STAY), _first(form, SUBMISSION)
        if not stay.isascii() or not stay.isdigit() or len(stay) > 15 or not _SUBMISSION.fullmatch(submission):
            raise HTTPException(400)
        data = {name: values for name, values in form.items() if name not in (STAY, SUBMISSION)}
        answer = await host.submit(token, int(stay), submission, data, uploads, _as_data(request))
        return _see_other(f"/p/{token}/") if answer is None else self._shown(request, answer)

    def _title(self, config: str) -> str:
        return self._gateway.experiments.study(config).title or config


def visitor_of(request: Request) -> str:
    """The visitor that the cookie names, "" without one or where it is not one of ours."""
    value = request.cookies.get(COOKIE, "")
    return value if _SECRET.fullmatch(value) else ""


def set_visitor(request: Request, response: Response, visitor: str) -> None:
    response.set_cookie(
        COOKIE,
        visitor,
        max_age=COOKIE_AGE,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


async def read_form(request: Request) -> Mapping[str, list[str]]:
    """The text fields of a posted form, in order; kept with the request to be offered again (failures.py)."""
    form: FormData = await request.form(max_files=0, max_fields=10_000)
    return _gathered(request, [(name, value) for name, value in form.multi_items() if isinstance(value, str)])


async def _read_submission(
    request: Request, host: Host, token: str
) -> tuple[Mapping[str, list[str]], dict[str, Upload]]:
    """The same, and the files among it, which are stored already."""
    fields, uploads = await read_submission(request, host, token, STAY)
    return _gathered(request, fields), uploads


def _gathered(request: Request, fields: list[tuple[str, str]]) -> dict[str, list[str]]:
    request.scope["grimoire.form"] = fields
    gathered: dict[str, list[str]] = {}
    for name, value in fields:
        gathered.setdefault(name, []).append(value)
    return gathered


def _as_data(request: Request) -> PageRequest:
    """The request as `early` gets it: without what identifies the browser to this server."""
    headers = {name: value for name, value in request.headers.items() if name not in _CREDENTIALS}
    client = request.client.host if request.client is not None else ""
    return PageRequest(request.method, dict(request.query_params), headers, client)


def _first(form: Mapping[str, list[str]], name: str) -> str:
    values = form.get(name)
    return values[0] if values else ""


def _see_other(url: str) -> Response:
    return RedirectResponse(url, 303, {"cache-control": "no-store"})
