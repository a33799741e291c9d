"""Tables for people, and what the demonstration tells."""

from __future__ import annotations

from typing import Any

import click

from atrader.calendars import Calendar
from atrader.clock import parse_time
from atrader.messages.data import Watched
from manager.commands.data_backfill import watched_row
from manager.commands.tables import Column, fitting, price_cell, table_of, time_cell
from manager.demo_news import News

COLUMNS = (Column("name", "name"), Column("magic", "magic", 9), Column("price", "price", 1), Column("state", "state"))
WIDTHS = {"name": 10, "magic": 5, "price": 8, "state": 6}


def trade(**changes: Any) -> dict[str, Any]:
    row = {"trade_id": "t1", "instance": "ann", "side": "buy", "instrument": "EUR/USD", "units": "1000"}
    return {**row, "units_open": "1000", "open_price": "1.10001", "close_price": None, "profit": "0", **changes}


def test_the_least_important_columns_go_first_and_rank_zero_stays():
    def names(space: int) -> list[str]:
        return [column.key for column in fitting(COLUMNS, WIDTHS, space)]

    assert names(35) == ["name", "magic", "price", "state"]  # 10 + 5 + 8 + 6, and three gaps of 2
    assert names(34) == ["name", "price", "state"]
    assert names(27) == ["name", "state"]
    assert names(5) == ["name", "state"]


def test_prices_have_the_digits_of_their_instrument_and_averages_one_more():
    show = price_cell({})
    assert show("1.1", {"instrument": "EUR/USD"}) == "1.10000"
    assert show("1.1000066667", {"instrument": "EUR/USD"}) == "1.100007"
    assert show("149.5743333333", {"instrument": "USD/JPY"}) == "149.5743"
    assert show("1.23456789", {"instrument": "XXX/YYY"}) == "1.23456789"
    assert show(None, {"instrument": "EUR/USD"}) == ""


def test_times_are_shown_to_the_second():
    assert time_cell("2026-11-21T06:26:18.517976691Z", {}) == "2026-11-21T06:26:18Z"
    assert time_cell("2026-11-21T06:26:18Z", {}) == "2026-11-21T06:26:18Z"
    assert time_cell(None, {}) == ""


def test_the_demonstration_tells_each_open_partial_close_and_close_once():
    news = News()
    assert news.of_trades([]) == []
    assert "opened 1000 at 1.10001" in click.unstyle(news.of_trades([trade()])[0])
    assert news.of_trades([trade()]) == []
    part = trade(units_open="600", close_price="1.10100", close_reason="target", profit="0.40")
    (line,) = news.of_trades([part])
    assert "closed 400 of 1000 at 1.10100 (target): profit 0.40" in click.unstyle(line)
    (line,) = news.of_trades([{**part, "units_open": "0", "profit": "-1.00"}])
    assert "closed at 1.10100 (target): profit -1.00" in click.unstyle(line)


def test_the_demonstration_tells_opening_and_closing_of_a_trade_that_lived_between_two_looks():
    news = News()
    news.of_trades([])
    told = news.of_trades([trade(units_open="0", close_price="1.1", close_reason="stop-loss", profit="-2")])
    assert [click.unstyle(line).split()[3] for line in told] == ["opened", "closed"]


def test_trades_of_an_earlier_run_are_only_counted():
    news = News()
    (line,) = news.of_trades([trade(), trade(trade_id="t0", units_open="0")])
    assert line.startswith("1 open trade")
    assert news.of_trades([trade()]) == []


def test_watched_instruments_say_until_when_their_market_is_open_or_closed() -> None:
    watched = Watched(instrument="EUR/USD", reason="feed")
    friday, saturday = parse_time("2024-03-15T20:00Z"), parse_time("2024-03-16T12:00Z")
    fx, always = Calendar.get("fx"), Calendar.get("24/7")
    rows = [watched_row(watched, calendar, at) for calendar, at in ((fx, friday), (fx, saturday), (always, friday))]
    assert [(row["market"], row["until"]) for row in rows] == [
        ("open", "2024-03-15T21:00:00Z"),
        ("closed", "2024-03-17T21:00:00Z"),
        ("open", None),
    ]


def test_prose_is_folded_where_a_line_is_too_short_and_nothing_stands_behind_the_last_text():
    columns = (Column("name", "name"), Column("price", "price", right=True), Column("text", "what", prose=True))
    rows = [{"name": "ann", "price": "1.5", "text": "six words that fill two lines"}, {"name": "bob", "price": "12"}]
    lines, hidden = table_of(columns, rows, 37)
    assert [click.unstyle(line) for line in lines] == [
        "name  price  what",
        "ann     1.5  six words that fill two",
        "             lines",
        "bob      12",
    ]
    assert hidden == []
    assert [click.unstyle(line) for line in table_of(columns, rows, None)[0]][1].endswith("that fill two lines")


def test_wide_characters_take_two_places_and_nothing_speaks_to_the_terminal():
    columns = (Column("name", "name"), Column("text", "what", prose=True))
    rows = [
        {"name": "東京", "text": "red \x1b[31m\talert\r"},
        {"name": "bob", "text": "東京市場は休場です。再開は月曜日です。"},
    ]
    lines, _ = table_of(columns, rows, 30)
    assert [click.unstyle(line) for line in lines] == [
        "name  what",
        "東京  red  [31m alert ",
        "bob   東京市場は休場です。再開",
        "      は月曜日です。",
    ]
    assert table_of(columns, rows, None)[0][1] == "東京  red  [31m alert "


def test_columns_without_room_are_named_and_styles_mark_single_texts():
    named = Column("name", "name", style=lambda text: "bold red" if text == "bob" else "")
    columns = (named, Column("rest", "rest", 1))
    lines, hidden = table_of(columns, [{"name": "bob", "rest": "0123456789"}], 8)
    assert hidden == ["rest"]
    assert lines == [click.style("name", bold=True), click.style("bob", fg="red", bold=True)]


def test_a_heading_of_wide_characters_takes_its_places():
    lines, _ = table_of((Column("x", "円クロス", right=True), Column("y", "y")), [{"x": "1.5", "y": "2"}], None)
    assert [click.unstyle(line) for line in lines] == ["円クロス  y", "     1.5  2"]
