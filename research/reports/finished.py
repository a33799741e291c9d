"""A run that is over becomes a saved result: figures, doubts, and what a report draws."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from atrader.calendars import Calendar
from atrader.clock import iso_from_ns
from atrader.statistics import EquityColumns, report_of
from research.events.equity import EquityCurve
from research.events.tape import Tape
from research.events.traded import Traded
from research.reports.cautions import cautions_of
from research.reports.details import details
from research.reports.excursions import InsideBars, excursions, inside_bars
from research.reports.measures import measures
from research.reports.rows import Columns, equity_columns, equity_points, in_plain
from research.reports.saved import Saved, Told, save
from research.statistics.periods import period_returns

IDENTITY: Final = (
    "program", "engine", "convention", "account", "costs", "seed", "initial_balance", "instances", "quotes", "start",
    "end", "data_sha256",
)  # fmt: skip
"""Keys of a summary that make a run what it is: the same ones give the same trades."""


class Finished(NamedTuple):
    """What an engine hands over.

    Attributes
    ----------
    name : str
        What people call the run.
    setup : mapping
        All keys of `IDENTITY` but ``start`` and ``end``, and whatever else is to be kept of the configuration.
    events : mapping
        ``errors``, ``refused``, ``missing_bars``, ``alerts`` (by kind): counts by name; ``halted``: since when and
        why, by rule; ``first_alerts``: when and what first, by kind.
    trades : callable
        Returns `trade_columns`, in the order they were opened; called when all figures are known.
    traded : Traded
        The same as columns.
    curve : EquityCurve
        Of every step.
    tapes : sequence of Tape
        What was played.
    calendar : Calendar
        Whose days and months count.
    tables : mapping of str to callable
        More that is kept as Parquet: what makes the columns.
    """

    name: str
    setup: Mapping[str, Any]
    events: Mapping[str, Mapping[str, Any]]
    trades: Callable[[], Columns]
    traded: Traded
    curve: EquityCurve
    tapes: Sequence[Tape]
    calendar: Calendar
    tables: Mapping[str, Callable[[], Columns]]


def keep(folder: Path, run: Finished, told: Told | None = None) -> Saved:
    """Write everything that happened into a new folder below another; on disk when this returns.

    Parameters
    ----------
    told : callable, optional
        Is told of the result when all its figures are known, before anything is written.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    curve, initial = run.curve, float(run.setup["initial_balance"])
    account, end_ns = str(run.setup["account"]["name"]), int(curve.time_ns[-1])
    inside, points = inside_bars(run.traded, run.tapes), equity_points(curve)
    trades = cache(lambda: {**run.trades(), **_excursion_columns(run, inside)})
    statistics = _report(run.traded, {account: points}, "instance", end_ns)
    summary: dict[str, Any] = {
        **run.setup,
        "name": run.name,
        "start": iso_from_ns(int(curve.time_ns[0])),
        "end": iso_from_ns(end_ns),
        "steps": len(curve.time_ns),
        "final_balance": float(curve.balance[-1]),
        "final_equity": float(curve.equity[-1]),
        "lowest_equity": float(curve.equity.min()),
        **run.events,
        **measures(curve, initial, run.calendar, _held(run)),
        "statistics": statistics,
        "overall": _overall(statistics) or next(iter(_report(run.traded, {account: points}, "account", end_ns)), {}),
    }
    for figures in (summary["overall"], *summary["statistics"]):
        figures.update(_falls_of_all_steps(summary["curve"], figures))
    summary["warnings"] = [one._asdict() for one in cautions_of(summary, run.traded, inside, run.tapes)]
    summary["identity_sha256"] = _identity(summary)

    def drawn() -> dict[str, Any]:
        days = period_returns(curve.time_ns, curve.equity, run.calendar, initial=initial)
        return details(in_plain(trades()), curve, run.tapes, initial, days)

    def tables() -> dict[str, Columns]:
        more = {name: columns() for name, columns in run.tables.items()}
        return {"trades": trades(), "equity": equity_columns(points, account), **more}

    return save(folder, run.name, summary, drawn, tables, told)


def _report(
    traded: Traded, curves: Mapping[str, EquityColumns], by: Literal["instance", "account"], end_ns: int
) -> list[dict[str, Any]]:
    keys = list(zip(traded.account, getattr(traded, by), strict=True))
    return report_of(traded.columns, keys, curves, by, end_ns)


def _overall(statistics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of the account where one instance alone traded on it: its own; nothing otherwise."""
    return {key: value for key, value in statistics[0].items() if key != "instance"} if len(statistics) == 1 else {}


def _excursion_columns(run: Finished, inside: InsideBars) -> Columns:
    """Return how far trades went against and for their owner; None where nobody knows, nothing without trades."""
    if not len(inside.in_one_bar):
        return {}
    shares = excursions(run.traded, run.tapes)._asdict()
    rounded = {
        key: [None if isnan(one) else round(one, 8) for one in column.tolist()] for key, column in shares.items()
    }
    return {**rounded, **{key: column.tolist() for key, column in inside._asdict().items()}}


def _falls_of_all_steps(curve: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return how deep the equity fell, if that is among the figures: those that are kept of it lack some peaks."""
    keys = {f"equity_drawdown_{key}": curve[f"drawdown_{key}"] for key in ("deepest", "deepest_frac", "longest_s")}
    return {key: value for key, value in keys.items() if key in figures}


def _held(run: Finished) -> Tape | None:
    """Return the tape of the only instrument that is traded, if there is but one."""
    traded = {item["instrument"] for item in run.setup["instances"]}
    return next((one for one in run.tapes if traded == {one.symbol}), None)


def _identity(summary: Mapping[str, Any]) -> str:
    values = {key: summary[key] for key in IDENTITY}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
