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
    return drawdown_and_falls(times_ns, values, 0)[0]


def falls(times_ns: Times, values: Floats, most: int = 5) -> list[Fall]:
    """Return the deepest falls of a curve, by their share of the peak (by money where a peak is not positive).

    Parameters
    ----------
    times_ns, values : ndarray, shape (n,)
        As in `drawdown`.
    most : int
        How many at most.
    """
    return drawdown_and_falls(times_ns, values, most)[1]


def drawdown_and_falls(times_ns: Times, values: Floats, most: int = 5) -> tuple[Drawdown, list[Fall]]:
    """Return both `drawdown` and `falls` of a curve, of which a long one is walked over once."""
    if len(values) == 0:
        return Drawdown(0.0, None, 0.0, 0.0), []
    peaks = np.maximum.accumulate(values)
    now = float(peaks[-1] - values[-1])
    starts, ends = _stretches(values < peaks)
    if not len(starts):
        return Drawdown(0.0, 0.0 if values[0] > 0 else None, 0.0, now), []
    # Every second stretch between the places is a fall; the last one may go on to the end.
    places = np.stack([starts, ends], axis=1).ravel()
    lowest = np.minimum.reduceat(values, places[:-1] if ends[-1] == len(values) else places)[::2]
    tops = values[starts]
    depths = tops - lowest
    shares = depths / tops if values[0] > 0 else depths  # peaks only rise: the first one is the lowest
    longest_ns = int((times_ns[np.minimum(ends, len(values) - 1)] - times_ns[starts]).max())
    whole = Drawdown(float(depths.max()), float(shares.max()) if values[0] > 0 else None, longest_ns / 1e9, now)
    worst = np.argsort(-shares, kind="stable")[:most]
    return whole, [_fall(times_ns, values, int(starts[at]), int(ends[at])) for at in worst]


def _stretches(under: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the place of each peak that was fallen from, and that of the recovery (the length where there is none)."""
    turns = np.flatnonzero(np.diff(under, prepend=False, append=False))
    return turns[::2] - 1, turns[1::2]


def _fall(times_ns: Times, values: Floats, start: int, end: int) -> Fall:
    lowest = start + int(values[start:end].argmin())
    peak, depth, is_over = float(values[start]), float(values[start] - values[lowest]), end < len(values)
    until_ns = int(times_ns[end if is_over else -1])
    return Fall(
        peak_ns=int(times_ns[start]),
        lowest_ns=int(times_ns[lowest]),
        recovered_ns=until_ns if is_over else None,
        depth=depth,
        depth_frac=depth / peak if peak > 0 else None,
        lasted_s=(until_ns - int(times_ns[start])) / 1e9,
    )
