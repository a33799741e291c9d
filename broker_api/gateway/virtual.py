"""Protective exits that the gateway watches itself, where the broker holds none for each trade (netting accounts)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from atrader.exit_watch import watched
from atrader.market import Tick
from atrader.orders.model import Trade
from atrader.orders.protection import Exit
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
        batch = Batch(self._book.account)
        trades, instruments = self._book.own_trades(), self._valuation.instruments
        for trade, what in watched(trades, ticks, instruments, self._book.ledger.trade):
            if not isinstance(what, Exit):
                self._bookkeeper.protect(trade.trade_id, {"stop_loss": what}, batch)
            elif what.reason == "take-profit" or not self._is_brokers(trade):
                self._close(trade, what.reason)
        if batch.statements:
            self._journal.stage(batch)
