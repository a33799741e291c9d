"""Statistics against cases worked out by hand; the arithmetic is beside each figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from atrader.statistics import report
from atrader.statistics.drawdown import drawdown
from atrader.statistics.exposure import exposure
from atrader.statistics.results import results, streaks

S = 10**9


def floats(*values: float) -> Any:
    return np.array(values, np.float64)


def times(*seconds: float) -> Any:
    return np.array([int(second * S) for second in seconds], np.int64)


def trade(opened_s: float, closed_s: float | None, profit: str = "0", **changes: Any) -> dict[str, Any]:
    row = {
        "account": "paper",
        "instance": "demo",
        "magic": 7,
        "instrument": "EUR/USD",
        "state": "open" if closed_s is None else "closed",
        "open_time_ns": int(opened_s * S),
        "close_time_ns": None if closed_s is None else int(closed_s * S),
        "profit": profit,
        "commission": "0",
        "swap": "0",
        "initial_risk": None,
    }
    return row | changes


def test_results_of_a_mixed_series() -> None:
    found = results(floats(100, -50, 0, 200, -25), floats(50, 50, np.nan, 100, np.nan))
    assert (found.trades, found.wins, found.losses) == (5, 2, 2)
    assert found.net == 225  # 100 - 50 + 0 + 200 - 25
    assert (found.gross_profit, found.gross_loss) == (300, -75)
    assert found.win_rate_frac == 0.4  # 2 of 5: a zero is no win
    assert found.profit_factor == 4  # 300 / 75
    assert found.expectancy == 45  # 225 / 5
    assert (found.average_win, found.average_loss) == (150, -37.5)  # 300 / 2, -75 / 2
    assert found.payoff == 4  # 150 / 37.5
    assert (found.best, found.worst) == (200, -50)
    assert (found.average_r, found.r_trades) == (1, 3)  # (100/50 - 50/50 + 200/100) / 3 = (2 - 1 + 2) / 3


def test_a_few_large_trades_are_seen_beside_the_median() -> None:
    found = results(floats(1, 2, 900, -3, -4, -50, -5), floats(*[np.nan] * 7))
    assert (found.average_win, found.median_win) == (301, 2)
    assert (found.average_loss, found.median_loss) == (-15.5, -4.5)


def test_only_wins_have_no_profit_factor_and_no_trades_have_nothing() -> None:
    wins = results(floats(1, 2), floats(np.nan, np.nan))
    assert (wins.win_rate_frac, wins.profit_factor, wins.average_loss, wins.average_r) == (1, None, None, None)
    assert (wins.payoff, wins.median_loss, wins.median_win) == (None, None, 1.5)
    nothing = results(floats(), floats())
    assert (nothing.trades, nothing.net) == (0, 0)
    assert {nothing.win_rate_frac, nothing.profit_factor, nothing.expectancy, nothing.best, nothing.worst} == {None}
    only_losses = results(floats(-1, -3), floats(np.nan, np.nan))
    assert (only_losses.profit_factor, only_losses.win_rate_frac) == (0, 0)
    assert (only_losses.payoff, only_losses.median_win, only_losses.median_loss) == (None, None, -2)


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        ((), (0, 0, 0)),
        ((1, 1, -1, 1), (2, 1, 1)),
        ((1, 1, 0, 1), (2, 0, 1)),  # a zero ends the run
        ((-1, -2, -3), (0, 3, -3)),
        ((1, -1, -1, 0), (1, 2, 0)),
    ],
)
def test_streaks_count_trades_in_a_row(net: tuple[float, ...], expected: tuple[int, int, int]) -> None:
    assert tuple(streaks(floats(*net))) == expected


def test_drawdown_is_the_deepest_fall_below_a_peak_and_its_longest_time() -> None:
    # peaks    100 120 120 120 130 130 130
    # falls      0   0  30  10   0  26   6
    found = drawdown(times(0, 10, 20, 30, 40, 50, 55), floats(100, 120, 90, 110, 130, 104, 124))
    assert found.deepest == 30  # 120 - 90
    assert found.deepest_frac == 0.25  # 30 / 120; 26 / 130 is 0.2
    assert found.longest_s == 30  # below 120 from 10 until 130 is seen at 40; the second, from 40 to 55, is not over
    assert found.now == 6  # 130 - 124


def test_a_fall_that_is_not_over_lasts_until_the_end_and_its_share_needs_a_positive_peak() -> None:
    found = drawdown(times(0, 1, 9), floats(0, -5, -3))
    assert (found.deepest, found.deepest_frac, found.longest_s, found.now) == (5, None, 9, 3)
    assert drawdown(times(0, 1), floats(1, 2)) == (0, 0, 0, 0)
    assert drawdown(times(), floats()) == (0, None, 0, 0)


def test_exposure_counts_overlapping_trades_once_and_holding_time_each() -> None:
    # 0-10 and 5-20 overlap, 6-8 lies within both, 30-40 is apart: 20 + 10 seconds of 40.
    found = exposure(times(0, 5, 6, 30), times(10, 20, 8, 40), 0)
    assert (found.exposed_s, found.exposed_frac) == (30, 0.75)
    assert found.average_holding_s == 9.25  # (10 + 15 + 2 + 10) / 4


def test_an_open_trade_is_exposed_until_now_and_has_no_holding_time() -> None:
    found = exposure(times(0, 90), times(10, 0), 100 * S)
    assert (found.exposed_s, found.exposed_frac, found.average_holding_s) == (20, 0.2, 10)  # 10 + (100 - 90), of 100
    assert exposure(times(50), times(0), 50 * S) == (0, None, None)
    assert exposure(times(), times(), 5) == (0, None, None)


def test_a_report_has_results_with_costs_and_drawdowns_of_trades_and_of_equity() -> None:
    rows = [
        trade(10, 20, "100", commission="-2", swap="-1", initial_risk="50"),  # 97
        trade(15, 40, "-60", commission="-2", initial_risk="31"),  # -62, closed last
        trade(12, 30, "5", commission="-2"),  # 3
        trade(50, None, "7"),  # open: what it has realised does not count yet
    ]
    equity = [
        {"account": "paper", "time_ns": time * S, "balance": str(balance), "equity": str(value)}
        for time, balance, value in [(0, 1000, 1000), (18, 1000, 1120), (25, 1097, 1008), (60, 1038, 1045)]
    ]
    (found,) = report(rows, equity, "instance", 60 * S)
    assert (found["account"], found["instance"], found["trades"], found["open"]) == ("paper", "demo", 3, 1)
    assert (found["profit"], found["commission"], found["swap"]) == (45, -6, -1)  # 100 - 60 + 5
    assert found["net"] == 38  # 45 - 6 - 1
    assert found["average_r"] == pytest.approx((97 / 50 - 62 / 31) / 2)
    # closed in this order: 1000, 1097, 1100, 1038
    assert (found["drawdown_deepest"], found["drawdown_longest_s"]) == (62, 10)  # 1100 at 30, 1038 at 40
    assert found["drawdown_deepest_frac"] == pytest.approx(62 / 1100, abs=1e-8)
    assert (found["streak_wins"], found["streak_losses"], found["streak_current"]) == (2, 1, -1)
    assert (found["equity_drawdown_deepest"], found["equity_drawdown_deepest_frac"]) == (112, 0.1)  # 1120 - 1008
    assert found["exposed_s"] == 40  # 10 to 40, and 50 to now
    assert found["exposed_frac"] == 0.8  # of 10 to 60


def test_the_balance_that_trades_fall_from_is_that_before_the_commission_of_the_first() -> None:
    first = trade(10, 20, "-99", commission="-1")
    equity = [
        {"account": "paper", "time_ns": time * S, "balance": str(balance), "equity": str(balance)}
        for time, balance in ((0, 100), (10, 99), (20, 0))
    ]
    (found,) = report([first], equity, "instance", 60 * S)
    assert (found["drawdown_deepest"], found["drawdown_deepest_frac"]) == (100, 1.0)


def test_groups_are_by_account_first_and_shares_need_equity() -> None:
    rows = [trade(0, 1, "5"), trade(0, 1, "-5", account="live"), trade(2, 3, "1", instrument="USD/JPY")]
    found = report(rows, [], "instrument", 9 * S)
    assert [(row["account"], row["instrument"], row["net"]) for row in found] == [
        ("live", "EUR/USD", -5),
        ("paper", "EUR/USD", 5),
        ("paper", "USD/JPY", 1),
    ]
    assert found[0]["drawdown_deepest"] == 5
    assert found[0]["drawdown_deepest_frac"] is None
    assert found[0]["equity_drawdown_deepest"] is None
    assert report([], [], "magic", 0) == []


def test_a_group_with_nothing_but_open_trades_has_exposure_and_no_result() -> None:
    (found,) = report([trade(0, None)], [], "magic", 10 * S)
    assert (found["magic"], found["trades"], found["open"], found["exposed_s"]) == (7, 0, 1, 10)
    assert (found["win_rate_frac"], found["drawdown_deepest"], found["average_holding_s"]) == (None, 0, None)


def test_trades_are_split_by_side_and_by_why_they_were_closed() -> None:
    rows = [
        trade(0, 10, "5", side="buy", close_reason="TAKE_PROFIT"),
        trade(1, 20, "-3", side="sell", close_reason="STOP_LOSS"),
        trade(2, 30, "-1", side="buy", close_reason="STOP_LOSS"),
        trade(3, None, side="sell", close_reason=""),
    ]
    sides = report(rows, [], "side", 40 * S)
    assert [(row["side"], row["trades"], row["open"], row["net"]) for row in sides] == [
        ("buy", 2, 0, 4),
        ("sell", 1, 1, -3),
    ]
    reasons = report(rows, [], "close_reason", 40 * S)
    assert [(row["close_reason"], row["trades"], row["net"]) for row in reasons] == [
        ("", 0, 0),
        ("STOP_LOSS", 2, -4),
        ("TAKE_PROFIT", 1, 5),
    ]
