"""Market conditions bar by bar."""

from __future__ import annotations

from collections import deque
from math import nan

from atrader.conditions.model import Condition, Phase, Volatility
from atrader.configuration.selection import DetectorConfig
from atrader.indicators import Adx, Sma


class ConditionDetector:
    """Tells what the market is like after each bar; the pair of `conditions`.

    Both give the same conditions, to the last bit of the figures, when they see the same bars from the same first one.
    Not thread-safe; can be pickled in any state.

    Parameters
    ----------
    config : DetectorConfig
        Periods and thresholds.
    """

    def __init__(self, config: DetectorConfig | None = None) -> None:
        self.config = config or DetectorConfig()
        self._adx = Adx(self.config.adx_period)
        self._present, self._usual = Sma(self.config.atr_bars), Sma(self.config.usual_bars)
        self._highs: deque[float] = deque(maxlen=self.config.channel_bars)
        self._lows: deque[float] = deque(maxlen=self.config.channel_bars)
        self._close = nan
        self._trend: bool | None = None
        self._is_up = False
        self._level, self._side, self._age = nan, 0, 0  # of the breakout that holds; side 0: none
        self._volatile = self._quiet = self._has_ratio = False

    def update(self, high: float, low: float, close: float) -> Condition:
        """Take the next complete bar; return what the market is like now.

        Raises
        ------
        ValueError
            If a price is not finite (leading bars with NaN are skipped).
        """
        index, plus, minus = self._adx.update(high, low, close)
        true_range = max(high, self._close) - min(low, self._close) if self._close == self._close else nan
        present, usual = self._present.update(true_range), self._usual.update(true_range)
        ratio = present / usual if usual > 0 else nan
        was_range = self._trend is False
        self._move(index, plus, minus)
        self._break(close, present, was_range=was_range)
        self._weigh(ratio)
        self._highs.append(high)
        self._lows.append(low)
        self._close = close
        return Condition(self._phase(), self._volatility(), index, ratio)

    def _move(self, index: float, plus: float, minus: float) -> None:
        if index >= self.config.trend_from:
            self._trend = True
        elif index < self.config.range_below:
            self._trend = False
        if plus != minus and plus == plus:
            self._is_up = plus > minus

    def _break(self, close: float, present: float, *, was_range: bool) -> None:
        """Begin a breakout when the range before is left, end it when the price is back or the time is over."""
        self._age += 1
        if self._age >= self.config.breakout_bars or (close - self._level) * self._side < 0:
            self._side = 0
        if not was_range or len(self._highs) < self.config.channel_bars or present != present:
            return
        top, bottom, margin = max(self._highs), min(self._lows), self.config.breakout_atr * present
        if close > top + margin:
            self._level, self._side, self._age = top, 1, 0
        elif close < bottom - margin:
            self._level, self._side, self._age = bottom, -1, 0

    def _weigh(self, ratio: float) -> None:
        if ratio != ratio:
            return
        self._has_ratio = True
        config = self.config
        self._volatile = ratio >= config.volatile_from or (self._volatile and ratio >= config.volatile_until)
        self._quiet = ratio <= config.quiet_from or (self._quiet and ratio <= config.quiet_until)

    def _phase(self) -> Phase:
        if self._trend is None:
            return Phase.UNKNOWN
        if self._trend:
            return Phase.TREND_UP if self._is_up else Phase.TREND_DOWN
        if self._side:
            return Phase.BREAKOUT_UP if self._side > 0 else Phase.BREAKOUT_DOWN
        return Phase.RANGE

    def _volatility(self) -> Volatility:
        if not self._has_ratio:
            return Volatility.UNKNOWN
        if self._volatile:
            return Volatility.VOLATILE
        return Volatility.QUIET if self._quiet else Volatility.NORMAL
