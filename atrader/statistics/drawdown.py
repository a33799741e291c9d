"""How far a curve of money fell below its highest point so far."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.statistics.trades import Floats, Times


class Drawdown(NamedTuple):
    """The deepest falls of a curve (M. Magdon-Ismail and A. Atiya, *Maximum Drawdown*, Risk 17, 2004).

    Attributes
    ----------
    deepest : float
        Largest difference between a peak and a later value, account currency, positive; 0 when it never fell.
    deepest_frac : float or None
        Largest fall as a share of its peak; it may be another fall than `deepest`. None when a peak is not positive.
    longest_s : float
        Longest time below a peak: from the peak to the first value that reaches it again, or to the end of the curve.
    now : float
        How far the last value is below the highest.
    """

    deepest: float
    deepest_frac: float | None
    longest_s: float
    now: float


class Fall(NamedTuple):
    """One fall of a curve: from a peak down, and up again if it came up.

    Attributes
    ----------
    peak_ns, lowest_ns : int
        When it was last at the peak, and at its lowest; UTC ns.
    recovered_ns : int or None
        When the peak was first reached again; None when it was not.
    depth : float
        Peak less lowest value.
    depth_frac : float or None
        The same as a share of the peak; None when the peak is not positive.
    lasted_s : float
        From the peak to the recovery, or to the end of the curve.
    """

    peak_ns: int
    lowest_ns: int
    recovered_ns: int | None
    depth: float
    depth_frac: float | None
    lasted_s: float


def drawdown(times_ns: Times, values: Floats) -> Drawdown:
    """Measure a curve.

    Parameters
    ----------
    times_ns : ndarray of int64, shape (n,)
        UTC ns, not decreasing.
    values : ndarray of float64, shape (n,)
        Money at those times; the first is the first peak.
    """
    if len(values) == 0:
        return Drawdown(0.0, None, 0.0, 0.0)
    peaks = np.maximum.accumulate(values)
    below = peaks - values
    shares = float((below / peaks).max()) if np.all(peaks > 0) else None
    starts, ends = _stretches(below)
    longest_ns = int((times_ns[np.minimum(ends, len(values) - 1)] - times_ns[starts]).max()) if len(starts) else 0
    return Drawdown(float(below.max()), shares, longest_ns / 1e9, float(below[-1]))


def falls(times_ns: Times, values: Floats, most: int = 5) -> list[Fall]:
    """Return the deepest falls of a curve, by their share of the peak (by money where a peak is not positive).

    Parameters
    ----------
    times_ns, values : ndarray, shape (n,)
        As in `drawdown`.
    most : int
        How many at most.
    """
    if len(values) == 0:
        return []
    below = np.maximum.accumulate(values) - values
    starts, ends = _stretches(below)
    if not len(starts):
        return []
    # One value more, so that a fall may last to the end; every second stretch between the places is a fall.
    depths = np.maximum.reduceat(np.append(below, 0.0), np.stack([starts, ends], axis=1).ravel())[::2]
    peaks = values[starts]
    shares = depths / peaks if np.all(peaks > 0) else depths
    worst = np.argsort(-shares, kind="stable")[:most]
    return [_fall(times_ns, values, below, int(starts[at]), int(ends[at])) for at in worst]


def _stretches(below: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the place of each peak that was fallen from, and that of the recovery (the length where there is none)."""
    under = np.concatenate([[False], below > 0, [False]])
    starts = np.flatnonzero(under[1:] & ~under[:-1])
    ends = np.flatnonzero(~under[1:] & under[:-1])
    return starts - 1, ends


def _fall(times_ns: Times, values: Floats, below: Floats, start: int, end: int) -> Fall:
    lowest = start + int(below[start:end].argmax())
    peak, depth, is_over = float(values[start]), float(below[lowest]), end < len(values)
    until_ns = int(times_ns[end if is_over else -1])
    return Fall(
        peak_ns=int(times_ns[start]),
        lowest_ns=int(times_ns[lowest]),
        recovered_ns=until_ns if is_over else None,
        depth=depth,
        depth_frac=depth / peak if peak > 0 else None,
        lasted_s=(until_ns - int(times_ns[start])) / 1e9,
    )
