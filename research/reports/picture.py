"""A saved result as one PNG file, painted from the same drawings as the page. Needs the extra ``png``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from atrader.extras import imported
from research.reports.charts import drawdown_chart, equity_chart, exposure_chart, recent_chart
from research.reports.drawing import (
    CROSS_ARM,
    DOT_RADIUS,
    STYLES,
    WIDTH,
    Area,
    Cell,
    Drawing,
    Line,
    Mark,
    Rects,
    Segments,
    Shapes,
    Text,
    shape_points,
)
from research.reports.figures import headline, period_text, strategies_text
from research.reports.saved import Saved
from research.reports.trade_charts import distribution_chart, excursion_chart, months_chart
from research.reports.trades import Trades

Floats = NDArray[np.float64]

_SCALE: Final = 2  # pixels of the picture for one of a drawing: sharp on a screen of today
_FINER: Final = 2  # painted larger and reduced: Pillow draws lines without smoothing
_MARGIN: Final = 24.0
_HEADING: Final = 24.0
_PAPER: Final = (255, 255, 255)


def picture(saved: Saved) -> bytes:
    """Paint the charts of a saved result below its figures.

    Returns
    -------
    bytes
        A PNG file.

    Raises
    ------
    ConfigError
        When Pillow is not installed.
    StoreError
        When the details of the result cannot be read.
    """
    sheet = _sheet(saved)
    height = max(top + drawing.height for drawing, _, top in sheet) + _MARGIN
    painter = _Painter(WIDTH + 2 * _MARGIN, height)
    _paint_head(painter, saved)
    for drawing, left, top in sheet:
        painter.paint(drawing, left, top)
    return painter.png()


def _sheet(saved: Saved) -> list[tuple[Drawing, float, float]]:
    """Return the drawings with the place of their upper left corners."""
    placed: list[tuple[Drawing, float, float]] = []
    top = _MARGIN + 100.0
    for row in _rows(saved.summary, saved.details()):
        left = _MARGIN
        for drawing in row:
            placed.append((drawing, left, top + _HEADING))
            left += drawing.width + 20
        top += _HEADING + max(drawing.height for drawing in row) + 10
    return placed


def _rows(summary: Mapping[str, Any], drawn: Mapping[str, Any]) -> Iterator[Sequence[Drawing]]:
    yield [equity_chart(summary, drawn)]
    yield [drawdown_chart(drawn)]
    yield [exposure_chart(drawn)]
    yield [months_chart(summary["months"])]
    trades = Trades.of(drawn["trades"])
    if len(trades.closed):
        against = excursion_chart(trades, "adverse_frac", "MAE", "")
        results = distribution_chart(trades.net[trades.closed], summary["account"]["currency"])
        yield [results, *([against] if against else [])]
    for symbol, places in list(trades.by("instrument", np.arange(len(trades))).items())[:1]:
        yield [recent_chart(symbol, drawn["prices"][symbol], trades, places)]


def _paint_head(painter: _Painter, saved: Saved) -> None:
    summary = saved.summary
    painter.text(Text(_MARGIN, _MARGIN + 18, saved.name, "text", size=20), 0, 0)
    painter.text(Text(_MARGIN, _MARGIN + 36, f"{strategies_text(summary)}, {period_text(summary)}"), 0, 0)
    figures = headline(summary)
    width = WIDTH / len(figures)
    for number, (name, text) in enumerate(figures):
        painter.text(Text(_MARGIN + number * width, _MARGIN + 68, text, "text", size=17), 0, 0)
        painter.text(Text(_MARGIN + number * width, _MARGIN + 84, name), 0, 0)


class _Painter:
    """Paints drawings on a sheet.

    Parameters
    ----------
    width, height : float
        Of the sheet, in pixels of a drawing.
    """

    def __init__(self, width: float, height: float) -> None:
        what = "PNG files need Pillow"
        image = imported("PIL.Image", "png", what)
        self._fonts: ModuleType = imported("PIL.ImageFont", "png", what)
        self._scale = _SCALE * _FINER
        size = (round(width * self._scale), round(height * self._scale))
        self._image = image.new("RGB", size, _PAPER)
        self._draw = imported("PIL.ImageDraw", "png", what).Draw(self._image, "RGBA")
        self._sizes: dict[int, Any] = {}

    def paint(self, drawing: Drawing, left: float, top: float) -> None:
        """Paint a drawing and its title above it."""
        self.text(Text(0, -10, drawing.title, "text", size=14), left, top)
        for cell in drawing.cells:
            self._cell(cell, left, top)
        for mark in drawing.marks:
            if isinstance(mark, Text):
                self.text(mark, left, top)
            else:
                self._mark(mark, left, top)

    def png(self) -> bytes:
        """Return the sheet as a file."""
        file = BytesIO()
        self._image.reduce(_FINER).save(file, "PNG")
        return file.getvalue()

    def text(self, text: Text, left: float, top: float) -> None:
        """Write a line of text."""
        place = ((left + text.x) * self._scale, (top + text.y) * self._scale)
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[text.anchor]
        self._draw.text(place, text.text, _colour(text.style), self._font(text.size), anchor)

    def _font(self, size: int) -> Any:
        if size not in self._sizes:
            self._sizes[size] = self._fonts.load_default(size * self._scale)  # it comes with Pillow
        return self._sizes[size]

    def _cell(self, cell: Cell, left: float, top: float) -> None:
        style, opacity = ("win" if cell.share > 0 else "loss"), min(abs(cell.share), 1) * 0.75
        x, y = left + cell.x, top + cell.y
        box = [value * self._scale for value in (x, y, x + cell.width, y + cell.height)]
        self._draw.rectangle(box, _colour(style, opacity))
        self.text(Text(x + cell.width / 2, y + cell.height / 2 + 4, cell.text, "text", "middle"), 0, 0)

    def _mark(self, mark: Mark, left: float, top: float) -> None:
        if isinstance(mark, Line):
            self._line(self._points(mark.x, mark.y, left, top), mark.style)
        elif isinstance(mark, Area):
            x, y = np.concatenate([mark.x, mark.x[::-1]]), np.concatenate([mark.upper, mark.lower[::-1]])
            self._draw.polygon(self._points(x, y, left, top), _colour(mark.style))
        elif isinstance(mark, Segments):
            begins, ends = self._points(mark.x0, mark.y0, left, top), self._points(mark.x1, mark.y1, left, top)
            for begin, end in zip(begins, ends, strict=True):
                self._line([begin, end], mark.style)
        elif isinstance(mark, Rects):
            corners = self._points(mark.x0, mark.y0, left, top), self._points(mark.x1, mark.y1, left, top)
            for (x0, y0), (x1, y1) in zip(*corners, strict=True):
                self._draw.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), _colour(mark.style))
        elif isinstance(mark, Shapes):
            for point in self._points(mark.x, mark.y, left, top):
                self._shape(mark, point)

    def _shape(self, mark: Shapes, point: tuple[float, float]) -> None:
        x, y = point
        if mark.kind == "dot":
            reach = DOT_RADIUS * self._scale
            self._draw.ellipse((x - reach, y - reach, x + reach, y + reach), _colour(mark.style))
        elif mark.kind == "cross":
            arm = CROSS_ARM * self._scale
            self._line([(x - arm, y - arm), (x + arm, y + arm)], mark.style)
            self._line([(x - arm, y + arm), (x + arm, y - arm)], mark.style)
        else:
            corners = [(x + dx * self._scale, y + dy * self._scale) for dx, dy in shape_points(mark.kind)]
            self._draw.polygon(corners, _colour(mark.style))

    def _points(self, x: Floats, y: Floats, left: float, top: float) -> list[tuple[float, float]]:
        across, down = ((x + left) * self._scale).tolist(), ((y + top) * self._scale).tolist()
        return list(zip(across, down, strict=True))

    def _line(self, points: Sequence[tuple[float, float]], style: str) -> None:
        width = max(1, round(STYLES[style].width * self._scale))
        self._draw.line(points, _colour(style), width, joint="curve")


def _colour(name: str, opacity: float | None = None) -> tuple[int, int, int, int]:
    style = STYLES[name]
    red, green, blue = (int(style.light[place : place + 2], 16) for place in (1, 3, 5))
    return red, green, blue, round(255 * (style.opacity if opacity is None else opacity))
