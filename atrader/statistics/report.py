"""Statistics of groups of trades, as maps that commands and interfaces show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from atrader.history_tables import TradeGroup
from atrader.statistics.drawdown import drawdown
from atrader.statistics.exposure import exposure
from atrader.statistics.results import results, streaks
from atrader.statistics.trades import Floats, Times, TradeColumns, columns_of

_DIGITS: Final = 8  # floats are sums of money with a few decimals: what comes after is noise

Row = Mapping[str, Any]


class EquityColumns(NamedTuple):
    """Snapshots of an account, oldest first; arrays of shape ``(n,)``, UTC ns and account currency."""

    time_ns: Times
    equity: Floats
    balance: Floats


def report(trades: Sequence[Row], equity: Sequence[Row], by: TradeGroup, now_ns: int) -> list[dict[str, Any]]:
    """Compute statistics for each group.

    Trades of two accounts are never put together: their currencies may differ.

    Parameters
    ----------
    trades, equity : sequence of mappings
        Rows as queries of the history give them, oldest first.
    by : {"instance", "magic", "account", "instrument", "side", "close_reason"}
        What makes a group, beside the account.
    now_ns : int
        Until when open trades are held, UTC ns.

    Returns
    -------
    list of dict
        By account and group: ``account``, the group's name, ``open`` (trades not closed, which count for exposure
        only), the fields of `Results`, `Streaks` (``streak_*``), `Drawdown` (``drawdown_*``, of the closed trades) and
        `Exposure`, ``profit commission swap``, and ``equity_drawdown_*`` (of the account's equity snapshots).
    """
    keys = [(trade["account"], trade[by]) for trade in trades]
    return report_of(columns_of(trades), keys, _curves(equity), by, now_ns)


def report_of(
    columns: TradeColumns, keys: Sequence[tuple[str, Any]], curves: Mapping[str, EquityColumns], by: str, now_ns: int
) -> list[dict[str, Any]]:
    """Compute the statistics of `report` from columns.

    Parameters
    ----------
    columns : TradeColumns
        Trades, oldest first.
    keys : sequence of (account, group)
        Of each trade.
    curves : Mapping of str to EquityColumns
        By account, oldest first.
    """
    groups: dict[tuple[str, Any], list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    found = []
    for (account, name), places in sorted(groups.items(), key=lambda item: (item[0][0], str(item[0][1]))):
        figures = _figures(columns.take(np.array(places, np.intp)), curves.get(account), now_ns)
        found.append({"account": account, by: name, **{key: _rounded(value) for key, value in figures.items()}})
    return found


def _figures(columns: TradeColumns, curve: EquityColumns | None, now_ns: int) -> dict[str, Any]:
    closed = columns.closed()
    start = 0.0 if curve is None else _balance_before(curve, int(columns.open_ns.min()))
    times, values = _closed_curve(closed.close_ns, closed.net, int(columns.open_ns.min()), start)
    falls = drawdown(times, values)
    if curve is None:
        falls = falls._replace(deepest_frac=None)
    figures = {
        "open": len(columns) - len(closed),
        **results(closed.net, closed.risk)._asdict(),
        **{f"streak_{key}": value for key, value in streaks(closed.net)._asdict().items()},
        **{f"drawdown_{key}": value for key, value in falls._asdict().items()},
        **exposure(columns.open_ns, columns.close_ns, now_ns)._asdict(),
        **{name: float(getattr(closed, name).sum()) for name in ("profit", "commission", "swap")},
    }
    of_equity = None if curve is None else drawdown(curve[0], curve[1])._asdict()
    return figures | {f"equity_drawdown_{key}": of_equity and of_equity[key] for key in falls._fields}


def _closed_curve(close_ns: Times, net: Floats, first_ns: int, start: float) -> tuple[Times, Floats]:
    """Return the balance after each closed trade, beginning before the first with what was there."""
    times = np.concatenate([np.array([first_ns], np.int64), close_ns])
    return times, np.concatenate([[start], start + np.cumsum(net)])


def _curves(equity: Sequence[Row]) -> dict[str, EquityColumns]:
    """Return times, equity and balance by account."""
    accounts: dict[str, list[Row]] = {}
    for row in equity:
        if row["equity"] is not None and row["balance"] is not None:
            accounts.setdefault(row["account"], []).append(row)
    return {
        account: EquityColumns(
            np.array([row["time_ns"] for row in rows], np.int64),
            np.array([float(row["equity"]) for row in rows], np.float64),
            np.array([float(row["balance"]) for row in rows], np.float64),
        )
        for account, rows in accounts.items()
    }


def _balance_before(curve: EquityColumns, time_ns: int) -> float:
    """Return the account's balance before what a time brought, as a commission; or the first that is known."""
    place = int(np.searchsorted(curve[0], time_ns)) - 1
    return float(curve[2][max(place, 0)])


def _rounded(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value
