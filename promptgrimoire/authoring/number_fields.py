"""Fields whose answer is a number: whole, decimal or float, typed or on a slider.

Every text becomes a Decimal first, which is exact, is checked as such, and turned into the field's type at the end.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Context, Decimal, InvalidOperation
from typing import Any, ClassVar

from promptgrimoire.authoring import form_texts as texts
from promptgrimoire.authoring.field_base import Addons, GrimoireField

_LONGEST = 64  # characters of a number
_BOUND = Decimal(10) ** 18  # nobody answers with more, and it fits where the data go
_FINEST = Decimal(10) ** -18
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+(?:\.0*)?", re.ASCII)
_ONE_COMMA = re.compile(r"([+-]?\d*),(\d{1,2}|\d{4,})", re.ASCII)  # 1,000 may be a thousand or one
_EXACT = Context(prec=60)


class NumberField(GrimoireField):
    """Base of the fields for numbers. `min`, `max` and `step` are checked by the server, and told the browser."""

    type_text: ClassVar[str] = texts.NUMBER

    def __init__(self, *, min: Any = None, max: Any = None, step: Any = None, **rest: Any) -> None:
        self.minimum = self._bound("min", min)
        self.maximum = self._bound("max", max)
        self.step = self._bound("step", step)
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise TypeError(f"{type(self).__name__}: min={min} is greater than max={max}")
        self.expect(self.step is None or self.step > 0, "step", "a number greater than 0", step)
        super().__init__(**rest)
        if self.default is not None and not callable(self.default):
            self._bound("default", self.default)

    @classmethod
    def _bound(cls, name: str, value: Any) -> Decimal | None:
        if value is None:
            return None
        number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        cls.expect(number and Decimal(value).is_finite(), name, "a number", value)
        return Decimal(str(value))

    def parse(self, text: str) -> Any:
        number = self._number(text)
        if abs(number) > _BOUND:
            raise ValueError(self.say(texts.TOO_LARGE))
        self._check(number)
        return self.converted(number)

    def converted(self, number: Decimal) -> Any:
        """The number as it is stored."""
        raise NotImplementedError

    def _number(self, text: str) -> Decimal:
        text = _ascii_digits(text.strip())
        comma = _ONE_COMMA.fullmatch(text)
        if comma:
            text = f"{comma[1]}.{comma[2]}"
        if len(text) > _LONGEST:
            raise ValueError(self.say(texts.TOO_LARGE if text.lstrip("+-").isdigit() else self.type_text))
        if not _NUMBER.fullmatch(text):
            raise ValueError(self.say(self.type_text))
        try:
            number = _EXACT.create_decimal(text)
        except InvalidOperation:
            raise ValueError(self.say(self.type_text)) from None
        return number if abs(number) >= _FINEST else Decimal(0)

    def _check(self, number: Decimal) -> None:
        least, most = self.minimum, self.maximum
        if (least is not None and number < least) or (most is not None and number > most):
            text = texts.BETWEEN if None not in (least, most) else texts.AT_MOST if least is None else texts.AT_LEAST
            raise ValueError(self.say(text, least=_plain(least), most=_plain(most)))
        if self.step is not None:
            base = least or Decimal(0)
            remainder = _EXACT.remainder(_EXACT.subtract(number, base), self.step)
            if remainder:
                raise ValueError(self.say(texts.STEP, step=_plain(self.step), example=_plain(base + self.step)))

    def attributes(self) -> dict[str, Any]:
        step = "any" if self.step is None else _plain(self.step)
        typed = self.raw_data[0] if self.raw_data else ""
        # A browser would not show a text that is no number, and the participant could not see what was wrong.
        kind = {"type": "number"} if not typed or _NUMBER.fullmatch(typed) else {"type": "text"}
        bounds = {"min": _plain(self.minimum), "max": _plain(self.maximum), "step": step}
        return {**kind, "inputmode": self.keyboard, **bounds}

    keyboard: ClassVar[str] = "decimal"


class IntegerField(Addons, NumberField):
    """A whole number; stored as int."""

    type_text = texts.WHOLE_NUMBER

    def __init__(self, *, step: Any = 1, **rest: Any) -> None:
        super().__init__(step=step, **rest)

    def parse(self, text: str) -> Any:
        if not _WHOLE.fullmatch(_ascii_digits(text.strip())):
            raise ValueError(self.say(self.type_text))
        return super().parse(text)

    def converted(self, number: Decimal) -> int:
        return int(number)

    @property
    def keyboard(self) -> str:  # type: ignore[override]
        return "numeric" if self.minimum is not None and self.minimum >= 0 else "text"  # some have no minus


class DecimalField(Addons, NumberField):
    """An exact decimal number, such as money; stored as Decimal. `places`: how many decimal places at most."""

    def __init__(self, *, places: int | None = None, step: Any = None, **rest: Any) -> None:
        fits = places is None or (type(places) is int and 0 <= places <= 18)
        self.expect(fits, "places", "a whole number from 0 to 18", places)
        self.places = places
        if step is None and places is not None:
            step = Decimal(1).scaleb(-places)
        super().__init__(step=step, **rest)

    def _check(self, number: Decimal) -> None:
        if self.places is not None and number != round(number, self.places):
            raise ValueError(self.say(texts.PLACES, places=self.places))
        super()._check(number)

    def converted(self, number: Decimal) -> Decimal:
        return Decimal(self.shown_text(number))

    def shown_text(self, value: Any) -> str:
        return _with_places(value, self.places)


class FloatField(Addons, NumberField):
    """A number; stored as float."""

    def converted(self, number: Decimal) -> float:
        return float(number)


class RangeField(NumberField):
    """Base of sliders. With `anchoring=False` there is no value, and no thumb, until the participant sets it."""

    slider = True

    def __init__(
        self,
        *,
        min: Any = None,
        max: Any = None,
        step: Any = None,
        label_min: Any = None,
        label_max: Any = None,
        anchoring: bool = True,
        hide_popover: bool = False,
        **rest: Any,
    ) -> None:
        for name, value in (("min", min), ("max", max)):
            self.expect(value is not None, name, "a number: a slider has two ends", value)
        super().__init__(min=min, max=max, step=step, **rest)
        self.label_min = _plain(self.minimum) if label_min is None else label_min
        self.label_max = _plain(self.maximum) if label_max is None else label_max
        self.anchoring = anchoring
        self.hide_popover = hide_popover

    @property
    def is_set(self) -> bool:
        """Whether the thumb is shown: always with anchoring, else only where there is an answer."""
        return self.anchoring or bool(self.raw_data) or self.prefilled

    def _value(self) -> str:
        text = "" if not self.is_set else super()._value()
        return text or self.shown_text(self._middle())

    def _middle(self) -> Decimal:
        assert self.minimum is not None
        assert self.maximum is not None
        step = self.step or (self.maximum - self.minimum) / 100 or Decimal(1)
        return self.minimum + (self.maximum - self.minimum) / 2 // step * step

    def attributes(self) -> dict[str, Any]:
        return {**super().attributes(), "type": "range", "inputmode": None}


class DecimalRangeField(RangeField):
    """A slider; stored as Decimal."""

    def __init__(self, *, step: Any = None, places: int | None = None, **rest: Any) -> None:
        fits = places is None or (type(places) is int and 0 <= places <= 18)
        self.expect(fits, "places", "a whole number from 0 to 18", places)
        self.places = places
        if step is None:
            step = 1 if places is None else Decimal(1).scaleb(-places)
        super().__init__(step=step, **rest)

    def converted(self, number: Decimal) -> Decimal:
        return Decimal(self.shown_text(number))

    def shown_text(self, value: Any) -> str:
        return _with_places(value, self.places)


class FloatRangeField(RangeField):
    """A slider; stored as float. Without `step` it has a hundred."""

    def __init__(self, *, step: Any = None, min: Any = None, max: Any = None, **rest: Any) -> None:
        super().__init__(step=step, min=min, max=max, **rest)

    def converted(self, number: Decimal) -> float:
        return float(number)

    def shown_text(self, value: Any) -> str:
        return _plain(Decimal(str(value)))


def _plain(number: Decimal | None) -> str:
    """A number without exponent and trailing zeros; "" for None."""
    if number is None:
        return ""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _with_places(value: Any, places: int | None) -> str:
    number = Decimal(str(value))
    return _plain(number) if places is None else f"{number:.{places}f}"


def _ascii_digits(text: str) -> str:
    """Digits of other scripts as those that Python's numbers are made of."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(letter, letter)) for letter in text).replace("\u2212", "-")
