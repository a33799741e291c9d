"""HistData: ASCII minutes and quotes without a header; New York's winter time all year (UTC-5)."""

from __future__ import annotations

from typing import Final

from data_layer.files.layout import Layout, Sample
from data_layer.files.times import TimeForm

_ZONE: Final = "Etc/GMT+5"  # the sign is POSIX: five hours behind UTC
_DAY: Final = r"(?P<Y>\d{4})(?P<m>\d\d)(?P<d>\d\d) (?P<H>\d\d)(?P<M>\d\d)(?P<S>\d\d)"
_MINUTE: Final = TimeForm("time like 20131231 235900", _DAY)
_MOMENT: Final = TimeForm("time like 20131231 235900123", rf"{_DAY}(?P<f>\d{{3}})")
_BARS: Final = {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5}
_CELLS: Final = 6


def recognise(sample: Sample) -> Layout | None:
    """Find ``20120201 000000;O;H;L;C;V`` or ``20120201 000003660,BID,ASK,0``."""
    bars = sample.table(";")
    if bars.rows and len(bars.rows[0]) == _CELLS and bars.reads(0, ((0, _MINUTE),)):
        return Layout("histdata", "bars", ";", 0, ((0, _MINUTE),), _BARS, zone=_ZONE, timeframe="1m")
    quotes = sample.table(",")
    if quotes.rows and len(quotes.rows[0]) in (3, 4) and quotes.reads(0, ((0, _MOMENT),)):
        return Layout("histdata", "quotes", ",", 0, ((0, _MOMENT),), {"bid": 1, "ask": 2}, zone=_ZONE)
    return None
