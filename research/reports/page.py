"""A saved result as one HTML file: every chart inside it, nothing fetched, readable without a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

import numpy as np

from atrader.wording import duration_text, money_text, share_text
from research.reports.charts import (
    drawdown_chart,
    equity_chart,
    exposure_chart,
    price_chart,
    recent_chart,
    rolling_chart,
)
from research.reports.drawing import Drawing
from research.reports.figures import (
    Lines,
    headline,
    identity_lines,
    instance_lines,
    more_lines,
    period_text,
    result_lines,
    strategies_text,
)
from research.reports.page_style import SCRIPT, style_sheet
from research.reports.saved import Saved
from research.reports.svg import svg
from research.reports.trade_charts import (
    HALF,
    distribution_chart,
    excursion_chart,
    hours_chart,
    months_chart,
    weekdays_chart,
)
from research.reports.trades import Trades

Row = Mapping[str, Any]

MOST_INSTRUMENTS: Final = 3
"""Instruments whose prices are drawn: those with the most trades."""
LISTED_TRADES: Final = 100
"""Trades in the list at the end: the latest. The files have all."""
_TIMES_OF_FALL: Final = ("peak", "lowest", "recovered")
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def page(saved: Saved) -> str:
    """Write the report of a saved result.

    Raises
    ------
    StoreError
        When its details cannot be read.
    """
    summary, drawn = saved.summary, saved.details()
    trades = Trades.of(drawn["trades"])
    parts = [
        *_head(saved),
        *_over_time(summary, drawn),
        *_of_trades(summary, trades),
        *_of_prices(drawn, trades),
        *_facts(summary),
        *_trade_list(trades),
    ]
    title = escape(f"{saved.name} - backtest")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{title}</title><link rel="icon" href="data:,"><style>{style_sheet()}</style></head>'
        f'<body>{"".join(parts)}<div id="at"></div><script>{SCRIPT}</script></body></html>\n'
    )


def _head(saved: Saved) -> Iterable[str]:
    summary = saved.summary
    tiles = "".join(f"<div><b>{escape(text)}</b><span>{escape(name)}</span></div>" for name, text in headline(summary))
    yield f"<h1>{escape(saved.name)}</h1>"
    yield f'<p class="soft">{escape(strategies_text(summary))}<br>{period_text(summary)}</p>'
    yield f'<div class="tiles">{tiles}</div>'
    if summary["warnings"]:
        lines = "".join(f"<li>{escape(one['text'])}</li>" for one in summary["warnings"])
        yield f'<div class="warn" role="note"><b>Before you believe this</b><ul>{lines}</ul></div>'


def _over_time(summary: Mapping[str, Any], drawn: Mapping[str, Any]) -> Iterable[str]:
    yield _shown(equity_chart(summary, drawn))
    yield _shown(drawdown_chart(drawn))
    yield _shown(exposure_chart(drawn))
    rolling = rolling_chart(summary, drawn)
    if rolling is not None:
        yield _shown(rolling)
    yield _shown(months_chart(summary["months"]))
    falls = [
        (
            *("not yet" if fall[key] is None else fall[key][:16].replace("T", " ") for key in _TIMES_OF_FALL),
            share_text(fall["depth_frac"]),
            duration_text(fall["lasted_s"]),
        )
        for fall in summary["curve"]["worst_falls"]
    ]
    if falls:
        yield "<h2>Deepest drawdowns</h2>"
        yield _table(("peak", "lowest", "made good", "depth", "lasted"), falls, numbers=2)


def _of_trades(summary: Mapping[str, Any], trades: Trades) -> Iterable[str]:
    if not len(trades.closed):
        return
    currency, net = summary["account"]["currency"], trades.net[trades.closed]
    opened_ns = np.array(trades.take("open_time_ns", trades.closed), np.int64)
    charts = [
        distribution_chart(net, currency),
        excursion_chart(trades, "adverse_frac", "MAE", "right: how far the price went against it; up: what it made"),
        excursion_chart(trades, "favourable_frac", "MFE", "right: how far the price went with it; up: what it made"),
        hours_chart(opened_ns, net, currency),
        weekdays_chart(opened_ns, net, currency),
    ]
    shown = [f"<div>{_shown(chart)}</div>" for chart in charts if chart is not None]
    shown.append(f"<div><h2>Exits by reason</h2><p>closed trades, {escape(currency)}</p>{_exits(trades)}</div>")
    yield f'<div class="pair">{"".join(shown)}</div>'


def _exits(trades: Trades) -> str:
    groups = trades.by("close_reason", trades.closed)
    rows = [
        (reason or "not said", f"{len(places):,}", share_text(float((net > 0).mean())), money_text(float(net.sum())))
        for reason, places in sorted(groups.items(), key=lambda item: -len(item[1]))
        for net in (trades.net[places],)
    ]
    return _table(("reason", "trades", "won", "result"), rows, numbers=3)


def _of_prices(drawn: Mapping[str, Any], trades: Trades) -> Iterable[str]:
    groups = trades.by("instrument", np.arange(len(trades)))
    symbols = sorted(drawn["prices"], key=lambda symbol: -len(groups[symbol]))
    for symbol in symbols[:MOST_INSTRUMENTS]:
        what = (symbol, drawn["prices"][symbol], trades, groups[symbol])
        yield _shown(price_chart(*what))
        if len(groups[symbol]) > 1:
            yield _shown(recent_chart(*what))
    if len(symbols) > MOST_INSTRUMENTS:
        yield f'<p class="soft">Traded too, not drawn: {escape(", ".join(symbols[MOST_INSTRUMENTS:]))}</p>'


def _facts(summary: Mapping[str, Any]) -> Iterable[str]:
    yield f"<h2>Result</h2>{_lines(result_lines(summary))}"
    for name, lines in more_lines(summary):
        yield f"<h2>{escape(name)}</h2>{_lines(lines)}"
    yield f"<h2>What ran</h2>{_lines(identity_lines(summary))}"
    for instance in summary["instances"]:
        yield f"<h2>{escape(instance['name'])}</h2>{_lines(instance_lines(instance))}"


def _trade_list(trades: Trades) -> Iterable[str]:
    if not len(trades):
        return
    places = range(len(trades))[::-1][:LISTED_TRADES]
    latest = [_trade_cells(*one) for one in zip(trades.rows(places), trades.net[places].tolist(), strict=True)]
    note = f"<p>the latest {len(latest)} of {len(trades):,}; the files have all</p>"
    names = ("instance", "instrument", "opened", "closed", "side", "exit", "units", "open", "close", "result")
    shown = note if len(latest) < len(trades) else ""
    yield f'<h2>Trades</h2>{shown}<div class="scroll">{_table(names, latest, numbers=4)}</div>'


def _trade_cells(trade: Row, net: float) -> tuple[str, ...]:
    """Return a trade as a row of the list."""
    closed = "open" if trade["close_time"] is None else trade["close_time"][:16]
    words = (trade["instance"], trade["instrument"], trade["open_time"][:16], closed, trade["side"])
    prices = (trade["units"], trade["open_price"], trade["close_price"] or "-", money_text(net))
    return (*words, trade["close_reason"], *prices)


def _shown(drawing: Drawing) -> str:
    note = f"<p>{escape(drawing.note)}</p>" if drawing.note else ""
    shown = f'<div class="wide">{svg(drawing)}</div>' if drawing.width > HALF else svg(drawing)
    return f"<h2>{escape(drawing.title)}</h2>{note}{shown}"


def _lines(lines: Lines) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in lines)
    return f'<table class="facts">{rows}</table>'


def _table(names: Sequence[str], rows: Iterable[Sequence[object]], numbers: int) -> str:
    """Return a table whose last so many columns are numbers."""
    plain = len(names) - numbers

    def line(cells: Sequence[object], tag: str) -> str:
        kinds = [""] * plain + [' class="n"'] * numbers
        shown = "".join(f"<{tag}{kind}>{escape(str(cell))}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))
        return f"<tr>{shown}</tr>"

    return f"<table>{line(names, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"
