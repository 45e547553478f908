"""Texts in the language of whoever they are for: what `_("…")` gives.

Owns how the values of a text are put in, and what a text is where no participant is known yet. Which language that is
says the session (`promptgrimoire.context.Services`); never reads a catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptgrimoire.context import current

PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")


def filled(text: str, values: Mapping[str, Any]) -> str:
    """The text with `{name}` replaced by the value of that name; what has no value stays as it is."""
    if not values:
        return text
    return PLACEHOLDER.sub(lambda match: str(values[match[1]]) if match[1] in values else match[0], text)


def running_language(record: Any = None) -> Any:
    """The `Language` of a player, or of whoever this code runs for; None outside of a session's code."""
    activity = current.get()
    if activity is None or activity.record is None:  # also where a module is imported, and in a thread
        return None
    return activity.services.language(activity.record if record is None else record, activity.app)


def translated(text: str, plural: str | None, record: Any, values: Mapping[str, Any]) -> str:
    """The text in the language of `record` (None: whoever this code runs for), with its values.

    With `plural`, the value `n` decides on the form. Where no participant is known, a `LaterText`.
    """
    language = running_language(record)
    if language is None:
        return LaterText(text, plural, values)
    if plural is None:
        return filled(language.gettext(text), values)
    return filled(language.ngettext(text, plural, values["n"]), values)


class LaterText(str):
    """A text that was written where no participant is known, as in `IntegerField(label=_("Your age"))`.

    As a string it is the author's own text, and the same for everybody; whenever it is shown to a participant (in a
    template, by `str()` or in an f-string), it is in their language.
    """

    _plural: str | None
    _values: Mapping[str, Any]

    def __new__(cls, text: str, plural: str | None = None, values: Mapping[str, Any] | None = None) -> LaterText:
        values = dict(values or {})
        own = text if plural is None or values["n"] == 1 else plural
        self = super().__new__(cls, filled(own, values))
        self._text, self._plural, self._values = text, plural, values
        return self

    _text: str

    @property
    def source(self) -> str:
        """The author's own text, whoever asks."""
        return str.__str__(self)

    def __str__(self) -> str:
        if running_language() is None:
            return str.__str__(self)
        return translated(self._text, self._plural, None, self._values)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __html__(self) -> str:
        return str(self).translate(_ESCAPES)


_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"})
