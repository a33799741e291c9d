"""Bars for people who like pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atrader.market import BAR_COLUMNS, Bars

if TYPE_CHECKING:
    import pandas as pd


def to_frame(bars: Bars) -> pd.DataFrame:
    """Return bars as a DataFrame with a UTC index called ``open_time``; imports pandas when it is called.

    The columns are those of `BAR_COLUMNS` after the time, float64.
    """
    import pandas as pd

    index = pd.DatetimeIndex(bars.open_time_ns.astype("datetime64[ns]"), tz="UTC", name="open_time")
    return pd.DataFrame({name: getattr(bars, name) for name in BAR_COLUMNS[1:]}, index=index)
