"""What must be closed now, whatever the strategies want. The gateway carries it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from atrader.configuration.limits import InstanceLimits
from atrader.risk import account, instance, prop_firm
from atrader.risk.model import Breach, RiskLimits, RiskState, Scope
from atrader.trading_state import MAY_EXIT


@dataclass(frozen=True, slots=True)
class Exit:
    """An order to the gateway: cancel all opening orders and close all trades of a scope.

    ``magic`` names the instance; None is the whole account, foreign trades left alone.
    """

    rule: str
    scope: Scope
    magic: int | None
    reason: str
    values: Mapping[str, str]
    setting: str


@dataclass(frozen=True, slots=True)
class ExitRule:
    """One reason to close; the fields are those of `Rule`."""

    name: str
    scope: Scope
    protects_from: str
    setting: str


@dataclass(frozen=True, slots=True)
class _AccountRule(ExitRule):
    check: Callable[[RiskLimits, RiskState], Breach | None]
    of_equity: bool = True


@dataclass(frozen=True, slots=True)
class _InstanceRule(ExitRule):
    check: Callable[[InstanceLimits, RiskState, int], Breach | None]
    of_equity: bool = True


def forced_exits(
    limits: RiskLimits, state: RiskState, instances: Mapping[int, InstanceLimits] | None = None
) -> list[Exit]:
    """Find what must be closed now.

    Parameters
    ----------
    limits : RiskLimits
        Limits of the account (`RiskLimits.of(account)`).
    state : RiskState
        The account now.
    instances : Mapping of int to InstanceLimits, optional
        Limits of each instance of the account, by magic number.

    Returns
    -------
    list of Exit
        One per scope, the account's first and alone when it covers the rest; empty when nothing that may be closed
        is open or ordered, and while trading is HALTED. While own trades cannot be valued (``state.unvalued``), only
        rules that do not look at equity force anything. Asking again gives the same answer until it is carried out.
    """
    if state.trading_state not in MAY_EXIT:
        return []
    for rule in _ACCOUNT_RULES:
        breach = None if rule.of_equity and state.unvalued else rule.check(limits, state)
        if breach is not None:
            return [_exit(rule, None, breach)] if any(_busy(state)) else []
    return list(_instance_exits(state, instances or {}))


def _instance_exits(state: RiskState, instances: Mapping[int, InstanceLimits]) -> Iterator[Exit]:
    for magic, name in dict(_busy(state)).items():
        limits = instances.get(magic)
        if limits is None or state.trading_state_of(name) not in MAY_EXIT:
            continue
        for rule in _INSTANCE_RULES:
            breach = None if rule.of_equity and state.unvalued else rule.check(limits, state, magic)
            if breach is not None:
                yield _exit(rule, magic, breach)
                break


def _busy(state: RiskState) -> Iterator[tuple[int, str]]:
    """Yield magic number and name of every instance with an open trade or an opening order."""
    for trade in state.trades:
        if trade.magic != 0:
            yield trade.magic, trade.instance
    for order, _ in state.pending_opens():
        yield order.intent.magic, order.intent.instance


def _exit(rule: ExitRule, magic: int | None, breach: Breach) -> Exit:
    values = {"value": str(breach.value), "limit": str(breach.limit)}
    return Exit(rule.name, rule.scope, magic, breach.reason, values, rule.setting)


def _firm_daily_loss(limits: RiskLimits, state: RiskState) -> Breach | None:
    firm = limits.prop_firm
    return None if firm is None else prop_firm.daily_loss_breach(firm, firm.flatten_frac, state)


def _firm_maximum_loss(limits: RiskLimits, state: RiskState) -> Breach | None:
    firm = limits.prop_firm
    return None if firm is None else prop_firm.maximum_loss_breach(firm, firm.flatten_frac, state)


def _firm_flat_by(limits: RiskLimits, state: RiskState) -> Breach | None:
    return None if limits.prop_firm is None else prop_firm.flat_by_breach(limits.prop_firm, state)


def _account_daily_loss(limits: RiskLimits, state: RiskState) -> Breach | None:
    if limits.account.on_daily_loss != "flatten":
        return None
    return account.daily_loss_breach(limits.account, state) or account.daily_loss_frac_breach(limits.account, state)


def _drawdown(limits: RiskLimits, state: RiskState) -> Breach | None:
    return account.drawdown_breach(limits.account, state) if limits.account.on_drawdown == "flatten" else None


def _session_end(limits: InstanceLimits, state: RiskState, magic: int) -> Breach | None:
    window = limits.session
    if not limits.exit_at_session_end or window is None or instance.session_of(window).contains(state.now_ns):
        return None
    return Breach(f"the session {instance.window_text(window)} is over", state.now_ns, instance.window_text(window))


def _instance_daily_loss(limits: InstanceLimits, state: RiskState, magic: int) -> Breach | None:
    if limits.on_daily_loss != "flatten":
        return None
    return instance.daily_loss_breach(limits.daily_loss, state, magic)


_FIRM, _ACCOUNT, _INSTANCE = Scope.PROP_FIRM, Scope.ACCOUNT, Scope.INSTANCE

_ACCOUNT_RULES: tuple[_AccountRule, ...] = (
    _AccountRule(
        "prop-daily-loss", _FIRM, "the firm's daily loss limit", "account: prop_firm.flatten_frac", _firm_daily_loss
    ),
    _AccountRule(
        "prop-maximum-loss",
        _FIRM,
        "the firm's trailing loss limit",
        "account: prop_firm.flatten_frac",
        _firm_maximum_loss,
    ),
    _AccountRule(
        "prop-flat-by",
        _FIRM,
        "positions in forbidden hours",
        "account: prop_firm.flat_by",
        _firm_flat_by,
        of_equity=False,
    ),
    _AccountRule("drawdown", _ACCOUNT, "a slow bleed", "account: limits.on_drawdown", _drawdown),
    _AccountRule(
        "account-daily-loss",
        _ACCOUNT,
        "a bad day of the whole account",
        "account: limits.on_daily_loss",
        _account_daily_loss,
    ),
)
_INSTANCE_RULES: tuple[_InstanceRule, ...] = (
    _InstanceRule(
        "session-end",
        _INSTANCE,
        "positions outside the session",
        "strategy: limits.exit_at_session_end",
        _session_end,
        of_equity=False,
    ),
    _InstanceRule(
        "instance-daily-loss",
        _INSTANCE,
        "one bad day of one strategy",
        "strategy: limits.on_daily_loss",
        _instance_daily_loss,
    ),
)

EXIT_RULES: tuple[ExitRule, ...] = (*_ACCOUNT_RULES, *_INSTANCE_RULES)
"""Every reason to close, in order; the account's go before the instances'."""
