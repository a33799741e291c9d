"""Rules of one strategy instance."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from atrader.clock import NS_PER_S
from atrader.configuration.limits import SessionWindow
from atrader.risk.model import Breach, Check, Proposal, RiskLimits, RiskState, Rule, Scope
from atrader.sessions import Session

_ZERO = Decimal(0)
_OPEN = frozenset({"open"})


@lru_cache(maxsize=256)
def session_of(window: SessionWindow) -> Session:
    """Return the session that a configured window describes."""
    return Session.parse(window.start, window.end, window.zone, window.days)


def max_open_trades(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse one more than allowed, counting open trades and orders on their way that would open one."""
    limit, magic = limits.instance.max_open_trades, proposal.intent.magic
    if limit is None:
        return None
    count = count_trades(state, proposal.client_id, magic)
    return Breach(f"{count} trades open or ordered, limit {limit}", count, limit) if count >= limit else None


def max_position_units(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse too many units, held and ordered, in the direction of the new order."""
    limit, magic = limits.instance.max_position_units, proposal.intent.magic
    if limit is None:
        return None
    symbol, side = proposal.instrument.symbol, proposal.side
    units = proposal.units
    for held in state.trades:
        if (held.magic, held.instrument, held.side) == (magic, symbol, side):
            units += held.units
    for order, rest in state.pending_opens(proposal.client_id, magic):
        if (order.intent.instrument, order.intent.side) == (symbol, side):
            units += rest
    return Breach(f"{units} units would be held, limit {limit}", units, limit) if units > limit else None


def max_orders_per_minute(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse after too many intents in a minute; exits count too, but are never refused for it."""
    limit, count = limits.instance.max_orders_per_minute, state.recent_intents.get(proposal.intent.magic, 0)
    if limit is None or count < limit:
        return None
    return Breach(f"{count} intents in the last minute, limit {limit}", count, limit)


def session(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse to open outside the session."""
    window = limits.instance.session
    if window is None or session_of(window).contains(state.now_ns):
        return None
    return Breach(f"outside the session {window_text(window)}", state.now_ns, window_text(window))


def cooldown(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse for a while after so many losing trades in a row."""
    limit, record = limits.instance.cooldown_after_losses, state.day.instance(proposal.intent.magic)
    if limit is None or record.losses_in_row < limit or record.last_loss_ns is None:
        return None
    left_s = limits.instance.cooldown - (state.now_ns - record.last_loss_ns) / NS_PER_S
    if left_s <= 0:
        return None
    return Breach(f"{record.losses_in_row} losses in a row: {left_s:.0f} s to wait", record.losses_in_row, limit)


def daily_loss(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse after a loss, realised and floating, of this instance since the start of the account's day."""
    return daily_loss_breach(limits.instance.daily_loss, state, proposal.intent.magic)


def daily_loss_breach(limit: Decimal | None, state: RiskState, magic: int) -> Breach | None:
    """Compare an instance's loss of the day with a limit; used by gate and exits."""
    loss = state.day.instance_day_loss(magic, state.floating.get(magic, _ZERO))
    if limit is None or loss < limit:
        return None
    return Breach(f"lost {loss} since the start of the day ({state.day.calendar}), limit {limit}", loss, limit)


def count_trades(state: RiskState, but: str, magic: int | None = None) -> int:
    """Count open trades, and working or unanswered orders that have opened none yet."""
    held = {trade.trade_id for trade in state.trades if magic in (None, trade.magic)}
    return len(held | {order.client_id for order, _ in state.pending_opens(but, magic)})


def window_text(window: SessionWindow) -> str:
    """Return a session window as people write it."""
    return f"{window.start}-{window.end} {window.zone}"


def _rule(name: str, protects_from: str, setting: str, check: Check, kinds: frozenset[str] | None = None) -> Rule:
    return Rule(name, Scope.INSTANCE, protects_from, setting, check, kinds or frozenset({"open", "reprice"}))


RULES: tuple[Rule, ...] = (
    _rule("orders-per-minute", "a runaway loop", "strategy: limits.max_orders_per_minute", max_orders_per_minute),
    _rule("session", "hours the strategy was not made for", "strategy: limits.session", session),
    _rule(
        "cooldown",
        "a market the strategy does not fit today",
        "strategy: limits.cooldown_after_losses",
        cooldown,
        _OPEN,
    ),
    _rule("instance-daily-loss", "one bad day of one strategy", "strategy: limits.daily_loss", daily_loss),
    _rule("instance-open-trades", "pyramids nobody meant", "strategy: limits.max_open_trades", max_open_trades, _OPEN),
    _rule(
        "instance-position",
        "many small orders that add up",
        "strategy: limits.max_position_units",
        max_position_units,
        _OPEN,
    ),
)
