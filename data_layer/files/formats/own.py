"""What atrader writes, and every CSV file with a header that uses the usual names."""

from __future__ import annotations

from typing import Final

from data_layer.files.layout import ASK_PRICES, BID_PRICES, QUOTE_PRICES, Layout, Sample
from data_layer.files.times import ISO

TIME_NAMES: Final = ("timestamp", "open_time", "datetime", "time", "date")
_OTHERS: Final = {name: (name,) for name in (*BID_PRICES, *ASK_PRICES, *QUOTE_PRICES, "volume", "received")}


def recognise(sample: Sample) -> Layout | None:
    """Find a header with our names; times are ISO 8601 or counted since 1970."""
    table = sample.table()
    found = table.find({"time": TIME_NAMES, **_OTHERS})
    if "time" not in found:
        return None
    times = ((found.pop("time"), ISO),)
    if not table.reads(1, times):
        return None
    if set(BID_PRICES) <= found.keys():
        names = (*BID_PRICES, "volume", *(ASK_PRICES if set(ASK_PRICES) <= found.keys() else ()))
        values = {name: found[name] for name in names if name in found}
        return Layout("own", "bars", table.delimiter, 1, times, values)
    if set(QUOTE_PRICES) <= found.keys():
        values = {name: found[name] for name in (*QUOTE_PRICES, "received") if name in found}
        return Layout("own", "quotes", table.delimiter, 1, times, values)
    return None
