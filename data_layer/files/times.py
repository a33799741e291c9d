"""Times as text: one cell, or a whole column at once with the same result."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from atrader.clock import NS_PER_S
from atrader.errors import ConfigError
from data_layer.files.rows import RowError

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_YEARS: Final = (1678, 2261)  # what int64 nanoseconds can say, whole years
_PIVOT: Final = 50  # of years with two digits: 49 is 2049, 50 is 1950
_NUMBER_FIELDS: Final = ("Y", "y", "m", "d", "H", "M", "S")
_OFFSET: Final = r"(?:(?P<utc>Z|z|UTC|GMT)|(?P<sign>[+-])(?P<oh>\d\d):?(?P<om>\d\d)?)"


class Cells(NamedTuple):
    """A column of text (at least one cell): characters, and where each cell begins and ends in them."""

    characters: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def text(self, index: int) -> str:
        """Return one cell."""
        return self.characters[int(self.starts[index]) : int(self.ends[index])].tobytes().decode("ascii", "replace")

    def matrix(self, rows: NDArray[np.intp], width: int) -> NDArray[np.uint8]:
        """Return the characters of rows that are equally wide, a row each."""
        starts = self.starts[rows]
        if len(rows) == 1 or int(np.ptp(np.diff(starts))) == 0:  # evenly spaced, as they are in a column of their own
            step = int(starts[1] - starts[0]) if len(rows) > 1 else width
            whole = self.characters[int(starts[0]) :][: step * (len(rows) - 1) + width]
            view: NDArray[np.uint8] = as_strided(whole, (len(rows), width), (step, 1), writeable=False)
            return view
        picked: NDArray[np.uint8] = self.characters[starts[:, None] + np.arange(width)]
        return picked


class Column(NamedTuple):
    """Times of a column: ns, and whether they are UTC (see `data_layer.files.rows.Numbers`)."""

    time_ns: NDArray[np.int64]
    is_utc: NDArray[np.bool_]


class TimeForm:
    """A way to write times, as a regular expression with the groups Y y m d H M S f, utc, sign oh om.

    Parameters
    ----------
    name : str
        How people call it, for errors.
    expression : str
        Matches a whole cell.
    """

    def __init__(self, name: str, expression: str) -> None:
        self.name = name
        self._regex = re.compile(expression, re.ASCII)

    def read(self, text: str) -> tuple[int, bool]:
        """Return ns and whether they are UTC.

        Raises
        ------
        RowError
            When the text is something else or names a moment that no calendar has.
        """
        match = self._regex.fullmatch(text)
        if match is None:
            raise RowError(f"time {text!r} is no {self.name}", "time")
        found = match.groupdict()
        field = {name: int(found[name]) for name in _NUMBER_FIELDS if found.get(name)}
        hour, minute, second = (field.get(name, 0) for name in "HMS")
        year = _year(field)
        try:
            days = date(year, field["m"], field["d"]).toordinal() - _EPOCH_DAY if year is not None else 0
        except ValueError:
            raise RowError(f"time {text!r} is no day of the calendar", "time") from None
        if hour > 23 or minute > 59 or second > 59 or not _YEARS[0] <= (year or 1970) <= _YEARS[1]:
            raise RowError(f"time {text!r} is no time of a day, or not in the years {_YEARS[0]} to {_YEARS[1]}", "time")
        part_ns = int((found.get("f") or "").ljust(9, "0"))
        whole_s = days * 86_400 + hour * 3_600 + minute * 60 + second
        return (whole_s - _offset_s(found)) * NS_PER_S + part_ns, _names_zone(found)

    def read_all(self, cells: Cells) -> Column | None:
        """Read a whole column; None when any cell needs `read` to say what is wrong or to look closer."""
        widths = cells.ends - cells.starts
        time_ns, is_utc = np.empty(len(widths), np.int64), np.empty(len(widths), np.bool_)
        # A file has few different widths: the digits of the fraction, and hours without a leading zero.
        for width in np.unique(widths):
            rows = np.flatnonzero(widths == width)
            if width == 0:
                return None
            found = self._read_equal(cells.matrix(rows, int(width)), cells.text(int(rows[0])))
            if found is None:
                return None
            time_ns[rows], is_utc[rows] = found
        return Column(time_ns, is_utc)

    def _read_equal(self, matrix: NDArray[np.uint8], first: str) -> tuple[NDArray[np.int64], bool] | None:
        """Read cells of one width that are written like the first of them."""
        match = self._regex.fullmatch(first)
        if match is None:
            return None
        spans = {name: match.span(name) for name, text in match.groupdict().items() if text}
        digits = {name: span for name, span in spans.items() if name in (*_NUMBER_FIELDS, "f")}
        fixed = np.ones(matrix.shape[1], np.bool_)
        for start, end in digits.values():
            fixed[start:end] = False
        if not np.array_equal(matrix[:, fixed], np.broadcast_to(matrix[0, fixed], (len(matrix), int(fixed.sum())))):
            return None
        values = matrix - np.uint8(ord("0"))
        if (values[:, ~fixed] > 9).any():
            return None
        field = {name: _number(values, *span) for name, span in digits.items()}
        part_ns = field.pop("f", np.zeros(1, np.int64)) * 10 ** (9 - _length(digits.get("f", (0, 9))))
        seconds = _seconds(field, len(matrix))
        if seconds is None:
            return None
        found = match.groupdict()
        return (seconds - _offset_s(found)) * NS_PER_S + part_ns, _names_zone(found)


class EpochForm(TimeForm):
    """Counted since 1970 UTC in units of so many ns; without a unit the number of digits tells it."""

    def __init__(self, name: str, unit_ns: int | None = None) -> None:
        super().__init__(name, r"\d{1,19}")
        self._unit_ns = unit_ns

    def read(self, text: str) -> tuple[int, bool]:
        """Return ns; always UTC."""
        if self._regex.fullmatch(text) is None:
            raise RowError(f"time {text!r} is no {self.name}", "time")
        unit_ns = self._unit(len(text))
        if unit_ns is None or int(text) * unit_ns > 2**63 - 1:
            raise RowError(f"time {text!r} is no {self.name}", "time")
        return int(text) * unit_ns, True

    def read_all(self, cells: Cells) -> Column | None:
        """Read a whole column of equally many digits; None otherwise."""
        widths = cells.ends - cells.starts
        count, width = len(widths), int(widths[0])
        unit_ns = self._unit(width)
        if unit_ns is None or not 0 < width <= 19 or bool((widths != width).any()):
            return None
        values = cells.matrix(np.arange(count), width) - np.uint8(ord("0"))
        if (values > 9).any():
            return None
        if width > 18 and int(cells.text(int(np.argmax(values[:, 0])))[0]) == 9:
            return None  # may not fit; one by one
        number = _number(values, 0, width)
        if int(number.max()) * unit_ns > 2**63 - 1:
            return None
        return Column(number * unit_ns, np.ones(count, np.bool_))

    def _unit(self, digits: int) -> int | None:
        if self._unit_ns is not None:
            return self._unit_ns
        return 10 ** (19 - digits) if digits in (10, 13, 16, 19) else None


class _IsoOrEpoch(TimeForm):
    """What programs write: ISO 8601, or a count since 1970 of 10, 13, 16 or 19 digits (s, ms, us, ns)."""

    def read(self, text: str) -> tuple[int, bool]:
        return EPOCH.read(text) if EPOCH.is_like(text) else super().read(text)

    def read_all(self, cells: Cells) -> Column | None:
        return EPOCH.read_all(cells) if EPOCH.is_like(cells.text(0)) else super().read_all(cells)


class _EpochByDigits(EpochForm):
    def is_like(self, text: str) -> bool:
        """Whether the text is such a count."""
        return text.isdecimal() and text.isascii() and self._unit(len(text)) is not None


EPOCH: Final = _EpochByDigits("count of s, ms, us or ns since 1970")
ISO: Final = _IsoOrEpoch(
    "ISO date and time",
    rf"(?P<Y>\d{{4}})-(?P<m>\d\d)-(?P<d>\d\d)"
    rf"(?:[T ](?P<H>\d\d):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d{{1,9}}))?)? ?{_OFFSET}?)?",
)

_UNITS: Final[Mapping[str, int]] = {"s": NS_PER_S, "ms": 1_000_000, "us": 1_000, "ns": 1}
_DIRECTIVES: Final[Mapping[str, str]] = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d\d)",
    "f": r"(?P<f>\d{1,9})",
    "z": _OFFSET,
    "%": "%",
    **{name: rf"(?P<{name}>\d\d?)" for name in "mdHMS"},
}


def time_form(text: str) -> TimeForm:
    """Make a form of what people write: ``iso``, ``s``, ``ms``, ``us``, ``ns``, or like ``%d/%m/%Y %H:%M``.

    Raises
    ------
    ConfigError
        When it has another directive than %Y %y %m %d %H %M %S %f %z, one twice, or does not name the day.
    """
    if text == "iso":
        return ISO
    if text in _UNITS:
        return EpochForm(f"count of {text} since 1970", _UNITS[text])
    expression, used = [], []
    for piece in re.split(r"(%.)", text):
        if not piece.startswith("%") or len(piece) != 2:
            expression.append(re.escape(piece))
            continue
        if piece[1] not in _DIRECTIVES:
            raise ConfigError(f"time format {text!r}: {piece} is not known; use %Y %y %m %d %H %M %S %f %z")
        used.append(piece[1])
        expression.append(_DIRECTIVES[piece[1]])
    letters = set(used) - {"%"}
    if len(letters) != len([letter for letter in used if letter != "%"]):
        raise ConfigError(f"time format {text!r} has a directive twice")
    if not {"m", "d"} <= letters or len(letters & {"Y", "y"}) != 1:
        raise ConfigError(f"time format {text!r} must have year, month and day, e.g. %Y-%m-%d %H:%M:%S")
    return TimeForm(f"time like {text}", "".join(expression))


def _names_zone(found: Mapping[str, str | None]) -> bool:
    return bool(found.get("utc") or found.get("sign"))


def _offset_s(found: Mapping[str, str | None]) -> int:
    if not found.get("sign"):
        return 0
    size_s = int(found["oh"] or 0) * 3_600 + int(found.get("om") or 0) * 60
    return -size_s if found["sign"] == "-" else size_s


def _year(field: Mapping[str, int]) -> int | None:
    if "y" in field:
        return field["y"] + (2000 if field["y"] < _PIVOT else 1900)
    return field.get("Y")


def _length(span: tuple[int, int]) -> int:
    return span[1] - span[0]


def _number(digits: NDArray[np.uint8], start: int, end: int) -> NDArray[np.int64]:
    """Put the digits of each row together."""
    kind = np.int64 if end - start > 4 else np.int32
    total: NDArray[Any] = digits[:, start].astype(kind)
    for column in range(start + 1, end):
        total *= 10
        total += digits[:, column]
    return total.astype(np.int64, copy=False)


def _seconds(field: Mapping[str, NDArray[np.int64]], count: int) -> NDArray[np.int64] | None:
    """Return seconds since 1970 (without a day: since midnight); None when a field is out of its range."""
    total = np.zeros(count, np.int64)
    for name, limit, size_s in (("H", 23, 3_600), ("M", 59, 60), ("S", 59, 1)):
        if name in field:
            if int(field[name].max()) > limit:
                return None
            total += field[name] * size_s
    if "m" not in field:
        return total
    year = field.get("Y")
    if year is None:
        year = np.where(field["y"] < _PIVOT, field["y"] + 2000, field["y"] + 1900)
    month, day = field["m"], field["d"]
    if int(year.min()) < _YEARS[0] or int(year.max()) > _YEARS[1] or int(month.min()) < 1 or int(month.max()) > 12:
        return None
    # Rows of a file share few months: numpy's calendar is asked once for each.
    months, which = np.unique((year - 1970) * 12 + month - 1, return_inverse=True)
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - first
    if int(day.min()) < 1 or bool((day > length[which]).any()):
        return None
    total += (first[which] + day - 1) * 86_400
    return total
