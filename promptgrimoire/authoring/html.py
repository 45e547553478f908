"""Small pieces of HTML: attributes and elements, everything escaped that the author has not marked as safe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup, escape

Attributes = Mapping[str, Any]


def attributes(*given: Attributes) -> str:
    """Attributes as HTML, later ones over earlier ones, classes added up: ` class="a b" required`.

    None and False leave an attribute out, True gives it without a value. `class_` is `class`; `data_x` is `data-x`.
    """
    merged: dict[str, Any] = {}
    for one in given:
        for name, value in one.items():
            plain = _plain(name)
            if plain == "class" and merged.get("class") and value:
                value = f"{merged['class']} {value}"
            merged[plain] = value
    return "".join(
        _attribute(name, value) for name, value in merged.items() if value is not None and value is not False
    )


def element(tag: str, content: object = "", *given: Attributes) -> Markup:
    """`<tag …>content</tag>`, the content escaped unless it is Markup."""
    return Markup(f"<{tag}{attributes(*given)}>{escape(content)}</{tag}>")


def void(tag: str, *given: Attributes) -> Markup:
    """`<tag …>`, for elements without content."""
    return Markup(f"<{tag}{attributes(*given)}>")


def joined(*pieces: Markup | str) -> Markup:
    """Pieces of HTML one after another; texts among them are escaped."""
    return Markup("").join(pieces)


def _plain(name: str) -> str:
    name = name.rstrip("_")
    return name.replace("_", "-") if name.startswith(("data_", "aria_")) else name


def _attribute(name: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    return f" {escape(name)}" if value is True else f' {escape(name)}="{escape(value)}"'
