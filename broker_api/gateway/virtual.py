"""Protective exits that the gateway watches itself, where the broker holds none for each trade (netting accounts)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from atrader.market import Tick
from atrader.orders.model import Trade
from atrader.orders.protection import trailed_stop, triggered_exit
from atrader.risk import Quote
from broker_api.gateway.apply import Bookkeeper
from broker_api.gateway.book import Book
from broker_api.gateway.valuation import Valuation
from broker_api.journal import Batch, Journal


class Watch:
    """Works quotes into the stops, targets and trailing stops of virtual trades.

    Stops are in the journal with their trade, so a restart goes on where it was; a stop that was passed while no
    gateway was there fires with the first quote.

    Parameters
    ----------
    close : callable
        Closes a trade for a reason; must do nothing when a close is under way.
    is_brokers : callable
        Tells whether a stop that was passed is the broker's to carry out, see `NetStops`.
    """

    def __init__(
        self,
        book: Book,
        bookkeeper: Bookkeeper,
        valuation: Valuation,
        journal: Journal,
        close: Callable[[Trade, str], bool],
        is_brokers: Callable[[Trade], bool],
    ) -> None:
        self._book = book
        self._bookkeeper = bookkeeper
        self._valuation = valuation
        self._journal = journal
        self._close = close
        self._is_brokers = is_brokers

    def on_ticks(self, ticks: Sequence[Tick]) -> None:
        """Work quotes in, oldest first."""
        trades = [trade for trade in self._book.own_trades() if _is_protected(trade)]
        if not trades:
            return
        batch = Batch(self._book.account)
        for tick in ticks:
            instrument = self._valuation.instruments.get(tick.instrument)
            if instrument is None or not 0.0 < tick.bid <= tick.ask:
                continue
            quote = Quote.from_tick(tick, instrument, tick.time_ns)
            for trade_id in [trade.trade_id for trade in trades if trade.instrument == tick.instrument]:
                self._work(trade_id, quote, batch)
        if batch.statements:
            self._journal.stage(batch)

    def _work(self, trade_id: str, quote: Quote, batch: Batch) -> None:
        trade = self._book.ledger.trade(trade_id)
        if trade is None:
            return
        stop, target, distance = trade.stop_loss, trade.take_profit, trade.trailing_distance
        hit = triggered_exit(trade.side, stop, target, distance, quote.bid, quote.ask)
        if hit is not None:
            if hit.reason == "take-profit" or not self._is_brokers(trade):
                self._close(trade, hit.reason)
            return
        moved = trailed_stop(trade.side, stop, distance, quote.bid, quote.ask)
        if moved is not None:
            self._bookkeeper.protect(trade_id, {"stop_loss": moved}, batch)


def _is_protected(trade: Trade) -> bool:
    return any(value for value in (trade.stop_loss, trade.take_profit, trade.trailing_distance) if value != Decimal(0))
