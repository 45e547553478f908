"""Plain WTForms fields on pages: which can be there, how they look like ours, what has to be added to their checks.

Owns all that this package knows about the insides of WTForms's own fields, so that a new release is met here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from wtforms.fields.choices import SelectChoice, SelectFieldBase
from wtforms.fields.core import UnboundField

MULTIPLE = ("SelectMultipleField",)
GROUPED = ("RadioField", "SelectMultipleField")  # lists of inputs
NUMBERS = ("IntegerField", "DecimalField", "FloatField", "IntegerRangeField", "DecimalRangeField")
_TYPED = (
    *("StringField", "TextAreaField", "IntegerField", "DecimalField", "FloatField", "EmailField", "DateField"),
    *("DateTimeField", "DateTimeLocalField", "MonthField", "TimeField", "WeekField", "URLField", "TelField"),
    *("SearchField", "PasswordField", "FileField"),
)
_UNSUPPORTED: Mapping[str, str] = MappingProxyType(
    {
        "FormField": "write its fields into the page's",
        "FieldList": "write one field each",
        "MultipleFileField": "write one FileField each",
        "SubmitField": "the page has a Next button",
    }
)
_BOUND = 10**18


def why_unsupported(kind: type) -> str | None:
    """What to do instead of a kind of field that a page cannot have; None where it can."""
    return next((_UNSUPPORTED[one.__name__] for one in kind.__mro__ if one.__name__ in _UNSUPPORTED), None)


def ready(unbound: Any) -> Any:
    """The field as WTForms wants it: it is about to take choices as objects only, authors write pairs."""
    choices = unbound.kwargs.get("choices")
    if not isinstance(choices, list | tuple) or not issubclass(unbound.field_class, SelectFieldBase):
        return unbound
    objects = [SelectChoice(*one) if isinstance(one, tuple) and len(one) in (2, 3) else one for one in choices]
    return UnboundField(unbound.field_class, *unbound.args, **{**unbound.kwargs, "choices": objects})


def is_bounded(value: Any) -> bool:
    """Whether a value is no number without end: no infinity, nothing beyond 10^18."""
    if isinstance(value, Decimal) and not value.is_finite():
        return False
    return not isinstance(value, int | float | Decimal) or -_BOUND <= value <= _BOUND


def attributes(field: Any) -> dict[str, Any]:
    """What makes an input look and sound like ours."""
    look = "form-control" if field.type in _TYPED else "form-select" if field.type == "SelectField" else ""
    given = dict(field.render_kw or {})
    classes = " ".join(filter(None, (look, given.pop("class", ""), given.pop("class_", ""))))
    wrong = {"aria_invalid": "true"} if field.errors and field.type not in GROUPED else {}
    return {**({"class": classes} if classes else {}), **given, **wrong}
