"""How a stored market becomes steps."""

from __future__ import annotations

from atrader.bar_quotes import quotes_of
from atrader.market import Bar, Bars, Tick
from data_layer.feeds.replay_steps import steps_of_bars, steps_of_ticks

MINUTE = 60_000_000_000


def bar(minute: int, open_: float, high: float, low: float, close: float, spread: float = 0.25) -> Bar:
    asks = (open_ + spread, high + spread, low + spread, close + spread)
    return Bar(minute * MINUTE, open_, high, low, close, *asks, 1.0)


def test_a_rising_bar_touches_its_low_first_and_a_falling_one_its_high() -> None:
    rising = quotes_of("EUR/USD", bar(0, 1, 4, 0.5, 2), MINUTE)
    assert [tick.bid for tick in rising] == [1, 0.5, 4, 2]
    falling = quotes_of("EUR/USD", bar(0, 2, 4, 0.5, 1), MINUTE)
    assert [tick.bid for tick in falling] == [2, 4, 0.5, 1]
    assert [tick.ask - tick.bid for tick in falling] == [0.25] * 4
    assert all(0 <= tick.time_ns < MINUTE for tick in falling)


def test_a_crossed_quote_becomes_one_without_spread() -> None:
    assert quotes_of("EUR/USD", bar(0, 1, 1, 1, 1, spread=-0.1), MINUTE)[0].ask == 1


def test_bars_of_several_instruments_end_together_in_one_step_and_missing_ones_are_left_out() -> None:
    series = {
        "USD/JPY": Bars.from_rows([bar(0, 1, 1, 1, 1), bar(2, 2, 2, 2, 2)]),
        "EUR/USD": Bars.from_rows([bar(0, 3, 3, 3, 3), bar(1, 4, 4, 4, 4)]),
        "GBP/USD": Bars.empty(),
    }
    steps = list(steps_of_bars(series, MINUTE))
    assert [step.market_ns for step in steps] == [MINUTE, 2 * MINUTE, 3 * MINUTE]
    assert [[symbol for symbol, _ in step.bars] for step in steps] == [["EUR/USD", "USD/JPY"], ["EUR/USD"], ["USD/JPY"]]
    for step in steps:
        times = [tick.time_ns for tick in step.ticks]
        assert times == sorted(times)
        assert all(time < step.market_ns for time in times)


def test_nothing_stored_is_no_step() -> None:
    assert list(steps_of_bars({}, MINUTE)) == []
    assert list(steps_of_ticks([], MINUTE)) == []


def test_quotes_are_grouped_by_window_and_none_is_lost() -> None:
    ticks = [Tick("EUR/USD", time, time, 1.0, 1.1) for time in (1, 2, MINUTE - 1, MINUTE, 5 * MINUTE + 3)]
    steps = list(steps_of_ticks(ticks, MINUTE))
    assert [len(step.ticks) for step in steps] == [3, 1, 1]
    assert [step.market_ns for step in steps] == [MINUTE, 2 * MINUTE, 6 * MINUTE]
