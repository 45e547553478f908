"""One session for the researcher, under an address that holds an unguessable token: link, QR code, players, multi-view.

Owns the check of that token; until the monitor replaces it, it only shows, and adds participants for the multi-view.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

import segno
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from promptgrimoire.errors import NotFound
from promptgrimoire.ids import new_secret, session_of
from promptgrimoire.settings import Settings
from promptgrimoire.web.pages import ConsolePages
from promptgrimoire.web.participant import read_form
from promptgrimoire.web.seam import Gateway, Host, PlayerLine
from promptgrimoire.web.security import refuse_foreign

SIDE_BY_SIDE = 12  # participants in one window at most
LOCAL_HOSTS = frozenset(("127.0.0.1", "localhost", "::1"))


class Overview:
    """The endpoints below `/admin/{token}/`."""

    def __init__(self, gateway: Gateway, pages: ConsolePages, settings: Settings) -> None:
        self._gateway = gateway
        self._pages = pages
        self._settings = settings

    async def _host(self, request: Request) -> tuple[str, Host]:
        """The session that the token belongs to. Raises NotFound; says nothing about whether the session exists."""
        token = request.path_params["token"]
        session = session_of(token)
        if session is None or not secrets.compare_digest(self._gateway.admin_token(session).encode(), token.encode()):
            raise NotFound("no such overview")
        return token, await self._gateway.host(session)

    async def page(self, request: Request) -> Response:
        token, host = await self._host(request)
        address = public_address(request, self._settings)
        join = f"{address}/s/{host.id}/"
        study = self._gateway.experiments.study(host.config)
        response = self._pages.answer(
            request,
            "session.html",
            app=host.config,
            title=study.title or host.config,
            suggested=min(max(study.multiple, 2), SIDE_BY_SIDE),
            session=host.id,
            join=join,
            qr=qr_code(join, "QR code of the session link"),
            local=(urlsplit(address).hostname or "") in LOCAL_HOSTS,
            port=urlsplit(address).port or 80,
            players=host.players(),
            address=address,
            admin=f"/admin/{token}/",
            most=SIDE_BY_SIDE,
            development=self._gateway.development,
        )
        await host.durable()
        return response

    async def multiview_of(self, request: Request) -> Response:
        """POST of `multiview`: picks participants that nobody uses, adds those that are missing, shows them."""
        refuse_foreign(request.scope)
        token, host = await self._host(request)
        form = await read_form(request)
        wanted = "".join(form.get("participants", []))
        if not wanted.isascii() or not wanted.isdigit() or not 1 <= int(wanted[:4]) <= SIDE_BY_SIDE:
            raise HTTPException(400)
        count = int(wanted[:4])
        chosen = _listed("".join(form.get("players", [])), host)[:count]
        free = [player for player in host.players() if not player.online and player not in chosen]
        chosen += free[: count - len(chosen)]
        for _ in range(count - len(chosen)):
            player_token = await host.join(visitor=new_secret())
            chosen.append(next(player for player in host.players() if player.token == player_token))
        ids = ",".join(str(player.id) for player in chosen)
        return RedirectResponse(f"/admin/{token}/multiview?players={ids}", 303)

    async def multiview(self, request: Request) -> Response:
        """GET of `multiview?players=1,2,3`: these participants side by side. Creates nobody."""
        token, host = await self._host(request)
        players = _listed(request.query_params.get("players", ""), host)
        await host.durable()
        return self._pages.answer(
            request, "multiview.html", players=players, app=host.config, admin=f"/admin/{token}/", most=SIDE_BY_SIDE
        )


def _listed(ids: str, host: Host) -> list[PlayerLine]:
    """The players with these ids ("1,2,3"), in this order, each once."""
    by_id = {str(player.id): player for player in host.players()}
    return [by_id[name] for name in dict.fromkeys(ids.split(",")) if name in by_id][:SIDE_BY_SIDE]


def public_address(request: Request, settings: Settings) -> str:
    """Scheme and host of the links that are shown: as configured, else as this page was asked for."""
    return settings.url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"


def qr_code(text: str, title: str) -> Markup:
    """An inline SVG, dark on white in dark mode too: cameras expect it so."""
    code = segno.make(text, error="m", micro=False)
    svg = code.svg_inline(
        border=3, dark="#000", light="#fff", omitsize=True, title=title, svgclass="qr", lineclass=None
    )
    return Markup(svg.replace("<svg ", '<svg role="img" ', 1))
