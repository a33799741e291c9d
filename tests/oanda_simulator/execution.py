"""Fills: what an execution does to trades, money and dependent orders, in one batch of transactions."""

from __future__ import annotations

from decimal import Decimal

from tests.oanda_simulator import arithmetic, checks, dependents
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.expiry import cancel
from tests.oanda_simulator.ladder import Refused, side_open, take
from tests.oanda_simulator.market import Quote
from tests.oanda_simulator.model import DEPENDENT, Order, Trade
from tests.oanda_simulator.netting import Plan
from tests.oanda_simulator.values import Fields, money

ZERO = arithmetic.ZERO


def fill(
    account: Account,
    order: Order,
    plan: Plan,
    reason: str,
    bound: Decimal | None = None,
    partial: bool = False,
    fixed_price: Decimal | None = None,
) -> Fields:
    """Fill an order as planned.

    Parameters
    ----------
    account, order
        Whose; the order's ``…OnFill`` details and ``tradeClientExtensions`` are honoured if a trade is opened.
    plan : Plan
        What to close and to open.
    reason : str
        Of the fill.
    bound : Decimal, optional
        The worst price.
    partial : bool, default False
        Whether a part is good enough when liquidity ends; the rest is dropped.
    fixed_price : Decimal, optional
        The price of a guaranteed stop, whatever the market says.

    Returns
    -------
    dict
        The ORDER_FILL transaction.

    Raises
    ------
    Refused
        Nothing was changed; the text is the cancel reason.
    """
    wanted = plan.units
    quote = side_open(account.market, account.market.get(order.instrument), wanted > 0)
    spec = account.market.specs[order.instrument]
    if fixed_price is None:
        taken = take(quote, wanted, bound, partial)
        price = spec.price(taken.average)
        if taken.units < abs(wanted):
            plan = plan.cut(taken.units)
    else:
        price = fixed_price
    if plan.opening:
        _check_opening(account, order, plan, price, quote)
    return _apply(account, order, plan, price, quote, reason, wanted)


def _check_opening(account: Account, order: Order, plan: Plan, price: Decimal, quote: Quote) -> None:
    instrument, request = quote.instrument, order.request
    spec = account.market.specs[instrument]
    client_id = (request.get("tradeClientExtensions") or {}).get("id")
    closing = {trade.id for trade, units in plan.closing if abs(units) == abs(trade.units)}
    holder = account.find_trade(f"@{client_id}") if client_id else None
    if holder is not None and holder.id not in closing:
        raise Refused("CLIENT_TRADE_ID_ALREADY_EXISTS")
    dependents.check_on_fill(account, request, plan.opening, price, quote)
    protected = any(request.get(f"{name}OnFill") for name in DEPENDENT.values())
    if account.settings.fifo and protected and checks.fifo_clash(account, instrument, abs(plan.opening)):
        raise Refused("FIFO_VIOLATION_SAFEGUARD_VIOLATION")
    if len(account.open_trades()) - len(closing) >= account.settings.maximum_trades:
        raise Refused("OPEN_TRADES_ALLOWED_EXCEEDED")
    longs, shorts = arithmetic.legs(account.open_trades(instrument))
    units = plan.units
    after = (longs + units, shorts) if units > 0 else (longs, shorts - units)
    if spec.maximum_position and arithmetic.margin_units(account, *after) > spec.maximum_position:
        raise Refused("POSITION_SIZE_EXCEEDED")
    _check_margin(account, instrument, after, plan, price, quote)


def _check_margin(
    account: Account, instrument: str, after: tuple[Decimal, Decimal], plan: Plan, price: Decimal, quote: Quote
) -> None:
    """Refuse an opening after which more margin would be used than there is net asset value."""
    now = arithmetic.margin_used(account, instrument)
    then = arithmetic.margin_of(account, instrument, arithmetic.margin_units(account, *after))
    if then <= now:
        return
    money_now = arithmetic.money_of(account)
    spec = account.market.specs[instrument]
    leaves_at = quote.bid if plan.opening > 0 else quote.ask
    cost = arithmetic.converted(account, (leaves_at - price) * plan.opening, spec.quote)
    if money_now.margin_used - now + then > money_now.nav + cost:
        raise Refused("INSUFFICIENT_MARGIN")


def _apply(
    account: Account, order: Order, plan: Plan, price: Decimal, quote: Quote, reason: str, wanted: Decimal
) -> Fields:
    spec = account.market.specs[quote.instrument]
    fill_id = account.log.next_id
    closed: list[Fields] = []
    reduced: Fields | None = None
    ended: list[Trade] = []
    for trade, units in plan.closing:
        part = _close_part(account, trade, units, price, quote, fill_id)
        if trade.units:
            reduced = part
        else:
            closed.append(part)
            ended.append(trade)
    realized = sum((part["realizedPL"] for part in [*closed, *([reduced] if reduced else [])]), ZERO)
    quote_pl = sum((-units * (price - trade.price) for trade, units in plan.closing), Decimal(0))
    opened = _open(account, order, plan.opening, price, quote, fill_id) if plan.opening else None
    fee = opened.guaranteed_fee if opened else ZERO
    account.balance = money(account.balance + realized - fee)
    account.pl = money(account.pl + realized)
    account.guaranteed_fees = money(account.guaranteed_fees + fee)
    rate = arithmetic.factors(account, spec.quote)
    base = arithmetic.factors(account, spec.base)
    entry = account.log.append(
        "ORDER_FILL",
        {
            "orderID": str(order.id),
            "clientOrderID": order.client_id,
            "instrument": quote.instrument,
            "units": spec.units(plan.units),
            "requestedUnits": spec.units(order.units or wanted),
            "price": price,
            "fullVWAP": price,
            "fullPrice": quote.fields("timestamp"),
            "reason": reason,
            "pl": realized,
            "quotePL": quote_pl.quantize(spec.tick),
            "financing": ZERO,
            "baseFinancing": ZERO,
            "commission": ZERO,
            "guaranteedExecutionFee": fee,
            "quoteGuaranteedExecutionFee": ZERO,
            "accountBalance": account.balance,
            "gainQuoteHomeConversionFactor": rate.gain if rate else None,
            "lossQuoteHomeConversionFactor": rate.loss if rate else None,
            "homeConversionFactors": _home_factors(rate, base),
            "halfSpreadCost": arithmetic.half_spread(account, quote, plan.units),
            "tradeOpened": _opened_fields(account, opened, quote) if opened else None,
            "tradesClosed": closed or None,
            "tradeReduced": reduced,
        },
    )
    account.last_fill = entry["time"]
    _finish(account, order, entry, opened, ended, reduced)
    return entry


def _finish(
    account: Account, order: Order, entry: Fields, opened: Trade | None, ended: list[Trade], reduced: Fields | None
) -> None:
    """Note the fill in the order; cancel what protected the closed trades; make what protects the new one."""
    order.state = "FILLED"
    order.ended = {
        "fillingTransactionID": entry["id"],
        "filledTime": entry["time"],
        "tradeOpenedID": str(opened.id) if opened else None,
        "tradeReducedID": reduced["tradeID"] if reduced else None,
        "tradeClosedIDs": [str(trade.id) for trade in ended] or None,
    }
    account.end_order(order)
    for trade in ended:
        for protection in account.dependents(trade):
            cancel(account, protection, "LINKED_TRADE_CLOSED")
    if opened:
        dependents.create_on_fill(account, order.request, opened, entry["id"])


def _close_part(account: Account, trade: Trade, units: Decimal, price: Decimal, quote: Quote, fill_id: int) -> Fields:
    spec = account.market.specs[trade.instrument]
    realized = arithmetic.converted(account, -units * (price - trade.price), spec.quote)
    trade.units += units
    trade.realized = money(trade.realized + realized)
    trade.closing_ids.append(str(fill_id))
    trade.closed_units += abs(units)
    trade.closed_value += abs(units) * price
    key = (trade.instrument, trade.long)
    account.realized_by[key] = account.realized_by.get(key, ZERO) + realized
    if not trade.units:
        trade.state = "CLOSED"
        trade.closed = account.clock.now()
        account.end_trade(trade)
    return {
        "tradeID": str(trade.id),
        "clientTradeID": trade.client_id,
        "units": spec.units(units),
        "price": price,
        "realizedPL": realized,
        "financing": ZERO,
        "baseFinancing": ZERO,
        "guaranteedExecutionFee": ZERO,
        "quoteGuaranteedExecutionFee": ZERO,
        "halfSpreadCost": arithmetic.half_spread(account, quote, units),
    }


def _open(account: Account, order: Order, units: Decimal, price: Decimal, quote: Quote, fill_id: int) -> Trade:
    spec = account.market.specs[quote.instrument]
    given = order.request.get("tradeClientExtensions")
    stop = order.request.get("guaranteedStopLossOnFill") or order.request.get("stopLossOnFill") or {}
    guaranteed = "guaranteedStopLossOnFill" in order.request or stop.get("guaranteed", False)
    premium = (spec.guaranteed_premium or Decimal(0)) if guaranteed else Decimal(0)
    trade = Trade(
        fill_id,
        quote.instrument,
        account.clock.now(),
        price,
        units,
        arithmetic.margin_of(account, quote.instrument, units),
        units,
        extensions=dict(given) if given else None,
        guaranteed_fee=-arithmetic.converted(account, -abs(units) * premium, spec.quote),
    )
    account.add_trade(trade)
    return trade


def _opened_fields(account: Account, trade: Trade, quote: Quote) -> Fields:
    return {
        "tradeID": str(trade.id),
        "units": account.market.specs[trade.instrument].units(trade.units),
        "price": trade.price,
        "initialMarginRequired": trade.initial_margin,
        "guaranteedExecutionFee": trade.guaranteed_fee,
        "quoteGuaranteedExecutionFee": ZERO,
        "halfSpreadCost": arithmetic.half_spread(account, quote, trade.units),
        "clientExtensions": trade.extensions,
    }


def _home_factors(quote: arithmetic.Factors | None, base: arithmetic.Factors | None) -> Fields:
    return {
        "gainQuoteHome": {"factor": quote.gain} if quote else None,
        "lossQuoteHome": {"factor": quote.loss} if quote else None,
        "gainBaseHome": {"factor": base.gain} if base else None,
        "lossBaseHome": {"factor": base.loss} if base else None,
    }
