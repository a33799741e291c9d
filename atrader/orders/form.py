"""What can be said about an order's form before anybody is asked: pure checks against its instrument."""

from __future__ import annotations

from decimal import Decimal

from atrader.instruments import Instrument
from atrader.orders.broker import BrokerOrder


def form_refusal(order: BrokerOrder, instrument: Instrument, now_ns: int) -> str | None:
    """Return why an order can be none (a code of `Rejected.details["reason"]`), or None; the first thing wrong wins.

    Nothing is rounded here: the core did that, and what is still off is an error of somebody.
    """
    sized = not order.exit  # what is held may always be closed, however large an order may be now
    if order.units <= 0 or (sized and order.units < instrument.min_units):
        return "units-too-small"
    if order.units % instrument.unit_step:
        return "units-precision"
    if sized and order.units > instrument.max_units:
        return "units-too-large"
    if order.order_type != "market" and not order.price:
        return "price-missing"
    if not are_precise(instrument, order.price, order.stop_loss, order.take_profit, order.trailing_distance):
        return "price-precision"
    if order.expires_ns is not None and order.expires_ns <= now_ns:
        return "expiry-passed"
    return None


def are_precise(instrument: Instrument, *prices: Decimal | None) -> bool:
    """Tell whether prices and distances are multiples of the price tick; None is."""
    tick = instrument.price_tick
    for price in prices:  # noqa: SIM110 - no generator: asked with every order
        if price is not None and price % tick:
            return False
    return True
