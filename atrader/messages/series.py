"""What is said of stored series: what there is, what is missing, what was stored.

Apart from the other calls of the data layer: whoever only reads the store says these, and need not build forty more.
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from atrader.wire import Answer, Request


class SeriesInfo(BaseModel):
    """One stored series."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: str
    timeframe: str
    source: str
    count: int
    first_ns: int
    last_ns: int


class MissingBars(BaseModel):
    """Bars in a row that the calendar expects, that nobody stored, and of which no source said that they do not exist.

    ``first_ns`` and ``last_ns`` are open times; ``timeframe`` is that of the stored bars, which others are built from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeframe: str
    first_ns: int
    last_ns: int
    count: int


class CoverageAnswer(Answer):
    """Whether a period is whole. ``gaps`` holds the first of them, oldest first; ``missing`` counts all bars."""

    start_ns: int
    end_ns: int
    missing: int
    gaps: tuple[MissingBars, ...]


class GetCoverage(Request):
    """Ask ``data.bulk`` what is missing of what the bars of a period are built from.

    The period is ``[start_ns, end_ns)``, by default from the first stored bar to the last that is complete; with
    ``count`` it begins with the last so many bars (or as many as the calendar expects in their place).
    """

    kind: ClassVar[str] = "data.coverage"
    answer: ClassVar[type[Answer]] = CoverageAnswer
    instrument: str
    timeframe: str
    start_ns: int | None = None
    end_ns: int | None = None
    count: int | None = None


class Stored(Answer):
    """How many rows came, how many of them were new, and how many took the place of others with other values.

    ``changed`` holds the first open time that is not as it was, and a time after the last one.
    """

    rows: int
    new: int
    revised: int = 0
    changed: tuple[int, int] | None = None
