"""Indicators in pairs: a function over whole arrays, and a class that is updated bar by bar.

Both forms of a pair do the same floating point operations in the same order, so they give the same numbers to the last
bit when they see the same data from the same first value. They agree with TA-Lib, which tests use as oracle: same
seeds, same length of the warm-up (NaN), differences around 1e-13.

Common to all:

- Functions take anything numpy can make a one-dimensional float64 array of, and return new float64 arrays of the same
  length. Classes take floats; `update` returns the value of that bar, NaN while warming up.
- NaN at the beginning is skipped, so that one indicator can be computed over another. A NaN or an infinity after the
  first number raises ValueError: it would spoil every later value of a smoothed indicator without a word.
- A parameter that cannot be used raises ValueError with its name.
- Smoothed indicators (`ema rsi atr adx macd`) depend on where the data begin. The trace of the seed falls by
  `1 - 1/period` a bar (Wilder) or `1 - 2/(period + 1)` (EMA): `ema_memory`, `wilder_memory` and `adx_memory` say how
  many bars it takes until nothing of it can be noticed.
- Nothing here is thread-safe, and the classes can be pickled in any state. Where there was a compiler, updates with
  floats are compiled (decision 39), and the same without.
"""

from atrader.indicators.bands import Bollinger, BollingerBands, bollinger
from atrader.indicators.convergence import Macd, MacdLines, macd
from atrader.indicators.directional import Adx, DirectionalMovement, adx
from atrader.indicators.extremes import Highest, Lowest, highest, lowest
from atrader.indicators.memory import adx_memory, ema_memory, wilder_memory
from atrader.indicators.moving_averages import Ema, Sma, ema, sma
from atrader.indicators.strength import Rsi, rsi
from atrader.indicators.volatility import Atr, atr, true_range

__all__ = [
    "Adx",
    "Atr",
    "Bollinger",
    "BollingerBands",
    "DirectionalMovement",
    "Ema",
    "Highest",
    "Lowest",
    "Macd",
    "MacdLines",
    "Rsi",
    "Sma",
    "adx",
    "adx_memory",
    "atr",
    "bollinger",
    "ema",
    "ema_memory",
    "highest",
    "lowest",
    "macd",
    "rsi",
    "sma",
    "true_range",
    "wilder_memory",
]
