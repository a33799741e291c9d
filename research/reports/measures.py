"""What a run was worth, as JSON can hold it: figures of its returns and its curve, beside its market; its months."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, iso_from_ns, utc_from_ns
from atrader.statistics.trades import Times
from research.events.equity import EquityCurve
from research.events.tape import Tape
from research.statistics.annualisation import periods_per_year
from research.statistics.periods import PeriodReturns, checked_curve, growth, returns_of
from research.statistics.returns import ReturnStatistics, against_market, statistics_of
from research.statistics.sharpe import minimum_track_record

_DAY_NS = 86_400 * NS_PER_S


def calendar_for(symbols: Sequence[str], calendar_of: Callable[[str], Calendar]) -> Calendar:
    """Return by whose days a run is measured: the calendar of its instruments, of several the one open most."""
    return max((calendar_of(symbol) for symbol in symbols), key=lambda calendar: periods_per_year("1d", calendar.name))


def measures(curve: EquityCurve, initial: float, calendar: Calendar, held: Tape | None) -> dict[str, Any]:
    """Compute the figures of a run by days.

    Parameters
    ----------
    initial : float
        Balance before the first step, account currency.
    calendar : Calendar
        Whose days and months count, and how many days a year has.
    held : Tape or None
        The only instrument that was traded: what holding it would have done is shown beside.

    Returns
    -------
    dict
        ``calendar``; ``returns`` (None below two days), ``curve`` and ``market`` (None without `held`), with the fields
        of `research.statistics`, and ``periods_needed`` (days until the Sharpe ratio is above zero with a probability
        of 95 %); ``months``.
    """
    times, values = checked_curve(curve.time_ns, curve.equity, initial)
    account = statistics_of(times, values, calendar)
    figures = account.curve._asdict()
    figures["worst_falls"] = [
        {
            "peak": iso_from_ns(fall.peak_ns),
            "lowest": iso_from_ns(fall.lowest_ns),
            "recovered": None if fall.recovered_ns is None else iso_from_ns(fall.recovered_ns),
            **{key: getattr(fall, key) for key in ("depth", "depth_frac", "lasted_s")},
        }
        for fall in account.curve.worst_falls
    ]
    return {
        "calendar": calendar.name,
        "returns": None if account.returns is None else _returns(account.returns),
        "curve": figures,
        "market": None if held is None else _beside(curve.time_ns, account.measured, calendar, held),
        "months": _months(returns_of(times, values, calendar, "1M")),
    }


def _returns(figures: ReturnStatistics) -> dict[str, Any]:
    """Return figures of returns, with how many days it takes to be sure that the Sharpe ratio is above zero."""
    interval, needed = figures.sharpe_interval, None
    if figures.sharpe is not None and figures.sharpe > 0:
        of_a_day = figures.sharpe / math.sqrt(figures.periods_per_year)
        needed = math.ceil(minimum_track_record(of_a_day, 0.0, figures.shape._replace(autocorrelation=0.0)))
    return {
        **figures._asdict(),
        "sharpe_interval": None if interval is None else interval._asdict(),
        "shape": figures.shape._asdict(),
        "periods_needed": needed,
    }


def _beside(time_ns: Times, measured: PeriodReturns, calendar: Calendar, held: Tape) -> dict[str, Any]:
    """Return what holding an instrument did, bid to bid, and what of the run it explains."""
    bids, _ = held.closes()
    own, steps = measured.returns, np.searchsorted(time_ns, measured.end_ns, side="right") - 1
    rows = steps  # the same where nothing else was played
    if held.end_ns is not time_ns:
        rows = np.maximum(np.searchsorted(held.end_ns, time_ns[steps], side="right") - 1, 0)
    its = growth(float(bids[0]), np.where(steps < 0, bids[0], bids[rows]))  # prices are above zero
    found = against_market(own, its, periods_per_year("1d", calendar.name)) if len(own) > 1 else None
    return {
        "instrument": held.symbol,
        "return_frac": float(bids[-1] / bids[0]) - 1,
        **({} if found is None else found._asdict()),
    }


def _months(by_month: PeriodReturns) -> list[dict[str, Any]]:
    """Name months by the day after they begin: a calendar may begin one the evening before its first."""
    names = [f"{utc_from_ns(open_ns + _DAY_NS):%Y-%m}" for open_ns in by_month.open_ns.tolist()]
    values = [round(value, 6) for value in by_month.returns.tolist()]
    return [{"month": name, "return_frac": value} for name, value in zip(names, values, strict=True)]
