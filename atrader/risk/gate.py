"""The gate: every rule in order, and the one function that asks them all."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from atrader.orders.model import SIGN, Intent, Order, Side, Trade
from atrader.risk import account, fleet, instance, prop_firm, trade
from atrader.risk.model import Allow, Deny, Proposal, ProposalKind, Quote, RiskLimits, RiskState, Rule, Scope
from atrader.sizing import units_for_risk
from atrader.trading_state import MAY_EXIT

RULES: tuple[Rule, ...] = (*fleet.RULES, *trade.RULES, *instance.RULES, *account.RULES, *prop_firm.RULES)
"""The order matters: the first rule that objects is the one reported."""

_ALLOW = Allow()
_ZERO = Decimal(0)


def evaluate(limits: RiskLimits, state: RiskState, intent: Intent, units: Decimal | None = None) -> Allow | Deny:
    """Decide whether an intent may be sent.

    Cancels always pass. Closes, and modifications that add no risk, pass unless trading is HALTED; closes the gateway
    makes itself (``n`` < 0: stops it watches, flattening) pass even then. Everything else has to satisfy every rule.

    Parameters
    ----------
    limits : RiskLimits
        Limits of the intent's instance and account.
    state : RiskState
        The account now.
    intent : Intent
        What is wanted.
    units : Decimal, optional
        Resolved and rounded units of an open; default: the intent's own.

    Returns
    -------
    Allow or Deny
        The first rule that objects, in the order of `RULES`.
    """
    return next(denials(limits, state, intent, units), _ALLOW)


def denials(limits: RiskLimits, state: RiskState, intent: Intent, units: Decimal | None = None) -> Iterator[Deny]:
    """Yield every objection to an intent, in the order of `RULES`; see `evaluate`."""
    if intent.action == "cancel":
        return
    proposal = proposal_of(state, intent, units)
    if proposal is None:
        yield from _exit_denials(state, intent)
        return
    for rule in asked(limits, proposal.kind):
        breach = rule.check(limits, state, proposal)
        if breach is not None:
            values = {"value": str(breach.value), "limit": str(breach.limit)}
            yield Deny(rule.name, breach.reason, values, breach.setting or rule.setting, rule.scope)


def asked(limits: RiskLimits, kind: ProposalKind) -> tuple[Rule, ...]:
    """Return the rules that may object to a kind of proposal, in order."""
    known = limits.asked.get(kind)
    if known is None:
        known = limits.asked[kind] = tuple(rule for rule in RULES if kind in rule.kinds and rule.applies(limits))
    return known


def _exit_denials(state: RiskState, intent: Intent) -> Iterator[Deny]:
    now = state.trading_state_of(intent.instance)
    if intent.n > 0 and now not in MAY_EXIT:
        values = {"value": now.value, "limit": "REDUCING"}
        yield Deny("trading-state", f"{now}: only cancels are allowed", values, fleet.SETTING, Scope.FLEET)


def resolve_units(state: RiskState, intent: Intent) -> Decimal:
    """Compute the units of an open intent, as the gate will judge them.

    ``risk_frac`` is sized from equity and the distance between the price the gate uses (limit or stop price, else the
    quote) and the stop; ``units`` are rounded down to the instrument's step.

    Returns
    -------
    Decimal
        0 when there is no quote, no rate, or too little to risk; the gate then says which.
    """
    instrument = state.instruments[intent.instrument]
    if intent.units is not None:
        return instrument.round_units(intent.units)
    price = intent.price or market_price(intent.side, state.quotes.get(intent.instrument))
    rate = state.home_rates.get(intent.instrument)
    if price is None or rate is None or not intent.risk_frac or not intent.stop_loss:
        return _ZERO
    return units_for_risk(state.equity, intent.risk_frac, price, intent.stop_loss, rate, instrument)


def market_price(side: Side | None, quote: Quote | None) -> Decimal | None:
    """Return the price an order of this side would fill at now; None without a quote."""
    return None if quote is None else quote.ask if side == "buy" else quote.bid


def proposal_of(state: RiskState, intent: Intent, units: Decimal | None = None) -> Proposal | None:
    """Work out the risk an intent would add; None when it adds none (an exit or a tightening).

    Raises
    ------
    KeyError
        When the state does not know the intent's instrument: the gateway refuses such an intent before the gate.
    """
    if intent.action == "open" and intent.side is not None:
        size = units if units is not None else intent.units
        return _proposal(state, intent, "open", intent.side, size or _ZERO, intent.price, intent.stop_loss)
    if intent.action != "modify":
        return None
    held, order = state.trade(intent.trade_id), state.order(intent.order_id)
    if held is not None and _loosens(held, intent):
        return _proposal(state, intent, "loosen", held.side, held.units, held.open_price, intent.stop_loss)
    side = None if order is None else order.intent.side
    if order is not None and side is not None and _adds(order.intent, side, intent):
        return _reprice(state, intent, order, side)
    return None


def _loosens(held: Trade, intent: Intent) -> bool:
    """Tell whether a modification removes a trade's stop or moves it away from the market."""
    if held.stop_loss is None:  # only a trailing distance protects it
        return bool(held.trailing_distance) and intent.trailing_distance == 0 and not intent.stop_loss
    return _moves_away(held.side, held.stop_loss, intent.stop_loss)


def _adds(working: Intent, side: Side, intent: Intent) -> bool:
    """Tell whether a modification of a working order changes its price or loosens its stop."""
    if intent.price is not None and intent.price != working.price:
        return True
    return bool(working.stop_loss) and _moves_away(side, working.stop_loss or _ZERO, intent.stop_loss)


def _moves_away(side: Side, stop: Decimal, new_stop: Decimal | None) -> bool:
    return new_stop is not None and (new_stop == 0 or (stop - new_stop) * SIGN[side] > 0)


def _reprice(state: RiskState, intent: Intent, order: Order, side: Side) -> Proposal:
    working = order.intent
    size = (order.units or working.units or _ZERO) - order.filled_units
    price = working.price if intent.price is None else intent.price
    stop = working.stop_loss if intent.stop_loss is None else intent.stop_loss
    return _proposal(state, intent, "reprice", side, size, price, stop)


def _proposal(
    state: RiskState,
    intent: Intent,
    kind: ProposalKind,
    side: Side,
    units: Decimal,
    price: Decimal | None,
    stop: Decimal | None,
) -> Proposal:
    quote = state.quotes.get(intent.instrument)
    price = price or market_price(side, quote)
    if not stop and price is not None and intent.trailing_distance:
        stop = price - intent.trailing_distance * SIGN[side]  # where a trailing stop begins
    return Proposal(kind, intent, state.instruments[intent.instrument], side, units, price, stop or None, quote)
