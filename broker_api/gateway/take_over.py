"""Open trades of an old program become ours when the broker's positions say that they are there."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from atrader.errors import ConfigError
from atrader.ledger import FOREIGN_MAGIC
from atrader.orders.model import SIGN, Trade
from atrader.take_over import read_take_over
from atrader.valuation import Valuation
from broker_api.adapter import Snapshot
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.book import Book
from broker_api.gateway.fills import CARRIED
from broker_api.gateway.publish import Publisher
from broker_api.journal import Batch, Journal

_TAKEN: Final = "taken-over:"  # under it and the trade's id, the journal keeps that a trade was taken over
_UNVALUED: Final = "take-over-unvalued"  # in the journal until what the broker realised for them is known
_ZERO: Final = Decimal(0)


class TakeOvers:
    """Takes the trades of ``data/take-over/ACCOUNT.json`` over, each once in the life of the journal.

    An instrument is taken over as a whole, when its trades in the file add up to what the broker holds beyond the
    trades of our instances. Nothing is sent to the broker. Until then the instrument is locked for opens; the
    comparison is made again with every proof. Trades of nobody (magic 0) that the broker's log told are replaced.

    Parameters
    ----------
    path : Path
        The file; need not exist.
    instance_names : Mapping of int to str
        By magic number; whose number is not there keeps the name that the file has.
    nets : bool
        Whether the broker holds one net position per instrument.

    Raises
    ------
    ConfigError
        When the file is damaged, or trades wait and the account is a hedging one: it has tickets, not sums.
    """

    def __init__(
        self,
        path: Path,
        book: Book,
        valuation: Valuation,
        journal: Journal,
        publisher: Publisher,
        alerts: Alerts,
        instance_names: Mapping[int, str],
        *,
        nets: bool,
    ) -> None:
        self._book = book
        self._valuation = valuation
        self._journal = journal
        self._publisher = publisher
        self._alerts = alerts
        self._names = instance_names
        self._waiting: dict[str, list[Trade]] = {}
        taken = {trade_id for trade_id, _ in journal.read.meta_under(_TAKEN)}
        for trade in read_take_over(path, book.account):
            if trade.trade_id not in taken:
                self._waiting.setdefault(trade.instrument, []).append(trade)
        if self._waiting and not nets:
            raise ConfigError(
                f"{path}: these trades shared net positions, and {book.account} is a hedging account: write positions ="
                f" 'netting' in etc/accounts/{book.account}.toml, or remove the file"
            )
        self._is_unvalued = bool(journal.read.meta(_UNVALUED))

    def explain(self, snapshot: Snapshot) -> bool:
        """Tell whether the trades that wait are all that the broker holds: its log need not be read then."""
        here = {instrument: _net(trades) for instrument, trades in self._waiting.items()}
        there = {instrument: units for instrument, units in snapshot.net_units.items() if units}
        return bool(here) and {symbol: units for symbol, units in here.items() if units} == there

    def settle(self, snapshot: Snapshot) -> bool:
        """Take over what adds up; the trades are handed to the journal as one. Returns whether something was."""
        fitting = [instrument for instrument in self._waiting if self._differs(instrument, snapshot) is None]
        for instrument in fitting:
            self._take(instrument, self._waiting.pop(instrument))
        return bool(fitting)

    def value(self, snapshot: Snapshot) -> None:
        """Note what the broker realised for the trades that were taken over, once all of them have prices.

        Its net position realised profits that our trades, with the prices they were opened at, still show as floating.
        """
        if not self._is_unvalued:
            return
        trades = self._book.ledger.open_trades()
        worth = self._valuation.worth(trades)
        if worth.unvalued:
            return
        floating = sum(worth.floating.values(), _ZERO)
        self._valuation.carried = snapshot.account.equity - snapshot.account.balance - floating
        self._is_unvalued = False
        batch = Batch(self._book.account)
        batch.meta(CARRIED, str(self._valuation.carried))
        batch.meta(_UNVALUED, "")
        self._journal.stage(batch)

    def locks(self, snapshot: Snapshot) -> dict[str, str]:
        """Return why nothing may be opened, by instrument; ``*`` is the whole account."""
        found = {instrument: self._differs(instrument, snapshot) for instrument in self._waiting}
        locks = {instrument: reason for instrument, reason in found.items() if reason is not None}
        if self._is_unvalued:
            locks["*"] = "trades that were taken over have no price yet, so the equity is not known"
        return locks

    def _differs(self, instrument: str, snapshot: Snapshot) -> str | None:
        own = _net([trade for trade in self._book.own_trades() if trade.instrument == instrument])
        held = snapshot.net_units.get(instrument, _ZERO) - own
        waiting = _net(self._waiting[instrument])
        if held == waiting:
            return None
        return (
            f"trades of the old program that wait to be taken over add up to {waiting}, the broker holds {held} of"
            " nobody's: bring it in line there, or remove trades from data/take-over and restart this gateway"
        )

    def _take(self, instrument: str, trades: list[Trade]) -> None:
        batch, now_ns = Batch(self._book.account), self._alerts.now_ns()
        ledger = self._book.ledger
        replaced = ledger.open_trades(FOREIGN_MAGIC, instrument)
        for trade in replaced:
            gone = {"units": _ZERO, "close_time_ns": now_ns, "close_reason": "taken-over", "version": trade.version + 1}
            batch.trade(trade.model_copy(update=gone), now_ns)
        trades = [
            trade.model_copy(update={"instance": self._names.get(trade.magic, trade.instance)}) for trade in trades
        ]
        ledger.restore([*(trade for trade in ledger.open_trades() if trade not in replaced), *trades])
        for trade in trades:
            self._publisher.note_trade(trade, batch.trade(trade, now_ns))
            batch.meta(f"{_TAKEN}{trade.trade_id}", "1")
            text = f"{trade.trade_id} ({trade.side} {trade.units} {instrument}) of {trade.instance} is ours now"
            self._alerts.alert("taken-over", text, instrument=instrument, magic=trade.magic)
        batch.meta(_UNVALUED, "1")
        self._is_unvalued = True
        self._journal.stage(batch)


def _net(trades: list[Trade]) -> Decimal:
    return sum((trade.units * SIGN[trade.side] for trade in trades), _ZERO)
