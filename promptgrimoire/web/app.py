"""The application: which address leads where.

Constructed from a gateway; owns nothing that lives longer than a request, never decides anything about a session.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from promptgrimoire.settings import Settings
from promptgrimoire.web.assets import AppStatic, Assets
from promptgrimoire.web.failures import Failures
from promptgrimoire.web.overview import Overview
from promptgrimoire.web.pages import ConsolePages
from promptgrimoire.web.participant import Participants
from promptgrimoire.web.seam import Gateway
from promptgrimoire.web.security import Security
from promptgrimoire.web.start import Start

_LIVE = re.compile("/p/([^/]+)/live")
Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def build_app(
    gateway: Gateway,
    settings: Settings,
    assets: Assets,
    *,
    live: ASGIApp | None = None,
    lifespan: Lifespan | None = None,
) -> ASGIApp:
    """`live` answers the websocket `/p/{token}/live`. `lifespan` opens and closes what the application is made from."""
    pages = ConsolePages(assets)
    participants = Participants(gateway, pages)
    start = Start(gateway, pages)
    overview = Overview(gateway, pages, settings)
    routes: list[BaseRoute] = [  # the busiest first: they are tried in order
        Route("/p/{token}/", participants.page, methods=["GET"]),
        Route("/p/{token}/", participants.submit, methods=["POST"]),
        Route("/static/{hash}/{path:path}", assets, methods=["GET"]),
        Route("/s/{session}/", participants.session_link, methods=["GET"]),
        Route("/s/{session}/", participants.join, methods=["POST"]),
        Route("/app-static/{app}/{path:path}", AppStatic(gateway.experiments), methods=["GET"]),
        Route("/admin/{token}/", overview.page, methods=["GET"]),
        Route("/admin/{token}/multiview", overview.multiview, methods=["GET"]),
        Route("/admin/{token}/multiview", overview.multiview_of, methods=["POST"]),
        Route("/start/{app}", start.start, methods=["POST"]),
        Route("/favicon.ico", _no_icon, methods=["GET"]),
        Route("/", start.page, methods=["GET"]),
    ]
    failures = Failures(pages)
    app = Starlette(
        routes=routes,
        middleware=[Middleware(failures.around)],
        exception_handlers={HTTPException: failures.refusal},
        lifespan=lifespan,
    )
    return Security(app if live is None else _Sockets(live, app), settings)


class _Sockets:
    """Hands participants' websockets straight to `live`: what wraps `send` would be paid for by every frame."""

    def __init__(self, live: ASGIApp, rest: ASGIApp) -> None:
        self._live = live
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _LIVE.fullmatch(scope["path"]) if scope["type"] == "websocket" else None
        if found is None:
            await self._rest(scope, receive, send)
            return
        scope["path_params"] = {"token": found[1]}
        await self._live(scope, receive, send)


async def _no_icon(_request: Request) -> Response:
    """The pages name their icon themselves; this is for what asks without looking."""
    return Response(status_code=204, headers={"cache-control": "public, max-age=86400"})
