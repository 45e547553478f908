"""Languages: texts from catalogues, the direction of writing, numbers and dates as they are written there.

Owns `Language`, one language ready to be used, and `Languages`, those of one app: they are loaded when somebody first
needs them. Never decides on texts; those are in `catalogues/` (the framework's) and in `locales/` (an author's).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import babel
from babel import Locale, dates, numbers

from promptgrimoire.authoring.catalogue import Catalogue, read_catalogue, read_compiled
from promptgrimoire.authoring.texts import CLIENT
from promptgrimoire.errors import AuthorError
from promptgrimoire.state.translation import filled, translated

log = logging.getLogger("promptgrimoire.language")

DEFAULT = "en"  # in which the framework's texts are written
OWN_CATALOGUES = Path(__file__).parent.parent / "catalogues"
FOLDER = "locales"  # of an app, or of a project
_OF_FORMS = Path(str(files("wtforms"))) / "locale"
_CODE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")
_ALIASES = 200  # spellings of codes that are remembered
_DIGIT = re.compile(r"\d")
_FRACTION = re.compile(r"#0(\.0+)?")
_LEFT_TO_RIGHT = "\u200e"  # an invisible mark: what follows stays in front of the number

Style = Literal["short", "medium", "long", "full"]
STYLES: tuple[Style, ...] = ("short", "medium", "long", "full")


class UnknownLanguage(AuthorError):
    """What was given is no code of a language, or of one for which there are no texts."""


class Language:
    """One language: its texts as dicts, its direction, its way of writing numbers and dates. Nothing in it changes."""

    __slots__ = ("_by_three", "_marks", "_plurals", "_texts", "client", "direction", "locale", "separators", "tag")

    def __init__(self, locale: Locale, catalogues: Iterable[Catalogue]) -> None:
        """Later catalogues win over earlier ones."""
        self.locale = locale
        self.tag = str(locale).replace("_", "-")  # as HTML's lang wants it: "de", "pt-BR"
        self.direction, self.separators, self._by_three = _written(locale)
        self._marks = str.maketrans({",": self.separators[0], ".": self.separators[1]})
        self._texts: dict[str, str] = {}
        self._plurals: dict[str, tuple[Any, tuple[str, ...]]] = {}
        for one in catalogues:
            self._texts.update(one.texts)
            self._plurals.update({single: (one.rule, forms) for single, forms in one.plurals.items()})
        self.client = {key: self.gettext(text) for key, text in CLIENT.items()}  # what every page carries

    def __repr__(self) -> str:
        return f"Language({self.tag!r})"

    # ---------------------------------------------------------------- texts

    def gettext(self, text: str) -> str:
        """The text in this language; the text itself where no catalogue has it."""
        return self._texts.get(text, text)

    def ngettext(self, singular: str, plural: str, n: float) -> str:
        """The form that goes with the number `n`."""
        found = self._plurals.get(singular)
        if found is None:
            return singular if n == 1 else plural
        rule, forms = found
        form = rule(abs(int(n)) if n == int(n) else 100)  # fractions take the form of "other"
        return forms[form] if form < len(forms) else forms[-1]

    def says(self, text: str, plural: str | None = None, /, *, player: Any = None, **values: Any) -> str:
        """What `_("…")` gives in a template of this language."""
        if player is not None:
            return str(translated(text, plural, getattr(player, "_player", player), values))
        if plural is None:
            said = self._texts.get(text, text)
            return filled(said, values) if values else said
        return filled(self.ngettext(text, plural, values["n"]), values)

    def known(self, texts: Iterable[str]) -> dict[str, str]:
        """Those of the texts that this language has a translation of, with it."""
        return {text: self._texts[text] for text in texts if text in self._texts}

    # ---------------------------------------------------------------- numbers and dates

    def number(self, value: Decimal, places: int) -> str:
        """A number that is not negative and has so many decimal places: 1.234,50 in German."""
        if self._by_three:
            return f"{value:,f}".translate(self._marks)
        return numbers.format_decimal(value, "#,##,##0" + _fraction(places), self.locale, decimal_quantization=False)

    def plain(self, text: str) -> str:
        """A number as Python writes it, with this language's decimal separator."""
        shown = text.replace(".", self.separators[1])
        return self.negative(shown[1:], "-") if shown[:1] == "-" else shown

    def negative(self, text: str, sign: str = "\u2212") -> str:
        """The text of an amount with a minus in front; where one writes from the right, to the left of the digits."""
        if self.direction == "ltr":
            return sign + text
        return _DIGIT.sub(lambda digit: f"{_LEFT_TO_RIGHT}{sign}{digit[0]}", text, count=1)

    def money(self, value: Decimal, currency: str, places: int) -> str:
        """An amount that is not negative and has so many decimal places: €12.50 in English, 12,50 € in German."""
        usual = self.locale.currency_formats["standard"].pattern.partition(";")[0]
        pattern = _FRACTION.sub("#0" + _fraction(places), usual)
        return numbers.format_currency(
            value, currency, pattern, self.locale, currency_digits=False, decimal_quantization=False
        )

    def places_of(self, currency: str) -> int:
        """How many decimal places amounts have in the currency of that ISO code. Raises AuthorError."""
        if not isinstance(currency, str) or not numbers.is_currency(currency):
            raise AuthorError(f"expected the code of a currency, as in 'EUR', found {currency!r}")
        return numbers.get_currency_precision(currency)

    def date(self, value: date | datetime | time, style: Style = "medium") -> str:
        """A date, a date with time, or a time."""
        if isinstance(value, datetime):
            return dates.format_datetime(value, style, locale=self.locale)
        if isinstance(value, time):
            return dates.format_time(value, style if style != "full" else "medium", locale=self.locale)
        return dates.format_date(value, style, locale=self.locale)


class Languages:
    """The languages of one app, or (without folders) of the framework's own pages."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """`folders` hold an author's catalogues, those that count more last. Raises CatalogueError."""
        self._authors = [
            (path.stem.replace("-", "_"), read_catalogue(path))
            for folder in folders
            for path in sorted(folder.glob("*.po"))
        ]
        own = {path.stem for path in OWN_CATALOGUES.glob("*.po")}
        self.codes = frozenset({DEFAULT, *own, *(code for code, _ in self._authors)})
        self.problems = [problem for _, one in self._authors for problem in one.problems]
        self._loaded: dict[str, Language] = {}
        self._aliases: dict[str, Language] = {}  # by codes as they were written
        self._spoken: dict[str, Language] = {}  # those of them that there are texts of
        self._complained: set[str] = set()
        self._choosing = False
        for code, _ in self._authors:
            self.get(code)  # now, rather than when the first participant waits for it

    def get(self, code: object) -> Language:
        """The language of a code such as "de" or "pt-BR". Raises UnknownLanguage for what is none."""
        found = self._aliases.get(code) if isinstance(code, str) else None
        if found is not None:
            return found
        locale = locale_of(code)
        tag = str(locale)
        language = self._loaded.get(tag)
        if language is None:
            language = self._loaded[tag] = Language(locale, self._catalogues(locale))
        if len(self._aliases) < _ALIASES:
            self._aliases[str(code)] = language
        return language

    def has(self, code: object) -> bool:
        """Whether there are texts in this language (perhaps of another country). Raises UnknownLanguage."""
        return not self.codes.isdisjoint(_names(locale_of(code)))

    def _catalogues(self, locale: Locale) -> list[Catalogue]:
        found = []
        for name in _names(locale):
            compiled = _OF_FORMS / name / "LC_MESSAGES" / "wtforms.mo"
            if compiled.is_file():
                found.append(read_compiled(compiled))
        for name in _names(locale):
            path = OWN_CATALOGUES / f"{name}.po"
            if path.is_file():
                found.append(read_catalogue(path))
        names = _names(locale)
        found += [one for name in names for code, one in self._authors if code == name]
        return found

    def default(self, code: object) -> Language:
        """The language that a study names; English, and a warning, where there is none of that code."""
        found = self._aliases.get(code) if isinstance(code, str) else None
        if found is not None:
            return found
        try:
            language = self.get(code)
        except UnknownLanguage as problem:
            english = self.get(DEFAULT)
            self._complain("the setting language", problem, english)
            return english
        if not self.has(code):
            lacking = UnknownLanguage(f"the framework has no texts in {code!r}; add {FOLDER}/{language.locale}.po")
            self._complain("the setting language", lacking, self.get(DEFAULT))
        return language

    # ---------------------------------------------------------------- a player's choice

    def chosen(self, hook: Any, player: Any, default: Language) -> Language:
        """What an app's `language(player)` chooses; `default` where it gives None or something that is no language.

        The latter is logged, each mistake once. Code that runs for the hook itself speaks the default.
        """
        if self._choosing:
            return default
        self._choosing = True
        try:
            code = hook(player)
            if code is None or code == default.tag:
                return default
            found = self._spoken.get(code) if isinstance(code, str) else None
            if found is not None:
                return found
            if not self.has(code):
                raise UnknownLanguage(f"there are no texts in {code!r}; add {FOLDER}/{locale_of(code)}.po")
            found = self.get(code)
            if len(self._spoken) < _ALIASES:
                self._spoken[code] = found
            return found
        except Exception as problem:  # the author's code: nobody is stuck for the want of a language
            self._complain(f"{hook.where}: language", problem, default)
            return default
        finally:
            self._choosing = False

    def _complain(self, where: str, problem: Exception, default: Language) -> None:
        text = f"{type(problem).__name__}: {problem}" if not isinstance(problem, UnknownLanguage) else str(problem)
        if text not in self._complained and len(self._complained) < _ALIASES:
            self._complained.add(text)
            log.warning("%s: %s; %r is used instead", where, text, default.tag)


def locale_of(code: object) -> Locale:
    """What Babel knows about a language. Raises UnknownLanguage."""
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise UnknownLanguage(f"expected the code of a language, as in 'de' or 'pt-BR', found {code!r}")
    try:
        return Locale.parse(code.replace("-", "_"))
    except (babel.UnknownLocaleError, ValueError):
        raise UnknownLanguage(f"there is no language {code!r}; write a code, as in 'de' or 'pt-BR'") from None


def _written(locale: Locale) -> tuple[str, tuple[str, str], bool]:
    """Direction ("ltr", "rtl"); separators of thousands and of decimals; whether digits are grouped by three.

    English needs no data for it, whose first reading takes a tenth of a second.
    """
    if str(locale) == DEFAULT:
        return "ltr", (",", "."), True
    symbols = locale.number_symbols["latn"]
    by_three = locale.decimal_formats[None].grouping == (3, 3)
    return locale.text_direction, (symbols["group"], symbols["decimal"]), by_three


def _fraction(places: int) -> str:
    return f".{'0' * places}" if places > 0 else ""


def _names(locale: Locale) -> list[str]:
    """Under which names its texts may be, the general one first: zh, zh_Hant, zh_Hant_TW."""
    parts = [part for part in (locale.language, locale.script, locale.territory) if part]
    names = ["_".join(parts[: length + 1]) for length in range(len(parts))]
    whole = f"{locale.language}_{locale.territory}" if locale.territory else locale.language
    return list(dict.fromkeys([*names, whole]))
