"""The framework's own pages (joining, the end, errors, the console): their templates, and HTML as a response.

Owns a Jinja environment, which language such a page is in, and how a page is compressed and cached; never renders an
author's template. The console, for researchers, is in English.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from promptgrimoire.authoring import translate_tag
from promptgrimoire.authoring.language import DEFAULT, Language, Languages, UnknownLanguage
from promptgrimoire.web.assets import Assets

WORTH_COMPRESSING = 1_000  # bytes
_ASKED = "grimoire.language"  # in the scope of a request
_TEXTS = frozenset(["heading", "text"])  # values of templates that are texts of our own


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
        translate_tag.install(self._environment)
        self._languages = Languages()

    def answer(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """The page in English, where nothing else is said."""
        return self._in(self._languages.get(DEFAULT), request, template, status, values)

    def told(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A page for a participant, in their language: see `language_of`. Texts are given in English."""
        language = self.language_of(request)
        for name in _TEXTS.intersection(values):
            values[name] = language.gettext(values[name])
        return self._in(language, request, template, status, values)

    def language_of(self, request: Request) -> Language:
        """What `speaks` said; for a link that leads nowhere, what the browser asks for and we know; English."""
        asked: Callable[[], Language] | None = request.scope.get(_ASKED)
        if asked is not None:
            return asked()
        for code in _accepted(request.headers.get("accept-language", "")):
            with suppress(UnknownLanguage):
                if self._languages.has(code):
                    return self._languages.get(code)
        return self._languages.get(DEFAULT)

    def _in(self, language: Language, request: Request, template: str, status: int, values: dict[str, Any]) -> Response:
        context = {**values, **translate_tag.language_names(language)}
        return html_response(request, self._environment.get_template(template).render(context), status)


def speaks(request: Request, asked: Callable[[], Language]) -> None:
    """From here on, what this request is answered by the framework itself is in the language that `asked` gives."""
    request.scope[_ASKED] = asked


def _accepted(header: str) -> list[str]:
    """The codes of an Accept-Language header, in the order of preference."""
    weighted = []
    for part in header.split(",")[:20]:
        code, _, weight = part.strip().partition(";q=")
        try:
            weighted.append((-float(weight or 1), code.strip()))
        except ValueError:
            continue
    return [code for weight, code in sorted(weighted, key=lambda pair: pair[0]) if weight]


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
