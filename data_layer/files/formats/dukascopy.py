"""Dukascopy: exports of its web site and of JForex, and files of dukascopy-node."""

from __future__ import annotations

import re
from typing import Final

from data_layer.files.layout import BID_PRICES, QUOTE_PRICES, Layout, Sample
from data_layer.files.times import EPOCH, TimeForm

_OFFSET: Final = r"(?: ?(?:GMT|UTC)(?P<sign>[+-])(?P<oh>\d\d):?(?P<om>\d\d))?"
_CLOCK: Final = r" (?P<H>\d\d):(?P<M>\d\d)(?::(?P<S>\d\d)(?:\.(?P<f>\d{1,9}))?)?"
_TIMES: Final = (
    TimeForm("time like 31.12.2013 23:59:00.000", rf"(?P<d>\d\d)\.(?P<m>\d\d)\.(?P<Y>\d{{4}}){_CLOCK}{_OFFSET}"),
    TimeForm("time like 2013.12.31 23:59:00", rf"(?P<Y>\d{{4}})\.(?P<m>\d\d)\.(?P<d>\d\d){_CLOCK}{_OFFSET}"),
    EPOCH,
)
_HEAD: Final = re.compile(
    r"(?:(?P<gmt>gmt|utc) time|(?P<local>local) time|time \((?P<zone>[a-z/_+-]+)\)|(?P<node>timestamp))"
)
_ZONES: Final = {"utc": "UTC", "gmt": "UTC", "est": "Etc/GMT+5", "eet": "EET", "cet": "CET"}
_NAMES: Final = {
    **{name: (name,) for name in (*BID_PRICES, "volume")},
    "bid": ("bid", "bidprice"),
    "ask": ("ask", "askprice"),
}


def recognise(sample: Sample) -> Layout | None:
    """Find ``Gmt time``, ``UTC time``, ``Local time``, ``Time (UTC)`` or ``timestamp, askPrice, bidPrice``."""
    table = sample.table()
    head = _HEAD.fullmatch(table.names[0]) if table.names else None
    if head is None or (head["node"] and "bidprice" not in table.names):
        return None
    form = next((form for form in _TIMES if table.reads(1, ((0, form),))), None)
    if form is None:
        return None
    zone = _ZONES.get(head["zone"] or "") if head["zone"] else ("UTC" if head["gmt"] else None)
    found = table.find(_NAMES)
    times = ((0, form),)
    if set(BID_PRICES) <= found.keys():
        values = {name: found[name] for name in (*BID_PRICES, "volume") if name in found}
        return Layout("dukascopy", "bars", table.delimiter, 1, times, values, zone=zone, in_order=True)
    if set(QUOTE_PRICES) <= found.keys():
        values = {name: found[name] for name in QUOTE_PRICES}
        return Layout("dukascopy", "quotes", table.delimiter, 1, times, values, zone=zone, in_order=True)
    return None
