"""How long trades were held."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from atrader.statistics.trades import Times


class Exposure(NamedTuple):
    """Time in the market.

    Attributes
    ----------
    exposed_s : float
        Time with at least one trade open: trades that overlap count once.
    exposed_frac : float or None
        Share of the time from the first open to the last close (to now while one is open); None without trades.
    average_holding_s : float or None
        Mean time from open to close of the closed trades: trades that overlap count each.
    """

    exposed_s: float
    exposed_frac: float | None
    average_holding_s: float | None


def exposure(open_ns: Times, close_ns: Times, now_ns: int) -> Exposure:
    """Measure trades.

    Parameters
    ----------
    open_ns, close_ns : ndarray of int64, shape (n,)
        UTC ns; 0 in `close_ns` for a trade that is open.
    now_ns : int
        Until when open trades are held, UTC ns.
    """
    if len(open_ns) == 0:
        return Exposure(0.0, None, None)
    is_closed = close_ns > 0
    ends = np.where(is_closed, close_ns, np.maximum(open_ns, now_ns))
    order = np.argsort(open_ns, kind="stable")
    starts, ends = open_ns[order], ends[order]
    covered = np.concatenate([starts[:1], np.maximum.accumulate(ends)[:-1]])  # up to here time is counted already
    exposed_ns = int(np.maximum(ends - np.maximum(starts, covered), 0).sum())
    period_ns = int(ends.max() - starts[0])
    held = (close_ns - open_ns)[is_closed]
    return Exposure(
        exposed_ns / 1e9,
        exposed_ns / period_ns if period_ns else None,
        float(held.mean()) / 1e9 if len(held) else None,
    )
