"""Intents of what a strategy wants; the common ones, when they are plainly right, without the model's checks.

A market order or a close has few things that can be wrong, and looking at those costs a fraction of the validation of
every field. Whatever is not plainly right is validated: it is the model that says what is wrong with it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from atrader.fast_models import made_from
from atrader.orders.model import Intent

_checked: Final = Intent.__pydantic_validator__.validate_python  # `model_validate` without what it passes on
_WHOSE: Final = {"magic", "instance", "instrument", "action", "time_ns", "decision", "reason", "units"}
_CLOSE: Final = frozenset(_WHOSE | {"trade_id"})
_MOVING: Final = ("risk_frac", "price", "trailing_distance", "expires_ns")
_OPEN: Final = frozenset(_WHOSE | {"side", "order_type", "stop_loss", "take_profit", *_MOVING})
_GIVEN_OPEN: Final = {*_OPEN, "n"}
_GIVEN_CLOSE: Final = {*_CLOSE, "n"}
_SIDES: Final = frozenset({"buy", "sell"})
_ZERO: Final = Decimal(0)
_TOO_MUCH: Final = Decimal(10**15)
_PLACES: Final = 60


def wished(values: dict[str, Any], n: int) -> Intent:
    """Return an intent.

    Parameters
    ----------
    values : dict
        As `atrader.wishes.Wishes` makes them: whose they are, when and of which decision is its own; everything else
        is a strategy's. The number is put to them.
    n : int
        Its number.

    Raises
    ------
    ValidationError
        As the model does.
    """
    if n > 0:
        given = _GIVEN_OPEN if _is_plain_open(values) else _GIVEN_CLOSE if _is_plain_close(values) else None
        if given is not None:
            values["n"] = n
            return made_from(Intent, values, given)
    intent: Intent = _checked({**values, "n": n})
    return intent


def _is_plain_open(values: dict[str, Any]) -> bool:
    if values["action"] != "open" or len(values) != len(_OPEN) or not _OPEN.issuperset(values):
        return False
    side, units, stop, target = values["side"], values["units"], values["stop_loss"], values["take_profit"]
    return (
        values["order_type"] == "market"
        and values["risk_frac"] is values["price"] is values["trailing_distance"] is values["expires_ns"] is None
        and type(side) is str
        and side in _SIDES
        and _is_text(values["reason"])
        and _is_amount(units)
        and units > _ZERO
        and (stop is None or _is_amount(stop))
        and (target is None or _is_amount(target))
    )


def _is_plain_close(values: dict[str, Any]) -> bool:
    if values["action"] != "close" or len(values) != len(_CLOSE) or not _CLOSE.issuperset(values):
        return False
    units = values["units"]
    is_sized = units is None or (_is_amount(units) and units > _ZERO)
    return is_sized and _is_text(values["trade_id"]) and _is_text(values["reason"])


def _is_text(value: object) -> bool:
    """Tell whether it is text that can be written down: half a character, which Python allows, cannot."""
    return type(value) is str and value.isascii()


def _is_amount(value: object) -> bool:
    if type(value) is not Decimal or not value.is_finite():
        return False
    if not _ZERO <= value < _TOO_MUCH:
        return False
    text = str(value)  # cheaper than its digits and exponent as a tuple
    return len(text) <= _PLACES and "E" not in text
