"""A report is one file that fetches nothing, whatever a strategy says; the picture shows the same drawings."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atrader.clock import parse_time
from atrader.errors import ConfigError
from research.reports import Saved, load
from research.reports.axes import LEFT, RIGHT
from research.reports.charts import MARKED_TRADES, price_chart, recent_chart
from research.reports.drawing import HALF, STYLES, Drawing, Line, Rects, Segments, Shapes, Text
from research.reports.page import LISTED_TRADES, page
from research.reports.page_style import style_sheet
from research.reports.picture import picture
from research.reports.saved import DETAILS
from research.reports.svg import svg
from research.reports.trade_charts import distribution_chart, excursion_chart, hours_chart, weekdays_chart
from research.reports.trades import Places, Trades, columns_of
from tests.support.event_runs import random_bars
from tests.support.saved_results import save_cross

VOID = {"meta", "link", "br"}


class Checked(HTMLParser):
    """Holds what tags a page has, and fails where one is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(text: str) -> Checked:
    checked = Checked()
    checked.feed(text)
    assert not checked.open
    return checked


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    return save_cross(tmp_path_factory.mktemp("results"), random_bars(3, 2500, 1.1, 1e-5))


def crowded(saved: Saved, folder: Path, count: int) -> Saved:
    """Return a result of many trades, with reasons and names as a hostile strategy would give them."""
    copy = folder / "crowded-0001"
    copy.mkdir()
    details, summary = saved.details(), dict(saved.summary)
    trades = [one for one in saved.trades() if one["state"] == "closed"]
    reasons = (f"<script>alert({number % 40})</script> & co" for number in range(count))
    rows = [{**trades[number % len(trades)], "close_reason": reason} for number, reason in enumerate(reasons)]
    details["trades"] = columns_of(rows)
    (copy / DETAILS).write_text(json.dumps(details))
    summary["warnings"] = [{"code": "refused", "text": '"><img src=x onerror=alert(1)>'}]
    summary["months"] = [
        {"month": f"{2000 + month // 12}-{month % 12 + 1:02}", "return_frac": (-1) ** month * 0.01}
        for month in range(240)
    ]
    return Saved(copy, summary)


def test_a_report_fetches_nothing(saved: Saved) -> None:
    checked = parsed(page(saved))
    policy = next(values["content"] for tag, values in checked.seen if "http-equiv" in values)
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    leading = [values[key] for _, values in checked.seen for key in ("src", "href", "action") if key in values]
    assert leading == ["data:,"]
    assert not re.search(r"https?:|url\(|@import|fetch\(", page(saved))


def test_a_report_shows_every_chart_and_what_ran(saved: Saved) -> None:
    text = parsed(page(saved)).text
    charts = ("Equity, USD", "Drawdown", "Exposure", "Months", "Results of trades", "MAE", "MFE", "Exits by reason")
    for heading in (*charts, "By hour of the open", "EUR/USD, whole period", "Deepest drawdowns", "Trades"):
        assert heading in text
    for key in ("data_sha256", "identity_sha256", "convention", "program"):
        assert saved.summary[key] in text
    for warning in saved.summary["warnings"]:
        assert warning["text"] in text
    assert "slow = 9" in text
    assert "sha256" in text


def test_every_coordinate_is_a_number_and_inside_its_drawing(saved: Saved) -> None:
    found = re.findall(r'<svg viewBox="0 0 ([\d.]+) ([\d.]+)".*?</svg>', page(saved), re.S)
    assert len(found) >= 10
    for drawing in re.findall(r"<svg .*?</svg>", page(saved), re.S):
        width, height = (float(value) for value in re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)[0])
        assert not re.search("nan|inf", drawing)
        for x, y in re.findall(r"M(-?\d+) (-?\d+)", drawing):
            assert -1 <= int(x) / 10 <= width + 1
            assert -1 <= int(y) / 10 <= height + 1


def test_a_printed_page_cuts_no_column_off_and_names_the_columns_on_each_sheet(saved: Saved) -> None:
    text = page(saved)
    printed = text[text.index("@media print{") :]
    assert ".scroll{overflow:visible}.wide svg{min-width:0}" in printed
    assert ".scroll td{white-space:normal}" in printed
    assert text.count("<thead>") == text.count("<tbody>") == text.count("<table>") > 2


def test_an_average_price_in_the_list_has_one_digit_more_than_its_instrument(saved: Saved, tmp_path: Path) -> None:
    result = crowded(saved, tmp_path, 3)
    details = result.details()
    details["trades"]["close_price"][1] = "1.0912345678901234567"
    (result.folder / DETAILS).write_text(json.dumps(details))
    text = parsed(page(Saved(result.folder, result.summary))).text
    assert "1.091235" in text
    assert "1.0912345" not in text


def test_what_a_strategy_says_cannot_become_part_of_the_page(saved: Saved, tmp_path: Path) -> None:
    text = page(crowded(saved, tmp_path, 50))
    checked = parsed(text)
    assert [tag for tag, _ in checked.seen if tag in ("script", "img")] == ["script"]
    assert "<script>alert(3)</script> & co" in checked.text
    assert not any(key.startswith("on") for _, values in checked.seen for key in values)


def test_a_report_of_twenty_thousand_trades_stays_small(saved: Saved, tmp_path: Path) -> None:
    text = page(crowded(saved, tmp_path, 20_000))
    assert len(text.encode()) <= 250_000
    assert f"the latest {LISTED_TRADES} of 20,000" in text
    assert "20,000 trades, too many to mark" in text


def told(saved: Saved) -> tuple[Trades, Places]:
    trades = Trades.of(saved.details()["trades"])
    return trades, np.arange(len(trades))


def test_trades_are_drawn_where_prices_and_times_say(saved: Saved) -> None:
    prices, trades = saved.details()["prices"]["EUR/USD"], saved.trades()
    assert 10 < len(trades) <= MARKED_TRADES
    drawing = price_chart("EUR/USD", prices, *told(saved))
    line = next(mark for mark in drawing.marks if isinstance(mark, Line))
    opens = [mark for mark in drawing.marks if isinstance(mark, Shapes) and mark.kind in ("up", "down")]
    assert sum(len(mark.x) for mark in opens) == len(trades)
    buys = [trade for trade in trades if trade["side"] == "buy"]
    hover = drawing.hover
    assert hover is not None
    for x, y, trade in zip(opens[0].x, opens[0].y, buys, strict=True):
        share = (x - hover.left) / (hover.right - hover.left)
        time_s = hover.first_s + share * (hover.last_s - hover.first_s)
        assert time_s == pytest.approx(trade["open_time_ns"] / 1e9, abs=1e-3)
        price = hover.low + (hover.bottom - y) / (hover.bottom - hover.top) * (hover.high - hover.low)
        assert price == pytest.approx(float(trade["open_price"]))
    assert len(line.x) >= 480


def test_recent_trades_are_told_one_by_one(saved: Saved) -> None:
    drawn, trades = saved.details(), saved.trades()
    marks = recent_chart("EUR/USD", drawn["prices"]["EUR/USD"], *told(saved)).marks
    tips = [tip for mark in marks if isinstance(mark, Segments) for tip in mark.tips]
    assert len(tips) == min(len(trades), 40)
    last = trades[-1]
    assert any(f"{last['side']} {last['units']} at {last['open_price']}" in tip for tip in tips)


def test_a_histogram_counts_every_trade_that_brought_something_once() -> None:
    drawing = distribution_chart(np.array([-30.0, -0.01, 0.0, 0.01, 12.0, 12.5, 44.0]), "USD")
    bars = [mark for mark in drawing.marks if isinstance(mark, Rects)]
    heights = {mark.style: (mark.y1 - mark.y0).sum() for mark in bars}
    assert heights["loss"] / heights["win"] == pytest.approx(2 / 4)
    assert drawing.note.endswith("1 brought nothing, and are left out")
    assert all(np.all(mark.x0 >= 0) and np.all(mark.x1 <= HALF) for mark in bars)


@pytest.mark.parametrize("net", [[-5.0], [0.0], [0.0, 0.0], [3.0, -3.0]])
def test_a_histogram_of_few_trades_counts_in_whole_trades(net: list[float]) -> None:
    drawing = distribution_chart(np.array(net), "USD")
    labels = [mark.text for mark in drawing.marks if isinstance(mark, Text) and mark.anchor == "end"]
    assert labels
    assert all(float(label).is_integer() and "." not in label for label in labels)


def test_moves_of_a_trade_that_never_went_its_way_begin_at_zero() -> None:
    trade = {
        "side": "buy",
        "open_price": 1.0,
        "close_price": 0.99,
        "favourable_frac": 0.0,
        "state": "closed",
        "profit": -1.0,
        "commission": 0.0,
        "swap": 0.0,
    }
    drawing = excursion_chart(Trades.of({key: [value] for key, value in trade.items()}), "favourable_frac", "MFE", "")
    assert drawing is not None
    across = [mark.text for mark in drawing.marks if isinstance(mark, Text) and mark.anchor == "middle"]
    assert across
    assert not any(text.startswith("-") for text in across)


def test_results_are_summed_by_the_hour_and_weekday_of_the_open() -> None:
    opened = np.array(
        [parse_time(f"2024-03-{day}T{hour}:59:00Z") for day, hour in (("05", "07"), ("05", "07"), ("10", "23"))]
    )
    net = np.array([5.0, -2.0, -4.0])
    for chart, places in ((hours_chart, (7, 23)), (weekdays_chart, (1, 6))):
        drawing = chart(opened, net, "USD")
        won, lost = (mark for mark in drawing.marks if isinstance(mark, Rects))
        slots = 24 if chart is hours_chart else 7
        slot = (HALF - LEFT - RIGHT) / slots
        assert [int((mark.x0[0] - LEFT) // slot) for mark in (won, lost)] == list(places)
        assert (won.y1 - won.y0)[0] / (lost.y0 - lost.y1)[0] == pytest.approx(3 / 4)


def test_paths_go_from_point_to_point() -> None:
    drawing = Drawing("one", 10, 10)
    drawing.marks.append(Line(np.array([0.0, 1.0, 1.001, 2.5]), np.array([5.0, 4.0, 4.001, 7.26]), "equity"))
    assert 'd="M0 50l 10-10 15 33"' in svg(drawing)


def test_every_style_is_told_apart_on_both_papers() -> None:
    text = style_sheet()
    for name in STYLES:
        assert len(re.findall(rf"svg \.{name}\{{", text)) == 2


def test_charts_beside_each_other_are_never_wider_than_a_narrow_window() -> None:
    """Columns of a grid with a width of their own would make the whole page scroll sideways."""
    assert re.findall(r"minmax\((.*?),1fr\)", style_sheet()) == ["min(380px,100%)"]


def test_a_picture_shows_the_drawings(saved: Saved) -> None:
    image = Image.open(BytesIO(picture(saved)))
    assert image.format == "PNG"
    assert image.width == 2016
    assert image.height > 1500
    colours = {colour for _, colour in image.getcolors(1 << 20) or []}
    for style in ("equity", "fall", "win", "loss", "price"):
        red, green, blue = (int(STYLES[style].light[place : place + 2], 16) for place in (1, 3, 5))
        assert (red, green, blue) in colours, style


def test_a_picture_without_pillow_says_what_to_install(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ConfigError, match=re.escape("pip install 'atrader-platform[png]'")):
        picture(load(saved.folder))
