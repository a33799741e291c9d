"""How far a curve of money fell below its highest point so far."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from data_layer.statistics.trades import Floats, Times


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
    falls = peaks - values
    shares = float((falls / peaks).max()) if np.all(peaks > 0) else None
    # Time below water: each point counts from the last one that was at a peak.
    at_peak = np.where(falls <= 0, np.arange(len(values)), 0)
    since = np.maximum.accumulate(at_peak)
    under = np.flatnonzero(falls > 0)
    ends = np.minimum(under + 1, len(values) - 1)  # the value after it: there it either recovers or is still below
    longest_ns = int((times_ns[ends] - times_ns[since[under]]).max()) if len(under) else 0
    return Drawdown(float(falls.max()), shares, longest_ns / 1e9, float(falls[-1]))
