"""How much of what a strategy earned is the order in which things came.

The same trades in other orders, the same days drawn again, and the same bars with their moves in another order, over
which the strategy runs again. Definitions: docs/research-statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np

from atrader.errors import ConfigError
from atrader.market import Bars
from atrader.statistics.trades import Floats
from atrader.strategy import Strategy
from atrader.timeframes import Timeframe
from research.events.engine import EventEngine
from research.events.plan import Plan, SeriesKey
from research.events.result import Result
from research.events.tape import BarTape
from research.statistics.annualisation import periods_per_year
from research.statistics.periods import period_returns
from research.statistics.permutation import over_permutations, p_value_of
from research.statistics.resampling import bootstrap_returns, trade_orders
from research.statistics.sample import sample_of

Progress = Callable[[int, int], None]
"""Takes how many permutations were run, and how many there are."""

_FEWEST_DAYS = 2


class Range(NamedTuple):
    """Where nine of ten draws lie, and their median."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Luck:
    """What came of the draws; figures of shares are of the equity, ratios are annualised.

    Attributes
    ----------
    trades, days : int
        Closed trades, and days of the market that the run lasted.
    return_frac, sharpe : float
        Of the run itself.
    order_drawdown_frac : Range or None
        Deepest fall of the balance in other orders of the trades; None without trades.
    order_draws : int
        How many orders and series of days were drawn; 0 when the run opened nothing, which says nothing of luck.
    drawn_return_frac, drawn_sharpe, drawn_drawdown_frac : Range or None
        Of series of days drawn in blocks; None below two days, and when nothing was drawn.
    drawn_loss_frac : float or None
        Share of these series that lost.
    permutations : int
        On how many permutations of the bars the strategy ran again.
    p_return, p_sharpe : float or None
        How often it earned as much there, the run itself counted; None without permutations.
    """

    trades: int
    days: int
    return_frac: float
    sharpe: float
    order_draws: int
    order_drawdown_frac: Range | None
    drawn_return_frac: Range | None
    drawn_sharpe: Range | None
    drawn_drawdown_frac: Range | None
    drawn_loss_frac: float | None
    permutations: int
    p_return: float | None
    p_sharpe: float | None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: value._asdict() if isinstance(value, Range) else value for key, value in values.items()}


def luck_of(
    plan: Plan,
    make: Callable[[], Strategy],
    *,
    draws: int = 1_000,
    permutations: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
) -> Luck:
    """Run a plan with one instance, and look at what else could have come of it.

    Blocks until all is run: once, and once for each permutation. Nothing is kept; the same seed gives the same.

    Parameters
    ----------
    plan : Plan
        Plays the bars that the strategy decides at: other ones would have to be put into another order with them.
    make : callable
        Makes the strategy, prepared; each run has one of its own.
    draws : int
        Orders of trades, and series of days.
    permutations : int
        0: none.

    Raises
    ------
    ConfigError
        When the plan has several instances, its strategy looks at other series, or other bars are played.
    StrategyError
        When the strategy stops in a run.
    """
    (config, _), *others = plan.instances
    if others:
        raise ConfigError("luck is looked at for one strategy at a time")
    key = SeriesKey(config.instrument, config.timeframe)
    played = _played_from(plan, key) if permutations else 0
    result, days = _run(plan, make)
    if not result.trades:  # nothing came of it that could be luck
        draws = permutations = 0
    per_year = periods_per_year("1d", plan.calendar_of(config.instrument).name)
    values: list[Floats] = []
    if permutations:
        values = over_permutations(
            lambda bars: _earned(_run(_with_bars(plan, key, bars, played), make)[1]),
            plan.series[key],
            permutations,
            seed,
            keep=played,
            tick=float(plan.instruments[config.instrument].price_tick),
            each=None if progress is None else lambda done: progress(done, permutations),
        )
    total, ratio = _earned(days)
    return Luck(
        trades=len(result.closed),
        days=len(days),
        return_frac=total,
        sharpe=ratio * math.sqrt(per_year),
        order_draws=draws,
        **_orders(result, float(plan.account.paper.initial_balance), draws, seed),
        **_drawn(days, draws, seed, math.sqrt(per_year)),
        permutations=permutations,
        p_return=p_value_of(total, values[0]) if values else None,
        p_sharpe=p_value_of(ratio, values[1]) if values else None,
    )


def _played_from(plan: Plan, key: SeriesKey) -> int:
    """Return the place of the first bar that is played; those before it are for the warm-up.

    Raises
    ------
    ConfigError
        When other bars are played than the strategy decides at, or it looks at other series.
    """
    if set(plan.series) != {key}:
        others = ", ".join(sorted(" ".join(one) for one in plan.series if one != key))
        raise ConfigError(f"bars cannot be put into another order for a strategy that looks at others, too: {others}")
    bars, tape = plan.series[key], next(tape for tape in plan.tapes if tape.symbol == key.instrument)
    length = Timeframe.parse(key.timeframe)
    ends = bars.open_time_ns + length.ns if length.is_fixed else bars.open_time_ns
    first = int(np.searchsorted(ends, tape.end_ns[0]))
    if not np.array_equal(ends[first:], tape.end_ns):
        raise ConfigError(
            f"to be put into another order, the {key.timeframe} bars that the strategy decides at have to be those that"
            " are played"
        )
    return first


def _with_bars(plan: Plan, key: SeriesKey, bars: Bars, played: int) -> Plan:
    tape = BarTape(key.instrument, bars[played:], Timeframe.parse(key.timeframe).ns)
    tapes = [tape if one.symbol == key.instrument else one for one in plan.tapes]
    return replace(plan, tapes=tapes, series={key: bars})


def _run(plan: Plan, make: Callable[[], Strategy]) -> tuple[Result, Floats]:
    """Run a plan with a strategy of its own; return what came of it, and the returns of its days."""
    ((config, _),) = plan.instances
    result = EventEngine(replace(plan, instances=[(config, make())])).run()
    calendar, initial = plan.calendar_of(config.instrument), float(plan.account.paper.initial_balance)
    return result, period_returns(result.curve.time_ns, result.curve.equity, calendar, initial=initial).returns


def _earned(days: Floats) -> tuple[float, float]:
    """Return what days came to together, and their Sharpe ratio of a day (0 for a single one)."""
    return float(np.prod(1 + days) - 1), sample_of(days).sharpe if len(days) >= _FEWEST_DAYS else 0.0


def _orders(result: Result, initial: float, draws: int, seed: int) -> dict[str, Any]:
    net = [float(trade.profit + trade.commission + trade.swap) for trade in result.closed]
    return {"order_drawdown_frac": _range(trade_orders(net, initial, draws, seed).drawdown_frac) if net else None}


def _drawn(days: Floats, draws: int, seed: int, root: float) -> dict[str, Any]:
    names = ("drawn_return_frac", "drawn_sharpe", "drawn_drawdown_frac")
    if len(days) < _FEWEST_DAYS or not draws:
        return dict.fromkeys((*names, "drawn_loss_frac"))
    paths = bootstrap_returns(days, draws, seed)
    columns = (paths.growth - 1, paths.sharpe * root, paths.drawdown_frac)
    ranges = {name: _range(column) for name, column in zip(names, columns, strict=True)}
    return {**ranges, "drawn_loss_frac": float((paths.growth < 1).mean())}


def _range(values: Floats) -> Range:
    return Range(*np.quantile(values, (0.05, 0.5, 0.95)).tolist())
