"""One execution at OANDA as reports: one for each ticket, or one for the net position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from atrader.orders.model import FillReason, Side
from broker_api.adapter import AnyReport, FillReport
from broker_api.oanda.codec import Fields
from broker_api.oanda.financing import swap_of
from broker_api.oanda.ids import magic_of
from broker_api.oanda.values import symbol_of

_ZERO: Final = Decimal(0)
_MANUAL: Final = frozenset({"MARKET_ORDER_TRADE_CLOSE", "MARKET_ORDER_POSITION_CLOSEOUT"})
_BROKERS: Final[Mapping[str, FillReason]] = {
    "STOP_LOSS_ORDER": "stop-loss",
    "GUARANTEED_STOP_LOSS_ORDER": "stop-loss",
    "TAKE_PROFIT_ORDER": "take-profit",
    "TRAILING_STOP_LOSS_ORDER": "trailing-stop",
    "MARKET_ORDER_MARGIN_CLOSEOUT": "margin-closeout",
    "MARKET_ORDER_DELAYED_TRADE_CLOSE": "margin-closeout",  # what could not be closed out while the market was closed
}


def fills_of(item: Fields, owner: str | None, magics: Mapping[str, int], *, hedging: bool) -> list[AnyReport]:
    """Return what an ORDER_FILL did.

    Parameters
    ----------
    item : Fields
        The transaction.
    owner : str or None
        Client id of the order of ours that was filled.
    magics : Mapping of str to int
        Magic numbers of tickets, as the broker carries them.
    hedging : bool
        Report each ticket apart; financing paid on closing comes before the close of its ticket.

    Returns
    -------
    list of report
        Empty when the transaction does not say what was executed: nothing is guessed.
    """
    if not _is_readable(item):
        return []
    parts = [*_tickets(item)] if hedging else []
    reports: list[AnyReport] = []
    for part in parts:
        if paid := part.amount("financing"):
            reports.append(swap_of(item, part.text("tradeID"), symbol_of(item.text("instrument")), paid, len(reports)))
    if not parts and (paid := item.amount("financing")):
        reports.append(swap_of(item, None, symbol_of(item.text("instrument")), paid, 0))
    for number, part in enumerate(parts or [Fields({})]):
        reports.append(_fill(item, part, owner, magics, hedging, whole=len(parts) < 2, first=number == 0))
    # An order ends with its fill here: what only reduces and IOC drop the rest.
    reports[-1] = reports[-1].model_copy(update={"ends_order": True})
    return reports


def _is_readable(item: Fields) -> bool:
    price = item.amount("fullVWAP") or item.amount("price")
    return bool(item.text("instrument") and item.amount("units") and price)


def _tickets(item: Fields) -> Iterator[Fields]:
    """Yield the tickets that were closed, reduced and opened, in that order: as the broker works them."""
    yield from item.each("tradesClosed")
    for name in ("tradeReduced", "tradeOpened"):
        part = item.within(name)
        if part:
            yield part


def _fill(
    item: Fields,
    part: Fields,
    owner: str | None,
    magics: Mapping[str, int],
    hedging: bool,
    *,
    whole: bool,
    first: bool,
) -> FillReport:
    identity, ticket = item.text("id"), part.text("tradeID")
    units = part.amount("units") or item.amount("units") or _ZERO
    side: Side = "buy" if (item.amount("units") or units) > 0 else "sell"
    price = part.amount("price") or item.amount("fullVWAP") or item.amount("price") or _ZERO
    return FillReport(
        transaction_id=item.number("id"),
        time_ns=item.time_ns("time"),
        fill_id=identity if whole else f"{identity}-{ticket}",
        client_id=owner,
        broker_id=item.text("orderID") or None,
        broker_trade_id=ticket or None,
        instrument=symbol_of(item.text("instrument")),
        side=side,
        units=abs(units),
        price=price,
        reason=_reason(item.text("reason"), owner),
        commission=-_fees(item) if first else _ZERO,
        home_rate=_home_rate(item, part),
        profit=_profit(item, part),
        magic=magic_of(part.within("clientExtensions").text("tag")) if hedging else _closed_magic(item, magics),
    )


def _reason(told: str, owner: str | None) -> FillReason:
    if owner is not None:
        return "order"
    return "manual-close" if told in _MANUAL else _BROKERS.get(told, "foreign")


def _fees(item: Fields) -> Decimal:
    """Return what was charged: the broker writes charges as positive numbers."""
    return (item.amount("commission") or _ZERO) + (item.amount("guaranteedExecutionFee") or _ZERO)


def _home_rate(item: Fields, part: Fields) -> Decimal:
    """Return account currency per quote currency: the rate of gains for a ticket that gained, of losses for a loss."""
    side = "gain" if (_profit(item, part) or _ZERO) >= 0 else "loss"
    told = item.within("homeConversionFactors").within(f"{side}QuoteHome").amount("factor")
    return told or item.amount(f"{side}QuoteHomeConversionFactor") or Decimal(1)


def _profit(item: Fields, part: Fields) -> Decimal | None:
    if not part:
        return item.amount("pl")
    return part.amount("realizedPL")


def _closed_magic(item: Fields, magics: Mapping[str, int]) -> int | None:
    """Return whose ticket a person closed: on a net position its tag is all that says so."""
    if item.text("reason") != "MARKET_ORDER_TRADE_CLOSE":
        return None
    closed = next(item.each("tradesClosed"), item.within("tradeReduced"))
    return magics.get(closed.text("tradeID"))
