"""Many runs over the same prices: threads, and the profit of every day of every run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.vector.averages import Floats
from research.vector.decisions import Decisions
from research.vector.engine import Execution
from research.vector.prices import Prices, Ticks
from research.vector.rules import Rules, Terms
from research.vector.schedule import Schedule

Make = Callable[[int], Decisions]
"""Makes the decisions of a run of that number; called in any thread, in any order."""

_BATCH: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What came of many runs; account currency.

    Attributes
    ----------
    profit : ndarray of float64, shape (d, m)
        Change of the equity in each day of each run, open trades included.
    trades : ndarray of int64, shape (m,)
        Trades opened.
    equity : ndarray of float64, shape (m,)
        At the end.
    """

    profit: Floats
    trades: NDArray[np.int64]
    equity: Floats


def sweep(
    prices: Prices,
    make: Make,
    count: int,
    rules: Rules,
    terms: Terms,
    days: Ticks,
    *,
    schedule: Schedule | None = None,
    rates: Floats | None = None,
    threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Sweep:
    """Run many decisions over the same prices.

    Parameters
    ----------
    prices, rules, terms, schedule, rates
        As for one run.
    make : callable
        Gives the decisions of each run, 0 to ``count - 1``; what runs have in common is made before and only put
        together here.
    count : int
        How many runs.
    days : ndarray of int32, shape (d,)
        Last bar of each day (`day_ends`).
    threads : int, default 1
        The compiled execution lets them run side by side.
    progress : callable, optional
        Told how many runs are done since it was told before; called in the calling thread.

    Returns
    -------
    Sweep
        The same for any number of threads.
    """
    execution = Execution(prices, rules, terms, schedule=schedule, rates=rates)
    equity = np.empty((count, len(days) + 1))
    equity[:, 0] = float(terms.initial_balance)
    trades = np.empty(count, np.int64)

    def run(numbers: range) -> int:
        found = execution.days([make(number) for number in numbers], days)
        part = slice(numbers.start, numbers.stop)
        trades[part], equity[part, 1:] = found.opened, found.equity
        return len(numbers)

    batches = [range(first, min(first + _BATCH, count)) for first in range(0, count, _BATCH)]
    if threads == 1:
        _count(map(run, batches), progress)
    else:
        from concurrent.futures import ThreadPoolExecutor  # a tenth of what this package costs to import

        with ThreadPoolExecutor(threads) as pool:
            _count(pool.map(run, batches), progress)
    return Sweep(profit=np.ascontiguousarray(np.diff(equity, axis=1).T), trades=trades, equity=equity[:, -1].copy())


def _count(done: Iterable[int], progress: Callable[[int], None] | None) -> None:
    for number in done:
        if progress is not None:
            progress(number)
