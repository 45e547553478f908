"""Markdown pages: Jinja first, then Markdown, with values that stay values.

Owns how a value gets through Markdown unharmed: while Jinja renders, each value is replaced by a token of letters and
digits, Markdown sees the author's text only, and the tokens are replaced by the (escaped) values afterwards. So a
participant's name can be neither HTML nor Markdown. Never loads files.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_HARMLESS = ("http:", "https:", "mailto:", "tel:")
_TAGS_ONLY = re.compile(r"^[ \t]*(?:\{%(?:(?!%\}).)*%\}[ \t]*)+$")


class Marks:
    """How the tokens of one set of templates look: with a random number, so that no value can pretend to be one.

    It stays the same from one rendering to the next, so that what the author's Markdown becomes has to be found out
    only once (see `Templates`); it never leaves the server, since every token is replaced.
    """

    def __init__(self) -> None:
        self.mark = f"v{secrets.token_hex(16)}n"
        self.token = re.compile(rf"{self.mark}(\d+)x")
        self.alone = re.compile(rf"<p>{self.mark}(\d+)x</p>")
        self.address = re.compile(
            rf"""((?:href|src|action|formaction)\s*=\s*["']?\s*)({self.mark}\d+x[^"'\s>]*)""", re.IGNORECASE
        )


class Values:
    """The values of one rendering."""

    def __init__(self, marks: Marks) -> None:
        self._values: list[Any] = []
        self._marks = marks

    def keep(self, value: Any) -> Markup:
        """The token that stands for a value while Markdown is made."""
        self._values.append(value)
        return Markup(f"{self._marks.mark}{len(self._values) - 1}x")

    def put_back(self, html: str) -> Markup:
        """The HTML with every value in its place, escaped unless it is Markup already."""
        html = self._marks.address.sub(lambda match: match[1] + self._harmless(match[2]), html)
        html = self._marks.alone.sub(self._without_paragraph, html)
        return Markup(self._replaced(html))  # each value was escaped

    def _replaced(self, text: str) -> str:
        return self._marks.token.sub(lambda match: self._shown(self._values[int(match[1])]), text)

    def _shown(self, value: Any) -> str:
        # A macro's output is Markup with tokens of its own; in anything else there are none.
        return self._replaced(str(value)) if isinstance(value, Markup) else str(escape(value))

    def _without_paragraph(self, match: re.Match[str]) -> str:
        """HTML that the author vouches for (`|safe`, a macro) and that stands alone needs no `<p>` around it."""
        return match[0][3:-4] if isinstance(self._values[int(match[1])], Markup) else match[0]

    def _harmless(self, address: str) -> str:
        """The address, or "#" where its value would make it anything but a web, mail or telephone address."""
        written = self._marks.token.sub(lambda match: str(self._values[int(match[1])]), address)
        scheme = _SCHEME.match("".join(letter for letter in written if letter.isprintable() and letter != " "))
        return address if scheme is None or scheme[0].lower() in _HARMLESS else "#"


def prepare(source: str) -> str:
    """The source such that a line of nothing but `{% tags %}` leaves no line behind, and no other line break is lost.

    Jinja's trim_blocks alone would join a paragraph that ends in a tag with the next one.
    """
    lines = source.split("\n")
    for index, line in enumerate(lines):
        end = line.rstrip()
        if end.endswith("%}") and end[-3:-2] not in ("-", "+") and not _TAGS_ONLY.match(line):
            lines[index] = f"{end[:-2]}+%}}"
    return "\n".join(lines)


def converter() -> MarkdownIt:
    """CommonMark with tables and strikethrough; HTML in the author's own source is allowed."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
