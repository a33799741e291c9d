"""A saved result as one HTML file: every chart inside it, nothing fetched, readable without a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from research.reports.figures import (
    headline,
    identity_lines,
    instance_lines,
    more_lines,
    period_text,
    result_lines,
    strategies_text,
)
from research.reports.html import document, facts, head, shown, table
from research.reports.saved import Saved
from research.reports.trade_charts import (
    distribution_chart,
    excursion_chart,
    hours_chart,
    months_chart,
    weekdays_chart,
)
from research.reports.trades import Trades, shown_price

Row = Mapping[str, Any]

MOST_INSTRUMENTS: Final = 3
"""Instruments whose prices are drawn: those with the most trades."""
LISTED_TRADES: Final = 100
"""Trades in the list at the end: the latest. The files have all."""
_TIMES_OF_FALL: Final = ("peak", "lowest", "recovered")


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
    return document(f"{saved.name} - backtest", parts)


def _head(saved: Saved) -> Iterable[str]:
    summary = saved.summary
    below = (strategies_text(summary), period_text(summary))
    doubts = [one["text"] for one in summary["warnings"]]
    return head(saved.name, below, headline(summary), "Before you believe this", doubts)


def _over_time(summary: Mapping[str, Any], drawn: Mapping[str, Any]) -> Iterable[str]:
    yield shown(equity_chart(summary, drawn))
    yield shown(drawdown_chart(drawn))
    yield shown(exposure_chart(drawn))
    rolling = rolling_chart(summary, drawn)
    if rolling is not None:
        yield shown(rolling)
    yield shown(months_chart(summary["months"]))
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
        yield table(("peak", "lowest", "made good", "depth", "lasted"), falls, numbers=2)


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
    pieces = [f"<div>{shown(chart)}</div>" for chart in charts if chart is not None]
    pieces.append(f"<div><h2>Exits by reason</h2><p>closed trades, {escape(currency)}</p>{_exits(trades)}</div>")
    yield f'<div class="pair">{"".join(pieces)}</div>'


def _exits(trades: Trades) -> str:
    groups = trades.by("close_reason", trades.closed)
    rows = [
        (reason or "not said", f"{len(places):,}", share_text(float((net > 0).mean())), money_text(float(net.sum())))
        for reason, places in sorted(groups.items(), key=lambda item: -len(item[1]))
        for net in (trades.net[places],)
    ]
    return table(("reason", "trades", "won", "result"), rows, numbers=3)


def _of_prices(drawn: Mapping[str, Any], trades: Trades) -> Iterable[str]:
    groups = trades.by("instrument", np.arange(len(trades)))
    symbols = sorted(drawn["prices"], key=lambda symbol: -len(groups[symbol]))
    for symbol in symbols[:MOST_INSTRUMENTS]:
        what = (symbol, drawn["prices"][symbol], trades, groups[symbol])
        yield shown(price_chart(*what))
        if len(groups[symbol]) > 1:
            yield shown(recent_chart(*what))
    if len(symbols) > MOST_INSTRUMENTS:
        yield f'<p class="soft">Traded too, not drawn: {escape(", ".join(symbols[MOST_INSTRUMENTS:]))}</p>'


def _facts(summary: Mapping[str, Any]) -> Iterable[str]:
    yield f"<h2>Result</h2>{facts(result_lines(summary))}"
    for name, lines in more_lines(summary):
        yield f"<h2>{escape(name)}</h2>{facts(lines)}"
    yield f"<h2>What ran</h2>{facts(identity_lines(summary))}"
    for instance in summary["instances"]:
        yield f"<h2>{escape(instance['name'])}</h2>{facts(instance_lines(instance))}"


def _trade_list(trades: Trades) -> Iterable[str]:
    if not len(trades):
        return
    places = range(len(trades))[::-1][:LISTED_TRADES]
    latest = [_trade_cells(*one) for one in zip(trades.rows(places), trades.net[places].tolist(), strict=True)]
    note = f"<p>the latest {len(latest)} of {len(trades):,}; the files have all</p>"
    names = ("instance", "instrument", "opened", "closed", "side", "exit", "units", "open", "close", "result")
    told = note if len(latest) < len(trades) else ""
    yield f'<h2>Trades</h2>{told}<div class="scroll">{table(names, latest, numbers=4)}</div>'


def _trade_cells(trade: Row, net: float) -> tuple[str, ...]:
    """Return a trade as a row of the list."""
    closed = "open" if trade["close_time"] is None else trade["close_time"][:16]
    words = (trade["instance"], trade["instrument"], trade["open_time"][:16], closed, trade["side"])
    prices = [shown_price(trade[key], trade["instrument"]) for key in ("open_price", "close_price")]
    return (*words, trade["close_reason"], trade["units"], *prices, money_text(net))
