"""What ``atrader optimise`` and ``atrader analyse`` do, and how their findings look."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.progress import TimeElapsedColumn

from atrader.configuration.home import Home
from atrader.wording import count_text
from manager.commands.output import print_json
from manager.commands.progress import CountColumn, progress_bar
from manager.commands.tables import Column, print_rows
from manager.searches.judging import Judged, file_of, judge
from manager.searches.running import Prepared, begin, prepare, prepare_again, search
from manager.searches.wish import Judging, SearchWish
from research.optimisation.analysis import Analysis
from research.reports.search_notes import beside_note, search_notes

_TOP = 5
_PACE_S = 600.0  # time left is told from the sets of so long a time; rich forgets after 30 s, and a set may last longer


def run_search(home: Home, wish: SearchWish, out: Path, processes: int | None, *, as_json: bool) -> None:
    """Begin a search, run it to its end and show what came of it. Raises as `prepare` and `search`."""
    prepared = prepare(home, wish)
    path = begin(prepared, out)
    _run(prepared, path, processes, as_json=as_json)


def go_on(home: Home, path: Path, processes: int | None, *, as_json: bool) -> None:
    """Run a search that was begun before to its end, and show what came of it. Raises as `prepare_again`, `search`."""
    path = file_of(path)
    _run(prepare_again(home, path), path, processes, as_json=as_json)


def show_search(path: Path, judging: Judging | None, top: int, write: Path | None, *, as_json: bool) -> None:
    """Analyse a search and show it. Raises as `judge`."""
    found = judge(file_of(path), judging, top, write)
    if as_json:
        print_json(found.summary)
    else:
        _show(found)


def _run(prepared: Prepared, path: Path, processes: int | None, *, as_json: bool) -> None:
    if prepared.not_vector is not None:
        click.echo(
            f"tried with the event engine, not the vector engine, which is faster: {prepared.not_vector}", err=True
        )
    try:
        with _progress(prepared, silent=as_json) as advance:
            search(prepared, path, processes, advance)
    except KeyboardInterrupt:  # the bar is gone by now, and the line stands for itself
        click.echo(f"\nstopped; go on with: atrader optimise --resume {path}", err=True)
        raise
    show_search(path, None, _TOP, None, as_json=as_json)


@contextmanager
def _progress(prepared: Prepared, *, silent: bool) -> Iterator[Callable[[int], None]]:
    columns = (CountColumn(), TimeElapsedColumn())
    with progress_bar(*columns, silent=silent, speed_estimate_period=_PACE_S) as progress:
        task = progress.add_task(prepared.request.name, total=prepared.total)
        yield lambda count: progress.update(task, advance=count)


def _show(found: Judged) -> None:
    analysis, instance = found.analysis, found.study["instance"]
    click.secho(
        f"{instance['strategy']} on {instance['instrument']} {instance['timeframe']}, {found.summary['start'][:10]} to"
        f" {found.summary['end'][:10]}: {analysis.tried:,} sets tried"
        + (f", {analysis.failed:,} failed" if analysis.failed else ""),
        bold=True,
    )
    for note in search_notes(found.study, analysis):
        click.echo(f"  {note}")
    if analysis.tried < found.study["total"]:
        click.secho(f"  go on with: atrader optimise --resume {found.path}", fg="yellow")
    print_rows(_TOP_COLUMNS, [one._asdict() for one in analysis.top], empty="")
    if analysis.windows > 1:
        click.secho("walk forward", bold=True)
        print_rows(_STEP_COLUMNS, [one._asdict() for one in analysis.steps], empty="")
    _show_luck(analysis)
    if tried := beside_note(found.study, analysis, found.beside):
        click.echo(f"  {tried}")
    colour = "green" if analysis.verdict == "edge" else "yellow"
    click.secho(f"verdict: {analysis.verdict}", fg=colour, bold=True)
    for reason in analysis.reasons:
        click.secho(f"  {reason}", fg=colour)
    click.echo(f"  kept in {found.path}; a page of it: {found.report}")
    if found.recommended is not None:
        click.echo(f"  recommended set: {found.recommended}")
        _show_backtest(found)


def _show_backtest(found: Judged) -> None:
    """Say what a backtest of the recommended set shows, and how it is run."""
    command, best = found.summary["backtest"], found.analysis.recommended
    assert best is not None
    if command is None:
        click.echo("  an earlier version tried the sets with slippage at its worst: a backtest shows other figures")
        return
    click.echo(
        f"  its backtest shows {count_text(best.trades, 'closed trade')}, return {_percent(best.return_whole_frac)},"
        f" Sharpe {_ratio(best.sharpe_whole)}: {command}"
    )


def _show_luck(analysis: Analysis) -> None:
    walked, luck = analysis.walk_forward, analysis.overfitting
    robust = walked["robustness"]
    click.echo(
        f"  chosen without a look ahead: Sharpe {_ratio(walked['sharpe_is'])} in sample, {_ratio(walked['sharpe_oos'])}"
        f" out of it, return {_percent(walked['return_oos_frac'])}, drawdown {_percent(walked['drawdown_oos_frac'])}"
        f" (day by day); robustness factor above zero in {round(robust['positive_frac'] * robust['windows'])} of"
        f" {robust['windows']} window{'' if robust['windows'] == 1 else 's'}"
    )
    tries = f"{analysis.tried:,} {'try' if analysis.tried == 1 else 'tries'}"
    click.echo(
        f"  luck: deflated Sharpe {_ratio(luck['deflated_sharpe'])} of {tries} (worth"
        f" {_ratio(luck['effective_trials'])}), probability of overfitting {_ratio(luck['pbo'])}{_missing(luck)},"
        f" of a loss of what was chosen {_ratio(luck['pbo_loss_probability'])};"
        f" {luck['years']:.1f} years, {luck['needed_years']:.1f} wanted for so many tries"
    )


def _missing(luck: Mapping[str, Any]) -> str:
    """Return why there is no probability of overfitting, in brackets."""
    return f" ({luck['pbo_missing']})" if luck["pbo_missing"] else ""


def _ratio(value: Any, _row: Mapping[str, Any] | None = None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _percent(value: Any, _row: Mapping[str, Any] | None = None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"


def _parameters(value: Any, _row: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={one:g}" if isinstance(one, float) else f"{key}={one}" for key, one in value.items())


def _day(value: Any, _row: Mapping[str, Any]) -> str:
    return str(value)[:10]


_TOP_COLUMNS = (
    Column("rank", "", right=True),
    Column("parameters", "parameters", cell=_parameters, prose=True),
    Column("sharpe_is", "Sharpe IS", right=True, cell=_ratio),
    Column("sharpe_oos", "Sharpe OOS", right=True, cell=_ratio),
    Column("degradation_frac", "degradation", 1, right=True, cell=_percent),
    Column("robustness_factor", "FR", right=True, cell=_ratio),
    Column("neighbours_frac", "neighbours", 3, right=True, cell=_percent),
    Column("return_oos_frac", "return OOS", 4, right=True, cell=_percent),
    Column("drawdown_oos_frac", "drawdown OOS (days)", 5, right=True, cell=_percent),
    Column("trades", "trades", 2, right=True),
)
_STEP_COLUMNS = (
    Column("test_start", "judged from", cell=_day),
    Column("test_end", "to", 1, cell=_day),
    Column("parameters", "parameters", cell=_parameters, prose=True),
    Column("sharpe_is", "Sharpe IS", right=True, cell=_ratio),
    Column("sharpe_oos", "Sharpe OOS", right=True, cell=_ratio),
    Column("robustness_factor", "FR", right=True, cell=_ratio),
    Column("return_oos_frac", "return OOS", 2, right=True, cell=_percent),
)
