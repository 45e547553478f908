"""Template filters: tojson, to, fmtnum, fmtdate; the last three also as functions, in the language of whoever reads.

Pure but for the language, which comes with the template's context or is that of whoever the code runs for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import jinja2
import msgspec
from jinja2 import pass_context
from markupsafe import Markup

from promptgrimoire.authoring.language import DEFAULT, STYLES, Language, Style, locale_of
from promptgrimoire.authoring.translate_tag import LANGUAGE
from promptgrimoire.errors import AuthorError
from promptgrimoire.state.browser_values import to_browser
from promptgrimoire.state.translation import running_language

_JSON_IN_HTML = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "'": "\\u0027",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}
_TABLE = str.maketrans(_JSON_IN_HTML)


def tojson(value: Any, indent: int | None = None) -> Markup:
    """JSON that cannot leave a `<script>`: `<`, `>`, `&`, `'` and line separators are escaped.

    Values look as they do in messages: Decimals are numbers, players their names. Raises NotSerialisable.

    Between the quotes of an attribute templates use `tojson_attribute` instead, without the author having to know.
    """
    encoded = to_browser(value)
    if indent:
        encoded = msgspec.json.format(encoded, indent=indent)
    return Markup(encoded.decode().translate(_TABLE))  # just escaped


def tojson_attribute(value: Any, indent: int | None = None) -> Markup:
    """The same for an attribute: double quotes are escaped for HTML."""
    return Markup(str(tojson(value, indent)).replace('"', "&#34;"))


def to(value: Any, places: int = 2) -> str:
    """A number with so many decimal places, rounded half up: `to(2.345)` is 2.35, in German 2,35.

    In scripts, styles and attributes of templates the filter writes it as programs read it, always with a point.
    """
    return _to(value, places, running_language())


def to_plain(value: Any, places: int = 2) -> str:
    """The same with a point, whatever the language."""
    number = _number(value)
    return f"{_rounded(number, places):f}" if number.is_finite() else _not_finite(number)


def fmtnum(
    value: Any,
    pre: str = "",
    places: int | None = None,
    post: str = "",
    sep: str | None = None,
    decsep: str | None = None,
    use_nbsp: bool = True,
    *,
    currency: str = "",
) -> str:
    """A number for reading: `fmtnum(1234.5, pre="$")` is $1,234.50, with a true minus. Rounded half up.

    Separators are those of the participant's language unless given; `currency="EUR"` puts the sign where it is usual.
    """
    return _fmtnum(running_language(), value, pre, places, post, sep, decsep, use_nbsp, currency)


def fmtdate(value: date | datetime | time | float, style: Style = "medium") -> str:
    """A date, a time or both, as they are written in the participant's language: "short", "medium", "long" or "full".

    A number is a moment in seconds since 1970, shown in UTC: use `datetime.fromtimestamp` for another time zone.
    """
    return _fmtdate(running_language(), value, style)


def install(environment: jinja2.Environment) -> None:
    """Give an environment these filters, in the language of its context."""
    environment.filters |= {
        "tojson": tojson,
        "tojson_attribute": tojson_attribute,
        "to": _to_here,
        "to_plain": to_plain,
        "fmtnum": _fmtnum_here,
        "fmtdate": _fmtdate_here,
    }
    environment.globals |= {"fmtnum": _fmtnum_here, "fmtdate": _fmtdate_here}


@pass_context
def _to_here(context: jinja2.runtime.Context, value: Any, places: int = 2) -> str:
    return _to(value, places, context.get(LANGUAGE) or running_language())


@pass_context
def _fmtnum_here(
    context: jinja2.runtime.Context,
    value: Any,
    pre: str = "",
    places: int | None = None,
    post: str = "",
    sep: str | None = None,
    decsep: str | None = None,
    use_nbsp: bool = True,
    *,
    currency: str = "",
) -> str:
    language = context.get(LANGUAGE) or running_language()
    return _fmtnum(language, value, pre, places, post, sep, decsep, use_nbsp, currency)


@pass_context
def _fmtdate_here(context: jinja2.runtime.Context, value: Any, style: Style = "medium") -> str:
    return _fmtdate(context.get(LANGUAGE) or running_language(), value, style)


def _to(value: Any, places: int, language: Language | None) -> str:
    text = to_plain(value, places)
    return text if language is None else language.plain(text)


def _fmtnum(
    language: Language | None,
    value: Any,
    pre: str,
    places: int | None,
    post: str,
    sep: str | None,
    decsep: str | None,
    use_nbsp: bool,
    currency: str,
) -> str:
    if currency and (pre or post or sep is not None or decsep is not None):
        raise AuthorError("fmtnum: currency puts its sign and separators itself; leave out pre, post, sep, decsep")
    number = _number(value)
    if use_nbsp:
        pre, post = pre.replace(" ", "\u00a0"), post.replace(" ", "\u00a0")
    if not number.is_finite():
        return f"{pre}{_not_finite(number)}{post}{currency and f' {currency}'}"
    if currency:
        return _money(language or _english(), number, currency, places)
    rounded = _rounded(number, 2 if places is None else places)
    amount = abs(rounded)
    if language is None or sep is not None or decsep is not None:
        whole, _, fraction = f"{amount:,f}".partition(".")
        usual = language.separators if language is not None else (",", ".")
        sep, decsep = (given if given is not None else one for given, one in zip((sep, decsep), usual, strict=True))
        shown = whole.replace(",", sep) + (decsep + fraction if fraction else "")
    else:
        shown = language.number(amount, 2 if places is None else places)
    shown = f"{pre}{shown}"
    if rounded < 0:
        shown = f"\u2212{shown}" if language is None else language.negative(shown)
    return shown + post


def _money(language: Language, number: Decimal, currency: str, places: int | None) -> str:
    digits = language.places_of(currency) if places is None else places
    rounded = _rounded(number, digits)
    shown = language.money(abs(rounded), currency, digits)
    return language.negative(shown) if rounded < 0 else shown


def _fmtdate(language: Language | None, value: Any, style: Style) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = datetime.fromtimestamp(value, UTC)
    if not isinstance(value, date | time):
        raise AuthorError(f"fmtdate: expected a date, a time or seconds since 1970, found {value!r}")
    if style not in STYLES:
        raise AuthorError(f"fmtdate: expected one of {', '.join(STYLES)}, found {style!r}")
    return (language or _english()).date(value, style)


def _english() -> Language:
    """For what runs outside of a session."""
    return Language(locale_of(DEFAULT), ())


def _number(value: Any) -> Decimal:
    return Decimal(str(value)) if isinstance(value, float) else Decimal(value)


def _not_finite(number: Decimal) -> str:
    return "nan" if number.is_nan() else str(float(number))


def _rounded(number: Decimal, places: int) -> Decimal:
    digits = max(28, number.adjusted() + places + 2)
    rounded = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=Context(prec=digits))
    return rounded if rounded else abs(rounded)  # no minus in front of zero
