"""Fields that offer answers to choose from: one box, one of several, several of several, a point on a scale.

What is posted is the text of a value; what is stored is the value itself, with its type. Nothing else can be posted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from wtforms.validators import StopValidation

from promptgrimoire.authoring import form_texts as texts
from promptgrimoire.authoring.field_base import GrimoireField
from promptgrimoire.state.storable import SCALARS
from promptgrimoire.state.translation import LaterText

_UNTICKED = ("", "false", "False", "0")
# Widths of the window, in pixels, below which scales can be told to stand upright: classes of the stylesheet.
BREAKPOINTS = (0, 400, 576, 768, 992)


class Choice(NamedTuple):
    """One answer: the text that is posted, the value that is stored, what the participant reads."""

    key: str
    value: Any
    label: Any


class BooleanField(GrimoireField):
    """A box to tick; stored as bool. With `required=True` (consent) nobody goes on without ticking it."""

    missing_text = texts.TICK

    def __init__(self, *, required: bool | None = None, optional: bool | None = None, **rest: Any) -> None:
        self.expect(required is None or isinstance(required, bool), "required", "True or False", required)
        if required is None:
            required = optional is False
        super().__init__(optional=not required, **rest)

    def process_formdata(self, valuelist: list[Any]) -> None:
        self.data = self.given = bool(valuelist) and valuelist[0] not in _UNTICKED


class ChoiceField(GrimoireField):
    """Base of the fields with choices: (value, label) pairs, a dict of them, or values that are their own labels."""

    def __init__(self, *, choices: Any = None, **rest: Any) -> None:
        self.choices = self._choices(choices)
        super().__init__(**rest)
        if self.default is not None and not callable(self.default):
            chosen = self.default if self.multiple else [self.default]
            for value in chosen:
                self._offered("default", value)

    def _choices(self, given: Any) -> list[Choice]:
        iterable = isinstance(given, Iterable) and not isinstance(given, str | bytes)
        self.expect(iterable, "choices", 'choices, as in [("m", "Male"), ("f", "Female")]', given)
        pairs = given.items() if isinstance(given, Mapping) else map(self._pair, given)
        choices = [self._choice(value, label) for value, label in pairs]
        self.expect(bool(choices), "choices", "at least one choice", given)
        keys = [choice.key for choice in choices]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        self.expect(twice is None, "choices", "different values", twice)
        return choices

    def _pair(self, given: Any) -> tuple[Any, Any]:
        if isinstance(given, tuple | list):
            self.expect(len(given) == 2, "choices", "pairs of a value and a label", given)
            return given[0], given[1]
        return given, given

    def _choice(self, value: Any, label: Any) -> Choice:
        if isinstance(value, LaterText):
            value = value.source  # data is the same in all languages
        self.expect(type(value) in SCALARS, "choices", "values that are text, numbers, True or False", value)
        shown = label if isinstance(label, str) else str(label)
        return Choice("" if value is None else str(value), value, shown)

    def _offered(self, name: str, value: Any) -> None:
        offered = [choice.value for choice in self.choices]
        fits = any(type(one) is type(value) and one == value for one in offered)
        self.expect(fits, name, f"one of the choices {offered}", value)

    def reorder(self, keys: list[str]) -> None:
        """Bring the choices into an earlier order; those that were not there then come last."""
        places = {key: place for place, key in enumerate(keys)}
        self.choices.sort(key=lambda choice: places.get(choice.key, len(places)))

    def chosen(self, choice: Choice) -> bool:
        """Whether a choice is to be shown as chosen."""
        if self.raw_data is not None:
            return choice.key in self.raw_data and (choice.key != "" or isinstance(self, SelectField))
        data = self.data if self.multiple else [self.data]
        return any(type(one) is type(choice.value) and one == choice.value for one in data or ())

    def value_of(self, key: str) -> Any:
        """The value of a posted text. Raises ValueError where it is not among the choices."""
        for choice in self.choices:
            if choice.key == key:
                return choice.value
        raise ValueError(self.say(texts.NOT_OFFERED))


class OneOf(ChoiceField):
    """Base of the fields with one answer among several."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        self.data = None
        self.given = bool(valuelist) and valuelist[0] != ""
        if self.given:
            self.data = self.value_of(valuelist[0])


class SelectField(OneOf):
    """A list to choose one answer from. Unless a choice has the value "", the first line asks to choose."""

    @property
    def asks(self) -> bool:
        """Whether a first line without a value is needed."""
        return all(choice.key for choice in self.choices)


class RadioField(OneOf):
    """Buttons to choose one answer with; without `choices` Yes and No. `layout` is "vertical" or "horizontal".

    With `correct=value` only that answer is accepted; others meet `hint`, and each attempt is counted.
    """

    grouped = True

    def __init__(
        self, *, choices: Any = None, layout: str = "vertical", correct: Any = None, hint: Any = "", **rest: Any
    ) -> None:
        _check_layout(self, layout)
        self.yes_or_no = choices is None
        super().__init__(choices=[(True, texts.YES), (False, texts.NO)] if choices is None else choices, **rest)
        self.layout, self.correct, self.hint = layout, correct, hint
        if correct is not None:
            self._offered("correct", correct)
        self.expect(isinstance(hint, str), "hint", "text", hint)
        self.expect(not hint or correct is not None, "hint", "correct=..., for which the hint is", hint)
        if self.yes_or_no:
            self.choices = [one._replace(label=self.say(one.label)) for one in self.choices]

    def post_validate(self, form: Any, validation_stopped: bool) -> None:
        if self.given and not self.errors and self.correct is not None and self.data != self.correct:
            self.errors.append(self.hint or self.say(texts.WRONG))


class LikertField(OneOf):
    """A scale from `min` to `max`, with words at its ends or, with `choices`, at each point; stored as the point.

    Below `breakpoint` (pixels of the window's width: 400, 576, 768 or 992; 0 for never) it stands upright.
    """

    grouped = True

    def __init__(
        self,
        *,
        min: int = 1,
        max: int = 7,
        label_min: Any = "",
        label_max: Any = "",
        choices: Any = None,
        breakpoint: int | None = None,
        **rest: Any,
    ) -> None:
        for name, value in (("min", min), ("max", max)):
            self.expect(type(value) is int, name, "a whole number", value)
        if choices is None:
            self.expect(min < max <= min + 100, "max", f"more than min={min}, and at most 101 points", max)
        self.worded = choices is not None
        points = [(point, str(point)) for point in range(min, max + 1)]
        super().__init__(choices=points if choices is None else choices, **rest)
        self.label_min, self.label_max = label_min, label_max
        self.breakpoint = self._breakpoint(breakpoint)

    def _breakpoint(self, given: int | None) -> int:
        points = len(self.choices)
        if given is not None:
            self.expect(type(given) is int and given >= 0, "breakpoint", "a width in pixels", given)
            return min(BREAKPOINTS, key=lambda known: abs(known - given))
        if self.worded:
            return 400 if points <= 3 else 768 if points <= 5 else 992
        return 0 if points <= 11 else 576 if points <= 18 else 992


class BoundedChoiceField(ChoiceField):
    """Boxes to tick, from `min` to `max` of them; stored as a list of values, in the order of the choices.

    With `optional=True` nobody has to answer, but who does, within these bounds.
    """

    multiple: ClassVar[bool] = True
    grouped: ClassVar[bool] = True

    def __init__(
        self, *, choices: Any = None, min: int = 0, max: int | None = None, layout: str = "vertical", **rest: Any
    ) -> None:
        _check_layout(self, layout)
        super().__init__(choices=choices, **rest)
        most = len(self.choices)
        self.expect(type(min) is int and 0 <= min <= most, "min", f"a number from 0 to {most}", min)
        fits = max is None or (type(max) is int and max >= 1 and max >= min)
        self.expect(fits, "max", f"a number from {min or 1} on", max)
        self.minimum, self.maximum, self.layout = min, most if max is None else max, layout

    def process_formdata(self, valuelist: list[Any]) -> None:
        self.data = []
        self.given = bool(valuelist)
        posted = [self.value_of(key) for key in dict.fromkeys(valuelist)]
        self.data = [choice.value for choice in self.choices if choice.key in valuelist] if posted else []

    def pre_validate(self, form: Any) -> None:
        if self.process_errors or (self.optional and not self.given):
            raise StopValidation
        least, most = self.minimum, self.maximum
        if not least <= len(self.data or ()) <= most:
            below = least == 0
            above = most == len(self.choices)
            said = texts.CHOOSE_AT_MOST if below else texts.CHOOSE_AT_LEAST if above else texts.CHOOSE_BETWEEN
            said = texts.CHOOSE_EXACTLY if least == most else said
            raise StopValidation(self.say(said, least=least, most=most))


def _check_layout(field: GrimoireField, layout: str) -> None:
    field.expect(layout in ("vertical", "horizontal"), "layout", '"vertical" or "horizontal"', layout)
