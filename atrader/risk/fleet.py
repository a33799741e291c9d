"""Rules above the account: the trading state, and locks of the order protocol."""

from __future__ import annotations

from atrader.risk.model import Breach, Proposal, RiskLimits, RiskState, Rule, Scope
from atrader.trading_state import MAY_OPEN, TradingState

SETTING = "command: atrader-manager resume [SCOPE]"
_ADDING = frozenset({"open", "reprice", "loosen"})


def trading_state(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse unless instance, account and fleet are all ACTIVE."""
    now = state.trading_state_of(proposal.intent.instance)
    if now in MAY_OPEN:
        return None
    name = proposal.intent.instance
    if name in state.selected_out and now is TradingState.REDUCING and state.trading_state in MAY_OPEN:
        why = f"{name} is {now} by selection: 'atrader-manager status' says why"
        return Breach(why, now.value, TradingState.ACTIVE.value, "strategy: selection")
    return Breach(f"trading state is {now}", now.value, TradingState.ACTIVE.value)


def instrument_locked(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse while ledger and broker disagree, or while an order's outcome is unknown."""
    why = state.locked.get(proposal.instrument.symbol)
    return None if why is None else Breach(f"{proposal.instrument.symbol} is locked: {why}", why, "no lock")


def duplicate_decision(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse a second order for one decision: the journal answers repetitions, this is the line behind it."""
    intent = proposal.intent
    for order in state.orders:
        other = order.intent
        same = intent.decision is not None and (other.magic, other.decision) == (intent.magic, intent.decision)
        if same and other.n != intent.n:
            return Breach(f"decision {intent.decision} is order {order.client_id} already", intent.decision, 1)
    return None


RULES: tuple[Rule, ...] = (
    Rule(
        "trading-state",
        Scope.FLEET,
        "trading on after a person or a rule said stop",
        SETTING,
        trading_state,
        _ADDING,
    ),
    Rule(
        "instrument-locked",
        Scope.FLEET,
        "adding to a position that nobody knows for certain",
        "none: unlocks itself when the proof holds and no outcome is unknown",
        instrument_locked,
    ),
    Rule(
        "duplicate-decision",
        Scope.FLEET,
        "a restarted worker that decides the same bar twice",
        "none: decisions are unique",
        duplicate_decision,
        frozenset({"open"}),
    ),
)
