"""ATR zones: a band above and one below the day's open, where a usual day's way is spent."""

from __future__ import annotations

from typing import NamedTuple


class Zones(NamedTuple):
    """Prices. The upper zone reaches from ``upper_inner`` up to ``upper_outer``, the lower one mirrors it."""

    upper_inner: float
    upper_outer: float
    lower_inner: float
    lower_outer: float


def zones_around(centre: float, atr: float, inner_frac: float, outer_frac: float) -> Zones:
    """Return the zones at two shares of an ATR from a centre, symmetric about it.

    Parameters
    ----------
    centre, atr : float
        Prices.
    inner_frac, outer_frac : float
        Where the zones begin and end, in ATRs.
    """
    inner, outer = inner_frac * atr, outer_frac * atr
    return Zones(centre + inner, centre + outer, centre - inner, centre - outer)
