"""Long series in few points, so that a picture of them shows what a picture of all would."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


def stretches(count: int, most: int) -> Places:
    """Return where to cut `count` rows into at most `most` stretches of nearly equal length: the begin of each."""
    return np.unique(np.linspace(0, count, min(count, most), endpoint=False).astype(np.int64))


def extremes(values: Floats, starts: Places) -> Places:
    """Return the places of the lowest and the highest value of every stretch, and of the ends; rising, each once."""
    stops = np.append(starts[1:], len(values))
    places = [0, len(values) - 1]
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        part = values[start:stop]
        places += [start + int(part.argmin()), start + int(part.argmax())]
    return np.unique(np.array(places, np.int64))
