"""Matching of one order with one quote: pure decisions about price and size."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from atrader.configuration.account import PaperSettings
from atrader.instruments import Instrument
from atrader.orders.model import OrderType, Side
from atrader.paper.draws import draw


def slipped(
    settings: PaperSettings, instrument: Instrument, side: Side, price: Decimal, name: str, purpose: str
) -> Decimal:
    """Worsen a market price by a draw between 0 and ``slippage_pips``, rounded to the price tick.

    Parameters
    ----------
    side : {"buy", "sell"}
        Side of the execution: buys slip upwards, sells downwards (never to zero).
    name, purpose : str
        What the draw belongs to, see `atrader.paper.draws`.
    """
    if not may_slip(settings, instrument):
        return price
    worse = slippage(settings, instrument, draw(settings.seed, name, purpose))
    return price + worse if side == "buy" else max(price - worse, instrument.price_tick)


def may_slip(settings: PaperSettings, instrument: Instrument) -> bool:
    """Tell whether any draw changes a price: if not, whatever is drawn rounds to nothing."""
    return 2 * settings.slippage_pips * instrument.pip > instrument.price_tick


def slippage(settings: PaperSettings, instrument: Instrument, share: float) -> Decimal:
    """Return a share of ``slippage_pips``, drawn from [0, 1), as a difference of prices, rounded to the price tick."""
    return instrument.round_price(settings.slippage_pips * instrument.pip * Decimal(share))


def parts_of(settings: PaperSettings, instrument: Instrument, client_id: str, units: Decimal) -> tuple[Decimal, ...]:
    """Split an order into the sizes of its fills: one, or two or three for a share of the orders.

    The parts are multiples of the unit step and add up to the units.
    """
    if not settings.partial_fill_share or draw(settings.seed, client_id, "partial") >= settings.partial_fill_share:
        return (units,)
    steps = int((units / instrument.unit_step).to_integral_value(ROUND_FLOOR))
    count = min(steps, 2 if draw(settings.seed, client_id, "count") < 0.5 else 3)
    if count < 2:
        return (units,)
    # Each part but the last takes a quarter to three quarters of what is left, yet leaves a step for each later one.
    parts, left = list[Decimal](), steps
    for number in range(1, count):
        share = 0.25 + 0.5 * draw(settings.seed, client_id, f"part-{number}")
        taken = max(1, min(int(left * share), left - (count - number)))
        parts.append(taken * instrument.unit_step)
        left -= taken
    return (*parts, units - sum(parts, Decimal(0)))


def is_refused_at_random(settings: PaperSettings, client_id: str) -> bool:
    """Tell whether the order belongs to the share that is refused for no reason."""
    return bool(settings.reject_share) and draw(settings.seed, client_id, "refuse") < settings.reject_share


def market_price(side: Side, bid: Decimal, ask: Decimal) -> Decimal:
    """Return the price at which a side executes: buys at the ask, sells at the bid."""
    return ask if side == "buy" else bid


def fill_price(
    order_type: OrderType, side: Side, limit: Decimal | None, *, resting: bool, bid: Decimal, ask: Decimal
) -> Decimal | None:
    """Return the price at which an order fills with a quote, before slippage; None when it does not.

    Parameters
    ----------
    limit : Decimal or None
        Price of a limit or stop order.
    resting : bool
        Whether the order has already seen a quote that did not fill it. A limit order that the market is through when
        it first sees it (marketable on arrival, or after a weekend) gets the market's better price; later it fills at
        its own price, because quotes are samples and the price passed through the limit between two of them.
    """
    price = market_price(side, bid, ask)
    if order_type == "market" or limit is None:
        return price
    if order_type == "stop":
        return price if (price >= limit if side == "buy" else price <= limit) else None
    if price <= limit if side == "buy" else price >= limit:
        return limit if resting else price
    return None
