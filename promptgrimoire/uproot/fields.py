"""The fields that pages have, and `Field` for annotations: `from promptgrimoire.uproot.fields import *`."""

from typing import Any, cast

from wtforms import Field

from promptgrimoire.authoring.fields import (
    BICField,
    BooleanField,
    BoundedChoiceField,
    DateField,
    DecimalField,
    DecimalRangeField,
    EmailField,
    FileField,
    FloatField,
    FloatRangeField,
    IBANField,
    IntegerField,
    LikertField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)

__all__ = [
    "Any",
    "BICField",
    "BooleanField",
    "BoundedChoiceField",
    "DateField",
    "DecimalField",
    "DecimalRangeField",
    "EmailField",
    "Field",
    "FileField",
    "FloatField",
    "FloatRangeField",
    "IBANField",
    "IntegerField",
    "LikertField",
    "RadioField",
    "SelectField",
    "StringField",
    "TextAreaField",
    "cast",
]
