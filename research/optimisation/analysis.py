"""What came of a run: the walk forward, the ranking, and whether any of it is more than luck."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from atrader.clock import iso_from_ns
from atrader.errors import ConfigError
from atrader.wording import apart_text
from research.optimisation.axes import Axis
from research.optimisation.figures import annual_sharpes, drawdowns, total_returns
from research.optimisation.ranking import Ranked, Scores, ranked, score
from research.optimisation.space import Combination
from research.optimisation.trials import Trials
from research.optimisation.windows import DAY_NS, Window
from research.statistics.annualisation import DAYS_A_YEAR
from research.statistics.overfitting import Overfitting, probability_of_overfitting
from research.statistics.robustness import over_windows, robustness_factor
from research.statistics.sample import FEWEST_TRADES, sample_of
from research.statistics.trials import deflated_sharpe, effective_trials, minimum_backtest_length, sharpe_ratios

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
T = TypeVar("T")
Verdict = Literal["edge", "noise"]

LEAST_SURE: Final = 0.95
"""Probability, at least, that the Sharpe ratio of an edge is more than the luck of as many tries."""
MOST_OVERFITTING: Final = 0.2
"""Probability of overfitting that an edge has at most; choosing among equals gives 0.5."""
MOST_LOSING: Final = 0.05
"""Share of the splits in which the chosen set loses that an edge has at most, or else a low probability of overfitting.
Where all sets earn about the same, choosing among them is worth nothing (0.5), and yet whatever is chosen earns."""
_NO_TRADES: Final = "no set of parameters traded: there is nothing to judge"
_BLOCKS: Final = 16


class Step(NamedTuple):
    """One window of the walk forward: the best set of its training days, and what it did on the days after.

    Attributes
    ----------
    train_start, train_end, test_start, test_end : str
        UTC; the ends of the first and last day of each part.
    """

    train_start: str
    train_end: str
    test_start: str
    test_end: str
    number: int
    parameters: Combination
    sharpe_is: float
    sharpe_oos: float
    robustness_factor: float | None
    return_oos_frac: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything that is said of a run.

    Attributes
    ----------
    tried, failed : int
        Sets that were looked at, and those of them that could not be run.
    failures : dict of str to int
        Their errors, and how many sets had each; the most frequent first.
    notes : dict of str to int
        What else is to be known of sets, and of how many, likewise.
    steps : sequence of Step
        The walk forward. Each set was chosen without a look at the days it is judged on.
    walk_forward : dict
        All days out of sample of `steps` one after the other, and the robustness factors of the windows. Left out are
        days between two windows: an embargo, or windows with too few days.
    top : sequence of Ranked
        The most robust sets. The ranking knows the days out of sample: it is a choice, not a proof.
    recommended : Ranked or None
        The first of them, if it has a robustness factor above zero.
    overfitting : dict
        Probability of overfitting, deflated Sharpe ratio, effective trials, shortest sensible period.
    verdict : {"edge", "noise"}
        ``edge`` when every test was passed.
    reasons : sequence of str
        The tests that were not passed.
    """

    tried: int
    failed: int
    failures: dict[str, int]
    notes: dict[str, int]
    days: int
    windows: int
    steps: Sequence[Step]
    walk_forward: dict[str, Any]
    top: Sequence[Ranked]
    recommended: Ranked | None
    overfitting: dict[str, Any]
    verdict: Verdict
    reasons: Sequence[str]


def analyse(
    trials: Trials,
    days_ns: Times,
    axes: Sequence[Axis],
    windows: Sequence[Window],
    days_per_year: float,
    *,
    is_adaptive: bool = False,
    top: int = 5,
    besides: int = 0,
    scores: Scores | None = None,
    pool: Executor | None = None,
) -> Analysis:
    """Judge a run.

    Parameters
    ----------
    trials : Trials
        All that were tried, those that failed as well.
    days_ns : ndarray of int64, shape (days,)
        Ends of the days, UTC ns.
    axes : sequence of Axis
        What was varied.
    windows : sequence of Window
        What is chosen on and judged on.
    days_per_year : float
        Trading days in a year.
    is_adaptive : bool
        Whether a search that learns chose the sets: then they are no fair sample, and there is no probability of
        overfitting.
    top : int
        Sets of the ranking to tell of.
    besides : int
        Other sets that were tried elsewhere: ``deflated_sharpe_besides`` counts them, and no other figure.
    scores : Scores, optional
        Of these trials, where they were worked out before.
    pool : Executor, optional
        Whose threads work at it as well; without it all is done by the calling one.

    Raises
    ------
    ConfigError
        When no set has figures.
    """
    if not len(trials.returns):
        first = f": {trials.failed[0].error}" if trials.failed else ""
        raise ConfigError(f"no set of parameters has figures: {trials.tried} were tried{first}")
    missing = _why_no_pbo(trials, len(days_ns), is_adaptive=is_adaptive)
    with ThreadPoolExecutor(1, "luck") as aside:  # waits for the pool while it looks at splits
        counted = _begun(pool, _effective_trials, trials.returns.T)  # the longest piece: others share the rest
        crossed = None if missing else _begun(pool and aside, _cross, trials.returns.T, pool)
        scores = score(trials, axes, windows, days_per_year) if scores is None else scores
        best = ranked(trials, scores, windows, top, days_per_year)
        recommended = best[0] if (best[0].robustness_factor or 0.0) > 0 else None
        chosen = scores.train.argmax(axis=0)
        steps = [_step(at, window, int(chosen[at]), trials, scores, days_ns) for at, window in enumerate(windows)]
        walked = _walk_forward(trials, chosen, steps, windows, days_per_year)
        overfitting = _overfitting(trials, int(scores.order[0]), days_ns, missing, crossed, besides)
        overfitting["effective_trials"] = counted()
    reasons = _reasons(recommended, walked, overfitting) if _varies(trials.returns.T) else [_NO_TRADES]
    return Analysis(
        tried=trials.tried,
        failed=len(trials.failed),
        failures=dict(Counter(one.error for one in trials.failed).most_common()),
        notes=dict(Counter(trials.notes).most_common()),
        days=len(days_ns),
        windows=len(windows),
        steps=steps,
        walk_forward=walked,
        top=best,
        recommended=recommended,
        overfitting=overfitting,
        verdict="noise" if reasons else "edge",
        reasons=reasons,
    )


def _step(at: int, window: Window, chosen: int, trials: Trials, scores: Scores, days_ns: Times) -> Step:
    train, test = float(scores.train[chosen, at]), float(scores.test[chosen, at])
    return Step(
        train_start=iso_from_ns(int(days_ns[window.train.start])),
        train_end=iso_from_ns(int(days_ns[window.train.stop - 1])),
        test_start=iso_from_ns(int(days_ns[window.test.start])),
        test_end=iso_from_ns(int(days_ns[window.test.stop - 1])),
        number=int(trials.numbers[chosen]),
        parameters=trials.parameters[chosen],
        sharpe_is=train,
        sharpe_oos=test,
        robustness_factor=robustness_factor(train, test),
        return_oos_frac=float(total_returns(trials.returns[chosen : chosen + 1, window.test])[0]),
    )


def _walk_forward(
    trials: Trials, chosen: NDArray[np.intp], steps: Sequence[Step], windows: Sequence[Window], days_per_year: float
) -> dict[str, Any]:
    """Lay the days out of sample one after the other, each with the set that was chosen before it."""
    parts = [trials.returns[at, window.test] for at, window in zip(chosen.tolist(), windows, strict=True)]
    stitched = np.concatenate(parts)[None]
    factors = [np.nan if step.robustness_factor is None else step.robustness_factor for step in steps]
    return {
        "sharpe_oos": float(annual_sharpes(stitched, days_per_year)[0]),
        "sharpe_is": float(np.mean([step.sharpe_is for step in steps])),
        "return_oos_frac": float(total_returns(stitched)[0]),
        "drawdown_oos_frac": float(drawdowns(stitched)[0]),
        "days_oos": stitched.shape[1],
        "days_left_out": sum(after.test.start - before.test.stop for before, after in pairwise(windows)),
        "robustness": over_windows(factors)._asdict(),
    }


def _overfitting(
    trials: Trials,
    best: int,
    days_ns: Times,
    missing: str | None,
    crossed: Callable[[], Overfitting] | None,
    besides: int,
) -> dict[str, Any]:
    """Hold the best set against the luck of as many tries; None where a figure cannot be had.

    ``luck_sharpe`` is the largest ratio, of days and not annualised, that as many tries without skill are expected to
    show.

    ``deflated_sharpe_besides`` is the deflated Sharpe ratio of these tries and `besides` others; None without others.

    The deflated Sharpe ratio as published takes the whole spread of the tries for luck. Where some sets are truly
    better than others it deflates the best by that, too; ``beyond_luck`` takes no more spread than luck alone gives
    ratios of so many days (a variance of 1 / days), and is the same where there is nothing but luck.
    """
    returns = trials.returns.T
    years = (float(days_ns[-1] - days_ns[0]) / DAY_NS + 1) / DAYS_A_YEAR  # these are the ends of days
    found: dict[str, Any] = {
        "pbo": None,
        "pbo_missing": missing,
        "pbo_loss_probability": None,
        "deflated_sharpe": None,
        "deflated_sharpe_besides": None,
        "beyond_luck": None,
        "luck_sharpe": None,
        "years": years,
        "needed_years": minimum_backtest_length(trials.tried),
    }
    if _varies(returns):
        ratios, chosen = sharpe_ratios(returns), sample_of(returns[:, best])
        by_luck = 1 / chosen.periods
        spread = float(ratios.var(ddof=1)) if len(ratios) > 1 else by_luck  # the others failed, and were tried as well
        ratio, tried = float(ratios[best]), float(trials.tried)
        published = deflated_sharpe(ratio, chosen.periods, tried, spread, chosen.shape)
        found["deflated_sharpe"], found["luck_sharpe"] = published.probability, published.threshold
        if besides:  # their ratios are not known here: they are taken to be as far apart as these
            more = deflated_sharpe(ratio, chosen.periods, tried + besides, spread, chosen.shape)
            found["deflated_sharpe_besides"] = more.probability
        luck = min(spread, by_luck)
        found["beyond_luck"] = deflated_sharpe(ratio, chosen.periods, tried, luck, chosen.shape).probability
    if crossed is not None:
        found["pbo"], found["pbo_loss_probability"] = crossed().probability, crossed().loss_probability
    return found


def _begun(pool: Executor | None, work: Callable[..., T], *args: Any) -> Callable[[], T]:
    """Have work done by a pool, or without one as soon as somebody asks; return what gives its result."""
    return pool.submit(work, *args).result if pool else cache(partial(work, *args))


def _cross(returns: Floats, pool: Executor | None) -> Overfitting:
    return probability_of_overfitting(returns, _BLOCKS, pool=pool)


def _effective_trials(returns: Floats) -> float | None:
    return effective_trials(returns).rank if _varies(returns) else None


def _varies(returns: Floats) -> bool:
    """Tell whether any set has returns that are not all the same; shape (days, n)."""
    return bool((returns.max(axis=0) > returns.min(axis=0)).any())


def _why_no_pbo(trials: Trials, days: int, *, is_adaptive: bool) -> str | None:
    """Return why there is no probability of overfitting; None where there is one."""
    if is_adaptive:
        return "the search chose its sets by what came of those before: they are no fair sample"
    if len(trials.returns) < 2:
        return "only one set has figures"
    if not _varies(trials.returns.T):
        return "no set traded"
    return f"{days} days are too few: {2 * _BLOCKS} at least" if days < 2 * _BLOCKS else None


def _reasons(recommended: Ranked | None, walked: dict[str, Any], overfitting: dict[str, Any]) -> list[str]:
    """Return what speaks against an edge."""
    if recommended is None:
        return ["no set kept any of its Sharpe ratio out of sample"]
    found = []
    if walked["sharpe_oos"] <= 0:
        found.append(
            f"the walk forward lost: Sharpe ratio {apart_text(walked['sharpe_oos'], 0)} on the days it was not chosen"
            " on"
        )
    sure, pbo, losing = overfitting["beyond_luck"], overfitting["pbo"], overfitting["pbo_loss_probability"]
    if sure < LEAST_SURE:
        found.append(
            f"luck finds as much in as many tries: more than that by {apart_text(sure, LEAST_SURE)}, below {LEAST_SURE}"
        )
    if pbo is not None and pbo > MOST_OVERFITTING and losing > MOST_LOSING:
        found.append(
            f"the best in one half is often among the worse in the other: PBO {apart_text(pbo, MOST_OVERFITTING)},"
            f" above {MOST_OVERFITTING}, and loses in {apart_text(100 * losing, 100 * MOST_LOSING, 0)} % of the other"
            f" halves, above {100 * MOST_LOSING:.0f} %"
        )
    if recommended.trades < FEWEST_TRADES:
        found.append(f"too few trades: {recommended.trades}, {FEWEST_TRADES} at least")
    return found
