"""Values to pixels: scales, and the round numbers and times at which they are labelled."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from research.reports.drawing import Drawing, Hover, Segments, Text

Floats = NDArray[np.float64]

LEFT, RIGHT, TOP, BOTTOM = 62.0, 20.0, 8.0, 20.0
"""Pixels round the plot, for labels."""

_LABEL_PX: Final = 34.0  # of height for each label
_TIME_LABEL_PX: Final = 95.0
_VALUE_LABEL_PX: Final = 70.0
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_STEPS_S: Final = (
    *(n * _MINUTE_S for n in (1, 2, 5, 10, 15, 30)), *(n * _HOUR_S for n in (1, 2, 3, 6, 12)), _DAY_S, 2 * _DAY_S,
    7 * _DAY_S, 14 * _DAY_S,
)  # fmt: skip
_MONTH_STEPS: Final = (1, 2, 3, 6, 12, 24, 60, 120)
_MONTH_S: Final = 30.4 * _DAY_S


class Scale(NamedTuple):
    """A straight way from values to pixels."""

    low: float
    high: float
    low_px: float
    high_px: float

    def px(self, values: Floats) -> Floats:
        """Return the pixels of values."""
        found: Floats = self.low_px + (values - self.low) * ((self.high_px - self.low_px) / (self.high - self.low))
        return found

    def at(self, value: float) -> float:
        """Return the pixel of one value."""
        return float(self.px(np.float64(value)))  # type: ignore[arg-type]


def span(low: float, high: float, *, zero: bool = False) -> tuple[float, float]:
    """Return limits a little wider than the values, never equal; with `zero` it is between them."""
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low) * 0.04 or abs(high) * 0.01 or 1.0
    at_zero = zero and low < high  # an axis may end there, if it does not begin there too
    return (low if at_zero and low == 0 else low - room), (high if at_zero and high == 0 else high + room)


def round_values(low: float, high: float, most: int) -> list[float]:
    """Return at most about so many round numbers between two."""
    raw = (high - low) / max(most, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def value_texts(values: list[float], unit: str = "") -> list[str]:
    """Write numbers with the digits that tell them apart; unit ``%`` takes shares."""
    if unit == "%":
        values = [value * 100 for value in values]
    step = min((abs(b - a) for a, b in pairwise(values)), default=1.0)
    digits = next((digits for digits in range(12) if abs(round(step, digits) - step) < step * 1e-6), 12)
    return [f"{value + 0.0:,.{digits}f}{unit}" for value in values]


def round_times(first_s: float, last_s: float, most: int) -> list[tuple[float, str]]:
    """Return at most about so many round UTC times, with their labels."""
    raw = (last_s - first_s) / max(most, 1)
    step_s = next((step for step in _STEPS_S if step >= raw), None)
    if step_s is None:
        return _round_months(first_s, last_s, raw)
    offset_s = 4 * _DAY_S if step_s >= 7 * _DAY_S else 0  # 1970 began on a Thursday, weeks begin on Monday
    first = math.ceil((first_s - offset_s) / step_s) * step_s + offset_s
    times = [first + number * step_s for number in range(int((last_s - first) // step_s) + 1)]
    return [(time_s, _time_text(time_s, step_s)) for time_s in times]


def _round_months(first_s: float, last_s: float, raw_s: float) -> list[tuple[float, str]]:
    step = next((step for step in _MONTH_STEPS if step * _MONTH_S >= raw_s), _MONTH_STEPS[-1])
    begin = _moment(first_s)
    month = -(-(begin.year * 12 + begin.month - 1) // step) * step
    found: list[tuple[float, str]] = []
    while (time_s := datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()) <= last_s:
        if time_s >= first_s:
            found.append((time_s, f"{_moment(time_s):{'%Y' if step >= 12 else '%b %Y'}}"))
        month += step
    return found


def _time_text(time_s: float, step_s: int) -> str:
    moment = _moment(time_s)
    if step_s >= _DAY_S or (moment.hour, moment.minute) == (0, 0):
        return f"{moment.day} {moment:%b}"
    return f"{moment:%H:%M}"


def _moment(time_s: float) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=time_s)


class Frame(NamedTuple):
    """The plot of a drawing."""

    x: Scale
    y: Scale

    def draw_values(self, drawing: Drawing, unit: str = "") -> None:
        """Draw lines and labels at round values of y."""
        values = round_values(self.y.low, self.y.high, int(abs(self.y.high_px - self.y.low_px) / _LABEL_PX) + 1)
        lines = self.y.px(np.array(values))
        for style, chosen in (("grid", lines), ("zero", lines[np.array(values) == 0])):
            left, right = np.full(len(chosen), self.x.low_px), np.full(len(chosen), self.x.high_px)
            drawing.marks.append(Segments(left, chosen, right, chosen, style))
        for text, line in zip(value_texts(values, unit), lines.tolist(), strict=True):
            drawing.marks.append(Text(self.x.low_px - 6, line + 4, text, anchor="end"))

    def draw_values_across(self, drawing: Drawing, unit: str) -> None:
        """Draw lines and labels at round values of x."""
        values = round_values(self.x.low, self.x.high, int((self.x.high_px - self.x.low_px) / _VALUE_LABEL_PX))
        self._draw_across(drawing, zip(values, value_texts(values, unit), strict=True))

    def draw_times(self, drawing: Drawing) -> None:
        """Draw lines and labels at round times."""
        most = int((self.x.high_px - self.x.low_px) / _TIME_LABEL_PX)
        self._draw_across(drawing, round_times(self.x.low, self.x.high, most))

    def _draw_across(self, drawing: Drawing, ticks: Iterable[tuple[float, str]]) -> None:
        known = list(ticks)
        places = self.x.px(np.array([value for value, _ in known]))
        top, bottom = np.full(len(places), self.y.high_px), np.full(len(places), self.y.low_px)
        drawing.marks.append(Segments(places, top, places, bottom, "grid"))
        for (_, text), place in zip(known, places.tolist(), strict=True):
            drawing.marks.append(Text(place, self.y.low_px + 14, text, anchor="middle"))

    def hover(self, unit: str) -> Hover:
        """Return what a pointer needs over a plot with a time line."""
        return Hover(
            self.x.low_px, self.x.high_px, self.y.high_px, self.y.low_px, self.x.low, self.x.high, self.y.low,
            self.y.high, unit,
        )  # fmt: skip


def framed(drawing: Drawing, x: tuple[float, float], y: tuple[float, float]) -> Frame:
    """Lay the plot of a drawing out for values; a single moment gets some room."""
    return Frame(
        Scale(x[0], x[1] if x[1] > x[0] else x[0] + 1, LEFT, drawing.width - RIGHT),
        Scale(*y, drawing.height - BOTTOM, TOP),
    )
