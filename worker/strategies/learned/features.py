"""What a model sees of the bars: columns that have names, so that training and trading mean the same.

A name is ``KIND-PERIOD`` (``rsi-14``), or ``KIND`` where there is no period. All are ratios: no feature knows how high
the price is. Each row uses only its own past.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from atrader import indicators
from atrader.clock import NS_PER_S
from atrader.errors import ConfigError
from atrader.market import Bars
from worker.strategies.arrays import FloatArray, Mask, row_before

VERSION: Final = 1
"""Of what the names mean: models that were trained with another one are refused."""

LONGEST: Final = 2000
"""Longest period, in bars."""

_DAY_NS: Final = 86_400 * NS_PER_S


class Feature(NamedTuple):
    """One kind of feature.

    Attributes
    ----------
    values : callable
        From bars and a period to a column, shape (n,), NaN where nothing is known yet.
    memory : callable
        From a period to the bars it looks back on.
    shortest : int
        Smallest period; 0: it has none.
    meaning : str
        What it is.
    """

    values: Callable[[Bars, int], FloatArray]
    memory: Callable[[int], int]
    shortest: int
    meaning: str


def matrix_of(names: Sequence[str], bars: Bars) -> FloatArray:
    """Return one column for each name, shape (n, names); NaN where a feature is not known yet.

    Raises
    ------
    ConfigError
        When there is no such feature.
    """
    chosen = [parse_feature(name) for name in names]
    columns = [feature.values(bars, period) for feature, period in chosen]
    return np.column_stack(columns) if columns else np.empty((len(bars), 0))


def known_rows(matrix: FloatArray) -> Mask:
    """Return where every feature of a matrix is known, shape (n,)."""
    return np.asarray(np.isfinite(matrix).all(axis=1))


def memory_of(names: Sequence[str]) -> int:
    """Return how many bars the features need to be what they would be over all bars; raises as `matrix_of`."""
    return max((feature.memory(period) for feature, period in map(parse_feature, names)), default=1)


def parse_feature(name: str) -> tuple[Feature, int]:
    """Return what a name means, and its period (0 where it has none).

    Raises
    ------
    ConfigError
        When there is no such feature, or its period is out of range.
    """
    kind, _, text = name.rpartition("-")
    if name in FEATURES and not FEATURES[name].shortest:
        return FEATURES[name], 0
    feature = FEATURES.get(kind)
    if feature is None or not feature.shortest:
        raise ConfigError(f"feature {name!r} is unknown; there are: {', '.join(map(shown_name, FEATURES))}")
    if not text.isdecimal() or not feature.shortest <= int(text) <= LONGEST:
        raise ConfigError(f"feature {name!r}: expected a period from {feature.shortest} to {LONGEST}, was {text!r}")
    return feature, int(text)


def shown_name(kind: str) -> str:
    """Return how names of a kind of feature look."""
    return f"{kind}-N" if FEATURES[kind].shortest else kind


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Divide; 0 where there is nothing to be a part of, NaN where something is not known."""
    found: FloatArray = 0.0 * part
    np.divide(part, whole, out=found, where=whole != 0.0)
    return found


def _change(bars: Bars, period: int) -> FloatArray:
    return bars.close / row_before(bars.close, period) - 1.0


def _volatility(bars: Bars, period: int) -> FloatArray:
    bands = indicators.bollinger(_change(bars, 1), period, 1.0)
    return bands.upper - bands.middle


def _from_average(bars: Bars, period: int) -> FloatArray:
    return bars.close / indicators.ema(bars.close, period) - 1.0


def _in_bands(bars: Bars, period: int) -> FloatArray:
    bands = indicators.bollinger(bars.close, period, 1.0)
    return _ratio(bars.close - bands.middle, bands.upper - bands.middle)


def _in_channel(bars: Bars, period: int) -> FloatArray:
    top, bottom = indicators.highest(bars.high, period), indicators.lowest(bars.low, period)
    return _ratio(bars.close - (top + bottom) / 2.0, top - bottom)


def _range(bars: Bars, period: int) -> FloatArray:
    return indicators.atr(bars.high, bars.low, bars.close, period) / bars.close


def _direction(bars: Bars, period: int) -> FloatArray:
    lines = indicators.adx(bars.high, bars.low, bars.close, period)
    return (lines.plus_di - lines.minus_di) / 100.0


def _trend(bars: Bars, period: int) -> FloatArray:
    return indicators.adx(bars.high, bars.low, bars.close, period).adx / 100.0


def _strength(bars: Bars, period: int) -> FloatArray:
    return indicators.rsi(bars.close, period) / 100.0 - 0.5


def _turn(bars: Bars) -> FloatArray:
    return np.asarray((bars.open_time_ns % _DAY_NS) * (2.0 * np.pi / _DAY_NS), np.float64)


FEATURES: Final[dict[str, Feature]] = {
    "adx": Feature(_trend, indicators.adx_memory, 2, "strength of a trend, 0 to 1"),
    "atr": Feature(_range, indicators.wilder_memory, 2, "average true range, as a share of the price"),
    "band": Feature(_in_bands, lambda period: period, 2, "distance from the simple average, in standard deviations"),
    "channel": Feature(_in_channel, lambda period: period, 1, "place between lowest low (-0.5) and highest high (0.5)"),
    "day-cosine": Feature(lambda bars, _: np.cos(_turn(bars)), lambda _: 1, 0, "time of the day (UTC) on a circle"),
    "day-sine": Feature(lambda bars, _: np.sin(_turn(bars)), lambda _: 1, 0, "the other coordinate of it"),
    "di": Feature(_direction, indicators.adx_memory, 2, "direction of a trend: +DI less -DI, -1 to 1"),
    "ema": Feature(_from_average, indicators.ema_memory, 1, "distance from the exponential average, as a share of it"),
    "return": Feature(_change, lambda period: period + 1, 1, "change of the close over so many bars"),
    "rsi": Feature(_strength, indicators.wilder_memory, 2, "relative strength index, -0.5 to 0.5"),
    "volatility": Feature(_volatility, lambda period: period + 1, 2, "standard deviation of changes from bar to bar"),
}
"""Every kind of feature, by name."""
