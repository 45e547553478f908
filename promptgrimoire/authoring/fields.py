"""The fields that pages have, under the names that authors import."""

from promptgrimoire.authoring.choice_fields import (
    BooleanField,
    BoundedChoiceField,
    LikertField,
    RadioField,
    SelectField,
)
from promptgrimoire.authoring.number_fields import (
    DecimalField,
    DecimalRangeField,
    FloatField,
    FloatRangeField,
    IntegerField,
)
from promptgrimoire.authoring.text_fields import BICField, DateField, EmailField, IBANField, StringField, TextAreaField
from promptgrimoire.authoring.uploads import FileField, Upload

__all__ = [
    "BICField",
    "BooleanField",
    "BoundedChoiceField",
    "DateField",
    "DecimalField",
    "DecimalRangeField",
    "EmailField",
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
    "Upload",
]
