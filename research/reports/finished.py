"""A run that is over becomes a saved result: figures, doubts, and what a report draws."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from atrader.calendars import Calendar
from atrader.clock import iso_from_ns
from research.events.equity import EquityCurve
from research.events.tape import Tape
from research.reports.cautions import cautions_of
from research.reports.details import details, drawdowns
from research.reports.excursions import excursions
from research.reports.rows import Row, equity_rows, in_plain
from research.reports.saved import Saved, save

IDENTITY: Final = (
    "program", "engine", "convention", "account", "costs", "seed", "initial_balance", "instances", "quotes", "start",
    "end", "data_sha256",
)  # fmt: skip
"""Keys of a summary that make a run what it is: the same ones give the same trades."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What an engine hands over.

    Attributes
    ----------
    name : str
        What people call the run.
    setup : mapping
        All keys of `IDENTITY` but ``start`` and ``end``, and whatever else is to be kept of the configuration.
    events : mapping
        ``errors``, ``refused``, ``missing_bars``: counts by name.
    trades : sequence of Row
        Rows of `trade_row`, in the order they were opened.
    curve : EquityCurve
        Of every step.
    tapes : sequence of Tape
        What was played.
    calendar : Calendar
        Whose days and months count.
    tables : mapping of str to rows
        More that is kept as Parquet.
    statistics : sequence of mappings
        Figures of the trades of each instance.
    overall : mapping
        The same of all trades together; empty without any.
    """

    name: str
    setup: Mapping[str, Any]
    events: Mapping[str, Mapping[str, int]]
    trades: Sequence[Row]
    curve: EquityCurve
    tapes: Sequence[Tape]
    calendar: Calendar
    tables: Mapping[str, Sequence[Row]]
    statistics: Sequence[Mapping[str, Any]]
    overall: Mapping[str, Any]


def keep(folder: Path, run: Finished) -> Saved:
    """Write everything that happened into a new folder below another; on disk when this returns.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    curve, initial = run.curve, float(run.setup["initial_balance"])
    trades = _with_excursions(run)
    summary: dict[str, Any] = {
        **run.setup,
        "name": run.name,
        "start": iso_from_ns(int(curve.time_ns[0])),
        "end": iso_from_ns(int(curve.time_ns[-1])),
        "steps": len(curve.time_ns),
        "final_balance": float(curve.balance[-1]),
        "final_equity": float(curve.equity[-1]),
        "lowest_equity": float(curve.equity.min()),
        "return_frac": float(curve.equity[-1]) / initial - 1,
        "drawdown_deepest_frac": -float(drawdowns(curve.equity, initial).min()),
        **run.events,
        "statistics": run.statistics,
        "overall": run.overall,
        "buy_and_hold": _buy_and_hold(run),
    }
    summary["warnings"] = [one._asdict() for one in cautions_of(summary, trades, run.tapes)]
    summary["identity_sha256"] = _identity(summary)
    drawn = details(in_plain(trades), curve, run.tapes, run.calendar, initial)
    account = str(run.setup["account"]["name"])
    tables = {"trades": trades, "equity": equity_rows(curve, account), **run.tables}
    return save(folder, run.name, summary, drawn, tables)


def _with_excursions(run: Finished) -> list[Row]:
    found = excursions(run.trades, run.tapes)
    columns = zip(run.trades, *(column.tolist() for column in found), strict=True)
    return [
        {
            **trade,
            "adverse_frac": None if np.isnan(adverse) else round(adverse, 8),
            "favourable_frac": None if np.isnan(favourable) else round(favourable, 8),
            "in_one_bar": inside,
        }
        for trade, adverse, favourable, inside in columns
    ]


def _buy_and_hold(run: Finished) -> dict[str, Any] | None:
    """Return what holding the only traded instrument did, bid to bid; None where there are several or none."""
    traded = {item["instrument"] for item in run.setup["instances"]}
    tape = next((one for one in run.tapes if traded == {one.symbol}), None)
    if tape is None:
        return None
    bids, _ = tape.closes()
    return {"instrument": tape.symbol, "return_frac": float(bids[-1] / bids[0]) - 1}


def _identity(summary: Mapping[str, Any]) -> str:
    values = {key: summary[key] for key in IDENTITY}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
