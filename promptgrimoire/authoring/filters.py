"""Template filters: tojson, to, fmtnum. Pure functions from values to text; never look anything up."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import msgspec
from markupsafe import Markup

from promptgrimoire.state.browser_values import to_browser

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
    """A number with so many decimal places, rounded half up: `{{ 2.345|to(2) }}` is 2.35."""
    return fmtnum(value, places=places, sep="").replace("\u2212", "-")


def fmtnum(
    value: Any, pre: str = "", places: int = 2, post: str = "", sep: str = ",", decsep: str = ".", use_nbsp: bool = True
) -> str:
    """A number for reading: `fmtnum(1234.5, pre="$")` is $1,234.50, with a true minus. Rounded half up."""
    number = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
    if use_nbsp:
        pre, post = pre.replace(" ", "\u00a0"), post.replace(" ", "\u00a0")
    if not number.is_finite():
        return f"{pre}{str(float(number)) if not number.is_nan() else 'nan'}{post}"
    digits = max(28, number.adjusted() + places + 2)
    rounded = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=Context(prec=digits))
    whole, _, fraction = f"{abs(rounded):,f}".partition(".")
    sign = "\u2212" if rounded < 0 else ""
    return f"{sign}{pre}{whole.replace(',', sep)}{decsep + fraction if fraction else ''}{post}"
