"""The vector engine: signals as arrays, decisions as indices of bars, one execution over whole ticks.

    terms = Terms.of(account, instrument)
    prices = Prices.of(bars, terms, duration_ns)
    decisions = Decisions.of(strategy.signals(bars, instrument), prices, instrument, rules)
    outcome = simulate(prices, decisions, rules, terms)

Layers, each importing only those above it: ``rules`` (conventions, costs), ``settings`` (the same in whole numbers),
``prices``, ``decisions`` and ``schedule`` (the input), ``outcome`` (the output), ``rows`` (the output as trades),
``money``, ``book`` and ``reference`` (the execution: the specification), ``engine``.
"""

from research.vector.decisions import Decisions, rows_of
from research.vector.engine import simulate
from research.vector.outcome import FILLS, TRADES, Outcome, Reason, Refusal
from research.vector.prices import Prices
from research.vector.rows import trades_of
from research.vector.rules import CONVENTIONS, Convention, Rules, Target, Terms
from research.vector.schedule import Schedule

__all__ = [
    "CONVENTIONS",
    "FILLS",
    "TRADES",
    "Convention",
    "Decisions",
    "Outcome",
    "Prices",
    "Reason",
    "Refusal",
    "Rules",
    "Schedule",
    "Target",
    "Terms",
    "rows_of",
    "simulate",
    "trades_of",
]
