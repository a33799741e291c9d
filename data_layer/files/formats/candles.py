"""What ccxt and freqtrade keep: rows of time (ms), open, high, low, close, volume; JSON, or CSV without a header."""

from __future__ import annotations

import re
from typing import Final

from data_layer.files.layout import Layout, Sample
from data_layer.files.times import time_form

_MS: Final = time_form("ms")
_VALUES: Final = {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5}
_CELLS: Final = 6
_BLANK: Final = b" \t\r\n"
_NAME: Final = re.compile(r"-(?P<timeframe>[1-9]\d*[smhdwM])(?:-[a-z]+)?\.(?:json|feather|parquet|csv)$")


def recognise(sample: Sample) -> Layout | None:
    """Find six numbers, the first of 13 digits."""
    table = sample.table(",")
    times = ((0, _MS),)
    if not table.rows or len(table.rows[0]) != _CELLS or len(table.rows[0][0]) != 13 or not table.reads(0, times):
        return None
    return Layout("candles", "bars", ",", 0, times, _VALUES, timeframe=timeframe_in(sample.name))


def timeframe_in(name: str) -> str | None:
    """Return the timeframe in the name of a file of freqtrade, such as ``BTC_USDT-5m.json``."""
    match = _NAME.search(name)
    return match["timeframe"] if match else None


def lines_of(content: bytes) -> bytes | None:
    """Turn a JSON list of lists into lines of text, one for each inner list; None when it is something else.

    Only the brackets are looked at: a row that is no row stays one line, so it spoils nothing but itself, and a file
    that is cut off keeps what came before.
    """
    text = content.translate(None, _BLANK)
    if not text.startswith(b"[[") and text != b"[]":
        return None
    return text.removeprefix(b"[").removeprefix(b"[").removesuffix(b"]").removesuffix(b"]").replace(b"],[", b"\n")
