"""The vector engine: signals as arrays, decisions as indices of bars, one execution over whole ticks.

    terms = Terms.of(account, instrument)
    prices = Prices.of(bars, terms, duration_ns)
    decisions = Decisions.of(strategy.signals(bars, instrument), prices, instrument, rules)
    outcome = simulate(prices, decisions, rules, terms)

A sweep shares what its runs have in common: averages once, crossings once for each pair of them, then

    make = lambda number: found[number].with_protection(stop=stops[number])
    result = sweep(prices, make, count, rules, terms, day_ends(prices, calendar), threads=2)

Layers, each importing only those before it: ``rules`` (conventions, costs), ``settings`` (the same in whole numbers),
``built`` (what was compiled), ``prices``, ``protection``, ``decisions`` and ``schedule`` (the input), ``outcome`` and
``workspace`` (the output, and memory for it), ``money``, ``book`` and ``reference`` (the execution in Python: the
specification), ``plain`` (in numpy, for the simplest decisions), ``compiled`` (in C), ``averages`` and ``curve`` (whole
columns), ``engine``, ``sweep``. Beside them ``rows`` makes trades of `atrader.orders.model` of the output.
"""

from research.vector.averages import average_crossings, average_range, crossings, grid_crossings, moving_average
from research.vector.curve import Curve, day_ends, equity_at, equity_curve
from research.vector.decisions import Decisions, rows_of
from research.vector.engine import Execution, simulate
from research.vector.outcome import FILLS, TRADES, Outcome, Reason, Refusal
from research.vector.prices import Prices
from research.vector.rules import CONVENTIONS, Convention, Rules, Target, Terms
from research.vector.schedule import Schedule
from research.vector.sweep import Sweep, sweep
from research.vector.workspace import Workspace

__all__ = [
    "CONVENTIONS",
    "FILLS",
    "TRADES",
    "Convention",
    "Curve",
    "Decisions",
    "Execution",
    "Outcome",
    "Prices",
    "Reason",
    "Refusal",
    "Rules",
    "Schedule",
    "Sweep",
    "Target",
    "Terms",
    "Workspace",
    "average_crossings",
    "average_range",
    "crossings",
    "day_ends",
    "equity_at",
    "equity_curve",
    "grid_crossings",
    "moving_average",
    "rows_of",
    "simulate",
    "sweep",
]
