"""Charts of a search for parameters: what was chosen and earned, and how much of it luck would have found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from atrader.clock import NS_PER_S
from research.reports.axes import LEFT, framed, span
from research.reports.drawing import HALF, WIDTH, Cell, Drawing, Line, Rects, Segments, Shapes, Text
from research.reports.thinning import MOST_DOTS

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

MOST_GROUPS: Final = 16
"""Rows and columns of a heat map at most: more values of a parameter stand together."""
_HEIGHT: Final = 240.0
_TEXT_PX: Final = 34.0  # narrower cells have no text


def walk_chart(
    days_ns: Times, parts: Sequence[slice], chosen: Floats, recommended: Floats | None, begin_ns: int
) -> Drawing:
    """Draw what one unit of money became on the days that were judged on.

    Parameters
    ----------
    days_ns : ndarray of int64, shape (days,)
        Ends of all days.
    parts : sequence of slice
        Days that each window is judged on.
    chosen : ndarray of float64, shape (days judged on,)
        Returns of the set that was chosen before each window.
    recommended : ndarray of float64, same shape, optional
        Of the recommended set: it knows these days.
    begin_ns : int
        Where the first of these days begins.
    """
    times = np.concatenate([[begin_ns], *(days_ns[part] for part in parts)]) / NS_PER_S
    lines = [(np.cumprod(np.append(1.0, 1.0 + chosen)), "equity", "chosen before")]
    note = "what 1 became on days that were not chosen on; blue: the best set of each training, chosen before"
    if recommended is not None:
        lines.insert(0, (np.cumprod(np.append(1.0, 1.0 + recommended)), "hold", "recommended"))
        note += "; ochre: the recommended set, which was chosen with these days in sight"
    drawing = Drawing("Walk forward, out of sample", WIDTH, 260, note)
    low, high = (float(pick([pick(values) for values, _, _ in lines])) for pick in (np.min, np.max))
    frame = framed(drawing, (times[0], times[-1]), span(low, high))
    frame.draw_values(drawing)
    frame.draw_times(drawing)
    cuts = frame.x.px(np.array([days_ns[part.start] for part in parts[1:]], np.float64) / NS_PER_S)
    drawing.marks.append(
        Segments(cuts, np.full(len(cuts), frame.y.high_px), cuts, np.full(len(cuts), frame.y.low_px), "balance")
    )
    for values, style, key in lines:
        drawing.marks.append(Line(frame.x.px(times), frame.y.px(values), style, key))
    drawing.hover = frame.hover("")
    return drawing


def scatter_chart(before: Floats, after: Floats, best: Sequence[int]) -> Drawing:
    """Draw the Sharpe ratio of each set out of sample over that in sample; crosses: the first of the ranking."""
    every = -(-len(before) // MOST_DOTS)
    note = "right: in sample; up: out of it; line: as much out of sample as in it; crosses: the sets in the table"
    if every > 1:
        note += f"; one of {every} sets"
    drawing = Drawing("Sharpe ratio in and out of sample", HALF, _HEIGHT, note)
    x_span, y_span = (span(float(one.min()), float(one.max()), zero=True) for one in (before, after))
    frame = framed(drawing, x_span, y_span)
    frame.draw_values(drawing)
    frame.draw_values_across(drawing, "")
    ends = np.array([max(x_span[0], y_span[0]), min(x_span[1], y_span[1])])
    if ends[0] < ends[1]:
        drawing.marks.append(Line(frame.x.px(ends), frame.y.px(ends), "balance"))
    shown = np.argsort(before)[::every]
    for style, places in (("loss", shown[after[shown] <= 0]), ("win", shown[after[shown] > 0])):
        drawing.marks.append(Shapes(frame.x.px(before[places]), frame.y.px(after[places]), "dot", style))
    first = np.array(best, np.intp)
    drawing.marks.append(Shapes(frame.x.px(before[first]), frame.y.px(after[first]), "cross", "exit"))
    return drawing


def ratios_chart(ratios: Floats, luck: float | None, best: float) -> Drawing:
    """Draw how many sets had which Sharpe ratio, beside what luck finds in as many tries.

    Parameters
    ----------
    ratios : ndarray of float64, shape (n,)
        Annualised, of all days.
    luck : float, optional
        Expected largest of as many tries without any skill.
    best : float
        Of the first set of the ranking.
    """
    note = "how many sets, all days; ochre: the most that luck finds in as many tries; blue: the first of the ranking"
    drawing = Drawing("Sharpe ratios of all sets", HALF, _HEIGHT, note)
    marks = [best] if luck is None else [luck, best]
    low, high = span(float(min(ratios.min(), *marks)), float(max(ratios.max(), *marks)))
    edges = np.linspace(low, high, 41)
    counts, _ = np.histogram(ratios, edges)
    frame = framed(drawing, (low, high), span(0.0, float(counts.max()), zero=True))
    frame.draw_values(drawing)
    frame.draw_values_across(drawing, "")
    left, right = frame.x.px(edges[:-1]) + 0.5, frame.x.px(edges[1:]) - 0.5
    base = np.full(len(counts), frame.y.at(0.0))
    drawing.marks.append(Rects(left, right, frame.y.px(counts.astype(np.float64)), base, "range"))
    for value, style in zip(marks[::-1], ("equity", "hold"), strict=False):
        x = np.full(2, frame.x.at(value))
        drawing.marks.append(Line(x, np.array([frame.y.low_px, frame.y.high_px]), style))
    return drawing


def heat_chart(parameters: Sequence[Mapping[str, Any]], after: Floats) -> Drawing | None:
    """Draw the mean Sharpe ratio out of sample over the two parameters it differs most by; None when none varies."""
    columns = {name: _groups([one[name] for one in parameters]) for name in parameters[0]}
    varied = sorted(
        (name for name, (_, labels) in columns.items() if len(labels) > 1),
        key=lambda name: -_between(columns[name][0], after),
    )
    if not varied:
        return None
    down, across = (varied[0], varied[1]) if len(varied) > 1 else (None, varied[0])
    x, x_labels = columns[across]
    y, y_labels = columns[down] if down is not None else (np.zeros(len(after), np.intp), [""])
    sums, counts = np.zeros((len(y_labels), len(x_labels))), np.zeros((len(y_labels), len(x_labels)))
    np.add.at(sums, (y, x), after)
    np.add.at(counts, (y, x), 1)
    others = ", ".join(name for name in columns if name not in (down, across))
    note = f"mean Sharpe ratio out of sample; right: {across}" + ("" if down is None else f"; down: {down}")
    note += f"; over all {others}" if others else ""
    return _cells(note, sums, counts, x_labels, y_labels)


def _cells(note: str, sums: Floats, counts: Floats, x_labels: list[str], y_labels: list[str]) -> Drawing:
    row, top, left = 24.0, 20.0, LEFT + 30
    width = (WIDTH - left) / len(x_labels)
    drawing = Drawing("Sharpe ratio by parameters", WIDTH, top + row * len(y_labels), note)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    most = float(np.nanmax(np.abs(means))) or 1.0
    for number, label in enumerate(x_labels):
        drawing.marks.append(Text(left + (number + 0.5) * width, 12, label, anchor="middle"))
    for line, label in enumerate(y_labels):
        y = top + line * row
        drawing.marks.append(Text(left - 8, y + row / 2 + 4, label, anchor="end"))
        for number, mean in enumerate(means[line].tolist()):
            if mean == mean:  # nothing was tried there otherwise
                text = f"{mean:.2f}" if width >= _TEXT_PX else ""
                drawing.cells.append(Cell(left + number * width, y, width - 2, row - 2, mean / most, text))
    return drawing


def _groups(values: Sequence[Any]) -> tuple[NDArray[np.intp], list[str]]:
    """Return to which group of neighbouring values each belongs, and what the groups are called."""
    texts = [str(value) for value in values]
    is_number = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    distinct = sorted(set(values)) if is_number else sorted(set(texts))
    of = {value: at for at, value in enumerate(distinct)}
    place = np.array([of[value] for value in (values if is_number else texts)], np.intp)
    if len(distinct) <= MOST_GROUPS or not is_number:
        return np.minimum(place, MOST_GROUPS - 1), _labels(distinct)
    group = place * MOST_GROUPS // len(distinct)
    firsts = [distinct[-(-at * len(distinct) // MOST_GROUPS)] for at in range(MOST_GROUPS)]
    return group, [f"{first:.4g}+" for first in firsts]


def _labels(distinct: Sequence[Any]) -> list[str]:
    texts = [f"{value:.6g}" if isinstance(value, float) else str(value) for value in distinct]
    return texts if len(texts) <= MOST_GROUPS else [*texts[: MOST_GROUPS - 1], "others"]


def _between(groups: NDArray[np.intp], values: Floats) -> float:
    """Return how much of the spread of values lies between groups."""
    counts = np.bincount(groups)
    means = np.bincount(groups, values)[counts > 0] / counts[counts > 0]
    return float((counts[counts > 0] * (means - values.mean()) ** 2).sum())
