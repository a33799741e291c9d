"""Keeps the stops of virtual trades at the broker, so that a dead gateway leaves nothing unprotected.

On a netting account each trade's stop is an order of its own at the broker, journaled and looked up like any other: a
close that waits (`Intent.is_net_stop`). A unit of a trade is in one hand at a time. While such an order works its units
are the broker's; whoever else wants to close them first takes the order back, and sends nothing before that is certain.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Final

from atrader.clock import Clock
from atrader.orders.model import PROTECTION, Order, Trade
from atrader.orders.states import LIVE, OrderState
from broker_api.adapter import Capabilities
from broker_api.gateway.alerts import Log
from broker_api.gateway.book import Book
from broker_api.gateway.gate import Gate
from broker_api.gateway.lookups import Lookups
from broker_api.gateway.own_intents import Begun, OwnIntents
from broker_api.gateway.valuation import Valuation
from broker_api.net_stops import NetStop, wanted_stops

GRACE_S: Final = 2.0
"""How long the broker is left alone with a stop that our quotes say was passed; then the gateway closes by itself."""

_TRAIL_S: Final = 5.0  # a trailing stop moves with every quote; at the broker it follows this often
_FIRST_PAUSE_S: Final = 0.05
_LAST_PAUSE_S: Final = 2.0
_TAKEN: Final = frozenset({OrderState.WORKING, OrderState.PARTIAL, OrderState.FILLED, OrderState.DONE})


class NetStops:
    """Places, moves and takes back the stops of virtual trades at the broker.

    Parameters
    ----------
    online : asyncio.Event
        Set while journal and broker are reconciled: nothing is done without it.
    host_clock : Clock
        Time of the pauses.
    capabilities : Capabilities
        Where the account does not net, or its broker takes no reduce-only stops, those of an earlier time are taken
        back and no others are placed.
    """

    def __init__(
        self,
        book: Book,
        gate: Gate,
        own: OwnIntents,
        lookups: Lookups,
        valuation: Valuation,
        online: asyncio.Event,
        host_clock: Clock,
        log: Log,
        capabilities: Capabilities,
    ) -> None:
        self._book = book
        self._gate = gate
        self._own = own
        self._lookups = lookups
        self._valuation = valuation
        self._online = online
        self._clock = host_clock
        self._log = log
        nets = not capabilities.hedging
        self._is_active = nets and capabilities.reduce_only_stops
        # Where prices come from us, the account stands still without us.
        self._is_alone = nets and not self._is_active and not capabilities.price_driven
        self._acting: set[str] = set()  # trades for which an intent of ours is on its way
        self._moved_s: dict[str, float] = {}  # client id -> when its price was last changed
        self._passed_s: dict[str, tuple[float, float]] = {}  # trade id -> stop passed first, and last
        self._planned = False

    def begin(self) -> None:
        """Make the first turn after a connect."""
        if self._is_alone:
            self._log.info("stops-not-at-broker", reason="this account takes no stops that can only reduce")
        self.turn()

    def soon(self) -> None:
        """Have a turn made when the loop gets to it; trades or orders may have changed."""
        if self._is_active and not self._planned:
            self._planned = True
            asyncio.get_running_loop().call_soon(self._planned_turn)

    def _planned_turn(self) -> None:
        self._planned = False
        self.turn()

    def turn(self) -> None:
        """Begin whatever brings the broker's stops in step with the trades. Returns at once; may be repeated."""
        if not self._online.is_set():
            return
        trades = {trade.trade_id: trade for trade in self._book.ledger.open_trades()} if self._is_active else {}
        stops: dict[str, list[Order]] = {}
        for order in self._book.net_stops():
            # What a stop without a trade is for is not known while the sums differ; it can only reduce, so it stays.
            if order.intent.trade_id or order.intent.instrument not in self._gate.locks:
                stops.setdefault(order.intent.trade_id or "", []).append(order)
        if not trades and not stops:
            return
        wanted = wanted_stops(trades.values(), self._book.closing_units, self._valuation.instruments)
        for trade_id in {**stops, **wanted}:
            if trade_id not in self._acting and not self._book.closing_units(trade_id):
                self._bring(trade_id, trades.get(trade_id), wanted.get(trade_id), stops.get(trade_id, []))

    def _bring(self, trade_id: str, trade: Trade | None, wish: NetStop | None, stops: list[Order]) -> None:
        if any(order.state not in LIVE for order in stops):
            return  # its outcome first
        if not stops:
            if trade is not None and wish is not None and self._own.may_try(f"net-stop {trade_id}"):
                begun = self._own.close(trade, PROTECTION, order_type="stop", units=wish.units, price=wish.price)
                self._follow(begun, trade_id, f"net-stop {trade_id}")
            return
        stop = stops[-1]
        if len(stops) > 1 or trade is None or wish is None or _is_another(stop, trade):
            if not self._book.cancelling(stop.client_id) and self._own.may_try(f"take-back {stop.client_id}"):
                self._follow(self._own.cancel(stop.intent, PROTECTION), trade_id, f"take-back {stop.client_id}")
        elif (stop.units, stop.intent.price) != wish and self._may_move(stop, trade, wish):
            begun = self._own.change(stop.intent, PROTECTION, units=wish.units, price=wish.price)
            self._moved_s[stop.client_id] = self._clock.monotonic_s()
            self._follow(begun, trade_id, f"move {stop.client_id}")

    def _may_move(self, stop: Order, trade: Trade, wish: NetStop) -> bool:
        trails = trade.trailing_distance is not None and stop.units == wish.units
        moved_s = self._moved_s.get(stop.client_id)
        if trails and moved_s is not None and self._clock.monotonic_s() - moved_s < _TRAIL_S:
            return False
        return self._own.may_try(f"move {stop.client_id}")

    def _follow(self, begun: Begun, trade_id: str, subject: str) -> None:
        self._acting.add(trade_id)

        def ended(task: asyncio.Task[None]) -> None:
            self._acting.discard(trade_id)
            if task.cancelled():  # at the end of the process
                return
            entry = self._book.entry(begun.client_id)
            if entry is not None and entry.order.state in _TAKEN:
                self._own.relax(subject)
            self.soon()

        begun.task.add_done_callback(ended)

    # -- who closes

    async def release(self, order: Order) -> None:
        """Wait until no stop at the broker can close what an order is about to close.

        Takes the stops of its trade back, and looks them up when the broker refuses: it may have carried them out. What
        they closed meanwhile is booked when this returns. Waits as long as that is not certain; cancelling it stops
        nothing.
        """
        intent, pause_s = order.intent, _FIRST_PAUSE_S
        if intent.action != "close" or intent.is_net_stop:
            return
        while stops := self._book.net_stops(intent.trade_id):
            for stop in stops:
                await self._take_back(stop)
            if self._book.net_stops(intent.trade_id):
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LAST_PAUSE_S)

    async def _take_back(self, stop: Order) -> None:
        if stop.state not in LIVE:
            return  # being sent or looked up: that ends by itself
        if not self._book.cancelling(stop.client_id):
            await asyncio.wait((self._own.cancel(stop.intent, PROTECTION).task,))
        entry = self._book.entry(stop.client_id)
        if entry is not None and entry.order.state in LIVE:
            await self._lookups.ask(entry)

    def is_brokers(self, trade: Trade) -> bool:
        """Tell whether a stop that was just passed is left to the broker: it covers the trade, and had no time yet."""
        waiting = [
            order
            for order in self._book.net_stops(trade.trade_id)
            if order.state in LIVE and order.intent.price == trade.stop_loss
        ]
        if sum((_left(order) for order in waiting), Decimal(0)) < trade.units:
            return False
        now_s = self._clock.monotonic_s()
        first_s, last_s = self._passed_s.get(trade.trade_id, (now_s, now_s))
        first_s = now_s if now_s - last_s > GRACE_S else first_s  # it came back in between
        self._passed_s[trade.trade_id] = first_s, now_s
        return now_s - first_s < GRACE_S

    def forget(self) -> None:
        """Forget what is over."""
        stops = {order.client_id for order in self._book.net_stops()}
        self._moved_s = {client_id: at_s for client_id, at_s in self._moved_s.items() if client_id in stops}
        trades = {trade.trade_id for trade in self._book.own_trades()}
        self._passed_s = {trade_id: at_s for trade_id, at_s in self._passed_s.items() if trade_id in trades}


def _left(order: Order) -> Decimal:
    return (order.units or Decimal(0)) - order.filled_units


def _is_another(stop: Order, trade: Trade) -> bool:
    """Tell whether a stop has to be placed anew: partly filled, or of a former owner of the trade."""
    return stop.state is OrderState.PARTIAL or stop.intent.magic != trade.magic
