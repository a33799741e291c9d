"""What each instance won and lost on each day, of trades that were closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from atrader.calendars import Calendar
from atrader.errors import ConfigError
from atrader.statistics.trades import Floats, Times, TradeColumns, columns_of
from atrader.timeframes import Timeframe

Unit = Literal["r", "money"]
"""``r``: results over initial risk, which do not depend on sizes and currencies; ``money``: in account currency."""

_DAY = Timeframe.parse("1d")

Row = Mapping[str, Any]


class Daily(NamedTuple):
    """Results of instances by day.

    Attributes
    ----------
    names : tuple of str
        Instances, one a column.
    open_ns : ndarray of int64, shape (days,)
        Begin of each day on which the market is open, UTC.
    results : ndarray of float64, shape (days, instances)
        Sum of the results of the trades that were closed on it; 0 on a day without any.
    """

    names: tuple[str, ...]
    open_ns: Times
    results: Floats


def closed_by_instance(rows: Sequence[Row], start_ns: int | None = None, end_ns: int | None = None) -> dict[str, Any]:
    """Return the trades that were closed with ``start_ns <= close_time < end_ns``, by instance.

    Parameters
    ----------
    rows : sequence of mappings
        Rows as queries of the history and saved backtests give them.

    Returns
    -------
    dict of str to TradeColumns
        By name; instances without such a trade are missing.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row["state"] == "closed" and _is_inside(int(row["close_time_ns"]), start_ns, end_ns):
            groups.setdefault(str(row["instance"]), []).append(row)
    return {name: columns_of(groups[name]).closed() for name in sorted(groups)}


def _is_inside(time_ns: int, start_ns: int | None, end_ns: int | None) -> bool:
    return (start_ns is None or time_ns >= start_ns) and (end_ns is None or time_ns < end_ns)


def daily_results(
    trades: Mapping[str, TradeColumns],
    calendar: Calendar,
    unit: Unit,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> Daily:
    """Add results up by the days of a calendar.

    Parameters
    ----------
    trades : mapping of str to TradeColumns
        Closed trades by instance, from `closed_by_instance`.
    calendar : Calendar
        Whose days count. What is closed while it is closed counts to the day before.
    unit : {"r", "money"}
        What is added up.
    start_ns, end_ns : int, optional
        Default: the first and the last day on which anybody closed a trade, which is short of the days on which all
        waited; give them for figures a year.

    Raises
    ------
    ConfigError
        When there are no trades; with ``r`` when the initial risk of one is not known.
    """
    if not trades:
        raise ConfigError("no closed trades that fit the options; 'atrader history trades' shows those there are")
    values = {name: _in_unit(name, columns, unit) for name, columns in trades.items()}
    first_ns = min(int(columns.close_ns[0]) for columns in trades.values()) if start_ns is None else start_ns
    last_ns = max(int(columns.close_ns[-1]) for columns in trades.values())
    opens = calendar.expected_bars(calendar.bar_open(first_ns, _DAY), last_ns + 1 if end_ns is None else end_ns, _DAY)
    if not len(opens):
        opens = np.array([calendar.bar_open(first_ns, _DAY)], np.int64)
    results = np.zeros((len(opens), len(values)))
    for column, (name, columns) in enumerate(trades.items()):
        days = np.maximum(np.searchsorted(opens, columns.close_ns, side="right") - 1, 0)
        np.add.at(results[:, column], days, values[name])
    return Daily(tuple(trades), opens, results)


def _in_unit(name: str, columns: TradeColumns, unit: Unit) -> Floats:
    if unit == "money":
        return columns.net
    unknown = int(np.count_nonzero(~np.isfinite(columns.risk)))
    if unknown:
        raise ConfigError(
            f"{name}: the initial risk of {unknown} of {len(columns)} trades is not known (opened without a stop):"
            " use --unit money, or leave the instance out"
        )
    multiples: Floats = columns.net / columns.risk
    return multiples
