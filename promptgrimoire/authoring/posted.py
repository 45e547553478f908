"""What a browser has posted for the fields of a form, as WTForms asks for it; what is never stored is left out.

Owns what is refused of every field, before any field looks at it: characters, lengths, more answers than one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from promptgrimoire.authoring import form_texts, plain_fields
from promptgrimoire.authoring.field_base import LONGEST, hostile_character, without_hostile
from promptgrimoire.authoring.uploads import SENT, FileField, Upload

_LONGEST_NUMBER = 64  # characters
_MOST_VALUES = 1_000  # of one field


class Problem(msgspec.Struct, frozen=True):
    """Why what was posted for a field was left out."""

    text: str
    character: str = ""

    def said(self, gettext: Callable[[str], str]) -> str:
        return str(gettext(self.text)).format(character=self.character)


class Posted:
    """What a browser has posted, as WTForms asks for it; what is never stored is left out."""

    def __init__(self, fields: Mapping[str, Any], data: Mapping[str, list[str]], uploads: Mapping[str, Upload]) -> None:
        self._values: dict[str, list[Any]] = {}
        self._problems: dict[str, Problem] = {}
        self._readable: dict[str, list[str]] = {}
        for name, field in fields.items():
            if isinstance(field, FileField) or field.type == "FileField":
                self._values[name] = [uploads[name]] if name in uploads else _sent_before(field, data)
                continue
            values = [value for value in data.get(name, ()) if isinstance(value, str)]
            problem = _wrong(field, values)
            if problem is None:
                self._values[name] = values
            else:
                self._values[name], self._problems[name] = [], problem
                self._readable[name] = [without_hostile(value) for value in values[:1]]

    def problem(self, name: str) -> Problem | None:
        """Why what was posted for a field was left out."""
        return self._problems.get(name)

    def readable(self, name: str) -> list[str]:
        """What was posted for it as far as it can be shown again, so that nobody has to write it anew."""
        return self._readable.get(name, [])

    def getlist(self, name: str) -> list[Any]:
        return self._values.get(name, [])

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _sent_before(field: Any, data: Mapping[str, list[str]]) -> list[Upload]:
    """The file that the form offers to keep, where the browser says so: no other one can be named."""
    sent = getattr(field, "sent", None)
    return [sent] if sent is not None and sent.digest in data.get(SENT + field.name, ()) else []


def _wrong(field: Any, values: list[str]) -> Problem | None:
    many = getattr(field, "multiple", field.type in plain_fields.MULTIPLE)
    if len(values) > 1 and not many:
        return Problem(form_texts.ONE_ONLY)
    for value in values:
        character = hostile_character(value)
        if character is not None:
            return Problem(form_texts.CHARACTER, character)
        if len(value) > LONGEST or (field.type in plain_fields.NUMBERS and len(value) > _LONGEST_NUMBER):
            return Problem(form_texts.UNREADABLE)
    return Problem(form_texts.UNREADABLE) if len(values) > _MOST_VALUES else None
