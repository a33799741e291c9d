"""Why an entry came to nothing, said as gate and paper account say it."""

from __future__ import annotations

from typing import Final

import numpy as np

from research.vector import Decisions, Outcome, Refusal
from research.vector.money import margin, own_rate, steps_for_risk, value
from research.vector.settings import OWN, Settings
from research.vectorised.stage import Stage

HALTED: Final = "market-halted"
OF_GATE: Final = frozenset({"min-units", "venue-max-units", "protection-side", "max-risk"})
"""Those of the gate; the others are the broker's."""

BY_KIND: Final = {
    Refusal.WRONG_SIDE: "protection-side",
    Refusal.SIZE: "min-units",
    Refusal.MARGIN: "insufficient-margin",
    Refusal.HALTED: HALTED,
}
"""Where it is only counted, not known order by order."""


def refusal_of(stage: Stage, decisions: Decisions, outcome: Outcome, at: int) -> tuple[str, int]:
    """Return why the entry of a decision was refused, by the rules of the paper account, and its unit steps.

    The gate is asked first.
    """
    settings, prices = Settings.of(stage.rules, stage.terms), stage.prices
    bar, side = int(decisions.bar[at]), int(decisions.entry[at])
    bid, ask = int(prices.bid_close[bar]), int(prices.ask_close[bar])
    raw = ask - settings.spread_ask if side > 0 else bid + settings.spread_bid
    stop, target, steps = int(decisions.stop[at]), int(decisions.target[at]), int(decisions.steps[at])
    equity = _equity(stage, settings, outcome, at, bar)
    raw_twice = bid + ask + settings.spread_bid - settings.spread_ask
    if steps < 0:
        rate = _rate(stage, settings, bar, raw_twice)
        steps = steps_for_risk(settings, equity, int(decisions.risk[at]), abs(raw - stop), rate)
    lost = value(settings, max(0, (raw - stop) * side) * steps, _rate(stage, settings, bar, raw_twice))
    most = stage.limits.max_risk_frac
    needed = margin(settings, steps, bid + ask, _rate(stage, settings, bar, bid + ask)) if settings.margin_num else 0
    rules = (
        ("min-units", steps < settings.least_steps),
        ("venue-max-units", steps > settings.most_steps),
        ("protection-side", (stop and (raw - stop) * side <= 0) or (target and (target - raw) * side <= 0)),
        ("max-risk", most is not None and stop and lost > most * equity),
        (HALTED, bar in stage.halted),
        ("insufficient-margin", needed > equity),
    )
    return next((name for name, is_so in rules if is_so), "stop-loss-wrong-side"), steps


def _equity(stage: Stage, settings: Settings, outcome: Outcome, at: int, bar: int) -> int:
    """Return what the account was worth as an entry was refused, cents; something is open if the market had closed."""
    made = int(np.searchsorted(outcome.fills["bar"], bar, side="right"))
    balance = int(outcome.fills["balance"][made - 1]) if made else settings.balance
    before = int(np.searchsorted(outcome.trades["decision"], at)) - 1
    if before < 0 or (outcome.trades["left"][before] == 0 and outcome.trades["exit_bar"][before] <= bar):
        return balance
    held = outcome.trades[before]  # valued by the gate: with the market's own quote
    bid = int(stage.prices.bid_close[bar]) + settings.spread_bid
    ask = int(stage.prices.ask_close[bar]) - settings.spread_ask
    away = (bid if held["side"] > 0 else ask) - int(held["entry_price"])
    product = away * int(held["side"]) * int(held["steps"])
    return balance + value(settings, product, _rate(stage, settings, bar, bid + ask))


def _rate(stage: Stage, settings: Settings, bar: int, middle_twice: int) -> float:
    """Return account currency per quote currency, at a middle price in ticks, given twice."""
    if settings.rate == OWN:
        return own_rate(middle_twice, settings.tick)
    return 1.0 if stage.rates is None else float(stage.rates[bar])
