"""Whether a strategy found something in the bars, or would have earned as much in bars without any order.

T. Masters, *Permutation and Randomization Tests for Trading System Development* (2020): the moves of the bars are put
into another order, which keeps their distribution, the first and the last price, and destroys every pattern. A
strategy (or the whole search for its parameters, run again on each permutation) that earns as much has found nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from atrader.market import Bars
from atrader.statistics.trades import Floats
from research.statistics.sample import checked


def p_value_of(observed: float, permuted: ArrayLike) -> float:
    """Return how often chance does as well: ``(1 + those at least as large) / (1 + all)``.

    The order that happened is one of the possible ones, so that the value is never zero (B. Phipson and G. Smyth,
    *Permutation P-values Should Never Be Zero*, 2010).

    Raises
    ------
    ValueError
        When a value is not a number.
    """
    values = checked(permuted, 1)
    if not np.isfinite(observed):
        raise ValueError(f"observed: expected a number, was {observed}")
    return float((1 + np.count_nonzero(values >= observed)) / (1 + len(values)))


def over_permutations(
    statistics: Callable[[Bars], Sequence[float]],
    bars: Bars,
    draws: int,
    seed: int = 0,
    *,
    keep: int = 0,
    tick: float | None = None,
    each: Callable[[int], None] | None = None,
) -> list[Floats]:
    """Return what statistics of bars are in permutations of them, one after the other: what `p_value_of` takes.

    Parameters
    ----------
    statistics : callable
        Larger is better, such as return and Sharpe ratio of a strategy over the bars. Run the search for parameters in
        it if they were searched for.
    draws : int
        Permutations, 1 or more; the smallest possible p-value is ``1 / (draws + 1)``.
    seed : int
        As in `permuted_bars`, where `keep` and `tick` are described.
    each : callable, optional
        Told how many permutations are done after each, to show progress.

    Returns
    -------
    list of ndarray of float64, shape (draws,)
        One for each statistic.

    Raises
    ------
    ValueError
        As `permuted_bars`; when `draws` is below 1.
    """
    if draws < 1:
        raise ValueError(f"draws: expected 1 or more, was {draws}")
    found = []
    for number in range(draws):
        found.append(statistics(permuted_bars(bars, seed, number, keep=keep, tick=tick)))
        if each is not None:
            each(number + 1)
    return list(np.array(found, np.float64).T)


def permuted_bars(bars: Bars, seed: int, number: int, *, keep: int = 0, tick: float | None = None) -> Bars:
    """Return bars whose moves come in another order, at the same times.

    A bar's shape (high, low and close beside its open, its spread and volume) moves as a whole; the gaps between one
    close and the next open are put into an order of their own. All in logarithms: the last close stays.

    Parameters
    ----------
    seed, number : int
        Which permutation: the same two give the same one, on any thread, and different numbers are independent.
    keep : int
        Bars at the beginning that stay as they are, for indicators to warm up; the bar after them stays at its place
        in price (its gap is not moved).
    tick : float, optional
        Round all prices to multiples of it, as engines that count in ticks need; the last close may move by rounding.

    Raises
    ------
    ValueError
        When a price is not positive, fewer than two bars are left to permute, or `tick` is not positive.
    """
    if tick is not None and not tick > 0:
        raise ValueError(f"tick: expected a positive price step, was {tick}")
    if not 0 <= keep <= len(bars) - 2:
        raise ValueError(f"keep: expected 0 to {len(bars) - 2} of {len(bars)} bars, was {keep}")
    part = bars[keep:]
    prices = np.stack(part.columns[1:-1]).astype(np.float64)
    if not (prices > 0).all():
        raise ValueError(f"bars: expected positive prices, the lowest is {prices.min()}")
    chance = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    logs = np.log(prices)
    opens, closes = logs[0], logs[3]
    shapes = (logs - opens)[:, (order := chance.permutation(len(part)))]
    gaps = chance.permutation(opens[1:] - closes[:-1])
    moves = shapes[3]
    begins = opens[0] + np.concatenate([[0.0], np.cumsum(moves[:-1] + gaps)])
    made = np.exp(begins + shapes)
    if tick is not None:
        made = np.round(made / tick) * tick
    joined = [
        np.concatenate([old[:keep], new])
        for old, new in zip(bars.columns, [part.open_time_ns, *made, part.volume[order]], strict=True)
    ]
    return Bars(*joined)
