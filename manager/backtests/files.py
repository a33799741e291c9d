"""What is kept of a backtest: one folder with JSON for people and programs, and Parquet for tools."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

from atrader.clock import SystemClock, iso_from_ns
from atrader.errors import ConfigError, StoreError
from data_layer.archive.parquet import pyarrow
from data_layer.statistics import report
from manager.backtests.comparing import Comparison
from manager.backtests.request import Request
from manager.backtests.rows import Row, alert_row, equity_rows, in_plain, order_row, signal_row, trade_row
from research.events import Plan, Result

FORMAT: Final = 1
"""Version of the files."""

SUMMARY: Final = "result.json"
COMPARISON: Final = "ctester.json"
_CONVENTION: Final = (
    "decisions at a bar's close; market orders fill at the last quote (a bar's close, ask for buys, bid for sells);"
    " each bar is played as open, the nearer extreme, the other one, close; stops before targets in one quote"
)


_OF_ACCOUNT: Final = {"name", "currency", "positions", "paper", "limits", "trade"}


class Kept(NamedTuple):
    """A saved backtest.

    Attributes
    ----------
    folder : Path
        Where the files are.
    summary : dict
        What ``result.json`` says, without the trades.
    trades : list of Row
        The trades, in the order they were opened.
    """

    folder: Path
    summary: dict[str, Any]
    trades: list[Row]


def save(folder: Path, request: Request, plan: Plan, result: Result, took_s: float) -> Kept:
    """Write everything that happened into a new folder below another; on disk when this returns.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    trades = [trade_row(trade) for trade in result.trades]
    equity = equity_rows(result.curve, request.account.name)
    summary = _summary(request, plan, result, took_s, trades, equity)
    try:
        made = _new_folder(folder, request.name)
        tables = {
            "trades": trades,
            "orders": [order_row(order) for order in result.orders],
            "signals": [signal_row(signal) for signal in result.signals],
            "alerts": [alert_row(alert) for alert in result.alerts],
            "equity": equity,
        }
        summary["files"] = [SUMMARY, *_write_parquet(made, tables)]
        summary["folder"] = str(made)
        _write_json(made / SUMMARY, {**summary, "trades": in_plain(trades)})
    except OSError as error:
        raise StoreError(f"{folder}: the result cannot be written: {error}") from error
    return Kept(made, summary, trades)


def add_comparison(kept: Kept, found: Comparison) -> Kept:
    """Write a comparison beside a result, and into its summary."""
    summary = {**kept.summary, "ctester": found.as_json(), "files": [*kept.summary["files"], COMPARISON]}
    _write_json(kept.folder / COMPARISON, found.as_json())
    _write_json(kept.folder / SUMMARY, {**summary, "trades": in_plain(kept.trades)})
    return kept._replace(summary=summary)


def _summary(
    request: Request, plan: Plan, result: Result, took_s: float, trades: list[Row], equity: list[Row]
) -> dict[str, Any]:
    curve, config = result.curve, request.account
    bars = sum(result.bars.values())
    first_ns, last_ns = int(curve.time_ns[0]), int(curve.time_ns[-1])
    return {
        "format": FORMAT,
        "program": version("atrader-platform"),
        "made": iso_from_ns(SystemClock().now_ns()),
        "name": request.name,
        "engine": "events",
        "convention": _CONVENTION,
        "account": config.model_dump(
            mode="json", include={"name", "currency", "positions", "paper", "limits", "trade"}
        ),
        "instances": [
            item.model_dump(mode="json", include={"name", "strategy", "magic", "instrument", "timeframe", "parameters"})
            for item in request.instances
        ],
        "quotes": request.quotes or "finest stored bars",
        "start": iso_from_ns(first_ns),
        "end": iso_from_ns(last_ns),
        "steps": len(curve.time_ns),
        "bars": dict(result.bars),
        "took_s": round(took_s, 3),
        "bars_per_s": round(bars / took_s) if took_s > 0 else None,
        "data_sha256": data_hash(plan),
        "initial_balance": str(config.paper.initial_balance),
        "final_balance": float(curve.balance[-1]),
        "final_equity": float(curve.equity[-1]),
        "errors": {name: count for name, count in result.errors.items() if count},
        "refused": _refused(result),
        "missing_bars": {str(key): sum(gap[2] for gap in gaps) for key, gaps in plan.missing.items()},
        "statistics": report(trades, equity, "instance", last_ns),
    }


def data_hash(plan: Plan) -> str:
    """Return a fingerprint of everything that was played and looked at."""
    digest = hashlib.sha256()
    for tape in plan.tapes:
        for column in (tape.end_ns, tape.bid_low, tape.bid_high, tape.ask_low, tape.ask_high, *tape.closes()):
            digest.update(column.tobytes())
    for key, bars in sorted(plan.series.items()):
        digest.update("|".join(key).encode())
        for values in bars.columns:
            digest.update(values.tobytes())
    return digest.hexdigest()


def _refused(result: Result) -> dict[str, int]:
    """Count the refused orders by the rule or reason that refused them."""
    counts: dict[str, int] = {}
    for order in result.orders:
        if order.state in ("DENIED", "REJECTED"):
            reason = order.reason.partition(":")[0]
            counts[reason] = counts.get(reason, 0) + 1
    return counts


def _new_folder(folder: Path, name: str) -> Path:
    """Make a folder that nobody has: the name, and the first free number."""
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        made = folder / f"{name[:80]}-{number:04d}"
        try:
            made.mkdir()
        except FileExistsError:
            number += 1
        else:
            return made


def _write_json(path: Path, value: object) -> None:
    with path.open("w") as file:
        json.dump(value, file, indent=2, default=str)
        file.flush()
        os.fsync(file.fileno())


def _write_parquet(folder: Path, tables: Mapping[str, Sequence[Row]]) -> list[str]:
    """Write tables for which there are rows; none when pyarrow is not installed. Return the names of the files."""
    try:
        arrow, parquet = pyarrow()
    except ConfigError:
        return []
    written = []
    for name, rows in tables.items():
        if not rows:
            continue
        keys = list(dict.fromkeys(key for row in rows for key in row))
        columns = {key: arrow.array([_number(row.get(key)) for row in rows]) for key in keys}
        parquet.write_table(arrow.table(columns), folder / f"{name}.parquet", compression="zstd")
        written.append(f"{name}.parquet")
    return written


def _number(value: Any) -> Any:
    """Return a value as tools count with it: money as float64."""
    return value if value is None or isinstance(value, (str, int, float, bool)) else float(value)
