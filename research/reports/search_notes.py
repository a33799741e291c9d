"""What to know of a search besides its figures: what was left out, is missing, failed or is still to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from atrader.wording import count_text, ratio_text
from research.optimisation.analysis import Analysis
from research.optimisation.windows import FEWEST_DAYS
from research.reports.cautions import no_spread_text
from research.reports.figures import gap_text

_MOST_NOTES: Final = 5


def search_notes(study: Mapping[str, Any], analysis: Analysis) -> list[str]:
    """Return sentences; a file of before something was kept says nothing of it."""
    found = []
    if left_out := study.get("left_out"):
        many = count_text(left_out, "combination")
        found.append(f"{many} of the grid left out: refused by the strategy or a constraint")
    wanted = study.get("wish", {}).get("trials")
    if wanted is not None and study["total"] < wanted:
        found.append(f"no more different sets were found than {study['total']:,}, of {wanted:,} wanted")
    found += [f"{count:,} failed: {error}" for error, count in analysis.failures.items()]
    told = list(analysis.notes.items())
    found += [f"{count_text(count, 'set')}: {note}" for note, count in told[:_MOST_NOTES]]
    if len(told) > _MOST_NOTES:
        found.append(f"{count_text(sum(count for _, count in told[_MOST_NOTES:]), 'set')}: other remarks, in --json")
    found += [no_spread_text(symbol) for symbol in study.get("no_spread", [])]
    found += [gap_text(symbol, gaps) for symbol, gaps in study.get("gaps", {}).items() if gaps["missing"]]
    if late := study.get("decides_from"):
        found.append(
            f"sets decide from {late[:16]}Z at the latest, when their indicators know enough: --start {late[:16]}Z"
            " leaves the days before out"
        )
    if unjudged := analysis.walk_forward["days_left_out"]:
        found.append(
            f"{count_text(unjudged, 'day')} between the windows judged by nobody: of windows with fewer than"
            f" {FEWEST_DAYS} trading days, and those that --embargo leaves out"
        )
    if (left := study.get("total", 0) - analysis.tried) > 0:
        found.append(f"not finished: {count_text(left, 'set')} to try")
    return found


class Beside(NamedTuple):
    """Other searches of a strategy on an instrument and timeframe.

    Attributes
    ----------
    searches : int
        How many.
    sets : int
        Sets that they tried and this one did not; each is counted once.
    """

    searches: int
    sets: int


def beside_note(study: Mapping[str, Any], analysis: Analysis, beside: Beside) -> str | None:
    """Say how many tries more luck had than the figures of a search count; None where it had none."""
    if not beside.sets:
        return None
    instance, deflated = study["instance"], analysis.overfitting["deflated_sharpe_besides"]
    return (
        f"{count_text(beside.sets, 'other set')} of this strategy on {instance['instrument']} {instance['timeframe']}"
        f" tried by {count_text(beside.searches, 'search', 'searches')} beside this one: luck had so many tries more,"
        " which these figures do not count"
        + ("" if deflated is None else f"; the deflated Sharpe is {ratio_text(deflated)} if they are counted")
    )
