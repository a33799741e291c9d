"""Ranges of time with a source each, none overlapping: a newer one is painted over older ones. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class TimeRange(NamedTuple):
    """``[start_ns, end_ns)`` of one series, UTC, and who is responsible for it."""

    start_ns: int
    end_ns: int
    source: str


def painted(around: Sequence[TimeRange], new: TimeRange, *, over_holes: bool) -> list[TimeRange]:
    """Return what is left of old ranges, and a new one over them, oldest first.

    Parameters
    ----------
    around : sequence of TimeRange
        All that overlap the new one or touch it, and with `over_holes` the next one on either side too.
    new : TimeRange
        Not empty.
    over_holes : bool
        Whether two ranges of one source become one when nothing but a hole is between them; else they must touch.
    """
    parts = [new]
    for old in around:
        parts += [
            part
            for part in (
                old._replace(end_ns=min(old.end_ns, new.start_ns)),
                old._replace(start_ns=max(old.start_ns, new.end_ns)),
            )
            if part.start_ns < part.end_ns
        ]
    merged: list[TimeRange] = []
    for part in sorted(parts):
        last = merged[-1] if merged else None
        if last is not None and last.source == part.source and (over_holes or last.end_ns == part.start_ns):
            merged[-1] = last._replace(end_ns=part.end_ns)
        else:
            merged.append(part)
    return merged


def spans(ranges: Sequence[TimeRange], start_ns: int, end_ns: int) -> list[tuple[int, int]]:
    """Return the times in ``[start_ns, end_ns)`` that ranges (oldest first) cover, whoever is responsible."""
    found: list[tuple[int, int]] = []
    for one in ranges:
        first_ns, last_ns = max(one.start_ns, start_ns), min(one.end_ns, end_ns)
        if first_ns >= last_ns:
            continue
        if found and found[-1][1] >= first_ns:
            found[-1] = (found[-1][0], max(found[-1][1], last_ns))
        else:
            found.append((first_ns, last_ns))
    return found
