"""TrueFX: quotes without a header, ``EUR/USD,20130101 22:00:00.295,1.31,1.32``; UTC."""

from __future__ import annotations

import re
from typing import Final

from data_layer.files.layout import Layout, Sample
from data_layer.files.times import TimeForm

_TIME: Final = TimeForm(
    "time like 20130131 22:00:00.295",
    r"(?P<Y>\d{4})(?P<m>\d\d)(?P<d>\d\d) (?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)(?:\.(?P<f>\d{1,9}))?",
)
_PAIR: Final = re.compile(r"[A-Z]{3}/[A-Z]{3}")


def recognise(sample: Sample) -> Layout | None:
    """Find a pair and a time in the first line."""
    table = sample.table(",")
    times = ((1, _TIME),)
    if not table.rows or len(table.rows[0]) != 4 or not _PAIR.fullmatch(table.rows[0][0]):
        return None
    if not table.reads(0, times):
        return None
    return Layout("truefx", "quotes", ",", 0, times, {"bid": 2, "ask": 3}, zone="UTC", symbol=0)
