"""Memory that runs write to, again and again: new memory costs more than the arithmetic does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from research.vector.outcome import FILLS, TRADES


class Workspace:
    """Room for the trades and fills of one run after the other; for one thread."""

    __slots__ = ("_fills", "_trades")

    def __init__(self) -> None:
        self._trades: NDArray[np.void] = np.empty(0, TRADES)
        self._fills: NDArray[np.void] = np.empty(0, FILLS)

    def room(self, trades: int, fills: int) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """Return arrays for at least so many trades and fills; what they hold is anything."""
        if len(self._trades) < trades:
            self._trades = np.empty(trades, TRADES)
        if len(self._fills) < fills:
            self._fills = np.empty(fills, FILLS)
        return self._trades, self._fills
