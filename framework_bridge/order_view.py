"""The instance's trades and orders as the library reads them: newest first, under their tickets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from atrader.broker_clock import WallClock
from atrader.errors import InvariantBroken
from atrader.orders.model import SIGN, Order, Trade
from atrader.orders.states import IN_FLIGHT, LIVE, OrderState
from framework_bridge.abi.account import Prices
from framework_bridge.abi.orders import OrderArray, pack, pending_entry, trade_entry
from framework_bridge.abi.signals import OrderKind
from framework_bridge.decisions import Holding
from framework_bridge.tickets import Tickets

_PERCENT: Final = 100.0


class Seen(NamedTuple):
    """What was passed.

    Attributes
    ----------
    holdings : tuple of Holding
        Open trades and waiting orders, newest first.
    floating : float
        What open trades would bring now and partly brought already, account currency.
    risk_percent : float
        What their stops would bring, percent of the balance; negative: at risk.
    lacks_stop : bool
        Whether a trade that was opened with a stop has none.
    """

    holdings: tuple[Holding, ...]
    floating: float
    risk_percent: float
    lacks_stop: bool


class _Open(NamedTuple):
    """What of an open trade or waiting order does not change from call to call; amounts are 0 of what waits."""

    holding: Holding
    leaving: Holding  # the same while its close or cancel is under way
    is_trade: bool
    is_long: bool
    units: float  # short ones below zero
    open_price: float
    booked: float  # account currency
    to_stop: float | None  # price distance, None without a stop
    lacks_stop: bool


class OrderView:
    """Fills the order array of each call; what does not change is not converted again.

    Parameters
    ----------
    tickets : Tickets
        Of the instance.
    clock : WallClock
        The broker's.
    contract_size : float
        Units of a lot.
    """

    def __init__(self, tickets: Tickets, clock: WallClock, contract_size: float) -> None:
        self._tickets = tickets
        self._clock = clock
        self._contract_size = contract_size
        self._packed: dict[int, bytes] = {}  # by identity: values never change
        self._given: tuple[tuple[Trade | Order, ...], ...] = ((), (), ())  # held: no other value gets such an identity
        self._open: list[_Open] = []

    def fill(
        self,
        array: OrderArray,
        trades: tuple[Trade, ...],
        orders: tuple[Order, ...],
        closed: tuple[Trade, ...],
        prices: Prices,
        home_rate: float,
        balance: float,
    ) -> Seen:
        """Write open trades and waiting orders, newest first, then closed trades, newest first.

        Raises
        ------
        InvariantBroken
            When more is open than the array has room for: the library must not be told of less than there is.
        """
        given = (trades, orders, closed)
        if given != self._given:  # else they are there; what open ones are worth is marked again anyway
            self._write(array, *given)
            self._given = given
        return self._mark(array, orders, prices, home_rate, balance)

    def _write(
        self, array: OrderArray, trades: tuple[Trade, ...], orders: tuple[Order, ...], closed: tuple[Trade, ...]
    ) -> None:
        both: list[Trade | Order] = [*trades, *(order for order in orders if is_waiting(order))]
        opened = sorted(both, key=_begin_ns, reverse=True)
        if len(opened) > len(array):
            raise InvariantBroken(
                f"{len(opened)} trades and orders are open, and the preset's ORDERINFO_ARRAY_SIZE is {len(array)}"
            )
        packed, shown = self._packed, [*opened, *closed[: len(array) - len(opened)]]
        self._packed = {id(one): packed.get(id(one)) or self._pack(one) for one in shown}
        self._open = [_open_of(one, self._holding(one)) for one in opened]
        array.fill(self._packed.values())

    def _mark(
        self, array: OrderArray, orders: Sequence[Order], prices: Prices, home_rate: float, balance: float
    ) -> Seen:
        leaving = {one.intent.trade_id or one.intent.order_id for one in orders if one.intent.action in _LEAVES}
        holdings, floating, risk, lacks_stop = [], 0.0, 0.0, False
        for index, one in enumerate(self._open):
            holdings.append(one.leaving if one.holding.client_id in leaving else one.holding)
            if not one.is_trade:
                continue
            at, value = prices.bid if one.is_long else prices.ask, one.units * home_rate
            profit = (at - one.open_price) * value
            array.mark(index, at, profit)
            floating += profit + one.booked
            lacks_stop |= one.lacks_stop
            if one.to_stop is not None:
                risk += one.to_stop * value
        percent = risk / balance * _PERCENT if balance > 0 else 0.0
        return Seen(tuple(holdings), floating, percent, lacks_stop)

    def _holding(self, one: Trade | Order) -> Holding:
        if isinstance(one, Trade):
            kind = OrderKind.of(one.side, "market")
            values = (one.trade_id, one.open_price, one.stop_loss, one.take_profit)
        else:
            intent = one.intent
            if intent.side is None or intent.price is None:
                raise InvariantBroken(f"order {one.client_id} waits for no price")
            kind = OrderKind.of(intent.side, intent.order_type)
            values = (one.client_id, intent.price, intent.stop_loss, intent.take_profit)
        client_id, price, stop, target = values
        return Holding(self._tickets.of(client_id), kind, client_id, price, stop or None, target or None)

    def _pack(self, one: Trade | Order) -> bytes:
        if isinstance(one, Trade):
            return pack(trade_entry(one, self._tickets.of(one.trade_id), self._clock, self._contract_size))
        return pack(pending_entry(one, self._tickets.of(one.client_id), self._clock, self._contract_size))


_LEAVES: Final = ("close", "cancel")


def _open_of(one: Trade | Order, holding: Holding) -> _Open:
    leaving = holding._replace(is_leaving=True)
    if not isinstance(one, Trade):
        return _Open(holding, leaving, False, False, 0.0, 0.0, 0.0, None, False)
    open_price, stop = float(one.open_price), one.stop_loss
    return _Open(
        holding=holding,
        leaving=leaving,
        is_trade=True,
        is_long=one.side == "buy",
        units=SIGN[one.side] * float(one.units),
        open_price=open_price,
        booked=float(one.profit + one.commission + one.swap),
        to_stop=None if stop is None else float(stop) - open_price,
        lacks_stop=one.initial_stop is not None and stop is None,
    )


def is_waiting(order: Order) -> bool:
    """Tell whether an order stands at the broker and waits for its price."""
    intent = order.intent
    return intent.action == "open" and intent.order_type != "market" and order.state is OrderState.WORKING


def is_in_the_air(order: Order) -> bool:
    """Tell whether nobody knows yet what becomes of an order that opens something."""
    if order.intent.action != "open":
        return False
    return order.state in IN_FLIGHT or (order.intent.order_type == "market" and order.state in LIVE)


def _begin_ns(one: Trade | Order) -> int:
    return one.open_time_ns if isinstance(one, Trade) else one.created_ns
