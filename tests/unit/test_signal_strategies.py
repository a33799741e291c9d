"""The built-in signal strategies over days that were worked out on paper.

In all of them high and low are 1 from the close and the ask is 0.5 above the bid (`bars_of_closes`), and the average
true range is that of two bars: the mean of the first two true ranges, then (last + new) / 2. The stop of a long is
measured from the ask, that of a short from the bid.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atrader.errors import ConfigError
from atrader.instruments import known_instrument
from atrader.strategy import Signals, SignalStrategy
from tests.support.made_bars import bars_of_closes
from worker.loading import load_strategy, make_strategy

pytestmark = pytest.mark.unit

LONG, SHORT = 1, -1
CLOSE_LONG, CLOSE_SHORT = 1, -1


def decide(name: str, closes: list[float], **parameters: object) -> Signals:
    """Return the signals of a built-in strategy over a day."""
    strategy = make_strategy(load_strategy(name, Path()), {"atr_period": 2, **parameters}, "day.toml")
    assert isinstance(strategy, SignalStrategy)
    return strategy.signals(bars_of_closes(closes), known_instrument("EUR/USD"))


def check(signals: Signals, entries: dict[int, tuple[int, float]], exits: dict[int, int]) -> None:
    """Compare the entries, with their stops, and the exits of all bars."""
    assert signals.stop_loss is not None
    found = {int(row): (int(signals.entry[row]), signals.stop_loss[row]) for row in np.flatnonzero(signals.entry)}
    assert {row: side for row, (side, _) in found.items()} == {row: side for row, (side, _) in entries.items()}
    for row, (_, stop) in entries.items():
        assert found[row][1] == pytest.approx(stop, abs=1e-12)
    assert {int(row): int(signals.exit[row]) for row in np.flatnonzero(signals.exit)} == exits


CROSSING_DAY = [10.0, 9.0, 8.0, 9.0, 11.0, 12.0, 10.0, 7.0]
"""True ranges from bar 1 on: 2 2 2 3 2 3 4. ATR from bar 2 on: 2, 2, 2.5, 2.25, 2.625, 3.3125."""


def test_the_worked_day_of_the_sma_cross() -> None:
    # average of 2:     9.5  8.5   8.5    10     11.5    11     8.5      (bars 1 to 7)
    # average of 3:          9     8.667  9.333  10.667  11     9.667    (bars 2 to 7)
    # Bar 4 crosses above. Bar 6 only touches. Bar 7 is below, and bar 6 was not.
    signals = decide("sma-cross", CROSSING_DAY, fast=2, slow=3, stop_atr=2, target_atr=1)
    check(
        signals,
        {4: (LONG, 11.5 - 2 * 2.5), 7: (SHORT, 7 + 2 * 3.3125)},
        {4: CLOSE_SHORT, 7: CLOSE_LONG},
    )
    assert signals.take_profit is not None
    assert signals.take_profit[4] == pytest.approx(11.5 + 2.5)
    assert signals.take_profit[7] == pytest.approx(7 - 3.3125)
    assert signals.indicators is not None
    assert signals.indicators["slow"][6] == pytest.approx(11.0)


def test_the_worked_day_of_the_ema_cross() -> None:
    # average of 1: the close itself
    # average of 3: (10 + 9 + 8) / 3 = 9 at bar 2, then half of the way to the close: 9, 10, 11, 10.5, 8.75
    # Bar 3 only touches. Bar 4 (11 over 10) crosses above, bar 6 (10 under 10.5) below.
    signals = decide("ema-cross", CROSSING_DAY, fast=1, slow=3, stop_atr=2)
    check(
        signals,
        {4: (LONG, 11.5 - 2 * 2.5), 6: (SHORT, 10 + 2 * 2.625)},
        {4: CLOSE_SHORT, 6: CLOSE_LONG},
    )


def test_the_worked_day_of_the_atr_cross_in_which_one_crossing_lacks_momentum() -> None:
    # Crossings as above, in bars 4 and 7. Momentum over 3 bars: 11 / 9 - 1 = 22 % in bar 4, 7 / 11 - 1 = -36 % in 7.
    strategy = make_strategy(
        load_strategy("atr-cross", Path()),
        {
            "fast": 2,
            "slow": 3,
            "atr_window": 2,
            "atr_multiplier": 1.5,
            "momentum_window": 3,
            "least_momentum_frac": 0.3,
        },
        "day.toml",
    )
    assert isinstance(strategy, SignalStrategy)
    signals = strategy.signals(bars_of_closes(CROSSING_DAY), known_instrument("EUR/USD"))
    check(signals, {7: (SHORT, 7 + 1.5 * 3.3125)}, {4: CLOSE_SHORT, 7: CLOSE_LONG})


def test_the_worked_day_of_rsi() -> None:
    # change:     -2   -2    +1     -1    +3      -0.5     -0.5
    # mean gain:        0    0.5    0.25  1.625   0.8125   0.40625
    # mean loss:        2    1      1     0.5     0.5      0.5
    # RSI:              0    33.3   20    76.5    61.9     44.8       (bars 2 to 7)
    # Bar 3 leaves the oversold: long. Bar 5 does so again, but is beyond the middle: it only closes the long.
    # Bar 6 leaves the overbought: short. Bar 7 is beyond the middle: the short is closed.
    # true range:  3    3    2      2     4       2        2;  ATR: 3, 2.5, 2.25, 3.125, 2.5625, ...
    signals = decide("rsi", [10.0, 8.0, 6.0, 7.0, 6.0, 9.0, 8.5, 8.0], rsi_period=2, stop_atr=2)
    check(
        signals,
        {3: (LONG, 7.5 - 2 * 2.5), 6: (SHORT, 8.5 + 2 * 2.5625)},
        {2: CLOSE_SHORT, 5: CLOSE_LONG, 7: CLOSE_SHORT},
    )


def test_the_worked_day_of_the_breakout() -> None:
    # highs      11 12 11 12 14 15 13.5 12      highest of the 3 bars before:  -  -  -  12 12 14 15 15
    # lows        9 10  9 10 12 13 11.5 10      lowest of the 3 bars before:   -  -  -  9  9  9  10 11.5
    # The exit channel, of the 2 bars before:   high -  -  12 12 12 14 15 15,  low -  -  9 9 9 10 12 11.5
    # Bar 4 closes at 13, above 12: long. Bar 5 closes at 14, on the channel. Bar 7 closes at 11, below 11.5: short.
    # true range:   2 2 2 3 2 2.5 2.5;  ATR from bar 2 on: 2, 2, 2.5, 2.25, 2.375, 2.4375
    closes = [10.0, 11.0, 10.0, 11.0, 13.0, 14.0, 12.5, 11.0]
    signals = decide("breakout", closes, entry_bars=3, exit_bars=2, stop_atr=2)
    check(
        signals,
        {4: (LONG, 13.5 - 2 * 2.5), 7: (SHORT, 11 + 2 * 2.4375)},
        {4: CLOSE_SHORT, 7: CLOSE_LONG},
    )


def test_the_worked_day_of_bollinger_mean_reversion() -> None:
    # Four bars and one deviation. Mean, variance, band:
    # bar 3: 8 8 8 4    7     3      7 - 1.73 = 5.27: the close 4 is outside
    # bar 4: 8 8 4 6    6.5   2.75   6.5 - 1.66 = 4.84: the close 6 is inside again: long
    # bar 5: 8 4 6 8    6.5          the close 8 is beyond the mean: the long is closed
    # bar 6: 4 6 8 12   7.5   8.75   7.5 + 2.96 = 10.46: the close 12 is outside
    # bar 7: 6 8 12 10  9     5      9 + 2.24 = 11.24: the close 10 is inside again: short
    # bar 8: 8 12 10 9  9.75         the close 9 is beyond the mean: the short is closed
    # true range:  2 2 5 3 3 5 3 2;  ATR from bar 2 on: 2, 3.5, 3.25, 3.125, 4.0625, 3.53125
    closes = [8.0, 8.0, 8.0, 4.0, 6.0, 8.0, 12.0, 10.0, 9.0]
    signals = decide("bollinger", closes, band_period=4, deviations=1, stop_atr=1)
    check(
        signals,
        {4: (LONG, 6.5 - 3.25), 7: (SHORT, 10 + 3.53125)},
        {3: CLOSE_SHORT, 5: CLOSE_LONG, 8: CLOSE_SHORT},
    )


def test_the_worked_day_of_trend_following() -> None:
    # average of 3:  (10 + 9 + 8) / 3 = 9 at bar 2, then 9, 10, 11.5, 12.75, 12.125
    # ATR from bar 2 on:                2, 2, 2.5, 2.75, 2.375, 2.9375       (true ranges 2 2 2 3 3 2 3.5)
    # close - average, bars 4 to 7:     1, 1.5, 1.25, -0.625;  half an ATR: 1.25, 1.375, 1.1875, 1.47
    # Bar 5 is the first that is half an ATR above a rising average: long. Bar 7 is not far enough below for a short.
    # Highest high of two bars - ATR:   bar 5: 14 - 2.75, bar 6: 15 - 2.375 = 12.625, bar 7: 15 - 2.9375 = 12.0625
    # Bar 7 closes at 11.5, below it: the long is closed. Bar 4 closes at 11, above 8 + 2.5: a short would be.
    signals = decide(
        "trend",
        [10.0, 9.0, 8.0, 9.0, 11.0, 13.0, 14.0, 11.5],
        trend_period=3,
        slope_bars=1,
        band_atr=0.5,
        trail_bars=2,
        trail_atr=1,
        stop_atr=2,
    )
    check(signals, {5: (LONG, 13.5 - 2 * 2.75)}, {4: CLOSE_SHORT, 7: CLOSE_LONG})


def test_a_direction_enters_that_side_only_and_leaves_as_before() -> None:
    both = decide("sma-cross", CROSSING_DAY, fast=2, slow=3)
    for direction, side in (("long", LONG), ("short", SHORT)):
        one = decide("sma-cross", CROSSING_DAY, fast=2, slow=3, direction=direction)
        np.testing.assert_array_equal(one.entry, np.where(both.entry == side, side, 0))
        np.testing.assert_array_equal(one.exit, both.exit)


def test_the_size_is_a_share_at_risk_or_a_number_of_units() -> None:
    share, units = decide("rsi", CROSSING_DAY), decide("rsi", CROSSING_DAY, units=2000)
    np.testing.assert_array_equal(share.risk_frac, 0.01)
    assert share.units is None
    assert units.risk_frac is None
    np.testing.assert_array_equal(units.units, 2000)


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("sma-cross", {"fast": 50, "slow": 50}, "fast must be below slow"),
        ("ema-cross", {"fast": 0}, "parameters.fast"),
        ("rsi", {"oversold": 60}, "must rise"),
        ("breakout", {"units": 1000, "risk_frac": 0.01}, "not both"),
        ("bollinger", {"deviations": 0}, "parameters.deviations"),
        ("trend", {"trend_period": 1}, "parameters.trend_period"),
        ("atr-cross", {"atr_multiplier": -1}, "parameters.atr_multiplier"),
        ("rsi", {"filters": [{"kind": "regine"}]}, "'regime'"),
        ("rsi", {"filters": [{"kind": "regime", "adx": 20}]}, r"parameters\.filters\[0\]\.adx"),
    ],
)
def test_parameters_out_of_range_name_file_and_key(name: str, parameters: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        make_strategy(load_strategy(name, Path()), parameters, "etc/strategies/a.toml")
    assert "etc/strategies/a.toml: parameters" in str(caught.value)
