"""The verdict of a search: how often it calls pure chance an edge, and how often it misses an edge that was planted."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported
sys.path.append(str(Path(__file__).resolve().parents[1]))

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from atrader.strategy import Parameters
from benchmarks._support.report import Options, Report, run
from research.optimisation.analysis import Analysis, analyse
from research.optimisation.axes import Span
from research.optimisation.optuna_search import OptunaSearch
from research.optimisation.space import SearchSpace
from research.optimisation.trials import Trial, Trials
from research.optimisation.windows import DAY_NS, Split, WalkForward
from tests.support.planted import DAYS, WINDOWS, Place, edge_of, judged, returns_of, trials_of

CLAIM = (
    "A search over pure chance is called noise, and one over a planted edge of a Sharpe ratio of 4 is called an edge"
)
MOST_FALSE_ALARMS: Final = 0.05
LEAST_FOUND: Final = 0.7
_FIRST: Final = 10_000  # seeds that no test uses

_PLANTED: Final[tuple[tuple[str, Place, float], ...]] = (
    ("an edge of one set", "one", 4.0),
    ("an edge at a peak", "peak", 4.0),
    ("an edge of all sets", "everywhere", 2.0),
    ("an edge of all sets", "everywhere", 4.0),
)


def verdicts(seeds: int, place: Place, sharpe: float, rule: WalkForward | Split) -> list[Analysis]:
    """Judge searches of 36 sets over 500 days, in which neighbours have much in common."""
    edge = edge_of(sharpe)
    return [judged(trials_of(returns_of(_FIRST + seed, edge, place, alike=True)), rule) for seed in range(seeds)]


class Plane(Parameters):
    """Two parameters, of which those that lie near each other earn nearly the same."""

    x: float = 0.5
    y: float = 0.5


def plane_of(seed: int, edge: float) -> Callable[[float, float], Any]:
    """Return what gives the days of a place: waves of chance over the plane, a market, and an edge around a place."""
    chance = np.random.default_rng(seed)
    waves, phases = chance.normal(0, 4, (60, 2)), chance.uniform(0, 2 * np.pi, 60)
    own, market = chance.normal(0, 0.006, (60, DAYS)), chance.normal(0, 0.004, DAYS)

    def days(x: float, y: float) -> Any:
        height = edge * np.exp(-((x - 0.6) ** 2 + (y - 0.4) ** 2) / 0.05)
        return np.sqrt(2 / 60) * np.cos(waves @ (x, y) + phases) @ own + market + height

    return days


def learned(seed: int, tries: int, edge: float) -> Analysis:
    """Search a plane by TPE, which goes where it was good, and judge what it tried."""
    axes = [Span("x", 0.0, 1.0), Span("y", 0.0, 1.0)]
    days_ns, days, tried = DAY_NS * np.arange(1, DAYS + 1), plane_of(seed, edge), []
    windows = Split(share=0.7).windows(days_ns)
    nothing = Trials(np.empty(0, np.int64), np.empty(0, np.int64), [], np.empty((0, DAYS)), [])
    space = SearchSpace(Plane, {}, axes)
    search = OptunaSearch(space, "tpe", ["sharpe"], windows[0].train, 365.0, tries, seed, nothing)
    while asked := search.ask(1):
        one = Trial(asked[0].number, asked[0].parameters, 100, days(**asked[0].parameters))
        search.tell([one])
        tried.append(one)
    trials = Trials(
        np.arange(tries), np.full(tries, 100), [one.parameters for one in tried],
        np.array([one.returns for one in tried]), [],
    )  # fmt: skip
    return analyse(trials, days_ns, axes, windows, 365.0, is_adaptive=True)


def share_of_edges(found: list[Analysis]) -> float:
    return sum(one.verdict == "edge" for one in found) / len(found)


def share_of_winners(found: list[Analysis]) -> float:
    """Return how often the first set of the ranking won on the days it was not chosen on: what a table alone shows."""
    return sum(one.top[0].sharpe_oos > 0 for one in found) / len(found)


def measure(options: Options) -> Report:
    seeds = options.rounds or (10 if options.quick else 200)
    report = Report()
    for told, rule in (("walk forward", WINDOWS), ("one split", Split(share=0.7))):
        noise = verdicts(seeds, "peak", 0.0, rule)
        alarms = share_of_edges(noise)
        report.add(
            f"pure chance called an edge, {told}, {seeds} searches", alarms * 100, "%",
            "its best set won out of sample", share_of_winners(noise) * 100, mark=f"<= {100 * MOST_FALSE_ALARMS:.0f} %",
            holds=alarms <= MOST_FALSE_ALARMS,
        )  # fmt: skip
        for what, place, sharpe in _PLANTED:
            found = share_of_edges(verdicts(seeds, place, sharpe, rule))
            is_marked = sharpe >= 4 and place != "peak"
            report.add(
                f"{what}, Sharpe {sharpe:.0f}, found, {told}", found * 100, "%",
                mark=f">= {100 * LEAST_FOUND:.0f} %" if is_marked else "",
                holds=found >= LEAST_FOUND if is_marked else None,
            )  # fmt: skip
    searches, tries = (4, 20) if options.quick else (60, 80)
    for sharpe in (0.0, 4.0):
        found = share_of_edges([learned(seed, tries, edge_of(sharpe)) for seed in range(searches)])
        report.add(
            f"by TPE, {tries} tries, a peak of {sharpe:.0f}, called an edge, {searches} searches", found * 100, "%",
            mark="" if sharpe else f"<= {100 * MOST_FALSE_ALARMS:.0f} %",
            holds=None if sharpe else found <= MOST_FALSE_ALARMS,
        )  # fmt: skip
    return report


if __name__ == "__main__":
    run("verdict", CLAIM, measure)
