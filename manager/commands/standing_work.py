"""What ``atrader rank``, ``correlate`` and ``allocate`` do."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import numpy as np

from atrader.calendars import Calendar
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError
from atrader.runtime.whole_file import write_whole
from manager.commands.output import print_json
from manager.commands.tables import Column, print_rows
from manager.sizing_files import apply_risk, rounded_down, sized
from manager.traded import Choice, Traded, traded
from research.selection.allocation import Method, allocate, covariance
from research.selection.correlation import alike, correlation
from research.selection.ranking import Key, rank

_DIGITS: Final = 6


class Terms(NamedTuple):
    """How a budget is shared out."""

    method: Method
    budget: float
    cap: float | None
    shrink: float
    min_days: int


def show_ranking(home: Home, choice: Choice, by: Key, *, as_json: bool) -> None:
    """Rank instances."""
    found = traded(home, choice)
    standings = rank(found.trades, found.daily, by, found.days_per_year)
    rows = [{key: _rounded(value) for key, value in one._asdict().items()} for one in standings]
    if as_json:
        print_json({**_about(found, choice), "by": by, "rows": rows})
        return
    _tell_basis(found, choice)
    print_rows(_STANDINGS, rows, empty="no trades")
    if all(row["rank"] is None for row in rows):
        click.secho(f"nobody is ranked: no {by} can be told from {_days(found)}", fg="yellow")


def show_correlation(home: Home, choice: Choice, at_least: float, *, as_json: bool) -> None:
    """Show how alike instances win and lose."""
    found = traded(home, choice)
    names, matrix = found.daily.names, correlation(found.daily.results)
    pairs = [{**pair._asdict(), "correlation": _rounded(pair.correlation)} for pair in alike(names, matrix, at_least)]
    values = [[_rounded(value) for value in row] for row in matrix.tolist()]
    if as_json:
        print_json({**_about(found, choice), "instances": names, "matrix": values, "alike": pairs})
        return
    _tell_basis(found, choice)
    rows = [{"instance": name, **dict(zip(names, row, strict=True))} for name, row in zip(names, values, strict=True)]
    print_rows([Column("instance", ""), *(Column(name, name, 1, True, _figure) for name in names)], rows, empty="")
    for pair in pairs:
        click.echo(f"{pair['one']} and {pair['other']} move together: {pair['correlation']:.2f}")


def show_allocation(
    home: Home, choice: Choice, terms: Terms, *, out: Path | None, is_applied: bool, as_json: bool
) -> None:
    """Share a budget out; write it where that was asked for.

    Raises
    ------
    ConfigError
        When trades say too little, or an instance is not sized by risk; nothing is written then.
    """
    found = traded(home, choice)
    days, names = len(found.daily.open_ns), found.daily.names
    if days < terms.min_days:
        raise ConfigError(f"results of {_days(found)} say too little (--min-days {terms.min_days})")
    installation = load_installation(home.root)
    instances = [sized(installation, name) for name in names]
    most = [terms.budget if terms.cap is None else terms.cap] * len(names)
    caps = [min(cap, float(one.most_frac or cap)) for cap, one in zip(most, instances, strict=True)]
    matrix = covariance(found.daily.results, terms.shrink)
    shares = allocate(names, matrix, terms.method, terms.budget, np.array(caps))
    risks = {name: rounded_down(weight) for name, weight in zip(names, shares.weights.tolist(), strict=True)}
    rows = [
        {
            "instance": one.config.name,
            "trades": len(found.trades[one.config.name]),
            "present_frac": None if one.present_frac is None else str(one.present_frac),
            "risk_frac": f"{risks[one.config.name]:f}",
            "cap_frac": _rounded(cap),
            "contribution_frac": _rounded(contribution),
        }
        for one, cap, contribution in zip(instances, caps, shares.contributions.tolist(), strict=True)
    ]
    report = {
        **_about(found, choice),
        **terms._asdict(),
        "daily_deviation_frac": _rounded(shares.deviation),
        "lost": [
            name for name, total in zip(names, found.daily.results.sum(axis=0).tolist(), strict=True) if total < 0
        ],
        "rows": rows,
        "applied": [str(path) for path in apply_risk(installation, risks)] if is_applied else [],
    }
    if out is not None:
        _write(out, report)
    if as_json:
        print_json(report)
        return
    _tell_basis(found, choice)
    print_rows(_SHARES, rows, empty="")
    click.echo(f"one standard deviation of a day: {shares.deviation:.2%} of equity, if the past repeats itself")
    for name in report["lost"]:
        click.secho(f"{name} lost over these days: a share of risk is no judgement that it earns any", fg="yellow")
    for path in report["applied"]:
        click.echo(f"written: {path}")
    if is_applied:
        click.echo("a running fleet takes it over with 'atrader-manager reload'")
    else:
        click.echo("a proposal: nothing was changed; --apply writes parameters.risk_frac into the strategy files")


def _write(path: Path, report: Mapping[str, Any]) -> None:
    try:
        write_whole(path.absolute(), json.dumps(report, indent=2, default=str) + "\n")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error}") from error


def _days(found: Traded) -> str:
    count = len(found.daily.open_ns)
    return f"{count} day{'s' if count > 1 else ''}"


def _about(found: Traded, choice: Choice) -> dict[str, Any]:
    days, calendar = found.daily.open_ns, Calendar.get(found.calendar)
    return {
        "source": list(choice.results) or "history",
        "unit": choice.unit,
        "calendar": found.calendar,
        "first_day": calendar.date_of(int(days[0])).isoformat(),
        "last_day": calendar.date_of(int(days[-1])).isoformat(),
        "days": len(days),
    }


def _tell_basis(found: Traded, choice: Choice) -> None:
    about = _about(found, choice)
    source = "history" if about["source"] == "history" else ", ".join(about["source"])
    span = f"{about['first_day']} to {about['last_day']}"
    unit = "R" if choice.unit == "r" else "account currency"
    click.secho(
        f"{source}: {_days(found)} of the calendar {about['calendar']}, {span}; daily results in {unit}",
        bold=True,
    )


def _rounded(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else round(value, _DIGITS)


def _count(value: Any, row: Mapping[str, Any]) -> str:
    return "-" if value is None else str(value)


def _figure(value: Any, row: Mapping[str, Any]) -> str:
    return "-" if value is None else f"{value:.2f}"


def _money(value: Any, row: Mapping[str, Any]) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _percent(value: Any, row: Mapping[str, Any]) -> str:
    return "-" if value is None else f"{float(value):.2%}"


_STANDINGS: Sequence[Column] = (
    *(Column("rank", "rank", 0, True, _count), Column("instance", "instance"), Column("trades", "trades", 1, True)),
    *(Column("net", "net", 0, True, _money), Column("sharpe", "Sharpe", 0, True, _figure)),
    *(Column("probability", "above 0", 1, True, _percent), Column("profit_factor", "profit factor", 2, True, _figure)),
    *(Column("expectancy", "expectancy", 3, True, _money), Column("average_r", "R", 3, True, _figure)),
    *(Column("win_rate_frac", "won", 4, True, _percent), Column("drawdown", "drawdown", 2, True, _money)),
)
_SHARES: Sequence[Column] = (
    *(Column("instance", "instance"), Column("trades", "trades", 1, True)),
    *(Column("present_frac", "risk now", 1, True, _percent), Column("risk_frac", "risk", 0, True, _percent)),
    *(Column("cap_frac", "at most", 2, True, _percent), Column("contribution_frac", "contributes", 1, True, _percent)),
)
