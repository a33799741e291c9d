"""Own trades that nobody can value: they block opens, so a person must hear of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from atrader.orders.model import Trade
from broker_api.gateway.alerts import Alerts

_PATIENCE_S: Final = 10.0
"""Quotes may take a moment after a start; an instrument that is quoted at all is quoted by then."""


class UnvaluedWatch:
    """Alerts once about each instrument whose trades stay without a quote or a rate; again after it had one."""

    def __init__(self, account: str, currency: str, alerts: Alerts) -> None:
        self._account = account
        self._currency = currency
        self._alerts = alerts
        self._since_s: dict[str, float] = {}
        self._alerted: set[str] = set()

    def look(self, unvalued: Sequence[str], trades: Sequence[Trade], now_s: float) -> None:
        """Look again.

        Parameters
        ----------
        unvalued : sequence of str
            Instruments of own trades that cannot be valued now.
        trades : sequence of Trade
            The open trades of our instances.
        now_s : float
            Monotonic seconds.
        """
        self._since_s = {symbol: self._since_s.get(symbol, now_s) for symbol in unvalued}
        self._alerted.intersection_update(unvalued)
        for symbol, since_s in self._since_s.items():
            if now_s - since_s >= _PATIENCE_S and symbol not in self._alerted:
                self._alerted.add(symbol)
                self._alerts.alert("unvalued", self._describe(symbol, trades), instrument=symbol)

    def _describe(self, symbol: str, trades: Sequence[Trade]) -> str:
        held = [trade for trade in trades if trade.instrument == symbol]
        named = ", ".join(f"{trade.trade_id} of {trade.instance} ({trade.side} {trade.units})" for trade in held)
        return (
            f"no quote of {symbol}, or no rate from its currency to {self._currency}, for {_PATIENCE_S:g} s: trade"
            f" {named} has no value, so nothing opens on account {self._account} (rule 'unvalued') and limits of"
            " equity close nothing. When the market is closed, quotes come when it opens; otherwise add the instrument,"
            f" and a pair of its currency and {self._currency}, to market.instruments in etc/atrader.toml (a broker's"
            " own account: see whether the broker still quotes it) and 'atrader-manager restart'; or close the trade at"
            " the broker"
        )
