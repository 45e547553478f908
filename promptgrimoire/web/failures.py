"""What a participant sees when something does not work: a page in plain language, for bugs with a reference id.

Owns which error becomes which status and text; the traceback goes to the log, never to the browser.
"""

from __future__ import annotations

import logging
import re
import secrets
from types import MappingProxyType
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptgrimoire.errors import JournalError, NotFound, Refused
from promptgrimoire.web.pages import ConsolePages

logger = logging.getLogger("promptgrimoire")

RETRY_AFTER = 3  # seconds


class Plain(NamedTuple):
    """What is said, with which status."""

    status: int
    title: str
    text: str


NOT_FOUND = Plain(404, "Nothing here", "This link does not lead anywhere. Please check that you have copied all of it.")
FOREIGN = Plain(403, "Not from here", "This request came from another website, so it was not carried out.")
TOO_LARGE = Plain(
    413, "Too much at once", "What was sent is larger than this server accepts. Please go back and shorten it."
)
MOMENT = Plain(503, "One moment", "The server is busy for a moment. This page goes on by itself; nothing is lost.")
BROKEN = Plain(500, "Something went wrong", "This is not your fault. Please tell the person who runs the study:")
STATUSES = MappingProxyType({403: FOREIGN, 404: NOT_FOUND, 413: TOO_LARGE})
REFUSALS = MappingProxyType({"rate": 429, "large": 413, "stale": 409, "unknown": 404, "busy": 503})


# Links are credentials: the log names the session only.
_CREDENTIAL = re.compile(r"([a-z0-9]{12})-[a-z0-9]{26}")


def new_reference() -> str:
    """Eight letters and digits that a participant can read out and a log can be searched for."""
    return secrets.token_hex(4)


class Failures:
    """Turns every exception of an endpoint into a page."""

    def __init__(self, pages: ConsolePages) -> None:
        self._pages = pages

    def around(self, app: ASGIApp) -> ASGIApp:
        """Middleware: what `app` raises becomes a page, unless an answer has begun."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await self._guard(app, scope, receive, send)
            else:
                await app(scope, receive, send)

        return guarded

    async def refusal(self, request: Request, error: Exception) -> Response:
        """Handler for the exceptions that carry a status."""
        return self.page(request, error)

    async def _guard(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await app(scope, receive, watch)
        except ClientDisconnect:
            return
        except Exception as error:
            answer = self.page(Request(scope, receive), error)
            if started:
                raise
            await answer(scope, receive, send)

    def page(self, request: Request, error: Exception) -> Response:
        """The page for an error; what nobody expected is in the log under the reference that the page shows."""
        plain, shown = _explain(error), ""
        if plain is BROKEN:
            shown = getattr(error, "reference", "")  # logged by the session, with its traceback: not a second time
            if not shown:
                shown = new_reference()
                path = _CREDENTIAL.sub(r"\1-…", request.url.path)
                logger.error("%s %s failed, reference %s", request.method, path, shown, exc_info=error)
        elif isinstance(error, JournalError):
            logger.error("Storage: %s", error)
        response = self._pages.told(
            request,
            "error.html",
            plain.status,
            heading=plain.title,
            text=plain.text,
            reference=shown,
            retry=RETRY_AFTER if plain.status == MOMENT.status else 0,
            again=_submitted(request) if plain.status == MOMENT.status else [],
        )
        if plain.status == MOMENT.status:
            response.headers["retry-after"] = str(RETRY_AFTER)
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        return response


def _explain(error: Exception) -> Plain:
    if isinstance(error, NotFound):
        return NOT_FOUND
    if isinstance(error, Refused):
        if error.code == "busy":
            return MOMENT
        return Plain(REFUSALS.get(error.code, 400), "That did not work", error.message)
    if isinstance(error, JournalError):
        return MOMENT
    if isinstance(error, HTTPException):
        usual = Plain(error.status_code, "That did not work", "The server could not do what it was asked for.")
        return STATUSES.get(error.status_code, usual)
    return BROKEN


def _submitted(request: Request) -> list[tuple[str, str]]:
    """The fields of a form that could not be stored, to be sent again; `read_form` keeps them."""
    fields: list[tuple[str, str]] = request.scope.get("grimoire.form", [])
    return fields
