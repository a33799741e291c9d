"""Morning and overnight range: days computed by hand, filters, hours, and a restart in the middle of the range."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from atrader.calendars import Period
from atrader.clock import parse_time
from atrader.errors import ConfigError
from atrader.instruments import KNOWN
from atrader.market import Bars
from research.events.engine import EventEngine
from research.events.result import Result
from tests.support.event_runs import account_of
from tests.support.session_bars import FREE, NQ, day_plan, days_of_range, placed, walk
from worker.strategies.morning_range import MorningRangeParameters
from worker.strategies.overnight_range import OvernightRangeParameters
from worker.strategies.sessions.atr_zones import zones_around

D = Decimal
EURUSD = KNOWN["EUR/USD"]


def morning(closes: list[float], start: str = "2024-06-04T09:10-04:00", **parameters: Any) -> Result:
    """Run 5m bars, the first of which opens twenty minutes before New York's session."""
    strategy = placed("morning-range", EURUSD, "5m", **{"trend_bars": 4, "stop_frac": 0.5, **parameters})
    bars = walk(start, "5m", closes, spread=0.0001)
    return EventEngine(day_plan(strategy, EURUSD, "5m", bars)).run()


QUIET = [1.0810] * 4  # 9:10 to 9:30
RANGE = [1.0815, 1.0820, 1.0810, 1.0800, 1.0812, 1.0818]  # 9:30 to 10:00: 1.0800 to 1.0820
BREAKS = [*QUIET, *RANGE, 1.0819, 1.0825]  # 10:05 inside, 10:10 out
NOON = [1.0850] * 71  # of five minutes: to the end of the day and beyond


def test_a_morning_computed_by_hand_takes_its_parts_and_ends_with_the_day() -> None:
    # Bought at the ask of the close, 1.0826. Stop: half the range below the high, 1.0810; R is 16 pips.
    # 1 % of 10,000 is 100: 62,500 units. 1 R is 1.0842: 0.4 of them, 25,000, go at the next close beyond, 1.0843;
    # 2 R is 1.0858: 0.3, 18,750, go at 1.0860; what is left, 18,750, at 15:45 at 1.0850.
    result = morning([*BREAKS, 1.0841, 1.0843, 1.0857, 1.0860, *NOON])
    (trade,) = result.closed
    assert (trade.side, trade.open_price, trade.units_opened) == ("buy", D("1.0826"), D(62_500))
    assert trade.open_time_ns == parse_time("2024-06-04T10:10-04:00")
    assert trade.initial_stop == D("1.0810")
    assert trade.stop_loss == D("1.0826"), "break even after the first target"
    assert trade.close_time_ns == parse_time("2024-06-04T15:45-04:00")
    assert trade.profit == D("42.50") + D("63.75") + D("45.00")
    closes = [order for order in result.orders if order.intent.action == "close"]
    assert [order.intent.reason for order in closes] == ["target 1 R", "target 2 R", "end of day"]
    assert [order.filled_units for order in closes] == [25_000, 18_750, 18_750]


def test_after_the_first_target_the_rest_ends_where_it_began() -> None:
    result = morning([*BREAKS, 1.0843, 1.0822, *NOON])
    (trade,) = result.closed
    assert trade.close_reason == "stop-loss"
    # 25,000 units won 17 pips; the rest left at the bid of the first quote below 1.0826: the bar falls from its open
    # at 1.0843 to its low, 1.0822.
    assert trade.profit == D("42.50") - D("15.00")


def test_a_trade_too_small_to_be_split_goes_to_break_even_all_the_same() -> None:
    result = morning([*BREAKS, 1.0843, 1.0822, *NOON], risk_frac=D("0.0000003"))  # 0.003 for 16 pips: 1 unit
    (trade,) = result.closed
    assert trade.units_opened == 1
    assert (trade.close_reason, trade.stop_loss) == ("stop-loss", D("1.0826"))


def test_a_market_that_closes_early_ends_the_trade_a_bar_before() -> None:
    strategy = placed("morning-range", EURUSD, "5m", trend_bars=0)
    closed = Period(parse_time("2024-06-04T12:00-04:00"), parse_time("2024-06-04T17:00-04:00"))
    bars = walk("2024-06-04T09:10-04:00", "5m", [*BREAKS, *([1.0826] * 22)], spread=0.0001)
    (trade,) = EventEngine(day_plan(strategy, EURUSD, "5m", bars, closed=(closed,))).run().closed
    assert trade.close_time_ns == parse_time("2024-06-04T11:55-04:00")


@pytest.mark.parametrize(("ends", "opened"), [("10:10", 0), ("10:15", 1)])
def test_nothing_is_opened_at_the_moment_at_which_everything_is_closed(ends: str, opened: int) -> None:
    result = morning([*BREAKS, *([1.0826] * 6)], entry_end=ends, flat_at=ends)  # out at 10:10
    assert (len(result.closed), len(result.open_trades)) == (opened, 0)


def test_the_bar_at_whose_end_the_market_closes_opens_nothing() -> None:
    strategy = placed("morning-range", EURUSD, "5m", trend_bars=0)
    closed = Period(parse_time("2024-06-04T10:10-04:00"), parse_time("2024-06-04T17:00-04:00"))
    bars = walk("2024-06-04T09:10-04:00", "5m", BREAKS, spread=0.0001)
    assert not EventEngine(day_plan(strategy, EURUSD, "5m", bars, closed=(closed,))).run().orders


def test_fractions_that_sum_up_to_one_close_the_trade_at_the_last_target() -> None:
    result = morning([*BREAKS, 1.0843, 1.0860, *NOON], fractions=(0.9, 0.1), break_even_after=0)
    (trade,) = result.closed
    assert trade.stop_loss == D("1.0810")
    assert trade.close_time_ns == parse_time("2024-06-04T10:20-04:00")
    assert trade.profit == D("95.62") + D("21.25")  # 56,250 units at 17 pips, half a cent to even; 6,250 at 34


@pytest.mark.parametrize(
    ("parameters", "opened"),
    [
        ({}, "10:10"),
        ({"confirm_bars": 2}, "10:15"),
        ({"buffer_frac": 0.5}, "10:20"),  # beyond 1.0830
        ({"direction": "short"}, None),
        ({"trend_bars": 2}, "10:10"),
        ({"entry_end": "10:05"}, None),
        ({"weekdays": ("mon", "wed")}, None),  # it is a Tuesday
    ],
)
def test_when_a_breakout_counts(parameters: dict[str, Any], opened: str | None) -> None:
    result = morning([*BREAKS, 1.0826, 1.0831, 1.0832, 1.0831], **parameters)
    times = [trade.open_time_ns for trade in result.open_trades]
    assert times == ([] if opened is None else [parse_time(f"2024-06-04T{opened}-04:00")])


def test_a_breakout_against_the_trend_is_left_alone() -> None:
    high = [*([1.0900] * 3), 1.0815]
    assert morning([*high, *RANGE, 1.0819, 1.0825], trend_bars=4).open_trades
    assert not morning([*high, *RANGE, 1.0819, 1.0825], trend_bars=12).open_trades, "the average is 1.0836"


@pytest.mark.parametrize(("period", "trades"), [(4, 1), (10, 0), (60, 0)])  # risen, fallen, too few bars to know
def test_filters_of_entries_are_asked(period: int, trades: int) -> None:
    closes = [*([1.0900] * 3), 1.0815, *RANGE, 1.0819, 1.0825, 1.0826]
    result = morning(closes, filters=({"kind": "momentum", "period": period},))
    assert len(result.open_trades) == trades


def test_one_entry_a_day_unless_more_are_wanted() -> None:
    again = [*BREAKS, 1.0809, 1.0812, 1.0825, 1.0809, *([1.0815] * 4)]  # out, stopped, out, stopped
    assert len(morning(again).closed) == 1
    assert len(morning(again, max_entries=2).closed) == 2


def test_the_range_keeps_its_local_hours_over_both_changes_of_summer_time() -> None:
    for friday, monday in (("2024-03-08", "2024-03-11"), ("2024-11-01", "2024-11-04")):
        for day in (friday, monday):
            winter = day in ("2024-03-08", "2024-11-04")
            result = morning([*BREAKS, 1.0826], f"{day}T{'14' if winter else '13'}:10:00Z")
            (trade,) = result.open_trades
            assert trade.open_time_ns == parse_time(f"{day}T{'15' if winter else '14'}:10:00Z")


# -- overnight

NIGHT_BARS = 186  # of five minutes, from 18:00 to 9:30


def night(path: dict[int, float], after: list[float], **parameters: Any) -> Result:
    """Run NQ from 2025-11-06 18:00 New York: straight lines between the closes of some bars, then single closes."""
    lines = np.round(np.interp(np.arange(NIGHT_BARS), list(path), list(path.values())) * 4) / 4
    bars = walk("2025-11-06T18:00-05:00", "5m", [*lines, *after], spread=0.25, first=25111.50)
    strategy = placed("overnight-range", NQ, "5m", **{"zones": True, "atr_days": 2, **parameters})
    daily = days_of_range("2025-11-03T18:00-05:00", 224.86, 25100, 3)
    daily.close[0] -= 10.0  # a gap is measured from the last close
    return EventEngine(day_plan(strategy, NQ, "5m", bars, daily)).run()


PATH = {0: 25120.0, 60: 25354.75, 150: 25062.0, 185: 25080.0}


def test_the_six_numbers_of_2025_11_07() -> None:
    result = night(PATH, [25070.0])
    (found,) = [signal for signal in result.signals if signal.name == "range"]
    assert (found.indicators["high"], found.indicators["low"]) == (25354.75, 25062.0)
    assert found.indicators["centre"] == 25111.50
    zones = ("upper_inner", "upper_outer", "lower_outer", "lower_inner")
    assert [round(found.indicators[name], 2) for name in zones] == [25223.93, 25250.46, 24972.54, 24999.07]
    assert found.time_ns == parse_time("2025-11-07T09:35-05:00")


def test_the_six_numbers_come_of_numbers_given_as_parameters_too() -> None:
    given = {"zone_centre": 25111.50, "zone_atr": 224.86, "zone_inner": 0.5, "zone_outer": 0.618}
    assert [round(price, 2) for price in zones_around(*given.values())] == [25223.93, 25250.46, 24999.07, 24972.54]
    found = next(s for s in night({**PATH, 0: 25300.0}, [25070.0], **given).signals if s.name == "range")
    assert round(found.indicators["lower_outer"], 2) == 24972.54


def test_a_night_broken_downwards_computed_by_hand() -> None:
    # The range is 292.75. Sold at the bid of 9:40, 25050. Stop: half the range above the low, 25208.375, to the tick
    # 25208.50: R is 158.50. 100 / 158.5 = 0.63 units. 1 R is an ask of 24891.50: 0.25 units go at 24890.25; then the
    # stop is at 25050, and the bar that closes at 25100 ends the rest there, at its ask: 0.38 units at 25100.25.
    result = night(PATH, [25070.0, 25050.0, 24900.0, 24890.0, 25100.0], stop_frac=0.5)
    (trade,) = result.closed
    assert (trade.side, trade.open_price, trade.units_opened) == ("sell", D("25050"), D("0.63"))
    assert trade.initial_stop == D("25208.50")
    assert trade.profit == D("39.94") - D("19.10")


def test_breakouts_are_left_alone_where_the_zone_ahead_is_spent() -> None:
    above = [25360.0, 25380.0]
    assert not night(PATH, above).open_trades
    assert night(PATH, above, zones=False).open_trades
    below = [25070.0, 24995.0]  # closes in the lower zone
    assert not night(PATH, below).open_trades
    assert night(PATH, below, zones=False).open_trades


def test_a_fade_waits_for_the_zone_and_for_the_close_inside() -> None:
    # Out at 25050, back at 25070: no zone was reached. Down to 24998, in the zone, and back at 25065: bought at the
    # ask, with the stop half a range below the low: 25062 - 146.375 = 24915.625, to the tick 24915.50.
    shallow, deep = [25050.0, 25070.0], [25050.0, 24998.0, 25065.0]
    settings = {"mode": "fade", "stop_frac": 0.5}
    assert not night(PATH, shallow, **settings).open_trades
    assert night(PATH, shallow, zones=False, **settings).open_trades
    (trade,) = night(PATH, deep, **settings).open_trades
    assert (trade.side, trade.open_price, trade.initial_stop) == ("buy", D("25065.25"), D("24915.50"))


def test_a_zone_that_was_reached_before_the_range_began_lets_no_fade_in() -> None:
    # In the zone, at 24990, on the evening before; then a break of the range that reaches none.
    lines = np.interp(np.arange(NIGHT_BARS), list(PATH), list(PATH.values()))

    def fade(before: list[float], after: list[float]) -> Result:
        prices = [*before, *(np.round(lines * 4) / 4), *after]
        bars = walk("2025-11-06T17:30-05:00", "5m", prices, spread=0.25)
        settings: dict[str, Any] = {"zones": True, "zone_atr": 224.86, "zone_centre": 25111.5, "mode": "fade"}
        strategy = placed("overnight-range", NQ, "5m", stop_frac=0.5, **settings)
        return EventEngine(day_plan(strategy, NQ, "5m", bars)).run()

    assert not fade([*[24990.0] * 5, 25120.0], [25050.0, 25070.0]).open_trades
    assert fade([*[24990.0] * 5, 25120.0], [25050.0, 24998.0, 25065.0]).open_trades


def test_the_day_may_open_at_the_end_of_the_range() -> None:
    result = night(PATH, [25070.0], zone_opens_at="09:30")
    found = next(signal for signal in result.signals if signal.name == "range")
    assert found.indicators["centre"] == 25080.0


@pytest.mark.parametrize(
    ("bound", "value"),
    [
        ({"max_range_atr": 1.3}, 292.75 / 224.86),
        ({"min_range_atr": 1.31}, 292.75 / 224.86),
        ({"min_gap_atr": 0.06}, 11.5 / 224.86),
        ({"max_gap_atr": 0.05}, 11.5 / 224.86),
        ({"min_atr_frac": 0.009}, 224.86 / 25111.5),
        ({"max_atr_frac": 0.0089}, 224.86 / 25111.5),
    ],
)
def test_filters_refuse_a_day_and_say_why(bound: dict[str, float], value: float) -> None:
    broken = [25070.0, 25050.0]
    result = night(PATH, broken, **bound)
    assert not result.open_trades
    (said,) = [signal for signal in result.signals if signal.name.startswith("refused")]
    assert said.name == f"refused-{next(iter(bound))}"
    assert said.value == pytest.approx(value)
    wide = {name: 0.0 if name.startswith("min") else 1.5 if "atr_frac" not in name else 1.0 for name in bound}
    assert night(PATH, broken, **wide).open_trades


def test_a_day_without_enough_daily_bars_is_not_traded_when_they_are_needed() -> None:
    result = night(PATH, [25070.0, 25050.0], max_range_atr=3, atr_days=9)
    assert not result.open_trades
    assert "refused-atr_days" in [signal.name for signal in result.signals]


def test_days_are_measured_by_what_was_complete_when_the_range_began() -> None:
    # A day of bitcoin ends at midnight UTC, in the middle of the night in New York.
    bitcoin, day_ns = KNOWN["BTC/USD"], 24 * 3600 * 10**9
    daily = days_of_range("2024-06-02T00:00Z", 1000.0, 60_000.0, 3)
    daily.close[-1], daily.high[-1] = 63_000.0, 63_000.0  # 4 June, over in the middle of the range
    bars = walk("2024-06-04T21:00Z", "15m", [61_000.0] * 70, spread=0.1)
    strategy = placed("overnight-range", bitcoin, "15m", atr_days=2, min_gap_atr=5)
    result = EventEngine(day_plan(strategy, bitcoin, "15m", bars, daily)).run()
    assert daily.open_time_ns[-1] + day_ns == parse_time("2024-06-05T00:00Z")
    assert [signal.name for signal in result.signals] == ["range", "refused-atr_days"], "two days, and three are needed"
    strategy = placed("overnight-range", bitcoin, "15m", atr_days=2, min_gap_atr=5)
    daily = days_of_range("2024-06-01T00:00Z", 1000.0, 60_000.0, 4)
    daily.close[-1], daily.high[-1] = 63_000.0, 63_000.0
    refused = EventEngine(day_plan(strategy, bitcoin, "15m", bars, daily)).run().signals[-1]
    assert refused[2:4] == ("refused-min_gap_atr", 1.0)


def test_a_range_of_which_too_few_bars_are_there_is_not_traded() -> None:
    def from_bar(first: int) -> Result:
        lines = np.interp(np.arange(NIGHT_BARS), list(PATH), list(PATH.values()))
        bars = walk("2025-11-06T18:00-05:00", "5m", [*lines, 25070.0, 25050.0], spread=0.25)
        strategy = placed("overnight-range", NQ, "5m")
        return EventEngine(day_plan(strategy, NQ, "5m", bars[first:])).run()

    assert from_bar(30).open_trades
    late = from_bar(60)
    assert not late.open_trades
    assert late.signals[0].name == "refused-min_coverage_frac"
    assert late.signals[0].value == pytest.approx(126 / 186)


@pytest.mark.parametrize(("saturday", "bars"), [("2024-03-09", 58), ("2024-11-02", 66), ("2024-06-01", 62)])
def test_a_night_in_which_the_clocks_change_is_an_hour_shorter_or_longer(saturday: str, bars: int) -> None:
    strategy = placed("overnight-range", KNOWN["BTC/USD"], "15m", weekdays=("sun",))
    start = parse_time(f"{saturday}T20:00Z")
    times = start + np.arange(160) * 900 * 10**9
    flat = np.full(len(times), 60_000.0)
    plan = day_plan(strategy, KNOWN["BTC/USD"], "15m", Bars(times, *([flat] * 8), np.ones(len(times))))
    span = strategy.parameters.days().at(int(times[-1]))
    assert (span.range_end_ns - span.range_start_ns) // (900 * 10**9) == bars
    assert strategy.warmup_bars >= bars + 22  # to the end of the entries at 15:00
    (found,) = [signal for signal in EventEngine(plan).run().signals if signal.name == "range"]
    assert found.time_ns == span.range_end_ns + 900 * 10**9


# -- parameters


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"flat_at": "14:55"}, "flat_at 14:55 must not come before entry_end 15:00"),
        ({"zone": "Mars/Base"}, "IANA zone"),
        ({"entry_end": "25:00"}, "local time"),
        ({"entry_end": "15:00+01:00"}, "without a zone"),
        ({"zone_opens_at": "12:00"}, "must lie in the range or at its end"),
        ({"zone_inner": 0.7}, "zone_inner must be below zone_outer"),
        ({"min_range_atr": 2.0, "max_range_atr": 1.0}, "min_range_atr must not be above max_range_atr"),
        ({"fractions": (0.5,)}, "same length"),
        ({"fractions": (0.6, 0.5)}, "more than 1"),
        ({"targets_r": (2.0, 1.0)}, "must rise"),
        ({"stop_frac": 0}, "greater than 0"),
        ({"weekdays": ()}, "at least 1"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        OvernightRangeParameters.model_validate(wrong)


def test_a_local_time_inside_a_bar_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"range start 09:30 \(America/New_York\) lies inside a 1h bar"):
        placed("morning-range", EURUSD, "1h", range_minutes=60)
    with pytest.raises(ConfigError, match="use 30m or shorter"):
        placed("morning-range", EURUSD, "4h")
    assert MorningRangeParameters(opens_at="23:45").range_times == ("23:45", "00:15:00")


def test_a_fill_that_comes_after_the_end_of_its_day_is_closed_at_once_and_not_a_day_later() -> None:
    strategy = placed("morning-range", EURUSD, "5m", trend_bars=4, entry_end="10:15", flat_at="10:15")
    bars = walk("2024-06-04T09:10-04:00", "5m", [*BREAKS, *([1.0826] * 12)], spread=0.0001)
    plan = day_plan(strategy, EURUSD, "5m", bars)
    slow = account_of(paper={**FREE, "latency": "6m"})  # wanted at 10:10, filled after 10:15
    (trade,) = EventEngine(replace(plan, account=slow)).run().closed
    assert trade.open_time_ns > parse_time("2024-06-04T10:15-04:00")
    assert trade.close_reason == "end of day"
    assert 0 < (trade.close_time_ns or 0) < parse_time("2024-06-04T10:30-04:00")


def test_in_a_night_that_skips_the_time_of_the_days_open_it_is_the_end_of_the_range() -> None:
    bitcoin = KNOWN["BTC/USD"]
    hours = {"range_start": "00:00", "range_end": "03:00", "zone_opens_at": "02:30", "weekdays": ("sun",)}
    strategy = placed("overnight-range", bitcoin, "15m", **hours)
    prices = [60_000.0 + 10 * number for number in range(12)]  # 00:00 to 02:00 are eight bars, then it is 03:00
    result = EventEngine(day_plan(strategy, bitcoin, "15m", walk("2024-03-10T05:00Z", "15m", prices, spread=1.0))).run()
    assert not any(result.errors.values())
    (told,) = (signal for signal in result.signals if signal.name == "range")
    assert told.indicators["centre"] == 60_070.0  # at which the bar from 03:00 on opened
