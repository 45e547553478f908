"""What protects participants and sessions: headers, the check where a request comes from, and the limit on its size.

Owns no passwords and no tokens; a participant's credential is the address of their page.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptgrimoire.settings import Settings

# Authors write inline scripts and handlers; they load libraries from elsewhere where they say so (`content_policy`).
# form-action is left to https: a study ends with a redirect to the panel that sent the participant.
CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob: https:; media-src 'self' data: blob: https:; font-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self' https:; frame-ancestors 'self'"
)
PERMISSIONS = "camera=(self), microphone=(self), geolocation=(self), payment=(), usb=(), serial=(), midi=()"
FOREIGN_SOCKET = 1008  # before the handshake: uvicorn answers 403
_CLOSE = ((b"connection", b"close"),)
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))


class Security:
    """Outermost part of the application: adds the headers, refuses what other sites make browsers send."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._headers: list[tuple[bytes, bytes]] = [
            (b"content-security-policy", (settings.content_policy or CONTENT_POLICY).encode()),
            (b"referrer-policy", b"no-referrer"),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"SAMEORIGIN"),
            (b"permissions-policy", PERMISSIONS.encode()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and not may_connect(Headers(scope=scope), self._settings.origins):
            await receive()
            await send({"type": "websocket.close", "code": FOREIGN_SOCKET})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added = self._headers
        body: Body | None = None

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Who answers without having read all does not want the rest, which the server would wait for.
                rest = _CLOSE if body is not None and not body.ended else ()
                message["headers"] = [*message.get("headers", ()), *added, *rest]
            await send(message)

        safe = scope["method"] in SAFE_METHODS
        scope["grimoire.foreign"] = not safe and not may_post(Headers(scope=scope), self._settings.origins)
        if safe:
            await self._app(scope, receive, send_with_headers)
            return
        scope["grimoire.body"] = body = Body(receive, self._settings.limits.form, Headers(scope=scope))
        await self._app(scope, body.receive, send_with_headers)


class Body:
    """A request's body of at most so many bytes: `receive` raises HTTPException 413, at once where the header says how
    long it is, and else as soon as it is longer. Whoever expects files sets a higher `limit` before reading."""

    def __init__(self, receive: Receive, limit: int, headers: Headers) -> None:
        self._receive = receive
        self.limit = limit
        length = headers.get("content-length", "")
        self._announced = int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
        self._size = 0
        self.ended = not self._announced and "transfer-encoding" not in headers  # whether all of it was read

    async def receive(self) -> Message:
        if self._announced > self.limit:
            raise _too_large()
        message = await self._receive()
        self._size += len(message.get("body", b""))
        self.ended = not message.get("more_body", False)
        if self._size > self.limit:
            raise _too_large()
        return message


def _too_large() -> HTTPException:
    return HTTPException(413)


def refuse_foreign(scope: Scope) -> None:
    """Raises HTTPException 403 for a request that another site made the browser send."""
    if scope.get("grimoire.foreign"):
        raise HTTPException(403)


def may_post(headers: Headers, origins: tuple[str, ...] = ()) -> bool:
    """Whether a POST comes from a page of this server.

    An Origin must be ours. "null" and none say nothing: under `Referrer-Policy: no-referrer` browsers send "null"
    with the forms of our own pages. Then Sec-Fetch-Site decides, and where that is missing too (plain http in a
    laboratory's network, old browsers, programs) the request is accepted: the address of every POST holds an
    unguessable token, or its form a key (the start page), so another site cannot make one that does anything.
    """
    origin = headers.get("origin")
    if origin not in (None, "null"):
        return is_own_origin(headers, origins)
    return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def may_connect(headers: Headers, origins: tuple[str, ...] = ()) -> bool:
    """Whether a websocket comes from a page of this server, or from a program, which sends no Origin.

    Unlike with forms, browsers always send the page's true origin here: "null" is somebody else's.
    """
    return "origin" not in headers or is_own_origin(headers, origins)


def is_own_origin(headers: Headers, origins: tuple[str, ...] = ()) -> bool:
    """Whether Origin names the host that the request was sent to, or one of `origins`.

    The scheme is not compared: behind a proxy that ends TLS it differs.
    """
    origin = headers.get("origin", "").lower()
    if origin in (known.lower().rstrip("/") for known in origins):
        return True
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return False
    default = ":443" if parts.scheme == "https" else ":80"
    host = headers.get("host", "").lower()
    return parts.netloc.removesuffix(default) == host.removesuffix(default)
