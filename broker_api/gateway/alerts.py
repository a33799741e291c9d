"""Alerts: rows of the history that a person should see, and lines of the log."""

from __future__ import annotations

import json
from collections import Counter
from typing import Protocol

from atrader.clock import Clock
from atrader.orders.model import Trade
from atrader.runtime.spec import gateway_name
from broker_api.journal import Batch, Journal


class Log(Protocol):
    """What the gateway needs of a structlog logger."""

    def info(self, event: str, **values: object) -> object:
        """Write a line."""

    def warning(self, event: str, **values: object) -> object:
        """Write a line that somebody should read."""

    def error(self, event: str, **values: object) -> object:
        """Write a line that somebody must read."""


class Alerts:
    """Raises alerts, each with a stable code.

    Attributes
    ----------
    counters : Counter of str
        How often each code was raised or counted.
    """

    def __init__(self, account: str, journal: Journal, clock: Clock, log: Log) -> None:
        self._account = account
        self._journal = journal
        self._clock = clock
        self.log = log
        self.counters: Counter[str] = Counter()

    def alert(self, code: str, message: str, *, instrument: str | None = None, magic: int | None = None) -> None:
        """Write an alert to the log and to the history, with the next commit."""
        self.counters[code] += 1
        self.log.warning(code, reason=message, instrument=instrument, magic=magic)
        now_ns = self._clock.now_ns()
        batch = Batch(self._account)
        body = {
            "time_ns": now_ns,
            "account": self._account,
            "process": gateway_name(self._account),
            "magic": magic,
            "instrument": instrument,
            "level": "warning",
            "kind": code,
            "text": message,
        }
        batch.history("alerts", now_ns, json.dumps(body))
        self._journal.stage(batch)

    def foreign_trade(self, trade: Trade) -> None:
        """Tell of a trade that nobody of us opened; once, when it is first seen."""
        text = (
            f"nobody of us opened {trade.trade_id} ({trade.side} {trade.units:f} {trade.instrument}): it is shown and"
            f" never touched; 'atrader-manager adopt {trade.account} {trade.trade_id} INSTANCE' gives it to an instance"
        )
        self.alert("foreign-trade", text, instrument=trade.instrument)

    def now_ns(self) -> int:
        """Market time."""
        return self._clock.now_ns()

    def count(self, code: str) -> None:
        """Count something that is normal now and then."""
        self.counters[code] += 1
