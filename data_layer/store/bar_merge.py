"""Bars that come, put into those that are stored. Pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.market import Bars
from atrader.messages.series import Stored


class Merge(NamedTuple):
    """What becomes of stored bars when others come.

    Attributes
    ----------
    bars : Bars
        What is to be stored, in place of everything between the first and the last that came.
    replaced : Bars
        Stored bars as they were, whose values are others now.
    taken : list of (int, int)
        Times whose bars are new or have new values, ``[start_ns, end_ns)``.
    stored : Stored
        The figures.
    """

    bars: Bars
    replaced: Bars
    taken: list[tuple[int, int]]
    stored: Stored


def merged(old: Bars, came: Bars, length_ns: int, *, keep: bool) -> Merge:
    """Merge bars that came (open times strictly increasing, not empty) with the old ones of the same period.

    Parameters
    ----------
    length_ns : int
        Nominal length of a bar.
    keep : bool
        Whether the old bar stays when both have one of the same open time.
    """
    if not len(old):
        first_ns, stop_ns = int(came.open_time_ns[0]), int(came.open_time_ns[-1]) + length_ns
        stored = Stored(rows=len(came), new=len(came), changed=(first_ns, stop_ns))
        return Merge(came, old, [(first_ns, stop_ns)], stored)
    known = np.isin(came.open_time_ns, old.open_time_ns, assume_unique=True)
    again = np.isin(old.open_time_ns, came.open_time_ns, assume_unique=True)
    differs = np.zeros(int(known.sum()), dtype=bool)
    if not keep:
        for before, after in zip(old.columns[1:], came.columns[1:], strict=True):
            differs |= before[again] != after[known]
    takes, stays = ~known, ~again
    takes[known] = differs
    stays[again] = ~differs
    columns = [np.concatenate([a[takes], b[stays]]) for a, b in zip(came.columns, old.columns, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    is_new = np.repeat([True, False], [int(takes.sum()), int(stays.sum())])[order]
    bars = Bars(*(column[order] for column in columns))
    times = np.concatenate([came.open_time_ns[~known], old.open_time_ns[again][differs]])
    stored = Stored(
        rows=len(came),
        new=int((~known).sum()),
        revised=int(differs.sum()),
        changed=(int(times.min()), int(times.max()) + length_ns) if len(times) else None,
    )
    replaced = Bars(*(column[again][differs] for column in old.columns))
    return Merge(bars, replaced, _runs(bars.open_time_ns, is_new, length_ns), stored)


def _runs(times: NDArray[np.int64], is_new: NDArray[np.bool_], length_ns: int) -> list[tuple[int, int]]:
    """Return the periods of new bars without an old one between them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_new, [False]]).astype(np.int8)))
    return [(int(times[first]), int(times[last - 1]) + length_ns) for first, last in edges.reshape(-1, 2)]
