"""Market conditions: bars computed by hand."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from atrader.conditions import Condition, ConditionDetector, Phase, Volatility, conditions
from atrader.configuration.selection import DetectorConfig, SelectionConfig
from tests.support.price_series import KINDS, make_prices

SMALL = DetectorConfig(
    adx_period=2,
    trend_from=60,
    range_below=40,
    channel_bars=3,
    breakout_atr=0,
    breakout_bars=2,
    atr_bars=1,
    usual_bars=3,
)
SAWTOOTH = [10, 11, 10, 11, 10, 11, 10, 11]


def phases_of(closes: Sequence[float], config: DetectorConfig = SMALL) -> list[str]:
    """Phases of bars that reach half a point above and below their close, as both forms give them."""
    close = np.array(closes, float)
    found = conditions(close + 0.5, close - 0.5, close, config)
    detector = ConditionDetector(config)
    one_by_one = [detector.update(value + 0.5, value - 0.5, value) for value in close.tolist()]
    whole = [found.at(row) for row in range(len(closes))]
    assert [one[:2] for one in whole] == [one[:2] for one in one_by_one]
    return [one.phase.value for one in whole]


def test_bars_that_only_rise_are_a_trend_as_soon_as_the_adx_is_known() -> None:
    # Every +DM is 1 and every -DM 0: DX is 100 from the second bar on, the ADX(2) from the fourth.
    assert phases_of([10, 11, 12, 13, 14]) == ["unknown"] * 3 + ["trend-up"] * 2
    assert phases_of([14, 13, 12, 11, 10]) == ["unknown"] * 3 + ["trend-down"] * 2
    assert phases_of([10, 11, 12, 13], SMALL.model_copy(update={"trend_from": 100.0}))[3:] == ["trend-up"]


def test_bars_to_and_fro_are_a_range() -> None:
    # DI sums at bar 2: 0.5 and 1, DX 33.33; at bar 3: 1.25 and 0.5, DX 42.86; their mean 38.1 is below 40.
    close = np.array(SAWTOOTH, float)
    found = conditions(close + 0.5, close - 0.5, close, SMALL)
    assert found.adx[3] == pytest.approx((100 * 0.5 / 1.5 + 100 * 0.75 / 1.75) / 2)
    assert phases_of(SAWTOOTH) == ["unknown"] * 3 + ["range"] * 5


def test_a_close_outside_the_channel_of_a_range_is_a_breakout_until_its_time_is_over() -> None:
    # The channel of the last three bars ends at 11.5. The next bars close inside the new channel, above 11.5.
    slow = SMALL.model_copy(update={"trend_from": 99.0})
    assert phases_of([*SAWTOOTH, 12, 12, 12], slow)[8:] == ["breakout-up", "breakout-up", "range"]
    assert phases_of([*SAWTOOTH[:7], 9, 9, 9], slow)[7:] == ["breakout-down", "breakout-down", "range"]


def test_a_close_outside_the_channel_by_less_than_the_margin_is_none() -> None:
    # The bar's true range is 1.5: 0.5 above the channel is a third of it.
    slow = SMALL.model_copy(update={"trend_from": 99.0, "breakout_atr": 0.34})
    assert phases_of([*SAWTOOTH, 12], slow)[8:] == ["range"]
    assert phases_of([*SAWTOOTH, 12], slow.model_copy(update={"breakout_atr": 0.33}))[8:] == ["breakout-up"]


def test_a_breakout_ends_when_the_price_is_back_in_the_channel_it_left() -> None:
    slow = SMALL.model_copy(update={"trend_from": 99.0, "breakout_bars": 5})
    assert phases_of([*SAWTOOTH, 12, 11.5, 11.4, 12], slow)[8:] == ["breakout-up", "breakout-up", "range", "range"]


def test_a_trend_is_no_breakout_whatever_it_closes_above() -> None:
    assert set(phases_of([*SAWTOOTH, 12, 13, 14, 15, 16])[9:]) == {"trend-up"}


def test_a_trend_whose_sides_are_equal_keeps_the_side_it_had() -> None:
    # Sums of four moves of 1: 1, 1.5, 1.75, 1.875. A move back by half of that leaves 0.9375 on both sides: DX is 0,
    # and the ADX, 100 until then, 50: a trend still.
    assert phases_of([10, 11, 12, 13, 14, 13.0625])[3:] == ["trend-up"] * 3
    assert phases_of([14, 13, 12, 11, 10, 10.9375])[3:] == ["trend-down"] * 3


def test_between_the_thresholds_a_phase_stays_as_it_was() -> None:
    # ADX from 33 to 43 in the sawtooth: a trend that begins at 34 goes on, a range below 33 never begins.
    assert phases_of(SAWTOOTH, SMALL.model_copy(update={"trend_from": 38.0, "range_below": 33.0}))[3:] == [
        "trend-up", *["trend-down", "trend-up"] * 2
    ]  # fmt: skip
    assert phases_of(SAWTOOTH, SMALL.model_copy(update={"trend_from": 90.0, "range_below": 1.0})) == ["unknown"] * 8


def volatilities_of(true_ranges: Sequence[float], **thresholds: float) -> list[str]:
    """Volatility of bars around 100 with these ranges, the first of which opens the comparison."""
    config = SMALL.model_copy(update={"volatile_until": 1.1, "quiet_from": 0.5, "quiet_until": 0.9, **thresholds})
    reach = np.array([1.0, *true_ranges]) / 2
    close = np.full(len(reach), 100.0)
    found = conditions(close + reach, close - reach, close, config)
    detector = ConditionDetector(config)
    for row in range(len(reach)):
        assert detector.update(100 + reach[row], 100 - reach[row], 100.0).volatility is found.at(row).volatility
    return [found.at(row).volatility.value for row in range(1, len(reach))]


def test_volatility_is_the_present_range_over_the_usual_one_with_hysteresis() -> None:
    # Usual is the mean of three: 6 / 3 = 2, 4.5 / 4 = 1.125 (above 1.1: still volatile), 3 / 4.5 = 0.67 (normal).
    assert volatilities_of([1.5, 1.5, 1.5, 6, 4.5, 3]) == [
        "unknown", "unknown", "normal", "volatile", "volatile", "normal"
    ]  # fmt: skip
    # 1 / 2.5 = 0.4 (quiet), 1.2 / 1.7 = 0.7 (not above 0.9: still quiet), 1 / 1.07 = 0.94 (normal).
    assert volatilities_of([3, 3, 3, 0.5, 1.2, 1])[3:] == ["quiet", "quiet", "normal"]


def test_at_a_threshold_itself_a_market_has_become_volatile_or_quiet_and_still_is() -> None:
    # 3 / 2 = 1.5, then 2.25 / 2.25 = 1; 1 / 2 = 0.5, then 1.75 / 1.75 = 1.
    limits = {"volatile_from": 1.5, "volatile_until": 1.0, "quiet_from": 0.5, "quiet_until": 1.0}
    assert volatilities_of([1.5, 1.5, 3, 2.25], **limits)[2:] == ["volatile", "volatile"]
    assert volatilities_of([2.5, 2.5, 1, 1.75], **limits)[2:] == ["quiet", "quiet"]


def test_a_market_that_never_moved_has_no_volatility() -> None:
    flat = np.full(20, 5.0)
    assert conditions(flat, flat, flat, SMALL).at(-1).volatility is Volatility.UNKNOWN


def test_few_or_no_bars_are_unknown() -> None:
    assert len(conditions([], [], [], SMALL).phase) == 0
    assert conditions([2.0], [1.0], [1.5], SMALL).at(0)[:2] == (Phase.UNKNOWN, Volatility.UNKNOWN)


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_and_bar_by_bar_agree_to_the_last_bit(kind: str) -> None:
    prices = make_prices(kind, 7, 900)
    config = DetectorConfig(adx_period=7, usual_bars=40)
    found = conditions(*prices, config)
    detector = ConditionDetector(config)
    columns = [column.tolist() for column in prices]
    for row, bar in enumerate(zip(*columns, strict=True)):
        if row == 450:
            detector = pickle.loads(pickle.dumps(detector))
        now, then = detector.update(*bar), found.at(row)
        assert now[:2] == then[:2]
        np.testing.assert_array_equal(now[2:], then[2:])


def test_a_condition_says_its_figures() -> None:
    text = str(Condition(Phase.TREND_UP, Volatility.QUIET, 31.25, 0.5))
    assert text == "trend-up (ADX 31.2), quiet (range 0.50 of the usual)"


def test_the_bars_of_the_warm_up_are_enough_and_one_less_is_not() -> None:
    config = DetectorConfig()
    prices = make_prices("random", 3, config.warmup_bars)
    assert Volatility.UNKNOWN is not conditions(*prices, config).at(-1).volatility
    assert Volatility.UNKNOWN is conditions(*prices, config).at(-2).volatility


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"range_below": 26}, "range_below 26.0 must not be above trend_from 25.0"),
        ({"quiet_until": 1.3}, "quiet_until 1.3 must not be above volatile_until 1.25"),
        ({"volatile_until": 1.6}, "volatile_until 1.6 must not be above volatile_from 1.5"),
        ({"atr_bars": 100}, "atr_bars 100 must be below usual_bars 100"),
    ],
)
def test_thresholds_that_contradict_each_other_are_refused(keys: dict[str, float], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        DetectorConfig(**keys)  # type: ignore[arg-type]


def test_a_selection_without_a_preference_is_refused() -> None:
    with pytest.raises(ValidationError, match="name phases or volatility"):
        SelectionConfig()
