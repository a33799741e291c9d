"""Rules of funded accounts. The firm ends the account when one is broken, so ours stop before."""

from __future__ import annotations

from decimal import Decimal

from atrader.configuration.limits import PropFirmLimits
from atrader.risk.instance import session_of, window_text
from atrader.risk.model import Breach, Check, Proposal, RiskLimits, RiskState, Rule, Scope


def daily_loss_limit(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Stop opening at a share of the firm's daily loss limit (DLL)."""
    firm = limits.prop_firm
    return None if firm is None else daily_loss_breach(firm, firm.usage_frac, state)


def maximum_loss_limit(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Stop opening at a share of the firm's maximum loss limit (MLL)."""
    firm = limits.prop_firm
    return None if firm is None else maximum_loss_breach(firm, firm.usage_frac, state)


def daily_loss_breach(firm: PropFirmLimits, usage_frac: Decimal, state: RiskState) -> Breach | None:
    """Compare the loss of the day with a share of the DLL; used by gate and exits."""
    limit, loss = firm.daily_loss_limit, state.day.day_loss(state.equity)
    if limit is None or loss < usage_frac * limit:
        return None
    reason = f"lost {loss} since the start of the day ({state.day.calendar}), {usage_frac:.0%} of the firm's {limit}"
    return Breach(reason, loss, usage_frac * limit)


def maximum_loss_breach(firm: PropFirmLimits, usage_frac: Decimal, state: RiskState) -> Breach | None:
    """Compare equity with the MLL's floor, which trails the highest end-of-day balance; used by gate and exits."""
    limit = firm.maximum_loss_limit
    if limit is None:
        return None
    highest = state.day.peak_day_end_balance
    floor = highest - limit
    if firm.floor_stops_at_start:
        floor = min(floor, state.day.start_balance)
    # The distance left shrinks to (1 - usage) of the limit before we stop.
    if state.equity - floor > (1 - usage_frac) * limit:
        return None
    reason = f"equity {state.equity} is {state.equity - floor} above the firm's floor {floor}, {usage_frac:.0%} used"
    return Breach(reason, state.equity - floor, (1 - usage_frac) * limit)


def consistency(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Stop for today when today's profit would become too large a share of the total.

    The total is the larger of the profit so far and the profit target. Without a target the first profitable day is
    free: it is all of the total by nature.
    """
    firm = limits.prop_firm
    if firm is None or firm.consistency_frac is None:
        return None
    today = state.equity - state.day.day_start_equity
    total = state.equity - state.day.start_equity
    reference = max(total, firm.profit_target or Decimal(0))
    earlier = total - today
    if today <= 0 or (firm.profit_target is None and earlier <= 0) or today < firm.consistency_frac * reference:
        return None
    share = today / reference
    reason = f"today's profit {today} is {share:.0%} of {reference}, limit {firm.consistency_frac:.0%}"
    return Breach(reason, share, firm.consistency_frac)


def flat_by(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse to open outside the hours in which positions are allowed."""
    return None if limits.prop_firm is None else flat_by_breach(limits.prop_firm, state)


def flat_by_breach(firm: PropFirmLimits, state: RiskState) -> Breach | None:
    """Compare the time with the window; used by gate and exits."""
    window = firm.flat_by
    if window is None or session_of(window).contains(state.now_ns):
        return None
    text = window_text(window)
    return Breach(f"the firm allows positions only within {text}", state.now_ns, text)


def _rule(name: str, protects_from: str, setting: str, check: Check) -> Rule:
    return Rule(name, Scope.PROP_FIRM, protects_from, setting, check)


RULES: tuple[Rule, ...] = (
    _rule("prop-daily-loss", "the firm's daily loss limit", "account: prop_firm.daily_loss_limit", daily_loss_limit),
    _rule(
        "prop-maximum-loss",
        "the firm's trailing loss limit",
        "account: prop_firm.maximum_loss_limit",
        maximum_loss_limit,
    ),
    _rule("prop-consistency", "a pay-out refused for one big day", "account: prop_firm.consistency_frac", consistency),
    _rule("prop-flat-by", "positions in forbidden hours", "account: prop_firm.flat_by", flat_by),
)
