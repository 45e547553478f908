"""Makes `|tojson` right inside attributes as well as inside scripts, and `|to` right in both.

Owns one Jinja extension: it follows the HTML around the expressions of a template and, between the quotes of an
attribute, uses `tojson_attribute`; where programs read the number, in tags, scripts and styles, `to_plain`. Follows
branches one after the other, as they are written; never renders.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

_RAW_TEXT = ("script", "style", "textarea", "title")


class AttributeJson(Extension):
    """Replaces the name of the filter where the expression stands in a quoted attribute."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        return _replaced(stream)


def _replaced(stream: TokenStream) -> Iterator[Token]:
    place = _Place()
    after_pipe = False
    for token in stream:
        if token.type == "data":
            place.read(token.value)
        elif after_pipe and token.type == "name" and token.value == "tojson" and place.quote:
            token = Token(token.lineno, "name", "tojson_attribute")
        elif after_pipe and token.type == "name" and token.value == "to" and place.for_programs:
            token = Token(token.lineno, "name", "to_plain")
        after_pipe = token.type == "pipe"
        yield token


class _Place:
    """Where in the HTML we are: in text, in a tag, between quotes of an attribute, in a script."""

    def __init__(self) -> None:
        self.quote = ""
        self._in_tag = False
        self._raw_until = ""

    @property
    def for_programs(self) -> bool:
        """Whether what stands here is read by a program: in a tag, an attribute, a script, a style."""
        return self._in_tag or self._raw_until in ("</script", "</style")

    def read(self, text: str) -> None:
        position = 0
        while position < len(text):
            if self._raw_until:
                position = self._skip_raw(text, position)
            elif self.quote:
                position = self._after(text, self.quote, position)
                if position <= len(text):
                    self.quote = ""
            elif self._in_tag:
                letter = text[position]
                if letter in "\"'":
                    self.quote = letter
                elif letter == ">":
                    self._in_tag = False
                    self._raw_until = self._raw_after
                position += 1
            else:
                position = self._next_tag(text, position)

    _raw_after = ""

    def _skip_raw(self, text: str, position: int) -> int:
        end = text.lower().find(self._raw_until, position)
        if end < 0:
            return len(text)
        self._raw_until = ""
        return end

    def _next_tag(self, text: str, position: int) -> int:
        start = text.find("<", position)
        if start < 0 or start + 1 >= len(text):
            return len(text)
        if text.startswith("<!--", start):
            self._raw_until = "-->"
            return start + 4
        if not (text[start + 1].isalpha() or text[start + 1] == "/"):
            return start + 1
        name = text[start + 1 : start + 12].lower()
        found = [tag for tag in _RAW_TEXT if name.startswith(tag) and not name[len(tag) : len(tag) + 1].isalnum()]
        self._raw_after = f"</{found[0]}" if found else ""
        self._in_tag = True
        return start + 1

    @staticmethod
    def _after(text: str, what: str, position: int) -> int:
        end = text.find(what, position)
        return len(text) + 1 if end < 0 else end + 1
