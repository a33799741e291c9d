"""Rules of a single order: does it make sense by itself, at the price of now."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from atrader.clock import NS_PER_S
from atrader.orders.model import SIGN
from atrader.risk.model import Breach, Check, Proposal, RiskLimits, RiskState, Rule, Scope

_ADDING = frozenset({"open", "reprice", "loosen"})
_OPEN = frozenset({"open"})
_TRADE = "account or strategy: trade"


def min_units(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse what is below the smallest size; sizing gives 0 when the risk does not even pay for that."""
    least = proposal.instrument.min_units
    if proposal.units >= least:
        return None
    return Breach(f"{proposal.units} units, least is {least}", proposal.units, least)


def venue_max_units(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse more than the venue's largest order."""
    return _above("units", proposal.units, proposal.instrument.max_units)


def max_units(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse more than the largest order a person wants to see."""
    return _above("units", proposal.units, limits.trade.max_units)


def price_age(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse without a quote and on an old one: the market may be anywhere by now."""
    limit = limits.trade.max_price_age
    if proposal.quote is None:
        return Breach(f"no price of {proposal.instrument.symbol} yet", "none", limit)
    age_s = proposal.quote.age_s
    return Breach(f"price is {age_s:.1f} s old, limit {limit:g} s", age_s, limit) if age_s > limit else None


def intent_age(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse an entry that was decided long ago and comes only now, because the gateway was away."""
    age_s, limit = (state.now_ns - proposal.intent.time_ns) / NS_PER_S, limits.trade.max_intent_age
    return Breach(f"decided {age_s:.1f} s ago, limit {limit:g} s", age_s, limit) if age_s > limit else None


def max_spread(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse wide spreads; they come with rollover, news and thin nights."""
    quote = proposal.quote
    return None if quote is None else _above("spread", quote.ask - quote.bid, limits.trade.max_spread)


def stop_required(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse orders without a stop where one is required, and its removal or moving away."""
    if not limits.trade.stop_required:
        return None
    if proposal.kind == "loosen":
        return Breach("the stop may not be removed or moved away", proposal.stop_price, "kept or closer")
    return Breach("no stop-loss", "none", "stop-loss") if proposal.stop_price is None else None


def protection_side(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse a stop beyond the entry or a target behind it: the trade would close at once."""
    entry, sign = proposal.entry_price, SIGN[proposal.side]
    if entry is None:
        return None
    stop, target = proposal.stop_price, proposal.intent.take_profit
    if stop is not None and (entry - stop) * sign <= 0:
        return Breach(f"stop-loss {stop} is on the wrong side of {entry}", stop, entry)
    if target and (target - entry) * sign <= 0:
        return Breach(f"take-profit {target} is on the wrong side of {entry}", target, entry)
    return None


def min_stop_distance(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse a stop inside the noise: a certain loss, and by the size it allows a large one."""
    limit, entry, stop = limits.trade.min_stop_distance, proposal.entry_price, proposal.stop_price
    if limit is None or entry is None or stop is None or abs(entry - stop) >= limit:
        return None
    return Breach(f"stop is {abs(entry - stop)} from {entry}, least is {limit}", abs(entry - stop), limit)


def price_band(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse prices far from the market: typing errors, a wrong instrument, a wrong unit."""
    if proposal.quote is None:
        return None
    market, limit = proposal.quote.mid, limits.trade.price_band_frac
    for name, price in _prices(proposal):
        away = abs(price - market) / market
        if away > limit:
            return Breach(f"{name} {price} is {away:.2%} away from {market}, limit {limit:.2%}", away, limit)
    return None


def _prices(proposal: Proposal) -> Iterator[tuple[str, Decimal]]:
    if proposal.kind != "loosen" and proposal.entry_price is not None:
        yield "price", proposal.entry_price
    if proposal.stop_price is not None:
        yield "stop-loss", proposal.stop_price
    if proposal.intent.take_profit:
        yield "take-profit", proposal.intent.take_profit


def home_rate(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse what cannot be valued in account currency: it cannot be limited."""
    symbol = proposal.instrument.symbol
    if state.home_rates.get(symbol, Decimal(0)) > 0:
        return None
    return Breach(f"no rate from {proposal.instrument.quote} to account currency", "none", "a rate")


def max_risk(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse too large a loss at the stop, as a share of equity; without a stop it has no bound."""
    limit, entry, stop = limits.trade.max_risk_frac, proposal.entry_price, proposal.stop_price
    if limit is None or entry is None:
        return None
    if stop is None:
        return Breach(f"risk without a stop has no bound, limit {limit:.2%} of equity", "unbounded", limit)
    rate = state.home_rates.get(proposal.instrument.symbol, Decimal(0))
    loss = max(Decimal(0), (entry - stop) * SIGN[proposal.side]) * proposal.units * rate
    if loss <= limit * state.equity:
        return None
    return Breach(f"{loss:.2f} at risk to the stop, limit {limit:.2%} of equity {state.equity}", loss, limit)


def _above(what: str, value: Decimal, limit: Decimal | None) -> Breach | None:
    return Breach(f"{what} {value} over limit {limit}", value, limit) if limit is not None and value > limit else None


def _rule(name: str, protects_from: str, setting: str, check: Check, kinds: frozenset[str] | None = None) -> Rule:
    return Rule(name, Scope.TRADE, protects_from, setting, check, kinds or frozenset({"open", "reprice"}))


RULES: tuple[Rule, ...] = (
    _rule("price-age", "opening on a price that is no longer true", f"{_TRADE}.max_price_age", price_age),
    _rule("intent-age", "entries that come long after their moment", f"{_TRADE}.max_intent_age", intent_age),
    _rule("home-rate", "limits that compare different currencies", "fleet: market.instruments", home_rate),
    _rule("min-units", "orders the venue refuses", "fleet: instruments.SYMBOL.min_units", min_units, _OPEN),
    _rule("venue-max-units", "orders the venue refuses", "fleet: instruments.SYMBOL.max_units", venue_max_units, _OPEN),
    _rule("max-units", "a size with a digit too many", f"{_TRADE}.max_units", max_units, _OPEN),
    _rule("max-spread", "paying the spread of rollover and news", f"{_TRADE}.max_spread", max_spread),
    _rule("stop-required", "positions without an end", f"{_TRADE}.stop_required", stop_required, _ADDING),
    _rule("protection-side", "trades that close as they open", "none: give the right prices", protection_side),
    _rule("min-stop-distance", "stops inside the noise", f"{_TRADE}.min_stop_distance", min_stop_distance),
    _rule("price-band", "typing errors and mixed-up instruments", f"{_TRADE}.price_band_frac", price_band, _ADDING),
    _rule("max-risk", "one trade that costs too much", f"{_TRADE}.max_risk_frac", max_risk, _ADDING),
)
