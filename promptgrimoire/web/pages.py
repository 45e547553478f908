"""The framework's own pages (joining, the end, errors, the console): their templates, and HTML as a response.

Owns a Jinja environment and how a page is compressed and cached; never renders an author's template.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from promptgrimoire.web.assets import Assets

WORTH_COMPRESSING = 1_000  # bytes


class ConsolePages:
    """Renders `templates/`. Every template sees `asset(path)`."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["asset"] = assets.url

    def answer(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        return html_response(request, self._environment.get_template(template).render(values), status)


def html_response(request: Request, html: str, status: int = 200) -> Response:
    """A page: never cached, compressed where the browser takes it and it is worth it."""
    content = html.encode()
    headers = {"cache-control": "no-store", "content-type": "text/html; charset=utf-8"}
    if len(content) > WORTH_COMPRESSING:
        headers["vary"] = "accept-encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            content = gzip.compress(content, 1, mtime=0)
    return Response(content, status, headers)
