"""What is kept of a backtest, whichever engine ran it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from atrader.clock import iso_from_ns
from atrader.orders.model import Order, Trade
from research.events.equity import EquityCurve
from research.events.told import Alert, Signal
from research.events.traded import Traded

_HALTING: Final = frozenset(
    {
        "drawdown",
        "account-daily-loss",
        "account-daily-loss-frac",
        "instance-daily-loss",
        "prop-daily-loss",
        "prop-maximum-loss",
        "prop-consistency",
    }
)
"""Limits that end trading for a day or for good. A trading state is none: who sets one says so."""

_CLOSED: Final = "everything was closed, and nothing wanted after it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is kept of a backtest, whichever engine ran it; in the order it happened.

    Attributes
    ----------
    closed, open_trades : sequence of Trade
        Trades by the time of their close, and those that were open at the end: nothing is closed for the report.
    orders : sequence of Order
        All, refused ones as well, as they ended.
    signals, alerts
        What the strategies told.
    curve : EquityCurve
        Balance and equity at the end of every step.
    bars : Mapping of str to int
        Bars that each instance decided.
    errors : Mapping of str to int
        Exceptions of each strategy.
    more_refused : Mapping of str to int
        Entries that were refused and are no orders here, by reason.
    counted_refused : Mapping of str to int, optional
        Refused orders by reason, where that is known without looking at all orders.
    traded : Traded, optional
        `trades` as columns, where they are known without looking at each.
    """

    closed: Sequence[Trade]
    open_trades: Sequence[Trade]
    orders: Sequence[Order]
    signals: Sequence[Signal]
    alerts: Sequence[Alert]
    curve: EquityCurve
    bars: Mapping[str, int]
    errors: Mapping[str, int]
    more_refused: Mapping[str, int] = field(default_factory=dict)
    counted_refused: Mapping[str, int] | None = None
    traded: Traded | None = None

    @property
    def refused(self) -> dict[str, int]:
        """How often orders were refused, by the rule or reason that refused them."""
        counts = Counter(self.more_refused)
        if self.counted_refused is None:
            refused = (order for order in self.orders if order.state in ("DENIED", "REJECTED"))
            counts.update(order.reason.partition(":")[0] for order in refused)
        else:
            counts.update(self.counted_refused)
        return dict(counts)

    @property
    def halted(self) -> dict[str, str]:
        """When limits began to stop all trading of the account or an instance, and why; by rule."""
        if self.counted_refused is not None and not _HALTING & self.counted_refused.keys():
            return {}
        since, why = dict[str, int](), dict[str, str]()
        for order in self.orders:
            forced = order.intent.n < 0
            rule, _, text = (order.intent.reason if forced else order.reason).partition(": ")
            if rule in _HALTING and (forced or order.state == "DENIED"):
                since.setdefault(rule, order.created_ns)
                if text:
                    why.setdefault(rule, text)
        return {rule: f"{iso_from_ns(at_ns)}: {why.get(rule, _CLOSED)}" for rule, at_ns in since.items()}

    @property
    def first_alerts(self) -> dict[str, str]:
        """When something of each kind was told first, and what: its first line, by kind."""
        found = dict[str, str]()
        for alert in self.alerts:
            if alert.kind not in found:
                found[alert.kind] = f"{iso_from_ns(alert.time_ns)}: {alert.text.partition(chr(10))[0]}"
        return found

    @property
    def trades(self) -> list[Trade]:
        """All trades, in the order they were opened."""
        return sorted((*self.closed, *self.open_trades), key=lambda trade: trade.open_time_ns)
