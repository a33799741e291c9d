"""What a reader of old files has to say about a line that it did not simply take over."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What became of a line or key of an old file."""

    CONVERTED = "converted"
    CHANGED = "changed"  # taken over, and something is different now
    NO_COUNTERPART = "no-counterpart"
    UNKNOWN = "unknown"
    OLD_DEFECT = "old-defect"  # the old program did something else with it than its user believed
    PROBLEM = "problem"  # could not be taken over; the value is in the message or still in the old file
    TO_DO = "to-do"  # something only the user can do


class Finding(NamedTuple):
    """One remark about an old file.

    Attributes
    ----------
    kind : Kind
        What became of it.
    file : str
        The old file.
    line : int
        Counted from 1; 0 when it is about the file as a whole.
    key : str
        Name of the key, where there is one.
    text : str
        What happened and why, for the user.
    remedy : str
        What the user can do about it; empty when nothing has to be done.
    """

    kind: Kind
    file: str
    line: int
    key: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return ``file:line: key: text; remedy``."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        key = f"{self.key}: " if self.key else ""
        return f"{where}: {key}{self.text}" + (f"; {self.remedy}" if self.remedy else "")


class Notes:
    """Collects what there is to say about one section of a file.

    Parameters
    ----------
    file : str
        The file.
    line : int
        Where the section begins.
    section : str
        Its name.
    """

    def __init__(self, file: str, line: int, section: str) -> None:
        self._file = file
        self._line = line
        self._section = section
        self.found: list[Finding] = []

    def add(self, kind: Kind, key: str, text: str, remedy: str = "") -> None:
        """Note something about a key of the section, or with no key about the section."""
        where = f"{self._section}.{key}" if key else f"[{self._section}]"
        self.found.append(Finding(kind, self._file, self._line, where, text, remedy))
