"""What the name of a file says about its bars."""

from __future__ import annotations

import re
from typing import Final

from atrader.timeframes import Timeframe

_OURS: Final = re.compile(r"(?:^|[-_ .])(\d+)([smhdwM])(?=[-_ .]|$)")  # USDJPY-1m
_METATRADER: Final = re.compile(r"(?:^|[-_ .])(MN|[MHDW])(\d+)(?=[-_ .]|$)")  # USDJPY_M1_201302
_DUKASCOPY: Final = re.compile(r"_Candlestick_(\d+)_([SMHDWsmhdw][a-z]*)_")  # USDJPY_Candlestick_1_M_BID
_UNITS: Final = {"MN": "M", "S": "s", "M": "m", "H": "h", "D": "d", "W": "w"}


def timeframe_in(name: str) -> str | None:
    """Return the one timeframe that a name of a file, without folders, tells; None when it tells none or two."""
    found = {f"{count}{unit}" for count, unit in _OURS.findall(name)}
    found |= {f"{count}{_UNITS[unit]}" for unit, count in _METATRADER.findall(name)}
    found |= {
        f"{count}{_UNITS['MN' if unit == 'Month' else unit[0].upper()]}" for count, unit in _DUKASCOPY.findall(name)
    }
    names = set()
    for text in found:
        try:
            names.add(Timeframe.parse(text).name)
        except ValueError:
            continue
    return names.pop() if len(names) == 1 else None
