"""Fields whose answer is text, or something that is written as text: a date, an address, an account."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, ClassVar

from promptgrimoire.authoring import form_texts as texts
from promptgrimoire.authoring.field_base import LONGEST, Addons, GrimoireField

# As browsers check it (HTML standard, "valid e-mail address"), and with a dot in the domain.
_EMAIL = re.compile(
    r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
    r"@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+"
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", re.ASCII)
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?", re.ASCII)
# ISO 13616: how long the IBANs of a country are.
_IBAN_LENGTHS: Mapping[int, str] = MappingProxyType(
    {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MN MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }
)


class TextField(Addons, GrimoireField):
    """Base of the fields that one types into."""

    most: ClassVar[int] = 10_000
    kind: ClassVar[str] = "text"

    def __init__(self, *, min_length: int = 0, max_length: int | None = None, **rest: Any) -> None:
        most = self.most if max_length is None else max_length
        self.expect(type(most) is int and 0 < most <= LONGEST, "max_length", f"1 to {LONGEST} characters", max_length)
        fits = type(min_length) is int and 0 <= min_length <= most
        self.expect(fits, "min_length", f"a number of characters up to {most}", min_length)
        self.min_length, self.max_length, self.stated = min_length, most, max_length is not None
        super().__init__(**rest)

    def parse(self, text: str) -> Any:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if len(text) > self.max_length:
            raise ValueError(self.say(texts.TOO_LONG, most=self.max_length, length=len(text)))
        if len(text) < self.min_length:
            raise ValueError(self.say(texts.TOO_SHORT, least=self.min_length, length=len(text)))
        return text

    def attributes(self) -> dict[str, Any]:
        return {
            "type": self.kind,
            "minlength": self.min_length or None,
            "maxlength": self.max_length if self.stated else None,
        }


class StringField(TextField):
    """One line of text; stored as str, None where nothing was written."""

    def parse(self, text: str) -> Any:
        return super().parse(" ".join(text.splitlines()) if len(text.splitlines()) > 1 else text)


class TextAreaField(TextField):
    """Several lines of text, separated by \\n; stored as str."""

    most = LONGEST
    area = True

    def attributes(self) -> dict[str, Any]:
        return {**super().attributes(), "type": None, "rows": 4}


class EmailField(TextField):
    """An email address; stored as str. Whether it exists only a message can tell."""

    most = 254
    kind = "email"

    def parse(self, text: str) -> Any:
        text = super().parse(text.strip())
        if not _EMAIL.fullmatch(text):
            raise ValueError(self.say(texts.EMAIL))
        return text

    def attributes(self) -> dict[str, Any]:
        return {**super().attributes(), "autocapitalize": "none", "spellcheck": "false"}


class IBANField(TextField):
    """An account, with the check digits of ISO 13616 (modulo 97); stored as str, in capitals without spaces."""

    most = 64

    def parse(self, text: str) -> Any:
        plain = re.sub(r"[\s.-]", "", super().parse(text)).upper()
        if not _IBAN.fullmatch(plain) or not _has_the_length_of_its_country(plain) or _remainder_97(plain) != 1:
            raise ValueError(self.say(texts.IBAN))
        return plain

    def shown_text(self, value: Any) -> str:
        return " ".join(re.findall("..?.?.?", str(value)))

    def attributes(self) -> dict[str, Any]:
        return {**super().attributes(), "autocapitalize": "characters", "spellcheck": "false"}


class BICField(TextField):
    """A bank, by its code of 8 or 11 letters and digits (ISO 9362); stored as str, in capitals."""

    most = 64

    def parse(self, text: str) -> Any:
        plain = re.sub(r"\s", "", super().parse(text)).upper()
        if not _BIC.fullmatch(plain):
            raise ValueError(self.say(texts.BIC))
        return plain

    def attributes(self) -> dict[str, Any]:
        return {**super().attributes(), "autocapitalize": "characters", "spellcheck": "false"}


class DateField(GrimoireField):
    """A day; stored as datetime.date. `min` and `max` are dates, or texts such as "2026-05-01"."""

    def __init__(self, *, min: date | str | None = None, max: date | str | None = None, **rest: Any) -> None:
        self.minimum, self.maximum = self._day("min", min), self._day("max", max)
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise TypeError(f"{type(self).__name__}: min={min} is later than max={max}")
        super().__init__(**rest)

    @classmethod
    def _day(cls, name: str, value: Any) -> date | None:
        try:
            return date.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            cls.expect(False, name, 'a date, as in "2026-05-01"', value)
        return None

    def parse(self, text: str) -> Any:
        try:
            day = date.fromisoformat(text.strip()) if _DATE.fullmatch(text.strip()) else None
        except ValueError:
            day = None
        if day is None:
            raise ValueError(self.say(texts.DATE))
        least, most = self.minimum, self.maximum
        if (least is not None and day < least) or (most is not None and day > most):
            both = None not in (least, most)
            said = texts.DATE_BETWEEN if both else texts.DATE_AT_MOST if least is None else texts.DATE_AT_LEAST
            raise ValueError(self.say(said, least=least, most=most))
        return day

    def attributes(self) -> dict[str, Any]:
        return {"type": "date", "min": self.minimum, "max": self.maximum}


def _has_the_length_of_its_country(iban: str) -> bool:
    known = next((length for length, countries in _IBAN_LENGTHS.items() if iban[:2] in countries.split()), None)
    return known is None or len(iban) == known


def _remainder_97(iban: str) -> int:
    """Letters count as 10 to 35; the first four characters come last."""
    return int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97
