"""What the vector engine knows of an account and an instance, and what it does not."""

from __future__ import annotations

from typing import Final

import numpy as np
from pydantic import BaseModel

from atrader.configuration.account import AccountConfig, PaperSettings
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.limits import AccountLimits, InstanceLimits, TradeLimits
from atrader.errors import ConfigError
from atrader.strategy import SignalStrategy, Strategy
from research.events.plan import Plan
from research.events.tape import BarTape
from research.vector import Decisions, Prices, Rules, Terms
from research.vector.decisions import RISK_PARTS

_CHANCE: Final = ("partial_fill_share", "reject_share", "latency")
_CHECKED: Final = {"max_risk_frac", "stop_required"}  # here, decision by decision
_SAFEGUARDS: Final = {"max_price_age", "max_intent_age", "price_band_frac"}  # against what only happens live


class NotVector(ConfigError):
    """Raised when the vector engine finds out, at work, that it cannot do what the event engine would."""


def why_not_vector(account: AccountConfig, config: InstanceConfig, strategy: Strategy) -> str | None:
    """Return what the vector engine cannot do of an instance on an account; None when it can do everything.

    It fills as the paper account does and knows margin, swap, commission, spread and slippage. It asks no risk rules
    but for the stop and the risk of an order, and leaves nothing else to chance.
    """
    if not isinstance(strategy, SignalStrategy):
        return "the strategy is no signal strategy"
    if account.positions != "hedging":
        return f"account {account.name}: it does not know positions = {account.positions!r}"
    paper, usual = account.paper, PaperSettings()
    changed = [f"paper.{name}" for name in _CHANCE if getattr(paper, name) != getattr(usual, name)]
    changed += [f"limits.{name}" for name in _differing(account.limits, AccountLimits())]
    changed += ["prop_firm"] if account.prop_firm is not None else []
    changed += [f"{config.name}: limits.{name}" for name in _differing(config.limits, InstanceLimits())]
    changed += [f"{config.name}: selection"] if config.selection is not None else []
    limits = config.trade or account.trade
    changed += [f"trade.{name}" for name in _differing(limits, TradeLimits()) if name not in _CHECKED | _SAFEGUARDS]
    return f"it knows nothing of {', '.join(changed)} (--without-limits leaves them out)" if changed else None


def why_not_plan(plan: Plan) -> str | None:
    """Return what the vector engine cannot do of a plan; None when it can do everything."""
    if len(plan.instances) > 1:
        return f"{len(plan.instances)} instances share the account, and it knows one"
    ((config, strategy),) = plan.instances
    reason = why_not_vector(plan.account, config, strategy)
    if reason is not None:
        return reason
    if any(one.symbol == config.instrument and not isinstance(one, BarTape) for one in plan.tapes):
        return "it plays bars, not quotes"
    if any(plan.missing.values()):  # looked up for strategies that want their warm-up whole
        return "bars are missing, and the strategy opens nothing after gaps"
    return "it computes signals once, not window by window" if plan.signals == "window" else None


def why_not_same(plan: Plan) -> str | None:
    """Return what of a plan the vector engine can do, but not to the digit as the event engine does it; None: nothing.

    Parameters
    ----------
    plan : Plan
        Of one instance that fits the vector engine.
    """
    ((config, _),) = plan.instances
    instrument = plan.instruments[config.instrument]
    if Terms.of(plan.account, instrument).rate == "given":
        return (
            f"{instrument.quote} is converted to {plan.account.currency} at the quotes inside of bars, and it takes one"
            " rate a bar (--engine vector)"
        )
    return None


def without_limits(account: AccountConfig, config: InstanceConfig) -> tuple[AccountConfig, InstanceConfig]:
    """Return both without limits, chance and selection; stops and the risk of an order stay checked.

    It asks what parameters are worth: a limit that halts the account in the first bad month hides that. What the
    limits make of a set is a question for a backtest with them.
    """
    usual, kept = TradeLimits(), _CHECKED | _SAFEGUARDS
    chance = {name: getattr(PaperSettings(), name) for name in _CHANCE}

    def freed(limits: TradeLimits) -> TradeLimits:
        return usual.model_copy(update={name: getattr(limits, name) for name in kept})

    return (
        account.model_copy(
            update={
                "paper": account.paper.model_copy(update=chance),
                "limits": AccountLimits(),
                "prop_firm": None,
                "trade": freed(account.trade),
            }
        ),
        config.model_copy(
            update={
                "limits": InstanceLimits(),
                "selection": None,
                "trade": None if config.trade is None else freed(config.trade),
            }
        ),
    )


def check_risk(decisions: Decisions, limits: TradeLimits) -> None:
    """Refuse entries that the risk rules would: what the account then holds is another thing.

    Raises
    ------
    NotVector
        When there are any.
    """
    most = limits.max_risk_frac
    if not limits.stop_required and most is None:
        return
    opens = decisions.entry != 0
    if limits.stop_required and (decisions.stop[opens] == 0).any():
        raise NotVector(
            "trade.stop_required refuses entries without a stop, and the vector engine asks no risk rules (false, in"
            " [trade] of account or strategy, lets them pass)"
        )
    if most is not None and (decisions.stop[opens] == 0).any():
        raise NotVector(
            "trade.max_risk_frac refuses entries without a stop, and the vector engine asks no risk rules (without the"
            " key, in [trade] of account or strategy, they pass)"
        )
    if most is not None and (decisions.risk[opens] > int(most * RISK_PARTS)).any():
        raise NotVector(
            f"trade.max_risk_frac = {most} refuses entries that risk more, and the vector engine asks no risk rules"
        )


def check_targets(decisions: Decisions, rules: Rules) -> None:
    """Refuse entries whose targets would not be there: they are multiples of the distance to the stop.

    Raises
    ------
    NotVector
        When there are any.
    """
    if rules.targets and (decisions.stop[decisions.entry != 0] == 0).any():
        raise NotVector("targets are multiples of the risk, and there are entries without a stop")


def check_band(decisions: Decisions, prices: Prices, limits: TradeLimits) -> None:
    """Refuse entries whose stop or target is so far from the market that the risk rules take it for a typing error.

    Raises
    ------
    NotVector
        When there are any.
    """
    market = (prices.bid_close[decisions.bar].astype(np.float64) + prices.ask_close[decisions.bar]) / 2
    for name, column in (("stop_loss", decisions.stop), ("take_profit", decisions.target)):
        away = np.where((decisions.entry != 0) & (column != 0), np.abs(column - market) / market, 0.0)
        if len(away) and away.max() > float(limits.price_band_frac) * (1 - 1e-9):
            raise NotVector(
                f"trade.price_band_frac = {limits.price_band_frac} refuses entries whose {name} is so far from the"
                f" market ({away.max():.1%}), and it asks no risk rules (a larger price_band_frac lets them pass)"
            )


def _differing(one: BaseModel, usual: BaseModel) -> list[str]:
    return [name for name in type(one).model_fields if getattr(one, name) != getattr(usual, name)]
