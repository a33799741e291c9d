"""What came of a run of the event engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from atrader.orders.model import Fill, Intent
from research.events.account import Account
from research.events.equity import Changes, equity_curve
from research.events.findings import Findings
from research.events.market import Market
from research.events.runner import Runner
from research.events.told import Alert, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Findings):
    """Everything that happened in the event engine.

    Attributes
    ----------
    fills : sequence of Fill
        Every execution.
    first_intents : Mapping of str to Intent
        What orders were that were modified since, by client id.
    """

    fills: Sequence[Fill]
    first_intents: Mapping[str, Intent] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        account: Account,
        market: Market,
        runners: Sequence[Runner],
        signals: Sequence[Signal],
        alerts: Sequence[Alert],
    ) -> Result:
        """Put together what an account and its instances did."""
        config, booking = account.config, account.booking
        initial = float(account.initial_balance)
        return cls(
            closed=booking.closed,
            open_trades=account.ledger.open_trades(),
            orders=tuple(account.orders.values()),
            fills=booking.fills,
            first_intents=account.first_intents,
            signals=signals,
            alerts=alerts,
            curve=equity_curve(market, Changes.of(booking.changes), initial, config.currency, account.instruments),
            bars={runner.name: runner.bars_handled for runner in runners},
            errors={runner.name: runner.errors for runner in runners},
        )
