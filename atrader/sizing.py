"""Sizing: how many units risk a given share of equity."""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal

from atrader.instruments import Instrument

# Every step rounds towards fewer units: sizing must not add risk.
_CONTEXT = Context(prec=40, rounding=ROUND_DOWN)


def units_for_risk(
    equity: Decimal,
    risk_frac: Decimal,
    entry_price: Decimal,
    stop_price: Decimal,
    home_rate: Decimal,
    instrument: Instrument,
) -> Decimal:
    """Compute the units whose loss from entry to stop is a share of equity (fixed fraction).

    Slippage, spread and commission are not part of the risk: it is the plain distance.

    Parameters
    ----------
    equity : Decimal
        Account currency.
    risk_frac : Decimal
        Share of equity to lose at the stop, 0.01 = one percent.
    entry_price, stop_price : Decimal
        Prices in the instrument's quote currency.
    home_rate : Decimal
        Account currency per quote currency.
    instrument : Instrument
        Gives step, least and most units.

    Returns
    -------
    Decimal
        Units, rounded down to the instrument's ``unit_step`` and at most its ``max_units``. 0 when that is below
        ``min_units``, when nothing is left to risk, or when entry and stop are the same price: do not trade.
    """
    loss_per_unit = abs(entry_price - stop_price) * home_rate
    if equity <= 0 or risk_frac <= 0 or loss_per_unit <= 0:
        return Decimal(0)
    wanted = _CONTEXT.divide(_CONTEXT.multiply(equity, risk_frac), loss_per_unit)
    units = instrument.round_units(min(wanted, instrument.max_units))
    return units if units >= instrument.min_units else Decimal(0)
