"""A search for parameters as one HTML file, as that of a backtest: every chart inside it, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from atrader.wording import ratio_text, share_text
from research.optimisation.analysis import Analysis
from research.optimisation.figures import annual_sharpes
from research.optimisation.ranking import Ranked, Scores, ranked
from research.optimisation.trials import Trials
from research.optimisation.windows import DAY_NS, Times, Window
from research.reports.figures import Lines, settings_text
from research.reports.html import document, facts, head, shown, table
from research.reports.search_charts import heat_chart, ratios_chart, scatter_chart, walk_chart
from research.reports.search_notes import Beside, beside_note, search_notes

LISTED_SETS: Final = 20
"""Sets of the ranking that are listed; the file of trials has all."""
LISTED_WINDOWS: Final = 60
"""Windows that are listed: the latest."""
_DEPTH: Final = 8  # of the figures in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """A search and what was found out about it.

    Attributes
    ----------
    name : str
        What people call it.
    study : mapping
        What the search is about.
    days_ns : ndarray of int64, shape (days,)
        Ends of the days.
    beside : Beside
        What other searches tried.
    """

    name: str
    study: Mapping[str, Any]
    trials: Trials
    days_ns: Times
    windows: Sequence[Window]
    scores: Scores
    analysis: Analysis
    beside: Beside


def search_page(found: Searched) -> str:
    """Write the report of a search."""
    parts = [*_head(found), *_charts(found), *_sets(found), *_windows(found), *_facts(found)]
    return document(f"{found.name} - search", parts)


def _head(found: Searched) -> Iterable[str]:
    analysis, instance = found.analysis, found.study["instance"]
    walked, luck = analysis.walk_forward, analysis.overfitting
    first, last = (int(found.days_ns[at]) for at in (0, -1))
    below = (
        f"{instance['strategy']} on {instance['instrument']} {instance['timeframe']}, {analysis.tried:,} sets tried",
        f"{np.datetime64(first, 'ns').astype('M8[D]')} to {np.datetime64(last, 'ns').astype('M8[D]')} UTC,"
        f" {analysis.days:,} days, {analysis.windows} window{'s' if analysis.windows > 1 else ''}",
    )
    tiles: Lines = [
        ("verdict", analysis.verdict),
        ("Sharpe in sample", ratio_text(walked["sharpe_is"])),
        ("Sharpe out of it", ratio_text(walked["sharpe_oos"])),
        ("return out of it", share_text(walked["return_oos_frac"])),
        ("drawdown, day by day", share_text(walked["drawdown_oos_frac"])),
        ("deflated Sharpe", ratio_text(luck["deflated_sharpe"])),
        *(
            []
            if (more := luck["deflated_sharpe_besides"]) is None
            else [("with the searches beside it", ratio_text(more))]
        ),
        (f"overfitting (PBO){f': {missing}' if (missing := luck['pbo_missing']) else ''}", ratio_text(luck["pbo"])),
    ]
    yield from head(found.name, below, tiles, "What speaks against an edge", analysis.reasons)


def _charts(found: Searched) -> Iterable[str]:
    analysis, scores, trials = found.analysis, found.scores, found.trials
    parts = [window.test for window in found.windows]
    places = {number: at for at, number in enumerate(trials.numbers.tolist())}
    steps = zip(analysis.steps, parts, strict=True)
    chosen = np.concatenate([trials.returns[places[step.number], part] for step, part in steps])
    recommended = None
    if analysis.recommended is not None:
        own = trials.returns[places[analysis.recommended.number]]
        recommended = np.concatenate([own[part] for part in parts])
    first = parts[0].start
    begin_ns = int(found.days_ns[first - 1] if first else found.days_ns[0] - DAY_NS)
    yield shown(walk_chart(found.days_ns, parts, chosen, recommended, begin_ns))
    heat = heat_chart(trials.parameters, scores.sharpe_oos)
    if heat is not None:
        yield shown(heat)
    per_year = float(found.study["days_per_year"])
    ratios, luck = annual_sharpes(trials.returns, per_year), analysis.overfitting["luck_sharpe"]
    pair = (
        scatter_chart(scores.sharpe_is, scores.sharpe_oos, scores.order[:LISTED_SETS].tolist()),
        ratios_chart(ratios, None if luck is None else luck * per_year**0.5, float(ratios[scores.order[0]])),
    )
    yield f'<div class="pair">{"".join(f"<div>{shown(chart)}</div>" for chart in pair)}</div>'


def _sets(found: Searched) -> Iterable[str]:
    names = ("", "parameters", "Sharpe IS", "Sharpe OOS", "degradation", "FR", "neighbours", "return OOS",
             "drawdown OOS (days)", "trades")  # fmt: skip
    rows = [_set(one) for one in _ranked(found)]
    note = f"<p>the first {len(rows)} of the ranking, of {found.analysis.tried:,} tried</p>"
    yield f'<h2>Sets</h2>{note}<div class="scroll">{table(names, rows, numbers=_DEPTH)}</div>'


def _ranked(found: Searched) -> list[Ranked]:
    return ranked(found.trials, found.scores, found.windows, LISTED_SETS, float(found.study["days_per_year"]))


def _set(one: Ranked) -> tuple[str, ...]:
    return (
        f"{one.rank}",
        settings_text(one.parameters),
        ratio_text(one.sharpe_is),
        ratio_text(one.sharpe_oos),
        share_text(one.degradation_frac),
        ratio_text(one.robustness_factor),
        share_text(one.neighbours_frac),
        share_text(one.return_oos_frac),
        share_text(one.drawdown_oos_frac),
        f"{one.trades:,}",
    )


def _windows(found: Searched) -> Iterable[str]:
    if len(found.analysis.steps) < 2:
        return
    rows = [
        (
            step.test_start[:10],
            step.test_end[:10],
            settings_text(step.parameters),
            ratio_text(step.sharpe_is),
            ratio_text(step.sharpe_oos),
            ratio_text(step.robustness_factor),
            share_text(step.return_oos_frac),
        )
        for step in found.analysis.steps[-LISTED_WINDOWS:]
    ]
    names = ("judged from", "to", "chosen before", "Sharpe IS", "Sharpe OOS", "FR", "return OOS")
    yield f'<h2>Windows</h2><div class="scroll">{table(names, rows, numbers=4)}</div>'


def _tried(axis: Mapping[str, Any]) -> str:
    """Write the values of an axis as the study has it."""
    if "values" not in axis:
        return f"any number from {axis['low']:g} to {axis['high']:g}"
    return ", ".join(f"{value}" for value in axis["values"])


def _facts(found: Searched) -> Iterable[str]:
    study, luck = found.study, found.analysis.overfitting
    account = study["account"]
    lines: Lines = [
        *(("note", note) for note in search_notes(study, found.analysis)),
        *(("note", note) for note in (beside_note(study, found.analysis, found.beside),) if note),
        ("engine", f"{study['engine']}, atrader {study['program']}"),
        *(("varied", f"{axis['name']}: {_tried(axis)}") for axis in study["axes"]),
        ("parameters that stay", settings_text(study["fixed"])),
        ("account", f"{account['name']}, {account['currency']}"),
        ("costs", settings_text(account["paper"])),
        ("limits", settings_text({**account["limits"], **account["trade"]})),
        ("independent tries", ratio_text(luck["effective_trials"])),
        ("years", f"{luck['years']:.1f}, {luck['needed_years']:.1f} wanted for so many tries"),
        ("data", f"sha256 {study['data_sha256']}"),
        ("made", study["made"]),
    ]
    yield f"<h2>What was searched</h2>{facts(lines)}"
