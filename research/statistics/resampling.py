"""What else could have happened with the same trades or returns: other orders, other draws.

Everything is reproducible: the same seed gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atrader.statistics.trades import Floats
from research.statistics.sample import checked
from research.statistics.trials import ratios_of

Blocks = Literal["stationary", "circular"]
"""How blocks of returns are drawn."""

_AT_ONCE: Final = 1 << 20  # values in work at a time


class TradeOrders(NamedTuple):
    """Balances after the same trades in other orders; arrays have shape ``(draws,)``.

    Attributes
    ----------
    final : ndarray of float64
        Balance after the last trade, account currency: always the same unless trades are drawn with replacement.
    drawdown : ndarray of float64
        Deepest fall below the highest balance so far (which begins at the initial one), positive.
    drawdown_frac : ndarray of float64
        Largest fall as a share of that highest balance; above 1 when the balance fell below zero.
    """

    final: Floats
    drawdown: Floats
    drawdown_frac: Floats


def trade_orders(
    net: ArrayLike, initial: float, draws: int = 1_000, seed: int = 0, *, replacement: bool = False
) -> TradeOrders:
    """Play trades in random orders.

    The order that happened is one of many that were as likely, if trades do not depend on each other: the drawdown to
    expect is that of a bad order, not of the one that came.

    Parameters
    ----------
    net : array_like, shape (n,)
        Result of each trade, account currency; sizes do not follow the balance.
    initial : float
        Balance before the first, positive.
    replacement : bool
        Draw n trades each time, some twice and some not at all (bootstrap): the sum varies too.

    Raises
    ------
    ValueError
        When there is no trade, a result is not finite, `initial` is not positive or `draws` is below 1.
    """
    results = checked(net, 1)
    if not initial > 0:
        raise ValueError(f"initial: expected a positive balance, was {initial}")
    chance, count = np.random.default_rng(seed), len(results)
    parts = []
    for rows in _portions(draws, count):
        if replacement:
            drawn = results[chance.integers(0, count, (rows, count))]
        else:
            drawn = chance.permuted(np.broadcast_to(results, (rows, count)), axis=1)
        balances = np.concatenate([np.full((rows, 1), initial), initial + np.cumsum(drawn, axis=1)], axis=1)
        peaks = np.maximum.accumulate(balances, axis=1)
        falls = peaks - balances
        parts.append((balances[:, -1], falls.max(axis=1), (falls / peaks).max(axis=1)))
    return TradeOrders(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class ReturnPaths(NamedTuple):
    """What other draws of the same returns came to; arrays have shape ``(draws,)``.

    Attributes
    ----------
    growth : ndarray of float64
        Final over first equity, compounded; 0 after a ruin.
    drawdown_frac : ndarray of float64
        Largest fall as a share of the highest equity so far.
    sharpe : ndarray of float64
        Mean over deviation, per period.
    block_length : float
        Length of the blocks that were drawn: mean (stationary) or each (circular).
    """

    growth: Floats
    drawdown_frac: Floats
    sharpe: Floats
    block_length: float


def bootstrap_returns(
    returns: ArrayLike,
    draws: int = 1_000,
    seed: int = 0,
    *,
    blocks: Blocks = "stationary",
    block_length: float | None = None,
) -> ReturnPaths:
    """Draw series as long as the one given, in blocks, so that what follows each other stays together.

    Parameters
    ----------
    returns : array_like, shape (n,)
        Simple returns per period.
    blocks : {"stationary", "circular"}
        Lengths drawn at random (D. Politis and J. Romano, *The Stationary Bootstrap*, JASA 89, 1994), or all the same
        (the same, *A Circular Block-Resampling Procedure*, 1992). Both go on at the beginning behind the end.
    block_length : float, optional
        Mean length (stationary), or length (circular, rounded); without it the cube root of n.

    Raises
    ------
    ValueError
        As `checked`; when `draws` or the length is below 1, or the length above n; for other blocks.
    """
    values = checked(returns)
    count, chance = len(values), np.random.default_rng(seed)
    length = round(count ** (1 / 3)) if block_length is None else block_length
    if blocks not in get_args(Blocks):
        raise ValueError(f"blocks: expected one of {', '.join(get_args(Blocks))}, was {blocks!r}")
    if not 1 <= length <= count:
        raise ValueError(f"block_length: expected 1 to {count} periods, was {length}")
    indices = stationary_indices if blocks == "stationary" else circular_indices
    parts = []
    for rows in _portions(draws, count):
        drawn = values[indices(count, length, rows, chance)]
        equity = np.cumprod(np.maximum(1 + drawn, 0.0), axis=1)
        peaks = np.maximum(np.maximum.accumulate(equity, axis=1), 1.0)
        ratios = ratios_of(drawn.sum(axis=1), (drawn**2).sum(axis=1), count)
        parts.append((equity[:, -1], (1 - equity / peaks).max(axis=1), ratios))
    growth, falls, sharpes = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ReturnPaths(growth, falls, sharpes, float(length))


def stationary_indices(count: int, mean_length: float, draws: int, chance: np.random.Generator) -> NDArray[np.intp]:
    """Return places in a series of `count`, shape ``(draws, count)``: each follows the last, or begins a new block.

    A new block begins with probability ``1 / mean_length``, anywhere.
    """
    begins = chance.random((draws, count)) < 1 / mean_length
    anywhere = chance.integers(0, count, (draws, count))
    return _followed(begins, anywhere, count)


def circular_indices(count: int, length: float, draws: int, chance: np.random.Generator) -> NDArray[np.intp]:
    """Return places in a series of `count`, shape ``(draws, count)``, in blocks of one length; the last may be cut."""
    begins = np.broadcast_to(np.arange(count) % round(length) == 0, (draws, count))
    anywhere = chance.integers(0, count, (draws, count))
    return _followed(begins, anywhere, count)


def _followed(begins: NDArray[np.bool_], anywhere: NDArray[np.int64], count: int) -> NDArray[np.intp]:
    """Count on from the place at which each block begins; the first one does in any case."""
    steps = np.arange(count)
    began = np.maximum.accumulate(np.where(begins, steps, 0), axis=1)
    found: NDArray[np.intp] = (np.take_along_axis(anywhere, began, axis=1) + steps - began) % count
    return found


def _portions(draws: int, count: int) -> Iterator[int]:
    """Cut draws into portions that fit into a bounded memory."""
    if draws < 1:
        raise ValueError(f"draws: expected 1 or more, was {draws}")
    most = max(_AT_ONCE // count, 1)
    for done in range(0, draws, most):
        yield min(most, draws - done)
