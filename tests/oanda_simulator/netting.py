"""Which trades an order closes and how much it opens: netting, hedging, and the four ways to fill a position."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from tests.oanda_simulator.account import Account
from tests.oanda_simulator.ladder import Refused
from tests.oanda_simulator.model import Trade


@dataclass
class Plan:
    """What a fill will do. Units to close and to open carry the sign of the order."""

    closing: list[tuple[Trade, Decimal]] = field(default_factory=list)
    opening: Decimal = Decimal(0)

    @property
    def units(self) -> Decimal:
        """All units together."""
        return sum((units for _, units in self.closing), Decimal(0)) + self.opening

    def cut(self, filled: Decimal) -> Plan:
        """Return the plan for only the first `filled` units (positive)."""
        short, left = Plan(), filled
        for trade, units in self.closing:
            part = min(abs(units), left)
            if part:
                short.closing.append((trade, part.copy_sign(units)))
            left -= part
        if left:
            short.opening = left.copy_sign(self.opening)
        return short


def effective_fill(account: Account, asked: str) -> str:
    """Return what ``DEFAULT`` means on this account."""
    if asked != "DEFAULT":
        return asked
    return "OPEN_ONLY" if account.settings.hedging else "REDUCE_FIRST"


def plan_of(account: Account, instrument: str, units: Decimal, position_fill: str) -> Plan:
    """Return what an order will do: opposite trades are closed oldest first. Raises `Refused`."""
    chosen = effective_fill(account, position_fill)
    opposite = [trade for trade in account.open_trades(instrument) if (trade.units > 0) != (units > 0)]
    if chosen == "OPEN_ONLY":
        if opposite and not account.settings.hedging:
            raise Refused("FIFO_VIOLATION")
        return Plan(opening=units)
    plan, left = Plan(), abs(units)
    for trade in opposite:
        if not left:
            break
        part = min(abs(trade.units), left)
        plan.closing.append((trade, part.copy_sign(units)))
        left -= part
    if chosen == "REDUCE_FIRST":
        plan.opening = left.copy_sign(units) if left else Decimal(0)
    if not plan.units:
        raise Refused("POSITION_CLOSEOUT_FAILED")
    return plan


def plan_of_trade(trade: Trade, units: Decimal) -> Plan:
    """Return what closing units (positive) of one trade does."""
    return Plan([(trade, units.copy_sign(-trade.units))])


def fifo_forbids_close(account: Account, trade: Trade) -> bool:
    """Return whether a US account must close an older trade of the same size and side first."""
    return account.settings.fifo and any(
        older.id < trade.id and abs(older.units) == abs(trade.units) and older.long == trade.long
        for older in account.open_trades(trade.instrument)
    )
