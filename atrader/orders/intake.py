"""What is refused of an intent before any rule is asked, how large a close is, and the order it becomes: pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from atrader.fast_models import made
from atrader.instruments import Instrument
from atrader.orders.model import Intent, Order, Trade
from atrader.orders.states import LIVE, OrderState

_ZERO: Final = Decimal(0)


def missing(intent: Intent, trade: Trade | None, order: Order | None) -> str | None:
    """Check that what an intent refers to is there and its own: nobody touches another instance's trades.

    Parameters
    ----------
    intent : Intent
        What is wanted.
    trade : Trade or None
        The open trade of its ``trade_id``.
    order : Order or None
        The order of its ``order_id``.

    Returns
    -------
    str or None
        The reason to refuse it.
    """
    if intent.trade_id is not None and intent.action in ("close", "modify"):
        if trade is None or trade.magic != intent.magic:
            return f"unknown-trade: {intent.trade_id} is no open trade of this instance"
        if trade.instrument != intent.instrument:
            return f"wrong-instrument: trade {intent.trade_id} is in {trade.instrument}"
    if intent.order_id is not None and intent.action in ("cancel", "modify"):
        if order is None or order.intent.magic != intent.magic or _is_others(order, intent):
            return f"unknown-order: {intent.order_id} is no order of this instance"
        if order.state not in LIVE:
            return f"order-not-working: {intent.order_id} is {order.state}"
    return None


def closable(
    intent: Intent, trade: Trade, closing_units: Decimal, instrument: Instrument
) -> tuple[Decimal | None, str | None]:
    """Size a close: never more than is open and not being closed already.

    Parameters
    ----------
    closing_units : Decimal
        Units of the trade that other orders are about to close.

    Returns
    -------
    tuple of (Decimal or None) and (str or None)
        Units, and the reason to refuse it.
    """
    left = trade.units - closing_units
    if left <= 0:
        return None, f"already-closing: trade {intent.trade_id} is being closed"
    if intent.units is None or intent.units >= left:
        return left, None
    units = instrument.round_units(intent.units)
    return (units, None) if units > 0 else (None, "min-units: less than one step of units")


def _stays_here(intent: Intent, *, native_protection: bool) -> bool:
    """Tell whether a modification concerns only what we watch ourselves: the broker is not asked.

    Parameters
    ----------
    native_protection : bool
        Whether the broker holds stops and targets of trades and orders.
    """
    if intent.action != "modify" or native_protection:
        return False
    return intent.trade_id is not None or intent.price is None


def first_order(
    intent: Intent,
    units: Decimal | None,
    denial: str | None,
    time_ns: int,
    *,
    native_protection: bool,
    waits: bool = False,
) -> Order:
    """Return the order that an intent becomes: SENT (to be written down, then sent), DENIED or DONE.

    Parameters
    ----------
    denial : str or None
        Why it is refused.
    native_protection : bool
        Whether the broker holds stops and targets of trades and orders.
    waits : bool
        Whether something comes before it is sent; it is NEW until then.
    """
    if denial is not None:
        state = OrderState.DENIED
    elif _stays_here(intent, native_protection=native_protection):
        state = OrderState.DONE
    else:
        state = OrderState.NEW if waits else OrderState.SENT
    return made(
        Order,
        client_id=intent.client_id,
        intent=intent,
        state=state,
        broker_id=None,
        units=units,
        filled_units=_ZERO,
        average_price=None,
        reason=denial or "",
        created_ns=time_ns,
        updated_ns=time_ns,
        version=1,
    )


def _is_others(order: Order, intent: Intent) -> bool:
    """Tell whether an order is kept by the gateway itself, and the intent is not the gateway's."""
    return order.intent.is_net_stop and not intent.keeps_protection
