"""Charts over time: equity, drawdown, exposure, prices with trades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from atrader.clock import NS_PER_S, utc_from_ns
from atrader.wording import money_text
from research.reports.axes import framed, span
from research.reports.details import RECENT_TRADES
from research.reports.drawing import WIDTH, Area, Drawing, Line, Rects, Segments, Shapes
from research.reports.thinning import held
from research.reports.trades import Places, Trades, shown_price

Floats = NDArray[np.float64]
Row = Mapping[str, Any]

LEAST_FALL: Final = 0.01
"""An axis of drawdowns goes down to it where nothing fell as deep."""

ROLLING_DAYS: Final = 60
"""Days behind each point of a rolling figure: a quarter of a year of market days."""
MARKED_TRADES: Final = 400
"""Trades that are marked in a chart of the whole period at most: more are a carpet."""


def column(values: Sequence[float]) -> Floats:
    """Return numbers of a file as an array."""
    return np.array(values, np.float64)


def equity_chart(summary: Mapping[str, Any], drawn: Mapping[str, Any]) -> Drawing:
    """Draw equity and balance, and what holding the instrument would have made."""
    points = drawn["equity"]
    times, equity, balance = held(*(column(points[key]) for key in ("time_s", "equity", "balance")))
    lines = [(balance, "balance", "balance"), (equity, "equity", "equity")]
    note = "blue: with what was open; grey: without"
    hold = _hold(summary, drawn)
    if hold is not None:
        lines.insert(0, (hold[1], "hold", "buy and hold"))
        note += f"; ochre: {summary['market']['instrument']} bought with everything and held, bid to bid"
    drawing = Drawing(f"Equity, {summary['account']['currency']}", WIDTH, 270, note)
    low, high = (float(pick([pick(values) for values, _, _ in lines])) for pick in (np.min, np.max))
    frame = framed(drawing, (times[0], times[-1]), span(low, high))
    frame.draw_values(drawing)
    frame.draw_times(drawing)
    for values, style, key in lines:
        x = hold[0] if hold is not None and style == "hold" else times
        drawing.marks.append(Line(frame.x.px(x), frame.y.px(values), style, key))
    drawing.hover = frame.hover("")
    return drawing


def _hold(summary: Mapping[str, Any], drawn: Mapping[str, Any]) -> tuple[Floats, Floats] | None:
    market = summary["market"]
    if market is None or market["instrument"] not in drawn["prices"]:
        return None
    prices = drawn["prices"][market["instrument"]]["whole"]
    times, closes = held(column(prices["time_s"]), column(prices["close"]))
    return times, closes * (float(summary["initial_balance"]) / closes[0])


def drawdown_chart(drawn: Mapping[str, Any]) -> Drawing:
    """Draw how far the equity was below its highest."""
    points = drawn["equity"]
    times, falls = held(column(points["time_s"]), column(points["drawdown_frac"]))
    drawing = Drawing("Drawdown", WIDTH, 140, "equity below its highest so far")
    frame = framed(drawing, (times[0], times[-1]), span(min(float(falls.min()), -LEAST_FALL), 0.0, zero=True))
    frame.draw_values(drawing, "%")
    frame.draw_times(drawing)
    x, y = frame.x.px(times), frame.y.px(falls)
    drawing.marks += [Area(x, np.full(len(x), frame.y.at(0.0)), y, "fall-area"), Line(x, y, "fall", "drawdown")]
    drawing.hover = frame.hover("%")
    return drawing


def rolling_chart(summary: Mapping[str, Any], drawn: Mapping[str, Any]) -> Drawing | None:
    """Draw the Sharpe ratio of the days before each day; None for a record that is not much longer than they are."""
    ends, returns = column(drawn["days"]["time_s"]), column(drawn["days"]["return_frac"])
    if len(returns) < 2 * ROLLING_DAYS:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(returns, ROLLING_DAYS)
    deviation = windows.std(axis=1, ddof=1)
    varies = deviation > 0
    ratio = windows.mean(axis=1)[varies] / deviation[varies] * np.sqrt(summary["returns"]["periods_per_year"])
    if not len(ratio):
        return None
    times = ends[ROLLING_DAYS - 1 :][varies]
    drawing = Drawing("Rolling Sharpe ratio", WIDTH, 150, f"of the last {ROLLING_DAYS} days, annualised")
    frame = framed(drawing, (times[0], times[-1]), span(float(ratio.min()), float(ratio.max()), zero=True))
    frame.draw_values(drawing)
    frame.draw_times(drawing)
    drawing.marks.append(Line(frame.x.px(times), frame.y.px(ratio), "equity", "Sharpe ratio"))
    drawing.hover = frame.hover("")
    return drawing


def exposure_chart(drawn: Mapping[str, Any]) -> Drawing:
    """Draw what was held, long above the line and short below."""
    points = drawn["exposure"]
    begins = column(points["time_s"])
    long, short = column(points["long_frac"]), column(points["short_frac"])
    last_s = float(drawn["equity"]["time_s"][-1])
    edges = np.append(begins, max(last_s, begins[-1]))
    drawing = Drawing(
        "Exposure", WIDTH, 130, "value held, as a share of equity: long above, short below; the most of each stretch"
    )
    first_s = float(drawn["equity"]["time_s"][0])
    frame = framed(drawing, (first_s, last_s), span(-float(short.max()), float(long.max()), zero=True))
    frame.draw_values(drawing, "%")
    frame.draw_times(drawing)
    x = frame.x.px(np.maximum(edges, first_s))
    for values, style in ((long, "long"), (-short, "short")):
        drawing.marks.append(_steps(x, frame.y.px(values), frame.y.at(0.0), style))
    return drawing


def _steps(x: Floats, y: Floats, base: float, style: str) -> Rects:
    """Return a stretch of equal values as one rectangle."""
    firsts = np.flatnonzero(np.diff(y, prepend=np.nan) != 0)
    ends = np.append(firsts[1:], len(y))
    real = y[firsts] != base
    firsts, ends = firsts[real], ends[real]
    return Rects(x[firsts], x[ends], y[firsts], np.full(len(firsts), base), style)


def price_chart(symbol: str, prices: Mapping[str, Any], trades: Trades, places: Places) -> Drawing:
    """Draw the prices of the whole period, with opens and closes while they are few enough to be seen."""
    note = "bid, range and last of each stretch; triangles open, crosses close"
    shown = places
    if len(places) > MARKED_TRADES:
        note = f"bid, range and last of each stretch; {len(places):,} trades, too many to mark"
        shown = places[:0]
    return _price_chart(f"{symbol}, whole period", note, prices["whole"], trades, shown, 260, tips=False)


def recent_chart(symbol: str, prices: Mapping[str, Any], trades: Trades, places: Places) -> Drawing:
    """Draw the latest trades one by one."""
    shown = places[-RECENT_TRADES:]
    note = "green won, red lost; point at a line to read it"
    title = f"{symbol}, the last {len(shown)} trades"
    return _price_chart(title, note, prices["recent"], trades, shown, 340, tips=True)


def _price_chart(
    title: str,
    note: str,
    prices: Mapping[str, Sequence[float]],
    trades: Trades,
    places: Places,
    height: float,
    *,
    tips: bool,
) -> Drawing:
    times, low, high, close = held(*(column(prices[key]) for key in ("time_s", "low", "high", "close")))
    drawing = Drawing(title, WIDTH, height, note)
    frame = framed(drawing, (times[0], times[-1]), span(float(low.min()), float(high.max())))
    frame.draw_values(drawing)
    frame.draw_times(drawing)
    x = frame.x.px(times)
    drawing.marks.append(Area(x, frame.y.px(high), frame.y.px(low), "range"))
    drawing.marks.append(Line(x, frame.y.px(close), "price", "bid"))
    drawing.hover = frame.hover("")
    if not len(places):
        return drawing
    rows, net = trades.rows(places.tolist()), trades.net[places]
    opened, closed = ((_times(rows, key, times[-1]), _prices(rows, key, close[-1])) for key in ("open", "close"))
    x0, y0, x1, y1 = frame.x.px(opened[0]), frame.y.px(opened[1]), frame.x.px(closed[0]), frame.y.px(closed[1])
    if tips:
        pairs = list(zip(rows, net.tolist(), strict=True))
        for style, chosen in (("win-line", net > 0), ("loss-line", net <= 0)):
            texts = [_trade_text(*one) for one, is_in in zip(pairs, chosen.tolist(), strict=True) if is_in]
            drawing.marks.append(Segments(x0[chosen], y0[chosen], x1[chosen], y1[chosen], style, texts))
    is_long = np.array([trade["side"] == "buy" for trade in rows])
    is_closed = np.array([trade["state"] == "closed" for trade in rows])
    drawing.marks += [
        Shapes(x0[is_long], y0[is_long], "up", "entry-long"),
        Shapes(x0[~is_long], y0[~is_long], "down", "entry-short"),
        Shapes(x1[is_closed], y1[is_closed], "cross", "exit"),
    ]
    return drawing


def _times(trades: Sequence[Row], key: str, otherwise_s: float) -> Floats:
    times = [trade[f"{key}_time_ns"] for trade in trades]
    return np.array([otherwise_s if time_ns is None else time_ns / NS_PER_S for time_ns in times])


def _prices(trades: Sequence[Row], key: str, otherwise: float) -> Floats:
    """Return open or close prices; of an open trade the last price."""
    known = [trade[f"{key}_price"] if trade[f"{key}_time_ns"] is not None else otherwise for trade in trades]
    return np.array([float(price) for price in known])


def _trade_text(trade: Row, net: float) -> str:
    """Describe a trade in a line."""
    moments = [None if trade[key] is None else utc_from_ns(trade[key]) for key in ("open_time_ns", "close_time_ns")]
    opened, closed = ("still open" if moment is None else f"{moment:%Y-%m-%d %H:%M}" for moment in moments)
    reason = f", {trade['close_reason']}" if trade["close_reason"] else ""
    prices = " to ".join(shown_price(trade[key], trade["instrument"]) for key in ("open_price", "close_price"))
    return f"{trade['side']} {trade['units']} at {prices}, {opened} to {closed}: {money_text(net)}{reason}"
