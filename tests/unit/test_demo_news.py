"""What the demonstration tells of trades."""

from __future__ import annotations

import click

from manager.demo_news import News


def row(trade_id: str = "a1", *, units: int, held: int, **more: object) -> dict[str, object]:
    return {
        "trade_id": trade_id,
        "instance": "ann",
        "side": "buy",
        "instrument": "EUR/USD",
        "units": str(units),
        "units_open": str(held),
        "open_price": "1.1",
        "close_price": "1.2",
        "profit": "3",
        "close_reason": "target",
        **more,
    }


def told(news: News, *rows: dict[str, object]) -> list[str]:
    return [click.unstyle(line).split("EUR/USD  ")[-1] for line in news.of_trades(rows)]


def test_trades_of_earlier_runs_are_counted_and_not_told_again() -> None:
    news = News()
    assert told(news, row("a1", units=5, held=5), row("a2", units=5, held=0)) == [
        "1 open trade of the last run: taken up again"
    ]
    assert told(news, row("a1", units=5, held=5), row("a2", units=5, held=0)) == []


def test_a_trade_is_opened_once_however_many_parts_its_order_fills_in() -> None:
    news = News()
    assert told(news) == []
    assert told(news, row(units=5, held=5)) == ["opened 5 at 1.10000"]
    assert told(news, row(units=9, held=9)) == ["opened further: 9 at 1.10000"]
    assert told(news, row(units=9, held=9)) == []


def test_a_close_says_how_much_and_what_it_brought() -> None:
    news = News()
    told(news)
    told(news, row(units=9, held=9))
    assert told(news, row(units=9, held=4)) == ["closed 5 of 9 at 1.20000 (target): profit 3"]
    assert told(news, row(units=9, held=0)) == ["closed at 1.20000 (target): profit 3"]
