"""The start page of development: the experiments, what is wrong with them, earlier sessions, a button for a new one.

Owns the key that its forms carry; in production there is no start page.
"""

from __future__ import annotations

import secrets
import time

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from promptgrimoire.ids import new_secret
from promptgrimoire.web.pages import ConsolePages
from promptgrimoire.web.participant import read_form
from promptgrimoire.web.seam import Gateway
from promptgrimoire.web.security import refuse_foreign

EARLIER = 20  # sessions shown


class Start:
    """The endpoints `/` and `/start/{app}`."""

    def __init__(self, gateway: Gateway, pages: ConsolePages) -> None:
        self._gateway = gateway
        self._pages = pages
        self._key = new_secret()  # another website cannot know it, so it cannot start sessions

    async def page(self, request: Request) -> Response:
        if not self._gateway.development:
            return self._pages.answer(
                request,
                "error.html",
                heading="Welcome",
                text="To take part in a study, please use the link that you were given.",
                reference="",
                retry=0,
                again=[],
            )
        experiments = self._gateway.experiments
        streams = sorted(await self._gateway.sessions(), key=lambda stream: -stream.created)
        return self._pages.answer(
            request,
            "start.html",
            experiments=[experiments.study(name) for name in experiments.names()],
            errors=dict(experiments.errors),
            sessions=[
                {
                    "app": stream.app,
                    "id": stream.id,
                    "created": time.strftime("%Y-%m-%d %H:%M", time.localtime(stream.created)),
                    "joined": stream.joined,
                    "admin": f"/admin/{self._gateway.admin_token(stream.id)}/",
                }
                for stream in streams[:EARLIER]
            ],
            more=max(0, len(streams) - EARLIER),
            key=self._key,
        )

    async def start(self, request: Request) -> Response:
        """POST of `/start/{app}`: a new session, then its overview."""
        refuse_foreign(request.scope)
        app = request.path_params["app"]
        if not self._gateway.development or app not in self._gateway.experiments.names():
            raise HTTPException(404)
        form = await read_form(request)
        if not secrets.compare_digest("".join(form.get("key", [])).encode(), self._key.encode()):
            raise HTTPException(403)
        host = await self._gateway.create_session(app)
        return RedirectResponse(f"/admin/{self._gateway.admin_token(host.id)}/", 303)
