"""Several Likert scales with the same points, one below the other: `likert_matrix` and `likert_grid`.

On a phone a matrix becomes one horizontal scale below each question, a grid one upright list below each question; so
does a matrix whose points have words that would run into each other side by side.
"""

from __future__ import annotations

from typing import Any

from promptgrimoire.authoring.choice_fields import LikertField
from promptgrimoire.authoring.field_html import described_by, errors_of, scale
from promptgrimoire.authoring.html import Html, element, joined
from promptgrimoire.errors import AuthorError

_NARROW = 36  # characters that a phone shows side by side, of the size and weight of a chosen point's words


def matrix(fields: list[Any], label: Any = "") -> Html:
    """Questions as rows, points as columns; on a phone each question over its own scale."""
    return _table(fields, label, "grimoire-matrix" if _fits_a_phone(fields) else "grimoire-matrix upright")


def grid(fields: list[Any], label: Any = "") -> Html:
    """Questions as rows, points as columns; on a phone each question over its points, one below the other."""
    return _table(fields, label, "grimoire-matrix upright")


def _table(fields: list[Any], label: Any, look: str) -> Html:
    for field in fields:
        if not isinstance(field, LikertField):
            raise AuthorError(f"likert_matrix: expected fields of type LikertField, found {field!r}")
    if not fields:
        return Html("")
    first = fields[0]
    points = [choice.key for choice in first.choices]
    for field in fields:
        if [choice.key for choice in field.choices] != points:
            raise AuthorError(
                f"likert_matrix: {first.name} and {field.name} have different points; show them apart, with field()"
            )
    columns = joined(*(element("span", _column(first, index)) for index in range(len(points))))
    head = joined(element("span"), element("div", columns, {"class": "grimoire-scale"}))
    header = element("div", head, {"class": "grimoire-matrix-head", "aria-hidden": "true"})
    rows = joined(*(_row(field) for field in fields))
    style = f"--points: {len(points)}"
    named = {"role": "group", "aria-label": label} if label else {}
    return element("div", joined(header, rows), {"class": look, "style": style}, named)


def _fits_a_phone(fields: list[Any]) -> bool:
    """Whether the points have room side by side; the longest word of their labels decides, since it never breaks."""
    labels = [str(choice.label) for field in fields[:1] for choice in getattr(field, "choices", ())]
    longest = max((len(word) for label in labels for word in label.split()), default=0)
    return longest * len(labels) <= _NARROW


def _column(field: LikertField, index: int) -> Html:
    """What stands over a column: the point, and under it what it means at the ends."""
    end = field.label_min if index == 0 else field.label_max if index == len(field.choices) - 1 else ""
    return joined(field.choices[index].label, element("small", end) if end else "")


def _row(field: LikertField) -> Html:
    question = element("span", field.heading or field.name, {"class": "grimoire-question", "id": f"{field.id}-label"})
    description = element("small", field.description, {"id": f"{field.id}-description"}) if field.description else ""
    role = {
        "role": "radiogroup",
        "aria-labelledby": f"{field.id}-label",
        "aria-required": None if field.optional else "true",
        "aria-invalid": "true" if field.errors else None,
        "class": "grimoire-matrix-row has-error" if field.errors else "grimoire-matrix-row",
        "id": f"field-{field.id}",
    }
    asked = element("div", joined(question, description, errors_of(field)), {"class": "grimoire-asked"})
    return element("div", joined(asked, scale(field, {}, alone=False)), role, described_by(field))
