"""What is said of a search: its analysis, and the recommended set as a strategy file."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import tomlkit

from atrader.clock import iso_from_ns
from atrader.errors import ConfigError, StoreError
from manager.backtests.request import MAX_GAP_S
from manager.places import TRIALS
from manager.searches.beside import beside
from manager.searches.study import takes_other_slippage
from manager.searches.wish import Judging, SearchWish
from research.optimisation.analysis import Analysis, analyse
from research.optimisation.axes import axis_of
from research.optimisation.ranking import Ranked, score
from research.optimisation.trials import TrialFile
from research.reports.saved import write_text
from research.reports.search_notes import Beside
from research.reports.search_page import Searched, search_page

ANALYSIS: Final = "analysis.json"
RECOMMENDED: Final = "recommended.toml"
REPORT: Final = "report.html"
_FOUND: Final = "Found by 'atrader optimise'"  # a strategy file that begins with it was written here


class Judged(NamedTuple):
    """A search and its analysis.

    Attributes
    ----------
    path : Path
        The file of trials.
    study : dict
        What the search is about.
    summary : dict
        All of it as JSON holds it.
    recommended : Path or None
        The strategy file that was written, if any set is recommended.
    report : Path
        The page about it.
    beside : Beside
        What searches beside it tried.
    """

    path: Path
    study: dict[str, Any]
    analysis: Analysis
    summary: dict[str, Any]
    recommended: Path | None
    report: Path
    beside: Beside


def file_of(path: Path) -> Path:
    """Return the file of trials: itself, or the one in a folder.

    Raises
    ------
    ConfigError
        When there is none.
    """
    file = path / TRIALS if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(f"{file}: there is no such file; name the folder of a search that 'atrader optimise' made")
    return file


def judge(path: Path, judging: Judging | None, top: int, write: Path | None = None) -> Judged:
    """Analyse a search, finished or not; write ``analysis.json``, a page and the recommended set beside its file.

    All are on disk when this returns; those of an earlier analysis are replaced.

    Parameters
    ----------
    judging : Judging, optional
        Other windows than those the search was begun with.
    top : int
        Sets of the ranking to tell of.
    write : Path, optional
        Where the recommended set goes instead; a file there is replaced if it is one of a search.

    Raises
    ------
    ConfigError
        When the file holds nothing to judge, other windows are asked for of a search that learned from days they
        would judge on, or something else is where the recommended set is to go.
    StoreError
        When a file cannot be read or written.
    """
    if write is not None:
        _check_free(write)
    with TrialFile(path) as file:
        study, days_ns, trials = file.study, file.days_ns, file.trials()
    wish = SearchWish.from_json(study["wish"], path)
    learned = wish.method in ("tpe", "nsga2")
    if judging is not None and learned:
        raise ConfigError(
            f"{path}: --method {wish.method} learned from its days before the split: they stay as they were"
        )
    rule = (judging or wish.judging).rule()
    axes, windows, per_year = [axis_of(axis) for axis in study["axes"]], rule.windows(days_ns), study["days_per_year"]
    others = beside(path, study, [*trials.parameters, *(one.parameters for one in trials.failed)])
    with ThreadPoolExecutor(os.cpu_count(), "judge") as pool:
        scores = score(trials, axes, windows, per_year) if len(trials.returns) else None
        analysis = analyse(
            trials,
            days_ns,
            axes,
            windows,
            per_year,
            is_adaptive=learned,
            top=top,
            besides=others.sets,
            scores=scores,
            pool=pool,
        )
    assert scores is not None  # or nothing was judged
    report = path.with_name(REPORT)
    target = None if analysis.recommended is None else write or path.with_name(RECOMMENDED)
    summary = {
        "file": str(path),
        "study": study,
        "start": iso_from_ns(int(days_ns[0])),
        "end": iso_from_ns(int(days_ns[-1])),
        "windows": asdict(rule),
        "analysis": _plain(asdict(analysis)),
        "beside": others._asdict(),
        "recommended_file": None if target is None else str(target),
        "backtest": None if target is None else backtest_of(study, wish, target),
        "report_file": str(report),
    }
    try:
        if target is not None and analysis.recommended is not None:
            write_text(target, strategy_file(study, analysis, analysis.recommended))
        write_text(path.with_name(ANALYSIS), json.dumps(summary, indent=2))
        searched = Searched(
            name=path.parent.name,
            study=study,
            trials=trials,
            days_ns=days_ns,
            windows=windows,
            scores=scores,
            analysis=analysis,
            beside=others,
        )
        write_text(report, search_page(searched))
    except OSError as error:
        raise StoreError(f"{path.parent}: the analysis cannot be written: {error}") from error
    return Judged(path, study, analysis, summary, target, report, others)


def backtest_of(study: Mapping[str, Any], wish: SearchWish, file: Path) -> str | None:
    """Return the command that runs a recommended set as it was tried: the same trades, and so the same figures.

    None where there is none: earlier versions took slippage at its worst.
    """
    if takes_other_slippage(study):
        return None
    times = {"--start": wish.start_ns, "--end": wish.end_ns}
    options = {
        **{name: None if time_ns is None else iso_from_ns(time_ns) for name, time_ns in times.items()},
        "--balance": wish.balance,
        "--quotes": wish.quotes,
        "--max-gap": None if wish.max_gap_s == MAX_GAP_S else f"{wish.max_gap_s:g}s",
        "--engine": None if wish.engine is None else wish.engine.removesuffix("s"),
    }
    given = [word for name, value in options.items() if value is not None for word in (name, value)]
    limits = ["--without-limits"] if wish.unlimited else []
    return shlex.join(["atrader", "backtest", str(file), *given, *limits])


def _check_free(write: Path) -> None:
    try:
        begin = write.read_text("utf-8", errors="replace") if write.exists() else f"# {_FOUND}"
    except OSError as error:
        raise ConfigError(f"--write {write}: {error.strerror}") from error
    if not begin.startswith(f"# {_FOUND}"):
        raise ConfigError(f"--write {write}: it is no file that a search wrote, and is not replaced: give another name")


def strategy_file(study: Mapping[str, Any], analysis: Analysis, chosen: Ranked) -> str:
    """Return a set as a strategy file; it is not enabled, and says what it was found by."""
    document = tomlkit.document()
    factor = chosen.robustness_factor or 0.0
    for line in (
        f"{_FOUND}: set {chosen.number + 1} of {analysis.tried} tried, verdict: {analysis.verdict}.",
        f"Sharpe ratio {chosen.sharpe_is:.2f} in sample, {chosen.sharpe_oos:.2f} out of it; robustness {factor:.2f}.",
        *(f"But {reason}." for reason in analysis.reasons),
    ):
        document.add(tomlkit.comment(line))
    document.add(tomlkit.nl())
    told = {"magic": "give it one of its own before it trades", "enabled": "a search enables nothing"}
    keys = ("strategy", "account", "magic", "instrument", "timeframe")
    besides = {**study.get("settings", {}), **study.get("besides", {})}  # neither in files of before they were kept
    tables = {key: value for key, value in besides.items() if isinstance(value, dict)}
    plain = {key: value for key, value in besides.items() if key not in tables}
    for key, value in {**{key: study["instance"][key] for key in keys}, "enabled": False, **plain}.items():
        item = tomlkit.item(value)
        if key in told:
            item.comment(told[key])
        document.add(key, item)
    document.add(tomlkit.nl())
    parameters = tomlkit.table()
    for key, value in {**study["fixed"], **chosen.parameters}.items():
        parameters.add(key, value)
    document.add("parameters", parameters)
    for key, value in tables.items():
        document.add(key, tomlkit.item(value))
    return tomlkit.dumps(document)


def _plain(value: Any) -> Any:
    """Turn named tuples into maps: `dataclasses.asdict` keeps them."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(one) for key, one in value._asdict().items()}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
