"""Charts of trades: what they brought, how far prices went against and with them, and when they were opened."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from atrader.clock import NS_PER_S
from research.reports.axes import LEFT, framed, span
from research.reports.drawing import HALF, WIDTH, Cell, Drawing, Rects, Shapes, Text
from research.reports.thinning import MOST_DOTS
from research.reports.trades import Places, Trades

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Row = Mapping[str, Any]

_HOUR_NS: Final = 3600 * NS_PER_S
_HEIGHT: Final = 220.0
_LEAST_COUNT: Final = 4.0  # an axis of counts goes up to it, or its labels would be parts of trades
_LEAST_MOVE: Final = 1e-4  # an axis of moves goes to it where no price moved as far
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def distribution_chart(net: Floats, currency: str) -> Drawing:
    """Draw how many trades brought how much."""
    drawing = Drawing("Results of trades", HALF, _HEIGHT, f"how many brought how much, {currency}")
    brought = net[net != 0]
    if nothing := len(net) - len(brought):
        drawing.note += f"; {nothing:,} brought nothing, and are left out"
    edges = _edges(brought) if len(brought) else np.array([-1.0, 0.0, 1.0])
    counts, _ = np.histogram(brought, edges)
    frame = framed(drawing, (edges[0], edges[-1]), span(0.0, max(float(counts.max()), _LEAST_COUNT), zero=True))
    frame.draw_values(drawing)
    middles = (edges[:-1] + edges[1:]) / 2
    left, right = frame.x.px(edges[:-1]) + 0.5, frame.x.px(edges[1:]) - 0.5
    top, base = frame.y.px(counts.astype(np.float64)), np.full(len(counts), frame.y.at(0.0))
    for style, chosen in (("win", middles > 0), ("loss", middles < 0)):
        drawing.marks.append(Rects(left[chosen], right[chosen], top[chosen], base[chosen], style))
    _label_values(drawing, frame.x.px(edges), edges)
    return drawing


def _edges(net: Floats) -> Floats:
    """Return edges of bins of one round width, zero among them: no bin holds wins and losses."""
    reach = float(np.ptp(net)) or float(np.abs(net).max()) or 1.0
    raw = reach / min(40, max(8, math.sqrt(len(net)) * 1.5))
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    return np.arange(min(math.floor(net.min() / step), -1), max(math.ceil(net.max() / step), 1) + 1) * step


def _label_values(drawing: Drawing, places: Floats, values: Floats) -> None:
    every = max(1, -(-len(values) // 7))
    zero = int(np.argmin(np.abs(values)))
    for number in range(zero % every, len(values), every):
        drawing.marks.append(Text(float(places[number]), drawing.height - 6, f"{values[number]:,.6g}", anchor="middle"))


def excursion_chart(trades: Trades, key: str, title: str, note: str) -> Drawing | None:
    """Draw the return of each closed trade over how far prices went; None when no trade has prices.

    Parameters
    ----------
    key : {"adverse_frac", "favourable_frac"}
        What lies to the right.
    """
    known = trades.closed[np.array([value is not None for value in trades.take(key, trades.closed)])]
    if not len(known):
        return None
    every = -(-len(known) // MOST_DOTS)
    if every > 1:
        note += f"; one of {every} trades"
    shown = known[::every]
    far, came = np.array(trades.take(key, shown), np.float64), _moved(trades, shown)
    drawing = Drawing(title, HALF, _HEIGHT, note)
    frame = framed(
        drawing,
        span(0.0, max(float(far.max()), _LEAST_MOVE), zero=True),
        span(float(came.min()), float(came.max()), zero=True),
    )
    frame.draw_values(drawing, "%")
    frame.draw_values_across(drawing, "%")
    from_zero = frame.x.px(far), frame.y.px(came)
    won = trades.net[shown] > 0
    for style, chosen in (("loss", ~won), ("win", won)):
        drawing.marks.append(Shapes(from_zero[0][chosen], from_zero[1][chosen], "dot", style))
    return drawing


def _moved(trades: Trades, places: Places) -> Floats:
    """Return how far the price went from open to close in favour of each trade, as a share of the open price."""
    opened, closed = (np.array(trades.take(key, places), np.float64) for key in ("open_price", "close_price"))
    signs = np.array([1.0 if side == "buy" else -1.0 for side in trades.take("side", places)])
    found: Floats = (closed / opened - 1) * signs
    return found


def hours_chart(opened_ns: Times, net: Floats, currency: str) -> Drawing:
    """Draw what the trades brought that were opened in each hour of the day."""
    sums = _sums(opened_ns // _HOUR_NS % 24, net, 24)
    hours = [str(hour) for hour in range(24)]
    return _sums_chart("By hour of the open", f"sum of results, {currency}; UTC", sums, hours)


def weekdays_chart(opened_ns: Times, net: Floats, currency: str) -> Drawing:
    """Draw what the trades brought that were opened on each weekday."""
    days = opened_ns // (24 * _HOUR_NS) + 3  # 1970 began on a Thursday
    sums = _sums(days % 7, net, 7)
    return _sums_chart("By weekday of the open", f"sum of results, {currency}; UTC", sums, _WEEKDAYS)


def _sums(groups: Times, net: Floats, count: int) -> Floats:
    found: Floats = np.bincount(groups, net, count).astype(np.float64)
    return found


def _sums_chart(title: str, note: str, sums: Floats, names: Sequence[str]) -> Drawing:
    drawing = Drawing(title, HALF, 170.0, note)
    frame = framed(drawing, (0.0, float(len(sums))), span(float(sums.min()), float(sums.max()), zero=True))
    frame.draw_values(drawing)
    room = 0.12
    left, right = (frame.x.px(np.arange(len(sums), dtype=np.float64) + edge) for edge in (room, 1 - room))
    y, base = frame.y.px(sums), np.full(len(sums), frame.y.at(0.0))
    for style, chosen in (("win", sums > 0), ("loss", sums < 0)):
        drawing.marks.append(Rects(left[chosen], right[chosen], y[chosen], base[chosen], style))
    for number, name in enumerate(names):
        if len(names) < 12 or number % 3 == 0:
            place = frame.x.at(number + 0.5)
            drawing.marks.append(Text(place, drawing.height - 6, name, anchor="middle"))
    return drawing


def months_chart(months: Sequence[Row]) -> Drawing:
    """Draw the return of every month and year as a table of coloured cells."""
    years: dict[str, dict[int, float]] = {}
    for month in months:
        year, number = month["month"].split("-")
        if month["return_frac"] is not None:
            years.setdefault(year, {})[int(number)] = month["return_frac"]
    row, top, width = 24.0, 20.0, (WIDTH - LEFT) / 13
    drawing = Drawing("Months", WIDTH, top + row * max(len(years), 1), "return of each month and year")
    for number, name in enumerate((*_MONTHS, "year")):
        drawing.marks.append(Text(LEFT + (number + 0.5) * width, 12, name, anchor="middle"))
    values = [value for year in years.values() for value in year.values()]
    most = max((abs(value) for value in values), default=0.0) or 1.0
    for line, (name, found) in enumerate(sorted(years.items())):
        y = top + line * row
        drawing.marks.append(Text(LEFT - 10, y + row / 2 + 4, name, anchor="end"))
        whole = math.prod(1 + value for value in found.values()) - 1
        shown = [*((number - 1, value, most) for number, value in found.items()), (12, whole, max(most, abs(whole)))]
        for place, value, scale in shown:
            cell = Cell(LEFT + place * width, y, width - 2, row - 2, value / scale, f"{value:+.1%}")
            drawing.cells.append(cell)
    return drawing
