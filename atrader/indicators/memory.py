"""How many bars an indicator with smoothing needs until it does not matter where its data began.

The seed of a recurrence loses a constant share with each value and never vanishes. Here it counts as gone when less
than 1e-8 of it is left: a price then differs by far less than its tick, so that a window of this length and the whole
history give the same decisions.
"""

from __future__ import annotations

from math import ceil, log
from typing import Final

_LEFT: Final = 1e-8


def ema_memory(period: int) -> int:
    """Return how many values `ema` needs until its seed is forgotten, the warm-up included."""
    return period + _values_until_forgotten(1.0 - 2.0 / (period + 1))


def wilder_memory(period: int) -> int:
    """Return how many bars `atr` and `rsi` need until their seed is forgotten, the warm-up included."""
    return period + 1 + _values_until_forgotten(1.0 - 1.0 / period)


def adx_memory(period: int) -> int:
    """Return how many bars `adx` needs until its seeds are forgotten, the warm-up included.

    It smooths twice: the second average still sees what the first one is forgetting, for a fifth longer.
    """
    return 2 * period + ceil(1.2 * _values_until_forgotten(1.0 - 1.0 / period))


def _values_until_forgotten(kept: float) -> int:
    """Return after how many values less than `_LEFT` is left, when each keeps a share of what was."""
    return ceil(log(_LEFT) / log(kept)) if kept > 0.0 else 0
