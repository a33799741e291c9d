"""What becomes of an intent when it arrives: refused, denied, or an order about to be sent. No I/O, no waiting."""

from __future__ import annotations

from decimal import Decimal

from atrader.clock import Clock
from atrader.errors import Rejected
from atrader.orders.intake import closable, first_order, missing
from atrader.orders.model import Intent, Order
from atrader.risk import Deny
from broker_api.adapter import Capabilities
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.book import Book
from broker_api.gateway.gate import Gate
from broker_api.gateway.valuation import Valuation
from broker_api.journal import Entry


class Intake:
    """Turns intents into orders.

    Everything that is decided about an intent ends in an order with a state, so that it has an outcome in the journal;
    only what cannot be anybody's order (wrong account, reused id) is refused by an error.
    """

    def __init__(
        self,
        book: Book,
        gate: Gate,
        valuation: Valuation,
        capabilities: Capabilities,
        alerts: Alerts,
        clock: Clock,
    ) -> None:
        self._book = book
        self._gate = gate
        self._valuation = valuation
        self._capabilities = capabilities
        self._alerts = alerts
        self._clock = clock

    def check_origin(self, intent: Intent) -> None:
        """Refuse an intent that no worker of this account may send.

        Raises
        ------
        Rejected
            When magic number and instance are not configured together on this account, or the counter is one of the
            gateway's own (those pass the gate more easily).
        """
        config = self._gate.instances.get(intent.magic)
        if config is None or config.name != intent.instance:
            raise Rejected(
                f"instance {intent.instance!r} with magic number {intent.magic} is not configured on this account",
                details={"reason": "unknown-instance"},
            )
        if intent.n < 0:
            raise Rejected(
                "counters below zero belong to the gateway", details={"reason": "reserved-counter", "n": intent.n}
            )

    def take(self, intent: Intent, digest: bytes, watermark: int) -> Entry:
        """Decide about a new intent: the entry's order is SENT (to be journaled, then sent), DENIED or DONE.

        It is NEW when it has to wait until the broker gave back the stop of its trade.
        """
        now_ns = self._clock.now_ns()
        units, denial = self._decide(intent)
        if intent.n > 0:
            self._gate.count_intent(intent.magic, now_ns)
        native_protection, waits = self._capabilities.native_protection, self._is_covered(intent)
        order = first_order(intent, units, denial, now_ns, native_protection=native_protection, waits=waits)
        return Entry(order, watermark, digest)

    def objection(self, order: Order) -> str | None:
        """Judge an order again that was certainly not executed; the units stay."""
        return self._decide(order.intent, order.created_ns)[1]

    def _is_covered(self, intent: Intent) -> bool:
        """Tell whether a stop at the broker may close what this intent wants to close."""
        return intent.action == "close" and not intent.is_net_stop and bool(self._book.net_stops(intent.trade_id))

    def _decide(self, intent: Intent, counted_ns: int | None = None) -> tuple[Decimal | None, str | None]:
        try:
            return self._judge(intent, counted_ns)
        except Exception as error:  # boundary: nothing is journaled yet, and it would end the next gateway as well
            self._alerts.count("intake-failed")
            self._alerts.log.error("intake-failed", client_id=intent.client_id, exc_info=error)
            return None, f"internal-error: {type(error).__name__}: {error}"

    def _judge(self, intent: Intent, counted_ns: int | None) -> tuple[Decimal | None, str | None]:
        if intent.instrument not in self._valuation.instruments:
            return None, f"unknown-instrument: this account does not trade {intent.instrument}"
        if intent.action == "open" and intent.magic not in self._gate.instances:  # it waited, and left meanwhile
            return None, f"unknown-instance: {intent.instance} is not configured on this account any more"
        absent = self._missing(intent)
        if absent is not None:
            return None, absent
        units, verdict = self._gate.judge(intent, counted_ns)
        if isinstance(verdict, Deny):
            return units, str(verdict)
        if intent.action == "close":
            return self._closable(intent)
        return units, None

    def _missing(self, intent: Intent) -> str | None:
        trade = None if intent.trade_id is None else self._book.ledger.trade(intent.trade_id)
        entry = None if intent.order_id is None else self._book.entry(intent.order_id)
        return missing(intent, trade, None if entry is None else entry.order)

    def _closable(self, intent: Intent) -> tuple[Decimal | None, str | None]:
        assert intent.trade_id is not None
        trade = self._book.ledger.trade(intent.trade_id)
        assert trade is not None
        closing_units = self._book.closing_units(intent.trade_id, but=intent.client_id)
        return closable(intent, trade, closing_units, self._valuation.instruments[intent.instrument])
