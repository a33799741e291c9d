"""The verdict of a search: how often it calls pure chance an edge, and how often it misses an edge that was planted."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is imported
sys.path.append(str(Path(__file__).resolve().parents[1]))

from typing import Final

from benchmarks._support.report import Options, Report, run
from research.optimisation.analysis import Analysis
from research.optimisation.windows import Split, WalkForward
from tests.support.planted import WINDOWS, Place, edge_of, judged, returns_of, trials_of

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
    return report


if __name__ == "__main__":
    run("verdict", CLAIM, measure)
