"""The old trader: ``history/EURUSD_60.csv`` in Madrid's local time, and ``EURUSD_TICK.csv``; without headers.

Its history files hold the same weeks many times over and jump back; every row that says nothing new is reported.
"""

from __future__ import annotations

import re
from typing import Final

from atrader.clock import NS_PER_S
from atrader.timeframes import Timeframe
from data_layer.files.layout import Layout, Sample
from data_layer.files.times import TimeForm

_MINUTE: Final = TimeForm("time like 31/12/13 23:59", r"(?P<d>\d\d)/(?P<m>\d\d)/(?P<y>\d\d) (?P<H>\d\d):(?P<M>\d\d)")
_MOMENT: Final = TimeForm(
    "time like 31-12-2013-23-59-00",
    r"(?P<d>\d\d)-(?P<m>\d\d)-(?P<Y>\d{4})-(?P<H>\d\d)-(?P<M>\d\d)-(?P<S>\d\d)",
)
_BARS: Final = {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5}
_NAME: Final = re.compile(r"_(?P<minutes>\d{1,5})\.csv$", re.IGNORECASE)
_WITH_SWAPS: Final = 8


def recognise(sample: Sample) -> Layout | None:
    """Find ``dd/mm/yy HH:MM,O,H,L,C,V[,swap,swap]`` or ``dd-mm-yyyy-HH-MM-SS,BID,ASK``."""
    table = sample.table(",")
    if not table.rows:
        return None
    if len(table.rows[0]) in (6, _WITH_SWAPS) and table.reads(0, ((0, _MINUTE),)):
        times, timeframe = ((0, _MINUTE),), _timeframe(sample.name)
        # Its jumps back are not those of a clock: they tell no pass of a repeated hour from the other.
        return Layout("old-trader", "bars", ",", 0, times, _BARS, zone="Europe/Madrid", timeframe=timeframe)
    if len(table.rows[0]) == 3 and table.reads(0, ((0, _MOMENT),)):
        return Layout("old-trader", "quotes", ",", 0, ((0, _MOMENT),), {"bid": 1, "ask": 2}, in_order=True)
    return None


def _timeframe(name: str) -> str | None:
    match = _NAME.search(name)
    try:
        return Timeframe.of_ns(int(match["minutes"]) * 60 * NS_PER_S).name if match else None
    except ValueError:
        return None
