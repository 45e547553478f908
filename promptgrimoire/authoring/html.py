"""Small pieces of HTML: attributes and elements, everything escaped that the author has not marked as safe.

Made for forms, of which a page has hundreds of such pieces: hence a class of its own beside markupsafe's Markup, which
takes three times as long to make.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

Attributes = Mapping[str, Any]
_SPECIAL = re.compile("[&<>\"']")
_RENAMED = ("data_", "aria_")


class Html(str):
    """A text that is HTML. Templates take it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


_SAFE = (Html, Markup)


def escaped(value: object) -> str:
    """A value as HTML: texts are escaped, HTML stays what it is."""
    kind = type(value)
    if kind is str:
        text: str = value  # type: ignore[assignment]
        return text if _SPECIAL.search(text) is None else str(escape(text))
    return str(value) if kind in _SAFE or kind is int else str(escape(value))


def attributes(*given: Attributes) -> str:
    """Attributes as HTML, later ones over earlier ones, classes added up: ` class="a b" required`.

    None and False leave an attribute out, True gives it without a value. `class_` is `class`; `data_x` is `data-x`.
    """
    merged: dict[str, Any] = {}
    for one in given:
        for name, value in one.items():
            plain = name.rstrip("_")
            if plain.startswith(_RENAMED):
                plain = plain.replace("_", "-")
            if plain == "class" and value and merged.get("class"):
                value = f"{merged['class']} {value}"
            merged[plain] = value
    text = ""
    for name, value in merged.items():
        if value is True:
            text += f" {escaped(name)}"
        elif value is not None and value is not False:
            text += f' {escaped(name)}="{escaped(value)}"'
    return text


def element(tag: str, content: object = "", *given: Attributes) -> Html:
    """`<tag …>content</tag>`, the content escaped unless it is HTML."""
    return Html(f"<{tag}{attributes(*given)}>{escaped(content)}</{tag}>")


def void(tag: str, *given: Attributes) -> Html:
    """`<tag …>`, for elements without content."""
    return Html(f"<{tag}{attributes(*given)}>")


def joined(*pieces: object) -> Html:
    """Pieces of HTML one after another; texts among them are escaped."""
    return Html("".join(map(escaped, pieces)))
