"""Closed trades by instance, of the history or of saved backtests, with the calendar whose days count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from atrader.calendars import Calendar
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet, load_installation
from atrader.errors import ConfigError
from atrader.messages.history import QueryHistory
from atrader.statistics.trades import TradeColumns
from data_layer.offline import open_history
from research.reports import named
from research.selection.daily import Daily, Unit, closed_by_instance, daily_results
from research.statistics.annualisation import periods_per_year

_MIXED: Final = "24/7"
"""Calendar of instruments that have several."""

_Row = Mapping[str, Any]


class Traded(NamedTuple):
    """Closed trades.

    Attributes
    ----------
    trades : dict of str to TradeColumns
        By instance.
    daily : Daily
        The same by day.
    calendar : str
        Whose days.
    days_per_year : float
        Of that calendar.
    """

    trades: dict[str, TradeColumns]
    daily: Daily
    calendar: str
    days_per_year: float


class Choice(NamedTuple):
    """What the command line says of trades.

    Attributes
    ----------
    instances : tuple of str
        Empty: all.
    results : tuple of str
        Saved backtests; empty: the history.
    period : tuple of int or None
        Of closing, UTC ns, the end not included.
    unit : {"r", "money"}
        Of daily results.
    archived : bool
        Whether the archive is read too.
    """

    instances: tuple[str, ...]
    results: tuple[str, ...]
    period: tuple[int | None, int | None]
    unit: Unit
    archived: bool


def traded(home: Home, choice: Choice) -> Traded:
    """Read what was traded.

    Raises
    ------
    ConfigError
        When a name is unknown, when nothing fits, or when currencies would be added up.
    StoreError
        When history or result cannot be read.
    """
    found = _of_results(home, choice.results) if choice.results else _of_history(home, archived=choice.archived)
    trades = closed_by_instance([row for row, _ in found], *choice.period)
    if missing := [name for name in choice.instances if name not in trades]:
        known = ", ".join(trades) or "nobody"
        raise ConfigError(f"no closed trades of {', '.join(missing)}; there are some of {known}")
    if choice.instances:
        trades = {name: trades[name] for name in sorted(choice.instances)}
    chosen = [(row, currency) for row, currency in found if row["instance"] in trades]
    currencies = sorted({currency for _, currency in chosen})
    if choice.unit == "money" and len(currencies) > 1:
        raise ConfigError(
            f"results in {' and '.join(currencies)} cannot be compared: use --unit r, or name instances of one of them"
        )
    calendar = _calendar(load_fleet(home.root), {str(row["instrument"]) for row, _ in chosen})
    daily = daily_results(trades, calendar, choice.unit, *choice.period)
    return Traded(trades, daily, calendar.name, periods_per_year("1d", calendar.name))


def _of_history(home: Home, *, archived: bool) -> list[tuple[_Row, str]]:
    """Return closed trades with the currency of each."""
    with open_history(home) as source:
        rows = source.query(QueryHistory(table="trades", state="closed", archived=archived))
    accounts = load_installation(home.root).accounts
    return [
        (row, accounts[name].currency if (name := str(row["account"])) in accounts else f"the currency of {name}")
        for row in rows
    ]


def _of_results(home: Home, names: Sequence[str]) -> list[tuple[_Row, str]]:
    """Return the same of saved backtests; an instance in several of them is told apart by the name of its result."""
    found = [named(home.root / "results", name) for name in names]
    trades = {saved.name: saved.trades() for saved in found}
    owners: dict[str, set[str]] = {}
    for result, rows in trades.items():
        for row in rows:
            owners.setdefault(str(row["instance"]), set()).add(result)
    return [
        (
            row if len(owners[str(row["instance"])]) == 1 else {**row, "instance": f"{row['instance']}@{saved.name}"},
            str(saved.summary["account"]["currency"]),
        )
        for saved in found
        for row in trades[saved.name]
    ]


def _calendar(fleet: FleetConfig, symbols: set[str]) -> Calendar:
    calendars = {calendar.name: calendar for calendar in map(fleet.calendar_of, sorted(symbols))}
    return next(iter(calendars.values())) if len(calendars) == 1 else Calendar.get(_MIXED)
