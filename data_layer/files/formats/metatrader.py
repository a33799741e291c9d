"""MetaTrader 4 and 5: bars and ticks as the history windows export them; times are the broker's clock."""

from __future__ import annotations

from typing import Final

from data_layer.files.layout import BID_PRICES, QUOTE_PRICES, Layout, Sample
from data_layer.files.times import TimeForm

_DAY: Final = TimeForm("day like 2013.12.31", r"(?P<Y>\d{4})\.(?P<m>\d\d)\.(?P<d>\d\d)")
_CLOCK: Final = TimeForm("time of day like 23:59", r"(?P<H>\d\d):(?P<M>\d\d)(?::(?P<S>\d\d)(?:\.(?P<f>\d{1,9}))?)?")
_MT4: Final = {"open": 2, "high": 3, "low": 4, "close": 5, "volume": 6}
_MT4_CELLS: Final = 7


def recognise_mt4(sample: Sample) -> Layout | None:
    """Find ``2013.02.01,00:00,O,H,L,C,V`` without a header."""
    table = sample.table(",")
    times = ((0, _DAY), (1, _CLOCK))
    if not table.rows or len(table.rows[0]) != _MT4_CELLS or not table.reads(0, times):
        return None
    return Layout("mt4", "bars", ",", 0, times, _MT4, in_order=True)


def recognise_mt5(sample: Sample) -> Layout | None:
    """Find ``<DATE> <TIME> <OPEN> ...`` or ``<DATE> <TIME> <BID> <ASK> ...``; days have no time.

    The spread of a bar is in points of the broker: a person says what one is. An empty bid or ask of a tick did not
    change.
    """
    first = sample.lines[0] if sample.lines else ""
    table = sample.table()
    if not first.lstrip().startswith("<") or "date" not in table.names:
        return None
    prices = (*BID_PRICES, "spread", *QUOTE_PRICES)
    found = table.find({name: (name,) for name in prices} | {"volume": ("tickvol",)})
    times: tuple[tuple[int, TimeForm], ...] = ((table.names.index("date"), _DAY),)
    if "time" in table.names:
        times += ((table.names.index("time"), _CLOCK),)
    if not table.reads(1, times):
        return None
    if set(BID_PRICES) <= found.keys():
        values = {name: found[name] for name in (*BID_PRICES, "volume", "spread") if name in found}
        return Layout("mt5", "bars", table.delimiter, 1, times, values, in_order=True)
    if set(QUOTE_PRICES) <= found.keys():
        values = {name: found[name] for name in QUOTE_PRICES}
        return Layout("mt5", "quotes", table.delimiter, 1, times, values, in_order=True, carries=True)
    return None
