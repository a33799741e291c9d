"""Values by rank, to the bit as numpy gives them.

Its own functions import masked arrays, which takes as long as all figures of a run.
"""

from __future__ import annotations

import numpy as np

from atrader.statistics.trades import Floats


def median(values: Floats) -> float:
    """Return the value in the middle, of two in the middle their mean; of at least one."""
    rising, half = np.sort(values), len(values) // 2
    return float(rising[half] if len(values) % 2 else (rising[half - 1] + rising[half]) / 2)


def quantile(values: Floats, share: float) -> float:
    """Return the value that a share of the values is below, linear between two of them; of at least one."""
    rising = np.sort(values)
    place, part = divmod(share * (len(values) - 1), 1.0)
    below, above = float(rising[int(place)]), float(rising[min(int(place) + 1, len(values) - 1)])
    step = above - below
    return below + step * part if part < 0.5 else above - step * (1.0 - part)
