"""What entries of a fixed size risk: a share of an equity that is known when the run is over."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.vector import Decisions, Outcome, Reason
from research.vector.settings import OWN, Settings
from research.vectorised.fit import NotVector
from research.vectorised.stage import Floats, Stage

_NEARLY: Final = 1 - 1e-9  # floats may say less than decimals do


def check_fixed_risk(stage: Stage, decisions: Decisions, outcome: Outcome) -> None:
    """Refuse a run with entries of a fixed size that the risk rules would have refused.

    Raises
    ------
    NotVector
        When there are any, or when it cannot be told: with several trades at once, equity is not the balance alone.
    """
    most = stage.limits.max_risk_frac
    if most is None or not has_fixed_sizes(decisions):
        return
    if stage.rules.most_trades > 1:
        raise NotVector(
            f"trade.max_risk_frac = {most}: what a fixed size risks is known for one trade at a time only, and there"
            f" may be {stage.rules.most_trades} (sizes by risk_frac are)"
        )
    made = outcome.fills[outcome.fills["reason"] == Reason.OPEN]
    equity = (made["balance"] - made["commission"]).astype(np.float64)  # nothing else is open as one is opened
    lost = _at_risk(stage, decisions, outcome.trades)
    if (lost > float(most) * _NEARLY * equity).any():
        raise NotVector(
            f"trade.max_risk_frac = {most} refuses entries that risk more (a fixed size risks up to"
            f" {np.max(lost / equity):.2%}), and the vector engine asks no risk rules"
        )


def has_fixed_sizes(decisions: Decisions) -> bool:
    """Tell whether any entry has units of its own, instead of a risk."""
    return bool((decisions.steps[decisions.entry != 0] >= 0).any())


def _at_risk(stage: Stage, decisions: Decisions, trades: NDArray[np.void]) -> Floats:
    """Return what each trade was to lose at its stop, cents, by the market's own quote."""
    settings, prices = Settings.of(stage.rules, stage.terms), stage.prices
    bars, is_open = trades["entry_bar"], trades["entry_phase"] == 0
    bid = np.where(is_open, prices.bid_open[bars], prices.bid_close[bars]) + float(settings.spread_bid)
    ask = np.where(is_open, prices.ask_open[bars], prices.ask_close[bars]) - float(settings.spread_ask)
    rate: Floats | float = 1.0
    if settings.rate == OWN:
        rate = 2.0 / ((bid + ask) * settings.tick)
    elif stage.rates is not None:
        rate = stage.rates[bars]
    side = trades["side"].astype(np.float64)
    waited = decisions.price[trades["decision"]]
    price = np.where(waited > 0, waited, np.where(side > 0, ask, bid))
    away = (price - decisions.stop[trades["decision"]]) * side
    lost: Floats = np.maximum(away, 0.0) * trades["steps"] * settings.value_scale * rate
    return lost
