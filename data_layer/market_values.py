"""What the live market hands on: complete bars, and what a query has to know."""

from __future__ import annotations

from typing import NamedTuple

from atrader.market import Bar, Bars


class Completed(NamedTuple):
    """Base bars of one instrument that are complete, and the time up to which all are."""

    instrument: str
    bars: tuple[Bar, ...]
    horizon_ns: int


class Snapshot(NamedTuple):
    """What a query for bars has to know, taken in one moment.

    Attributes
    ----------
    epoch, seq : int
        Place in the stream of the topic: everything up to there is in the answer.
    horizon_ns : int
        Bars that ended by then are complete and published.
    waiting : Bars
        Published base bars that are in no store.
    revision : int
        Grows when stored bars are replaced.
    """

    epoch: int
    seq: int
    horizon_ns: int
    waiting: Bars
    revision: int
