"""When financing is booked: at the end of a day, which the quote that books it comes after, sometimes long after."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from research.vector import Outcome, Reason
from research.vectorised.stage import Stage

Times = NDArray[np.int64]


def due_times(stage: Stage, swaps: NDArray[np.void]) -> Times:
    """Return the ends of days that financing was booked for, UTC ns.

    Parameters
    ----------
    swaps : ndarray of `FILLS`, shape (n,)
        Those fills of a run that are financing, in their order.
    """
    places = _places(stage.schedule.bar, stage.schedule.phase)
    wanted = _places(swaps["bar"], swaps["phase"])
    first = np.searchsorted(places, wanted)
    if len(places) == len(np.unique(places)):
        return stage.due_ns[first]
    booked: dict[tuple[int, int], int] = {}  # after a pause one quote books several days, trade by trade
    for number, key in enumerate(zip(wanted.tolist(), swaps["trade"].tolist(), strict=True)):
        before = booked.get(key, 0)
        first[number] += before
        booked[key] = before + 1
    return stage.due_ns[first]


def at_its_day(stage: Stage, outcome: Outcome) -> Outcome:
    """Return a run with financing in the bar at whose end it was due, where equity at the ends of days counts it."""
    is_swap = outcome.fills["reason"] == Reason.SWAP
    if not is_swap.any():
        return outcome
    fills = outcome.fills.copy()
    due = np.searchsorted(stage.prices.end_ns, due_times(stage, fills[is_swap]))
    fills["bar"][is_swap] = np.minimum(due, fills["bar"][is_swap])
    fills["bar"] = np.maximum.accumulate(fills["bar"])
    return replace(outcome, fills=fills)


def _places(bars: NDArray[np.int32], phases: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return one rising number for bar and phase."""
    return bars.astype(np.int64) * 8 + phases
