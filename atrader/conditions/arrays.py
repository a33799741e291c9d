"""Market conditions of whole arrays of bars."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atrader.conditions.model import PHASES, VOLATILITIES, Codes, Conditions, Floats, Phase, Volatility
from atrader.configuration.selection import DetectorConfig
from atrader.indicators import adx, highest, lowest, sma, true_range

_TREND, _NO_TREND, _UNKNOWN = 1, 0, -1


def conditions(high: ArrayLike, low: ArrayLike, close: ArrayLike, config: DetectorConfig) -> Conditions:
    """Tell at the end of each bar what the market is like, from that bar and those before it.

    Parameters
    ----------
    high, low, close : array_like of float, shape (n,)
        Complete bars, oldest first; bid prices, as indicators take them.
    config : DetectorConfig
        Periods and thresholds.

    Returns
    -------
    Conditions
        Unknown until `DetectorConfig.warmup_bars` bars are there.

    Raises
    ------
    ValueError
        If a column cannot be used, see `atrader.indicators`.
    """
    highs, lows, closes = (np.asarray(column, np.float64) for column in (high, low, close))
    lines = adx(highs, lows, closes, config.adx_period)
    ranges = true_range(highs, lows, closes)
    present, usual = sma(ranges, config.atr_bars), sma(ranges, config.usual_bars)
    ratio = np.divide(present, usual, out=np.full(len(usual), np.nan), where=usual > 0)
    trend = _held(lines.adx >= config.trend_from, lines.adx < config.range_below)
    side = np.sign(lines.plus_di - lines.minus_di)
    up = _held(side > 0, side < 0) == 1
    broken = _breakouts(highs, lows, closes, present, trend, config)
    cases = {
        Phase.UNKNOWN: trend == _UNKNOWN,
        Phase.TREND_UP: (trend == _TREND) & up,
        Phase.TREND_DOWN: trend == _TREND,
        Phase.BREAKOUT_UP: broken > 0,
        Phase.BREAKOUT_DOWN: broken < 0,
    }
    codes = [np.int8(PHASES.index(phase)) for phase in cases]
    phase = np.select(list(cases.values()), codes, np.int8(PHASES.index(Phase.RANGE)))
    return Conditions(phase, _volatility(ratio, config), lines.adx, ratio)


def _held(on: NDArray[np.bool_], off: NDArray[np.bool_]) -> Codes:
    """Return 1 from an `on` and 0 from an `off` until the next of them, -1 before the first (hysteresis)."""
    marks = np.where(on, 1, np.where(off, 0, -1)).astype(np.int8)
    last = _last_index(marks >= 0)
    return np.where(last < 0, _UNKNOWN, marks[last]).astype(np.int8)


def _last_index(marks: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return for each place the last marked one at or before it, -1 when there is none."""
    return np.maximum.accumulate(np.where(marks, np.arange(len(marks)), -1)) if len(marks) else np.empty(0, np.intp)


def _breakouts(
    high: Floats, low: Floats, close: Floats, present: Floats, trend: Codes, config: DetectorConfig
) -> Codes:
    """Return 1 and -1 where a breakout out of a range still holds, whether a trend has begun meanwhile or not."""
    count = len(close)
    top, bottom = _before(highest(high, config.channel_bars)), _before(lowest(low, config.channel_bars))
    margin = config.breakout_atr * present
    ranged = np.concatenate(([False], trend[:-1] == _NO_TREND))[:count]
    up, down = ranged & (close > top + margin), ranged & (close < bottom - margin)
    last = _last_index(up | down)
    side = np.where(up[last], 1, -1)
    level = np.where(side > 0, top[last], bottom[last])
    back = _last_index((close - level) * side < 0)
    age = np.arange(count) - last
    return np.where((last >= 0) & (age < config.breakout_bars) & (back < last), side, 0).astype(np.int8)


def _before(values: Floats) -> Floats:
    """Return for each bar the value of the bar before it, NaN for the first."""
    return np.concatenate(([np.nan], values[:-1]))[: len(values)]


def _volatility(ratio: Floats, config: DetectorConfig) -> Codes:
    known = _last_index(~np.isnan(ratio)) >= 0
    volatile = _held(ratio >= config.volatile_from, ratio < config.volatile_until) == 1
    quiet = _held(ratio <= config.quiet_from, ratio > config.quiet_until) == 1
    found = np.full(len(ratio), VOLATILITIES.index(Volatility.NORMAL), np.int8)
    found[volatile] = VOLATILITIES.index(Volatility.VOLATILE)
    found[quiet] = VOLATILITIES.index(Volatility.QUIET)
    found[~known] = VOLATILITIES.index(Volatility.UNKNOWN)
    return found
