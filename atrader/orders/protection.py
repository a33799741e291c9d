"""Stop-loss, take-profit and trailing stop as pure functions.

The paper book uses them for tickets, the gateway for trades on accounts whose broker holds no protection. Longs close
at the bid, shorts at the ask; within one quote the stop comes before the target, since nobody knows the way the price
took. A stop fills where the market is, which after a gap is worse than the stop; a target never fills worse than
itself, and better is not assumed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from atrader.orders.model import FillReason, Side

WrongSide = Literal["stop-loss-wrong-side", "take-profit-wrong-side"]


class Exit(NamedTuple):
    """What a quote does to a protected trade."""

    price: Decimal  # before slippage
    reason: FillReason


def closing_price(side: Side, bid: Decimal, ask: Decimal) -> Decimal:
    """Return the price at which a trade of this side closes: the bid for longs, the ask for shorts."""
    return bid if side == "buy" else ask


def triggered_exit(
    side: Side,
    stop_loss: Decimal | None,
    take_profit: Decimal | None,
    trailing_distance: Decimal | None,
    bid: Decimal,
    ask: Decimal,
) -> Exit | None:
    """Tell whether a quote closes a trade.

    Parameters
    ----------
    side : {"buy", "sell"}
        Side the trade was opened with.
    stop_loss, take_profit : Decimal or None
        Prices; None or 0 where there is none. A trailing stop is the stop-loss where it stands now.
    trailing_distance : Decimal or None
        Set when the stop-loss trails: then the reason says so.
    bid, ask : Decimal
        The quote.

    Returns
    -------
    Exit or None
        Price and reason; the stop when stop and target are both reached.
    """
    price = closing_price(side, bid, ask)
    if stop_loss and (price <= stop_loss if side == "buy" else price >= stop_loss):
        return Exit(price, "trailing-stop" if trailing_distance else "stop-loss")
    if take_profit and (price >= take_profit if side == "buy" else price <= take_profit):
        return Exit(take_profit, "take-profit")
    return None


def trailed_stop(
    side: Side, stop_loss: Decimal | None, trailing_distance: Decimal | None, bid: Decimal, ask: Decimal
) -> Decimal | None:
    """Return where a trailing stop moves with a quote; None when it stays.

    A stop moves in the trade's favour only. A trade that trails and has no stop yet gets its first one.
    """
    if not trailing_distance:
        return None
    if side == "buy":
        moved = bid - trailing_distance
        return moved if not stop_loss or moved > stop_loss else None
    moved = ask + trailing_distance
    return moved if not stop_loss or moved < stop_loss else None


def wrong_side(side: Side, stop_loss: Decimal | None, take_profit: Decimal | None, price: Decimal) -> WrongSide | None:
    """Tell which protective price lies on the wrong side of a closing price, that is, would fire at once."""
    above, below = (take_profit, stop_loss) if side == "buy" else (stop_loss, take_profit)
    if below and below >= price:
        return "stop-loss-wrong-side" if side == "buy" else "take-profit-wrong-side"
    if above and above <= price:
        return "take-profit-wrong-side" if side == "buy" else "stop-loss-wrong-side"
    return None
