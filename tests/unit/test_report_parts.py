"""What reports work out of a run: excursions, thinned series, days and months, warnings, round axes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pytest

from atrader.bar_quotes import quotes_of_bars
from atrader.calendars import Calendar
from atrader.clock import parse_time
from atrader.market import Bars, Quotes
from research.events.equity import EquityCurve
from research.events.tape import BarTape, QuoteTape
from research.events.traded import Traded
from research.reports.axes import round_times, round_values, span, value_texts
from research.reports.cautions import Caution, cautions_of
from research.reports.charts import ROLLING_DAYS, rolling_chart
from research.reports.details import details
from research.reports.drawing import Line
from research.reports.excursions import InsideBars, excursions, inside_bars
from research.reports.measures import calendar_for, measures
from research.reports.rows import EQUITY_POINTS, equity_points
from research.reports.thinning import extremes, held, stretches
from research.statistics.periods import period_returns
from tests.support.event_runs import MINUTE, random_bars

D = Decimal
Trade = dict[str, Any]
SPREAD = 0.5
BEGIN = parse_time("2024-03-05T00:00:00Z")


def bars_of(rows: Sequence[tuple[float, float, float, float]]) -> Bars:
    """Return minutes of a bid with the ask half a unit above."""
    times = BEGIN + np.arange(len(rows)) * MINUTE
    bids = np.array(rows, np.float64).T
    return Bars(times, *bids, *(bids + SPREAD), np.ones(len(rows)))


def trade_of(
    side: str, opened: float, closed: float | None, open_price: str, close_price: str | None
) -> dict[str, Any]:
    """Return a row of a trade; times in minutes from the begin."""
    return {
        "account": "paper",
        "instance": "one",
        "instrument": "EUR/USD",
        "side": side,
        "initial_risk": None,
        "state": "open" if closed is None else "closed",
        "open_time_ns": BEGIN + round(opened * MINUTE),
        "close_time_ns": None if closed is None else BEGIN + round(closed * MINUTE),
        "open_price": D(open_price),
        "close_price": None if close_price is None else D(close_price),
        "profit": D(1),
        "commission": D(0),
        "swap": D(0),
        "initial_stop": None,
        "take_profit": None,
        "close_reason": "",
        "in_one_bar": False,
        "both_in_bar": False,
    }


ROWS = [(100, 110, 90, 100), (100, 104, 98, 102), (102, 103, 95, 96), (96, 120, 80, 100)]


@pytest.mark.parametrize(
    ("trade", "adverse", "favourable"),
    [
        # Opened at the close of the first bar, closed at that of the third: the extremes of the first do not count.
        (trade_of("buy", 1, 3, "100.5", "96"), 5.5 / 100.5, 3.5 / 100.5),
        # A short is valued at the ask.
        (trade_of("sell", 1, 3, "100", "96.5"), 4.5 / 100, 4.5 / 100),
        # Closed at the first quote of the last bar: what came later in it does not count.
        (trade_of("buy", 2, 3, "102.5", "96"), 7.5 / 102.5, 0.5 / 102.5),
        # Open to the end: everything counts.
        (trade_of("buy", 2, None, "102.5", None), 22.5 / 102.5, 17.5 / 102.5),
        # Slippage beyond all quotes counts.
        (trade_of("buy", 1, 3, "100.5", "70"), 30.5 / 100.5, 3.5 / 100.5),
    ],
)
def test_excursions_are_those_of_the_quotes_while_a_trade_is_open(
    trade: dict[str, Any], adverse: float, favourable: float
) -> None:
    found = excursions(Traded.of([trade]), [BarTape("EUR/USD", bars_of(ROWS), MINUTE)])
    assert found.adverse_frac.tolist() == pytest.approx([adverse])
    assert found.favourable_frac.tolist() == pytest.approx([favourable])


def test_excursions_are_those_of_a_walk_over_every_quote() -> None:
    tape, chance = BarTape("EUR/USD", random_bars(4, 300, 1.1, 1e-5), MINUTE), Random(1)
    trades = []
    for _ in range(60):
        opened, lasted = chance.randint(0, 280), chance.choice([0.2, 1, 3, 40])
        row = trade_of(
            chance.choice(["buy", "sell"]), opened + chance.choice([0, 0.4]), opened + lasted + 0.5, "1", "1"
        )
        shift_ns = int(tape.end_ns[0]) - BEGIN
        row |= {key: row[key] + shift_ns for key in ("open_time_ns", "close_time_ns")}
        price = D(str(round(float(tape.closes()[0][min(opened, 250)]), 5)))
        trades.append({**row, "open_price": price, "close_price": price})
    found = excursions(Traded.of(trades), [tape])
    assert np.count_nonzero(found.favourable_frac) > 15
    quotes = [tick for row in range(len(tape)) for tick in tape.ticks(row)]
    for number, trade in enumerate(trades):
        opened_at = float(trade["open_price"])
        inside = [tick for tick in quotes if trade["open_time_ns"] <= tick.time_ns <= trade["close_time_ns"]]
        values = [opened_at, *(tick.bid if trade["side"] == "buy" else tick.ask for tick in inside)]
        down, up = 1 - min(values) / opened_at, max(values) / opened_at - 1
        expected = (down, up) if trade["side"] == "buy" else (up, down)
        assert (found.adverse_frac[number], found.favourable_frac[number]) == pytest.approx(expected)


def test_trades_without_prices_have_no_excursions_and_those_within_a_bar_are_told() -> None:
    tape = BarTape("EUR/USD", bars_of(ROWS), MINUTE)
    other = {**trade_of("buy", 1, 2, "1", "1"), "instrument": "USD/JPY"}
    within = trade_of("buy", 1.4, 1.7, "101", "101")
    trades = Traded.of([other, within, trade_of("buy", 0.4, 1.7, "101", "101")])
    assert np.isnan(excursions(trades, [tape]).adverse_frac).tolist() == [True, False, False]
    assert inside_bars(trades, [tape]).in_one_bar.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("side", "closed", "reason", "stop", "target", "both"),
    [
        # The third bar falls, and is played as 102, 103, 95, 96: the target came first.
        ("buy", 2.4, "take-profit", "95", "103", True),
        ("buy", 2.4, "take-profit", "94.9", "103", False),
        ("buy", 2.4, "take-profit", None, "103", False),
        ("sell", 2.4, "stop-loss", "103.5", "95.5", True),
        ("sell", 2.4, "stop-loss", "103.5", "95.4", False),
        # The last one rises, and is played as 96, 80, 120, 100: the stop came first.
        ("buy", 3.4, "stop-loss", "80", "120", True),
        ("buy", 3.4, "stop-loss", "80", "120.1", False),
        ("buy", 3.4, "stop-loss", "80", None, False),
        ("buy", 3.4, "trailing-stop", "70", "120", True),
        ("sell", 3.4, "take-profit", "120.5", "80.5", True),
        ("sell", 3.4, "take-profit", "120.6", "80.5", False),
        # The open of a bar came before the rest of it, whatever that was; a decision after all of it.
        ("buy", 3, "stop-loss", "96", "120", False),
        ("buy", 3, "signal exit", "80", "120", False),
        ("buy", 3.4, "signal exit", "80", "120", False),
        ("buy", 4, "take-profit", "80", "120", False),
    ],
)
def test_a_trade_that_ended_in_a_bar_with_its_stop_and_its_target_is_told(
    side: str, closed: float, reason: str, stop: str | None, target: str | None, both: bool
) -> None:
    given = {"initial_stop": stop, "take_profit": target, "close_reason": reason}
    earlier = {**trade_of(side, 1, closed, "100", "100"), **given}
    bars = bars_of(ROWS)
    found = inside_bars(Traded.of([earlier]), [BarTape("EUR/USD", bars, MINUTE)])
    assert found.both_in_bar.tolist() == [both]
    assert found.in_one_bar.tolist() == [False]
    times_ns, bid, ask = quotes_of_bars(bars, np.arange(4), MINUTE)
    known = inside_bars(Traded.of([earlier]), [QuoteTape("EUR/USD", Quotes(times_ns, times_ns, bid, ask), MINUTE)])
    assert known.both_in_bar.tolist() == [False]


@pytest.mark.parametrize(("count", "most"), [(1, 5), (7, 3), (1000, 48), (1001, 48), (5, 5)])
def test_thinned_series_keep_the_extremes_of_every_stretch(count: int, most: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    starts = stretches(np.arange(count), most)
    assert starts[0] == 0
    assert len(starts) == min(count, most)
    kept = extremes(values, starts)
    assert {0, count - 1} <= set(kept.tolist())
    for start, stop in zip(starts, np.append(starts[1:], count), strict=True):
        inside = values[kept[(kept >= start) & (kept < stop)]]
        assert inside.min() == values[start:stop].min()
        assert inside.max() == values[start:stop].max()


def test_a_pause_lies_between_two_stretches_and_the_row_before_it_on_its_own() -> None:
    times = np.concatenate([np.arange(100), 10_000 + np.arange(100)])
    assert stretches(times, 4).tolist() == [0, 50, 99, 100, 150]


def test_a_series_holds_its_value_through_a_pause() -> None:
    times, values = held(np.array([0.0, 1, 2, 100, 101]), np.array([5.0, 6, 7, 8, 9]))
    assert times.tolist() == [0, 1, 2, 100, 100, 101]
    assert values.tolist() == [5, 6, 7, 7, 8, 9]
    assert held(np.array([3.0]), np.array([4.0]))[0].tolist() == [3.0]


def curve_of(times: Sequence[str], equity: Sequence[float]) -> EquityCurve:
    values = np.array(equity, np.float64)
    return EquityCurve(np.array([parse_time(time) for time in times]), values, values, lambda: (values * 0, values * 0))


def test_months_are_those_of_the_calendar() -> None:
    # The last evening of January belongs to February where days begin at 17:00 in New York.
    times = ["2024-01-30T12:00:00Z", "2024-01-31T21:00:00Z", "2024-01-31T23:00:00Z", "2024-02-29T12:00:00Z"]
    curve = curve_of(times, [1000.0, 1100.0, 1210.0, 1210.0])
    fx = measures(curve, 1000.0, Calendar.get("fx"), None)
    assert fx["months"] == [{"month": "2024-01", "return_frac": 0.1}, {"month": "2024-02", "return_frac": 0.1}]
    always = measures(curve, 1000.0, Calendar.get("24/7"), None)
    assert always["months"] == [{"month": "2024-01", "return_frac": 0.21}, {"month": "2024-02", "return_frac": 0.0}]
    assert fx["returns"]["periods_per_year"] < always["returns"]["periods_per_year"] == 365


def test_a_run_is_measured_by_the_days_of_the_market_that_is_open_most() -> None:
    known = {"EUR/USD": Calendar.get("fx"), "BTC/USD": Calendar.get("24/7")}
    assert calendar_for(["EUR/USD"], known.__getitem__).name == "fx"
    assert calendar_for(["EUR/USD", "BTC/USD"], known.__getitem__).name == "24/7"


def test_what_was_held_is_shown_beside_a_run() -> None:
    tape = BarTape("EUR/USD", bars_of([(100, 100, 100, 100), (100, 120, 100, 110)]), MINUTE)
    curve = EquityCurve(tape.end_ns, *(np.array([1000.0, 990.0]),) * 2, lambda: (np.zeros(2), np.zeros(2)))
    market = measures(curve, 1000.0, Calendar.get("24/7"), tape)["market"]
    assert market == {"instrument": "EUR/USD", "return_frac": pytest.approx(0.1)}


def test_a_ruined_account_is_drawn_to_its_end() -> None:
    curve = curve_of([f"2024-01-0{day}T12:00:00Z" for day in (1, 2, 3)], [1000.0, -50.0, -50.0])
    drawn = details({}, curve, [], 1000.0, period_returns(curve.time_ns, curve.equity, Calendar.get("24/7")))
    assert drawn["equity"]["drawdown_frac"] == [0.0, -1.0, -1.0]
    figures = measures(curve, 1000.0, Calendar.get("24/7"), None)
    assert figures["curve"]["drawdown_deepest_frac"] >= 1


def test_a_rolling_ratio_is_that_of_the_days_before() -> None:
    returns = np.random.default_rng(2).normal(0.001, 0.01, 150)
    drawn = {"days": {"time_s": list(range(150)), "return_frac": returns.tolist()}}
    drawing = rolling_chart({"returns": {"periods_per_year": 260.0}}, drawn)
    assert drawing is not None
    (line,) = (mark for mark in drawing.marks if isinstance(mark, Line))
    hover = drawing.hover
    assert hover is not None
    assert len(line.x) == 150 - ROLLING_DAYS + 1
    shown = hover.low + (hover.bottom - line.y) / (hover.bottom - hover.top) * (hover.high - hover.low)
    last = returns[-ROLLING_DAYS:]
    assert shown[-1] == pytest.approx(last.mean() / last.std(ddof=1) * 260**0.5)
    assert rolling_chart({}, {"days": {"time_s": [0] * 119, "return_frac": [0] * 119}}) is None
    assert (
        rolling_chart({"returns": {"periods_per_year": 1.0}}, {"days": dict.fromkeys(drawn["days"], [0] * 150)}) is None
    )


SUMMARY: dict[str, Any] = {
    "returns": None,
    "curve": {"drawdown_deepest_frac": 0.5},
    "lowest_equity": 1.0,
    "errors": {},
    "refused": {},
    "missing_bars": {},
    "gaps": {},
    "alerts": {},
}


def cautions(trades: list[Trade], tape: BarTape, **summary: Any) -> list[Caution]:
    inside = (np.array([one[key] for one in trades], bool) for key in ("in_one_bar", "both_in_bar"))
    return cautions_of({**SUMMARY, **summary}, Traded.of(trades), InsideBars(*inside), [tape])


def closed_trades(*profits: float) -> list[dict[str, Any]]:
    return [{**trade_of("buy", 0, 1, "1", "1"), "profit": profit} for profit in profits]


@pytest.mark.parametrize(
    ("code", "summary", "trades"),
    [
        ("no-trades", {}, []),
        ("few-trades", {}, closed_trades(*[1] * 29)),
        ("few-lucky-trades", {}, closed_trades(*[-1] * 38, 20, 20)),
        ("inside-one-bar", {}, [{**one, "in_one_bar": True} for one in closed_trades(*[1] * 40)]),
        ("inside-one-bar", {}, [{**one, "both_in_bar": True} for one in closed_trades(*[1] * 40)]),
        ("open-trades", {}, [*closed_trades(*[1] * 40), trade_of("buy", 0, None, "1", None)]),
        ("exceptions", {"errors": {"one": 3}}, closed_trades(*[1] * 40)),
        ("refused", {"refused": {"max_units": 3}}, closed_trades(*[1] * 40)),
        ("halted", {"halted": {"drawdown": "2024-06-04T10:00:00Z: too much"}}, closed_trades(*[1] * 40)),
        ("missing-bars", {"missing_bars": {"EUR/USD 1m": 3}}, closed_trades(*[1] * 40)),
        (
            "gaps",
            {"gaps": {"EUR/USD": {"timeframe": "1m", "expected": 90, "missing": 9, "gaps": 2}}},
            closed_trades(*[1] * 40),
        ),
        ("signals-by-window", {"alerts": {"signals-by-window": 1}}, closed_trades(*[1] * 40)),
        ("entry-refused", {"alerts": {"entry-refused": 7}}, closed_trades(*[1] * 40)),
        ("ruin", {"lowest_equity": -1.0}, closed_trades(*[1] * 40)),
        ("ruin", {"curve": {"drawdown_deepest_frac": 0.9}}, closed_trades(*[1] * 40)),
        (
            "short-record",
            {"returns": {"periods": 20, "periods_needed": 90, "sharpe_probability": 0.7}},
            closed_trades(*[1] * 40),
        ),
    ],
)
def test_each_reason_for_doubt_is_said(code: str, summary: dict[str, Any], trades: list[dict[str, Any]]) -> None:
    tape = BarTape("EUR/USD", bars_of(ROWS), MINUTE)
    assert [one.code for one in cautions(trades, tape, **summary)] == [code]


def test_the_first_exception_and_the_first_entry_that_was_no_order_are_told() -> None:
    first = {"strategy-error": "2024-06-04T10:00:00Z: on_bar raised KeyError", "entry-refused": "at ten: a stop is NaN"}
    counts = {"errors": {"one": 3}, "alerts": {"strategy-error": 3, "entry-refused": 7}}
    tape = BarTape("EUR/USD", bars_of(ROWS), MINUTE)
    texts = [one.text for one in cautions(closed_trades(*[1] * 40), tape, **counts, first_alerts=first)]
    assert texts == [
        "exceptions of the strategy: one 3; the first: 2024-06-04T10:00:00Z: on_bar raised KeyError",
        "7 entries were no orders and opened nothing; the first: at ten: a stop is NaN",
    ]


def test_one_trade_and_one_gap_are_written_as_one() -> None:
    gaps = {"EUR/USD": {"timeframe": "1m", "expected": 90, "missing": 9, "gaps": 1}}
    trades = [*({**one, "in_one_bar": True} for one in closed_trades(-1))]
    tape = BarTape("EUR/USD", bars_of(ROWS), MINUTE)
    texts = [one.text for one in cautions(trades, tape, gaps=gaps)]
    assert texts[0].startswith("1 closed trade: ")
    assert texts[1].startswith("1 of 1 trade came out")
    assert texts[2].endswith("are missing, in 1 gap")


def test_prices_without_a_spread_are_a_reason_for_doubt() -> None:
    bare = bars_of(ROWS)
    same = Bars(bare.open_time_ns, *(bare.open, bare.high, bare.low, bare.close) * 2, bare.volume)
    (doubt,) = cautions(closed_trades(*[1] * 40), BarTape("EUR/USD", same, MINUTE))
    assert doubt.code == "no-spread"


@pytest.mark.parametrize(
    ("low", "high", "most", "texts"),
    [
        (9480.0, 11250.0, 5, ["9,500", "10,000", "10,500", "11,000"]),
        (0.0, 1.0, 5, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (1.0987, 1.1012, 5, ["1.0990", "1.0995", "1.1000", "1.1005", "1.1010"]),
        (-0.16, 0.0, 4, ["-0.15", "-0.10", "-0.05", "0.00"]),
        (0.0, 10.0, 4, ["0.0", "2.5", "5.0", "7.5", "10.0"]),
    ],
)
def test_axes_are_labelled_at_round_values(low: float, high: float, most: int, texts: list[str]) -> None:
    assert value_texts(round_values(low, high, most)) == texts


@pytest.mark.parametrize(
    ("first", "last", "labels"),
    [
        ("2024-03-01T10:07:00Z", "2024-03-01T10:57:00Z", ["10:10", "10:20", "10:30", "10:40", "10:50"]),
        ("2024-03-01T20:00:00Z", "2024-03-02T10:00:00Z", ["21:00", "2 Mar", "03:00", "06:00", "09:00"]),
        ("2024-02-27T20:00:00Z", "2024-03-02T10:00:00Z", ["28 Feb", "29 Feb", "1 Mar", "2 Mar"]),
        ("2024-02-27T20:00:00Z", "2024-03-30T10:00:00Z", ["4 Mar", "11 Mar", "18 Mar", "25 Mar"]),
        ("2023-11-27T20:00:00Z", "2024-11-30T10:00:00Z", ["Jan 2024", "Apr 2024", "Jul 2024", "Oct 2024"]),
        ("2004-11-27T20:00:00Z", "2024-11-30T10:00:00Z", ["2005", "2010", "2015", "2020"]),
    ],
)
def test_time_lines_are_labelled_at_round_times(first: str, last: str, labels: list[str]) -> None:
    begin, end = (parse_time(text) / 1e9 for text in (first, last))
    assert [text for _, text in round_times(begin, end, 5)] == labels


@pytest.mark.parametrize("values", [(0.0, 0.0), (5.0, 5.0), (-3.0, -1.0), (1e-9, 2e-9), (1e12, 3e12)])
def test_a_span_is_never_empty(values: tuple[float, float]) -> None:
    for zero in (False, True):
        low, high = span(*values, zero=zero)
        assert low < high
        assert low <= min(values) <= max(values) <= high
        assert 2 <= len(round_values(low, high, 6)) <= 9


@pytest.mark.parametrize("count", [1, 2, 9_999, 10_000, 10_001, 19_999, 20_000, 20_001, 123_457])
def test_a_thinned_curve_keeps_the_first_of_the_lowest_of_each_stretch_and_the_end(count: int) -> None:
    equity = np.random.default_rng(count).integers(1, 9, count).astype(np.float64)
    curve = EquityCurve(np.arange(count, dtype=np.int64), equity + 1, equity, lambda: (equity, equity))
    stride = -(-count // EQUITY_POINTS)
    kept = {first + int(equity[first : first + stride].argmin()) for first in range(0, count, stride)}
    found = equity_points(curve)
    assert found.time_ns.tolist() == sorted({*kept, count - 1})
    assert found.equity.tolist() == equity[found.time_ns].tolist()
    assert found.balance.tolist() == (equity[found.time_ns] + 1).tolist()
