"""The page of a search: offline, small, and its charts show the figures they are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from research.optimisation.analysis import analyse
from research.optimisation.axes import Choices
from research.optimisation.ranking import score
from research.optimisation.trials import Trials
from research.optimisation.windows import DAY_NS, WalkForward
from research.reports.drawing import Line
from research.reports.search_charts import MOST_GROUPS, heat_chart, walk_chart
from research.reports.search_notes import Beside
from research.reports.search_page import Searched, search_page
from research.statistics.sample import sample_of
from research.statistics.trials import deflated_sharpe

FAST, SLOW = tuple(range(2, 42)), (50, 60, 70, 80, 90)
SETS: list[dict[str, Any]] = [{"fast": fast, "slow": slow} for fast in FAST for slow in SLOW]
STUDY: dict[str, Any] = {
    "instance": {"strategy": "sma-cross", "instrument": "EUR/USD", "timeframe": "1h"},
    "days_per_year": 365.0, "engine": "vector", "program": "1", "fixed": {}, "data_sha256": "ab", "made": "2024-01-01",
    "axes": [{"name": "fast", "values": [2, 41]}, {"name": "slow", "low": 50.0, "high": 90.0}],
    "account": {"name": "paper", "currency": "USD", "paper": {"seed": 1}, "limits": {}, "trade": {}},
}  # fmt: skip


def searched(days: int = 1200) -> Searched:
    returns = np.random.default_rng(1).normal(2e-4, 0.01, (len(SETS), days))
    trials = Trials(np.arange(len(SETS)), np.full(len(SETS), 90), SETS, returns, [])
    days_ns = DAY_NS * np.arange(1, days + 1)
    axes, windows = (
        [Choices("fast", FAST), Choices("slow", SLOW)],
        WalkForward(train_days=90, test_days=15).windows(days_ns),
    )
    scores = score(trials, axes, windows, 365.0)
    analysis = analyse(trials, days_ns, axes, windows, 365.0, scores=scores)
    return Searched(
        name="a<b-search-0001",
        study=STUDY,
        trials=trials,
        days_ns=days_ns,
        windows=windows,
        scores=scores,
        analysis=analysis,
        beside=Beside(0, 0),
    )


def test_the_page_of_a_search_is_small_fetches_nothing_and_has_its_charts_and_sets() -> None:
    found = searched()
    text = search_page(found)
    assert len(text.encode()) < 250_000
    assert "://" not in text
    assert "a&lt;b-search" in text
    assert "a<b-search" not in text
    assert text.count("<svg") == 4
    assert all(reason.partition(":")[0] in text for reason in found.analysis.reasons)


def test_what_was_left_out_failed_is_missing_or_still_to_do_stands_on_the_page() -> None:
    found = searched(days=200)
    gap = {"start": "2013-01-14T10:00:00Z", "end": "2013-01-14T11:00:00Z", "bars": 1}
    gaps = {"timeframe": "1h", "expected": 90, "missing": 1, "gaps": 1, "longest_s": 3600.0, "first": [gap]}
    study = {
        **STUDY, "left_out": 1, "gaps": {"EUR/USD": gaps, "EUR/GBP": {"missing": 0}}, "total": 203,
        "decides_from": "2013-01-16T10:00:00Z", "wish": {"trials": 300},
    }  # fmt: skip
    analysis = replace(found.analysis, failures={"ZeroDivisionError: <by chance>": 2})
    text = search_page(replace(found, study=study, analysis=analysis))
    for note in (
        "1 combination of the grid left out",
        "no more different sets were found than 203, of 300 wanted",
        "2 failed: ZeroDivisionError: &lt;by chance&gt;",
        "EUR/USD 1h: 1 of 90 bars missing",
        "sets decide from 2013-01-16T10:00Z at the latest",
        "not finished: 3 sets to try",
        "slow: any number from 50 to 90",
    ):
        assert note in text, note
    assert "EUR/GBP" not in text


def test_what_searches_beside_it_tried_stands_on_the_page_with_the_ratio_that_counts_it() -> None:
    found = searched(days=200)
    assert "beside" not in search_page(found)
    trials, days_ns, windows = found.trials, found.days_ns, found.windows
    axes = [Choices("fast", FAST), Choices("slow", SLOW)]
    analysis = analyse(trials, days_ns, axes, windows, 365.0, besides=1800, scores=found.scores)
    best = trials.returns[found.scores.order[0]]
    spread = (trials.returns.mean(axis=1) / trials.returns.std(axis=1, ddof=1)).var(ddof=1)
    of_all = deflated_sharpe(sample_of(best).sharpe, 200, 200 + 1800, spread, sample_of(best).shape).probability
    assert analysis.overfitting["deflated_sharpe_besides"] == pytest.approx(of_all)
    assert of_all < analysis.overfitting["deflated_sharpe"] - 0.01
    text = search_page(replace(found, analysis=analysis, beside=Beside(3, 1800)))
    told = "1,800 other sets of this strategy on EUR/USD 1h tried by 3 searches beside this one"
    assert told in text
    assert f"the deflated Sharpe is {of_all:.2f} if they are counted" in text
    assert "with the searches beside it" in text


def test_days_that_no_window_judges_are_counted_and_told() -> None:
    found = searched(days=200)
    assert "judged by nobody" not in search_page(found)
    days_ns = np.delete(found.days_ns, slice(107, 119))  # of 15 days in a window three are left
    windows = WalkForward(train_days=90, test_days=15).windows(days_ns)
    trials = found.trials._replace(returns=found.trials.returns[:, : len(days_ns)])
    axes = [Choices("fast", FAST), Choices("slow", SLOW)]
    analysis = analyse(trials, days_ns, axes, windows, 365.0)
    scores = score(trials, axes, windows, 365.0)
    text = search_page(
        replace(found, trials=trials, days_ns=days_ns, windows=windows, scores=scores, analysis=analysis)
    )
    assert analysis.walk_forward["days_left_out"] == 3
    assert "3 days between the windows judged by nobody: of windows with fewer than 5 trading days" in text


def test_the_curve_out_of_sample_is_the_return_of_the_walk_forward() -> None:
    days_ns = DAY_NS * np.arange(1, 7)
    chart = walk_chart(days_ns, [slice(2, 4), slice(4, 6)], np.array([0.5, 0.0, 0.0, -0.5]), None, int(days_ns[1]))
    (line,) = (mark for mark in chart.marks if isinstance(mark, Line))
    assert len(line.x) == 5
    assert line.y[1] == line.y[3] < line.y[0] < line.y[4], "1.5 stands above 1, and 0.75 below it"


def test_a_heat_map_shows_the_two_parameters_that_matter_and_means_over_the_others() -> None:
    sets = [{"idle": i, "fast": f, "slow": s} for i in range(3) for f in range(4) for s in range(2)]
    chart = heat_chart(sets, np.array([one["fast"] + 10.0 * one["slow"] + 0.01 * one["idle"] for one in sets]))
    assert chart is not None
    assert chart.note.endswith("right: fast; down: slow; over all idle")
    assert sorted(cell.text for cell in chart.cells) == sorted(
        f"{f + 10 * s + 0.01:.2f}" for f in range(4) for s in range(2)
    )


@pytest.mark.parametrize("values", [range(100), [f"word {at}" for at in range(100)]])
def test_many_values_of_a_parameter_stand_together(values: Any) -> None:
    chart = heat_chart([{"one": value} for value in values], np.arange(100.0))
    assert chart is not None
    assert len(chart.cells) == MOST_GROUPS
    assert heat_chart([{"one": 1}, {"one": 1}], np.zeros(2)) is None
