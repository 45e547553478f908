"""What a participant is paid: from their payoff and the settings of the session."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from promptgrimoire.authoring.lookup import handle
from promptgrimoire.errors import AuthorError
from promptgrimoire.state.records import Player


def payment(player: Any) -> Decimal:
    """`player.payoff` times the setting `rate`, plus `showup_fee`, rounded half up to a multiple of `rounding`.

    Without settings: the payoff itself, to two decimal places. Raises AuthorError for settings or a payoff that are
    no numbers, or a rounding that is not above 0.
    """
    of = handle(player)
    if not isinstance(of, Player):
        raise AuthorError(f"payment(player): expected a player, found {type(of).__name__}")
    settings = of.session.settings
    step = _number(settings, "rounding", "0.01")
    if step <= 0:
        raise AuthorError(f"payment: the setting rounding: expected a number above 0, such as 0.01, found {step}")
    exact = _amount(of) * _number(settings, "rate", "1") + _number(settings, "showup_fee", "0")
    return (exact / step).quantize(Decimal(1), ROUND_HALF_UP) * step


def _amount(player: Player) -> Decimal:
    payoff = player.payoff
    if isinstance(payoff, bool) or not isinstance(payoff, int | float | Decimal):
        raise AuthorError(f"payment: {player!r}.payoff: expected a number, found {payoff!r}")
    amount = Decimal(str(payoff))
    if not amount.is_finite():
        raise AuthorError(f"payment: {player!r}.payoff: expected a number, found {payoff!r}")
    return amount


def _number(settings: dict[str, Any], name: str, default: str) -> Decimal:
    value = settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise AuthorError(f"payment: the setting {name}: expected a number, found {value!r}")
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        raise AuthorError(f"payment: the setting {name}: expected a number, found {value!r}") from None
    if not number.is_finite():
        raise AuthorError(f"payment: the setting {name}: expected a number, found {value!r}")
    return number
