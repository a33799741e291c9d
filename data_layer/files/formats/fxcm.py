"""FXCM: its candle and tick files, month first, and frames of its Python package written as CSV; all UTC."""

from __future__ import annotations

from typing import Final

from data_layer.files.layout import ASK_PRICES, BID_PRICES, QUOTE_PRICES, Layout, Sample
from data_layer.files.times import ISO, TimeForm

_MONTH_FIRST: Final = TimeForm(
    "date like 12/31/2013 23:59:00.000",
    r"(?P<m>\d\d)/(?P<d>\d\d)/(?P<Y>\d{4}) (?P<H>\d\d):(?P<M>\d\d)(?::(?P<S>\d\d)(?:\.(?P<f>\d{1,9}))?)?",
)
_NAMES: Final = {
    "time": ("datetime", "date", "time"),
    **{name: (f"bid{name}",) for name in BID_PRICES},
    **{name: (name.replace("_", ""),) for name in ASK_PRICES},
    "volume": ("tickqty", "total ticks", "volume"),
    **{name: (name,) for name in QUOTE_PRICES},
}


def recognise(sample: Sample) -> Layout | None:
    """Find ``BidOpen ... AskClose``, or ``Bid, Ask`` with a day that begins with the month."""
    table = sample.table()
    found = table.find(_NAMES)
    if "time" not in found:
        return None
    column = found.pop("time")
    form = next((form for form in (_MONTH_FIRST, ISO) if table.reads(1, ((column, form),))), None)
    if form is None:
        return None
    if {*BID_PRICES, *ASK_PRICES} <= found.keys():
        values = {name: found[name] for name in (*BID_PRICES, *ASK_PRICES, "volume") if name in found}
        return Layout("fxcm", "bars", table.delimiter, 1, ((column, form),), values, zone="UTC")
    if set(QUOTE_PRICES) <= found.keys() and form is _MONTH_FIRST and len(table.rows) > 1:
        values = {name: found[name] for name in QUOTE_PRICES}
        return Layout("fxcm", "quotes", table.delimiter, 1, ((column, form),), values, zone="UTC")
    return None
