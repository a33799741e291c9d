"""Drawings as SVG that stands inside a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from research.reports.drawing import (
    CROSS_ARM,
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

Floats = NDArray[np.float64]

_TENTHS = 10  # coordinates are whole tenths of a pixel: small, and finer than a screen


def svg(drawing: Drawing) -> str:
    """Write a drawing. Colours come from the page: each style is a class."""
    parts = [
        f'<svg viewBox="0 0 {drawing.width:g} {drawing.height:g}" role="img" aria-label="{escape(drawing.title)}"'
        f"{_hover(drawing)}>"
    ]
    parts += map(_cell, drawing.cells)
    texts = [mark for mark in drawing.marks if isinstance(mark, Text)]
    parts.append(f'<g transform="scale({1 / _TENTHS:g})">')
    parts += (_mark(mark) for mark in drawing.marks if not isinstance(mark, Text) and len(mark[0]))
    parts.append("</g>")
    parts += map(_text, texts)
    parts.append("</svg>")
    return "".join(parts)


def _hover(drawing: Drawing) -> str:
    if drawing.hover is None:
        return ""
    numbers = ",".join(f"{value:.10g}" for value in drawing.hover[:-1])
    return f' class="live" data-at="{numbers}" data-unit="{escape(drawing.hover.unit)}"'


def _text(text: Text) -> str:
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    size = "" if text.size == Text._field_defaults["size"] else f' font-size="{text.size}"'
    return f'<text x="{text.x:.5g}" y="{text.y:.5g}" class="{text.style}"{anchor}{size}>{escape(text.text)}</text>'


def _cell(cell: Cell) -> str:
    style, opacity = ("win" if cell.share > 0 else "loss"), min(abs(cell.share), 1) * 0.75
    x, y = cell.x + cell.width / 2, cell.y + cell.height / 2 + 4
    return (
        f'<rect x="{cell.x:g}" y="{cell.y:g}" width="{cell.width:g}" height="{cell.height:g}" class="{style}"'
        f' fill-opacity="{opacity:.2f}"/><text x="{x:g}" y="{y:g}" class="text" text-anchor="middle">'
        f"{escape(cell.text)}</text>"
    )


def _mark(mark: Mark) -> str:
    if isinstance(mark, Line):
        key = f' data-key="{escape(mark.key)}"' if mark.key else ""
        return f'<path class="{mark.style}"{key} d="{_path(mark.x, mark.y)}"/>'
    if isinstance(mark, Area):
        x, y = np.concatenate([mark.x, mark.x[::-1]]), np.concatenate([mark.upper, mark.lower[::-1]])
        return f'<path class="{mark.style}" d="{_path(x, y)}z"/>'
    if isinstance(mark, Segments):
        lines = _segments(mark)
        if mark.tips:
            pairs = zip(lines, mark.tips, strict=True)
            return "".join(
                f'<path class="{mark.style} tip" d="{line}"><title>{escape(tip)}</title></path>' for line, tip in pairs
            )
        return _joined(mark.style, lines)
    if isinstance(mark, Rects):
        return _joined(mark.style, _rects(mark))
    assert isinstance(mark, Shapes)
    return _joined(f"{mark.style} dots" if mark.kind == "dot" else mark.style, _shapes(mark))


def _joined(style: str, pieces: Iterable[str]) -> str:
    return f'<path class="{style}" d="{"".join(pieces)}"/>'


def _whole(values: Floats) -> list[int]:
    found: list[int] = np.rint(np.nan_to_num(values) * _TENTHS).astype(np.int64).tolist()
    return found


def _path(x: Floats, y: Floats) -> str:
    """Return a path through points in steps from one to the next; points that fall together are one."""
    across, down = _whole(x), _whole(y)
    at = (across[0], down[0])
    steps = [f"M{at[0]} {at[1]}l"]
    for point in zip(across[1:], down[1:], strict=True):
        if point != at:
            steps.append(_pair(point[0] - at[0], point[1] - at[1]))
            at = point
    return "".join(steps)


def _pair(x: int, y: int) -> str:
    """Return two numbers of a path: a minus parts numbers by itself."""
    return f"{' ' if x >= 0 else ''}{x}{' ' if y >= 0 else ''}{y}"


def _segments(mark: Segments) -> list[str]:
    points = zip(_whole(mark.x0), _whole(mark.y0), _whole(mark.x1), _whole(mark.y1), strict=True)
    return [f"M{x0} {y0}l{x1 - x0} {y1 - y0}" for x0, y0, x1, y1 in points]


def _rects(mark: Rects) -> list[str]:
    corners = zip(_whole(mark.x0), _whole(mark.y0), _whole(mark.x1), _whole(mark.y1), strict=True)
    return [f"M{x0} {y0}H{x1}V{y1}H{x0}z" for x0, y0, x1, y1 in corners if y0 != y1]


def _shapes(mark: Shapes) -> list[str]:
    points = dict.fromkeys(zip(_whole(mark.x), _whole(mark.y), strict=True))
    if mark.kind == "dot":
        return [f"M{x} {y}h0" for x, y in points]
    if mark.kind == "cross":
        arm = round(CROSS_ARM * _TENTHS)
        return [f"M{x - arm} {y - arm}l{2 * arm} {2 * arm}m0 {-2 * arm}l{-2 * arm} {2 * arm}" for x, y in points]
    outline = _outline(shape_points(mark.kind))
    return [f"M{x} {y}{outline}" for x, y in points]


def _outline(corners: Sequence[tuple[float, float]]) -> str:
    whole = [(round(x * _TENTHS), round(y * _TENTHS)) for x, y in corners]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(whole)]
    return f"m{whole[0][0]} {whole[0][1]}l" + "".join(_pair(x, y) for x, y in steps) + "z"
