"""What a check found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from atrader.clock import iso_from_ns

Kind = Literal["looks-ahead", "unfinished-bar", "history", "memory", "chance"]
"""It uses later bars; a longer bar that is not over; it depends on where its bars begin; on what a restarted worker
does not have; two runs over the same give different answers."""


class Finding(NamedTuple):
    """One thing that is wrong.

    Attributes
    ----------
    what : str
        A column of the signals, or the callback.
    bar_ns : int
        Open time, UTC, of the first bar at which it shows.
    bars : int
        How many of the bars that were looked at show it.
    text : str
        What differs there, and what to do about it.
    ahead : int or None
        How many later bars it takes at most, where that is what is wrong.
    """

    kind: Kind
    what: str
    bar_ns: int
    bars: int
    text: str
    ahead: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "kind": self.kind,
            "what": self.what,
            "bar": iso_from_ns(self.bar_ns),
            "bars": self.bars,
            "text": self.text,
            "ahead": self.ahead,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a check.

    Attributes
    ----------
    bars : int
        Decisions that were looked at.
    first_ns, last_ns : int
        Open times of the first and last of their bars, UTC.
    warmup_bars : int
        What the strategy asks for.
    warmup_needed : int or None
        After how many bars nothing differs by more than `TOLERANCE` from what much more of them give; None: not known,
        or no number is enough.
    findings : sequence of Finding
        Empty when everything is as it should be.
    """

    bars: int
    first_ns: int
    last_ns: int
    warmup_bars: int
    warmup_needed: int | None
    findings: Sequence[Finding]

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "passed": self.passed,
            "bars": self.bars,
            "first": iso_from_ns(self.first_ns),
            "last": iso_from_ns(self.last_ns),
            "warmup_bars": self.warmup_bars,
            "warmup_needed": self.warmup_needed,
            "findings": [finding.as_json() for finding in self.findings],
        }
