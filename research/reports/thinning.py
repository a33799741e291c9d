"""Long series in few points, so that a picture of them shows what a picture of all would."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

MOST_DOTS: Final = 1_500
"""Dots in a chart at most; beyond that every n-th is shown, in the order of opening or of their ratios."""

_PAUSE: Final = 8


def stretches(times: NDArray[Any], most: int) -> Places:
    """Return where to cut rows into stretches: the begin of each.

    About `most` of nearly equal numbers of rows. A pause that is longer than one of them would be lies between two,
    with the last row before it on its own: the range or exposure of an hour is not drawn over a weekend.

    Parameters
    ----------
    times : ndarray, shape (n,)
        Rising.
    """
    count = len(times)
    starts = np.linspace(0, count, min(count, most), endpoint=False).astype(np.int64)
    after = np.flatnonzero(np.diff(times) > (times[-1] - times[0]) / most) + 1
    return np.unique(np.concatenate([starts, after - 1, after]))


def extremes(values: Floats, starts: Places) -> Places:
    """Return the places of the lowest and the highest value of every stretch, and of the ends; rising, each once."""
    stops = np.append(starts[1:], len(values))
    places = [0, len(values) - 1]
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        part = values[start:stop]
        places += [start + int(part.argmin()), start + int(part.argmax())]
    return np.unique(np.array(places, np.int64))


def held(times: Floats, *columns: Floats) -> tuple[Floats, ...]:
    """Return points with another one before every pause: a market that is closed keeps its price, then jumps.

    Parameters
    ----------
    times : ndarray of float64, shape (n,)
        Rising; a step eight times the usual one is a pause.
    *columns : ndarray of float64, shape (n,)
        Values at these times.
    """
    steps = np.diff(times)
    before = np.flatnonzero(steps > _PAUSE * np.median(steps)) + 1 if len(steps) else np.zeros(0, np.int64)
    kept = (np.insert(column, before, column[before - 1]) for column in columns)
    return (np.insert(times, before, times[before]), *kept)
