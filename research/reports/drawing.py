"""A drawing: marks in pixels, the origin at the upper left. What a page and a picture are painted from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


WIDTH: Final = 960.0
"""Of a chart over the whole page, pixels."""
HALF: Final = (WIDTH - 20) / 2
"""Of charts of which two stand beside each other."""


class Style(NamedTuple):
    """How marks of a name look.

    Attributes
    ----------
    light, dark : str
        Colour on a light and on a dark page, ``#rrggbb``.
    width : float
        Of lines, pixels; 0 fills.
    opacity : float
        1 covers what lies below.
    """

    light: str
    dark: str
    width: float = 0.0
    opacity: float = 1.0


STYLES: Final = {
    "grid": Style("#e4e7eb", "#2b323b", 1.0),
    "zero": Style("#9aa3ae", "#6b7480", 1.0),
    "equity": Style("#1f5fbf", "#6ea8ff", 1.5),
    "balance": Style("#9aa3ae", "#7b8593", 1.0),
    "hold": Style("#b7791f", "#d9a441", 1.0),
    "fall": Style("#c0392b", "#ff7b6b", 1.0),
    "fall-area": Style("#c0392b", "#ff7b6b", 0.0, 0.22),
    "long": Style("#1f7a5c", "#4cc79a", 0.0, 0.75),
    "short": Style("#b0622a", "#e79a5b", 0.0, 0.75),
    "entry-long": Style("#1f7a5c", "#4cc79a"),
    "entry-short": Style("#b0622a", "#e79a5b"),
    "exit": Style("#3d4650", "#c3cad3", 1.4),
    "win": Style("#1a7f37", "#57c878"),
    "loss": Style("#c0392b", "#ff7b6b"),
    "win-line": Style("#1a7f37", "#57c878", 1.4),
    "loss-line": Style("#c0392b", "#ff7b6b", 1.4),
    "price": Style("#3d4650", "#c3cad3", 1.0),
    "range": Style("#8a94a0", "#7b8593", 0.0, 0.3),
    "text": Style("#1b1f24", "#e6e9ed"),
    "label": Style("#5d6874", "#9aa5b1"),
}
"""By name; the colours of win and loss differ in lightness too, for eyes that do not tell red from green."""


class Line(NamedTuple):
    """A line through points."""

    x: Floats
    y: Floats
    style: str
    key: str = ""
    """Name under which a page reads its values below the pointer; empty: it does not."""


class Area(NamedTuple):
    """What lies between two lines over the same points."""

    x: Floats
    upper: Floats
    lower: Floats
    style: str


class Rects(NamedTuple):
    """Filled rectangles."""

    x0: Floats
    x1: Floats
    y0: Floats
    y1: Floats
    style: str


class Segments(NamedTuple):
    """Straight lines; each with a text to show below the pointer, if there are any."""

    x0: Floats
    y0: Floats
    x1: Floats
    y1: Floats
    style: str
    tips: Sequence[str] = ()


class Shapes(NamedTuple):
    """Small marks at points."""

    x: Floats
    y: Floats
    kind: Literal["dot", "up", "down", "cross"]
    style: str


class Text(NamedTuple):
    """A line of text; ``y`` is that of its base."""

    x: float
    y: float
    text: str
    style: str = "label"
    anchor: Literal["start", "middle", "end"] = "start"
    size: int = 11


Mark = Line | Area | Rects | Segments | Shapes | Text


class Cell(NamedTuple):
    """A rectangle of its own colour between red and green, with a text."""

    x: float
    y: float
    width: float
    height: float
    share: float
    """-1 the reddest, 1 the greenest."""
    text: str


@dataclass(slots=True)
class Drawing:
    """Marks on a sheet.

    Attributes
    ----------
    title : str
        What it shows: heading, and text for those who do not see it.
    note : str
        A sentence below the heading, if any.
    cells : list of Cell
        Below the marks.
    """

    title: str
    width: float
    height: float
    note: str = ""
    marks: list[Mark] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    hover: Hover | None = None


class Hover(NamedTuple):
    """How pixels become values again: for a pointer over a page."""

    left: float
    right: float
    top: float
    bottom: float
    first_s: float
    last_s: float
    low: float
    high: float
    unit: str


def shape_points(kind: str) -> Sequence[tuple[float, float]]:
    """Return the corners of a shape about its point."""
    return {"up": ((0, -5), (4.5, 4), (-4.5, 4)), "down": ((0, 5), (4.5, -4), (-4.5, -4))}[kind]


DOT_RADIUS: Final = 2.0
CROSS_ARM: Final = 3.5
