"""Rules of one account."""

from __future__ import annotations

from decimal import Decimal

from atrader.configuration.limits import AccountLimits
from atrader.risk.exposure import exposure_with, pending_margin
from atrader.risk.instance import count_trades
from atrader.risk.model import Breach, Check, Proposal, RiskLimits, RiskState, Rule, Scope

_OPEN = frozenset({"open"})


def unvalued(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse while open trades cannot be valued: equity, and all that is measured with it, is not known."""
    return _unvalued(state.unvalued)


def daily_loss(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse after a loss of equity since the start of the account's day, in money."""
    return daily_loss_breach(limits.account, state)


def daily_loss_frac(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse after a loss of equity since the start of the account's day, as a share of the equity then."""
    return daily_loss_frac_breach(limits.account, state)


def drawdown(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse after a loss of equity since the configured reference: start, peak, or start of the day."""
    return drawdown_breach(limits.account, state)


def daily_loss_breach(limits: AccountLimits, state: RiskState) -> Breach | None:
    """Compare the loss of the day with its limit; used by gate and exits."""
    loss, limit = state.day.day_loss(state.equity), limits.daily_loss
    if limit is None or loss < limit:
        return None
    return Breach(f"lost {loss} since the start of the day ({state.day.calendar}), limit {limit}", loss, limit)


def daily_loss_frac_breach(limits: AccountLimits, state: RiskState) -> Breach | None:
    """Compare the loss of the day with its limit as a share; used by gate and exits."""
    limit = limits.daily_loss_frac
    return None if limit is None else _loss_frac(state, state.day.day_start_equity, limit, "start of the day")


def drawdown_breach(limits: AccountLimits, state: RiskState) -> Breach | None:
    """Compare the drawdown from its reference with its limit; used by gate and exits."""
    limit, day = limits.max_drawdown_frac, state.day
    if limit is None:
        return None
    names = {"start": "start", "peak": "peak", "day": "start of the day"}
    # A peak that the last valuation did not work in yet is a peak all the same.
    references = {"start": day.start_equity, "peak": max(day.peak_equity, state.equity), "day": day.day_start_equity}
    return _loss_frac(state, references[limits.drawdown_reference], limit, names[limits.drawdown_reference])


def _loss_frac(state: RiskState, reference: Decimal, limit: Decimal, name: str) -> Breach | None:
    loss = reference - state.equity
    if loss < limit * reference:
        return None
    share = loss / reference if reference > 0 else Decimal(1)
    where = f"{name} ({state.day.calendar})" if "day" in name else name
    return Breach(f"equity {state.equity} is {share:.2%} below {reference} at {where}, limit {limit:.2%}", share, limit)


def max_open_trades(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse one more than allowed, over all instances, counting orders on their way."""
    limit = limits.account.max_open_trades
    if limit is None:
        return None
    count = count_trades(state, proposal.client_id)
    return Breach(f"{count} trades open or ordered, limit {limit}", count, limit) if count >= limit else None


def gross_exposure(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse when the value of all positions and opening orders is too many times equity."""
    limit = limits.account.max_gross_exposure_frac
    if limit is None:
        return None
    exposure = exposure_with(state, proposal)
    return _unvalued(exposure.unvalued) or _share("gross exposure", exposure.gross, state, limit)


def net_exposure(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse when long minus short value is too many times equity."""
    limit = limits.account.max_net_exposure_frac
    if limit is None:
        return None
    exposure = exposure_with(state, proposal)
    return _unvalued(exposure.unvalued) or _share("net exposure", exposure.net, state, limit)


def correlated_exposure(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse too much in instruments that move together: they count as one."""
    symbol = proposal.instrument.symbol
    for cap in limits.account.correlated:
        if symbol in cap.instruments:
            exposure = exposure_with(state, proposal)
            missing = tuple(name for name in exposure.unvalued if name in cap.instruments)
            what = f"exposure in {', '.join(cap.instruments)}"
            breach = _unvalued(missing) or _share(what, exposure.of(cap.instruments), state, cap.max_exposure_frac)
            if breach is not None:
                return breach
    return None


def margin_use(limits: RiskLimits, state: RiskState, proposal: Proposal) -> Breach | None:
    """Refuse when positions, opening orders and the new one would bind too much of equity as margin."""
    limit = limits.account.max_margin_use_frac
    if limit is None:
        return None
    return _share("margin used", state.margin_used + pending_margin(state, proposal), state, limit)


def _share(what: str, value: Decimal, state: RiskState, limit: Decimal) -> Breach | None:
    if value <= limit * state.equity:
        return None
    share = value / state.equity if state.equity > 0 else Decimal("Infinity")
    return Breach(f"{what} would be {share:.2f} of equity {state.equity}, limit {limit:.2f}", share, limit)


def _unvalued(instruments: tuple[str, ...]) -> Breach | None:
    if not instruments:
        return None
    return Breach(f"no price or rate to value {', '.join(instruments)}", "unknown", "a price and a rate")


def _rule(name: str, protects_from: str, setting: str, check: Check, kinds: frozenset[str] | None = None) -> Rule:
    return Rule(name, Scope.ACCOUNT, protects_from, setting, check, kinds or frozenset({"open", "reprice"}))


RULES: tuple[Rule, ...] = (
    _rule("unvalued", "limits measured with half of the equity", "fleet: market.instruments", unvalued),
    _rule("account-daily-loss", "a bad day of the whole account", "account: limits.daily_loss", daily_loss),
    _rule(
        "account-daily-loss-frac", "the same, as a share of equity", "account: limits.daily_loss_frac", daily_loss_frac
    ),
    _rule("drawdown", "a slow bleed that no single day shows", "account: limits.max_drawdown_frac", drawdown),
    _rule("account-open-trades", "many instances at once", "account: limits.max_open_trades", max_open_trades, _OPEN),
    _rule("gross-exposure", "leverage", "account: limits.max_gross_exposure_frac", gross_exposure, _OPEN),
    _rule("net-exposure", "everything on one side", "account: limits.max_net_exposure_frac", net_exposure, _OPEN),
    _rule(
        "correlated-exposure", "one bet under several names", "account: limits.correlated", correlated_exposure, _OPEN
    ),
    _rule("margin-use", "a margin call", "account: limits.max_margin_use_frac", margin_use, _OPEN),
)
