"""What reading a file yields before it is judged: numbers, times, and the rows that were not taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["bars", "quotes"]

Reason = Literal[
    "row",
    "time",
    "number",
    "price",
    "no bar",
    "crossed quote",
    "clock change",
    "repeated",
    "superseded",
    "no partner",
    "other instrument",
    "damaged file",
]
"""Why a row was not taken, in one word or two for the summary; `BadRow.reason` says it of the row."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not taken, and why.

    Attributes
    ----------
    file : str
        The file; inside an archive ``ARCHIVE/MEMBER``.
    line : int
        Line of a text file (the header counts), else number of the row from 1 on.
    reason : str
        What is wrong, for people.
    kind : str
        The same in a word, to count by.
    """

    file: str
    line: int
    reason: str
    kind: Reason

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class RowError(ValueError):
    """Raised when one row cannot be used; the reader turns it into a `BadRow`."""

    def __init__(self, reason: str, kind: Reason) -> None:
        super().__init__(reason)
        self.kind: Reason = kind


@dataclass(frozen=True, slots=True)
class Numbers:
    """Rows whose cells could be read, in the order of the file.

    Attributes
    ----------
    line : ndarray of int64, shape (n,)
        Where each row stands.
    time_ns : ndarray of int64, shape (n,)
        UTC where `is_utc`, else what the clock on the wall showed, as if it were UTC.
    is_utc : ndarray of bool, shape (n,)
        Whether the time named its zone.
    values : mapping of str to ndarray of float64 (``received_ns``: int64), shape (n,)
        The other columns by our names for them.
    """

    line: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    is_utc: NDArray[np.bool_]
    values: Mapping[str, NDArray[np.generic]]

    def __len__(self) -> int:
        return len(self.line)

    def take(self, where: NDArray[np.generic] | slice) -> Numbers:
        """Return some of the rows: a mask, indices or a slice."""
        values = {name: column[where] for name, column in self.values.items()}
        return Numbers(self.line[where], self.time_ns[where], self.is_utc[where], values)


def joined(parts: list[Numbers]) -> Numbers:
    """Put rows of one file together again."""
    if len(parts) == 1:
        return parts[0]
    values = {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values}
    return Numbers(
        np.concatenate([part.line for part in parts]),
        np.concatenate([part.time_ns for part in parts]),
        np.concatenate([part.is_utc for part in parts]),
        values,
    )
