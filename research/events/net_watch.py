"""Stops and targets of the trades that make up a net position, watched as the gateway watches them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from atrader.exit_watch import is_protected, watched
from atrader.ledger import FOREIGN_MAGIC
from atrader.market import Tick
from atrader.orders.model import Trade
from atrader.orders.protection import Exit
from atrader.paper.desk import Touch, touch_of

if TYPE_CHECKING:
    from research.events.account import Account


class NetWatch:
    """Closes what a quote stops, and moves stops that trail, of an account whose broker holds no protection."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def on_ticks(self, ticks: Sequence[Tick]) -> None:
        """Work the quotes of one moment in, after the broker has."""
        account = self._account
        for trade, what in watched(self._trades(), ticks, account.instruments, account.ledger.trade):
            if isinstance(what, Exit):
                account.own.close(trade, what.reason)
            else:
                account.booking.protect(trade.trade_id, {"stop_loss": what})

    def touches(self) -> Iterator[tuple[str, Touch]]:
        """Yield instruments, and what quotes of them make something happen."""
        by_symbol: dict[str, list[Trade]] = {}
        for trade in self._trades():
            by_symbol.setdefault(trade.instrument, []).append(trade)
        for symbol, trades in by_symbol.items():
            yield symbol, touch_of(trades, self._account.instruments[symbol].price_tick)

    def _trades(self) -> list[Trade]:
        held = self._account.ledger.open_trades()
        return [trade for trade in held if trade.magic != FOREIGN_MAGIC and is_protected(trade)]
