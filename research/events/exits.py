"""What limits force: exits that the account makes itself, and when they have to be looked at."""

from __future__ import annotations

from collections.abc import Iterator

from atrader.clock import NS_PER_S
from atrader.orders.model import Order
from atrader.orders.states import LIVE
from atrader.risk import RiskLimits, forced_exits
from research.events.account import Account


class ForcedExits:
    """Rolls the risk day and closes what must not stay open, each ``proof_interval`` of market time."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._limits = RiskLimits.of(account.config)
        self._instances = {magic: config.limits for magic, config in account.instances.items()}
        self._interval_ns = int(account.config.proof_interval * NS_PER_S)
        self._due_ns = 0

    @property
    def is_busy(self) -> bool:
        """Whether a limit may force something, depending on what the account is worth."""
        account = self._account
        return account.watches and bool(account.open_orders or account.ledger.open_trades())

    @property
    def has_news(self) -> bool:
        """Whether the next turn has something to tell whatever the prices are."""
        for ticket in self._account.engine.state.tickets.values():
            if ticket.trailing_distance:
                return bool(self._account.booking.trailed())
        return False

    def turn(self) -> None:
        """Do what is due at the end of a step."""
        account = self._account
        if account.now_ns < self._due_ns:
            return
        self._due_ns = account.now_ns + self._interval_ns
        account.booking.note_stops()
        if not account.watches:
            return
        account.roll_day()
        if account.ledger.open_trades() or any(self._live_opens(None)):
            for forced in forced_exits(self._limits, account.risk_state(), self._instances):
                self._sweep(forced.magic, forced.rule)
        account.own.forget_pauses()

    def _sweep(self, magic: int | None, reason: str) -> None:
        for order in tuple(self._live_opens(magic)):
            self._account.own.cancel(order, reason)
        for trade in self._account.ledger.open_trades(magic):
            self._account.own.close(trade, reason)

    def _live_opens(self, magic: int | None) -> Iterator[Order]:
        return (
            order
            for order in self._account.open_orders.values()
            if order.intent.action == "open" and order.state in LIVE and magic in (None, order.intent.magic)
        )
