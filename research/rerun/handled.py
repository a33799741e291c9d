"""The order in which a worker handled quotes and bars, as a time line: a busy one decides a bar after a later quote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from atrader.market import Quotes
from atrader.runtime.session_file import PassedOver
from research.events.tape import QuoteTape

Times = NDArray[np.int64]


class HandledTape(QuoteTape):
    """Quotes each by itself, at the moment in which it was handled.

    Parameters
    ----------
    symbol : str
        The instrument.
    quotes : Quotes
        In the order in which they were handled.
    moments : ndarray of int64, shape (n,)
        When, market time, UTC ns; strictly increasing.
    """

    def __init__(self, symbol: str, quotes: Quotes, moments: Times) -> None:
        self.symbol = symbol
        straight = quotes.bid <= quotes.ask
        self.quotes = quotes.where(straight)
        self.end_ns = moments[straight]
        self._firsts = np.arange(len(self.end_ns))
        self._ends = self._firsts + 1
        self.bid_low = self.bid_high = self.quotes.bid
        self.ask_low = self.ask_high = self.quotes.ask


def moments(places: Times, times: Times, ends: Sequence[int]) -> tuple[Times, Times]:
    """Put quotes and decisions on one time line: each at its own time, but none before what was handled before it.

    Parameters
    ----------
    places : ndarray of int64, shape (n,)
        How many decisions had begun before each quote; never falls.
    times : ndarray of int64, shape (n,)
        Of the quotes, UTC ns.
    ends : sequence of int, length m
        Of the bars that were decided, in that order, UTC ns.

    Returns
    -------
    quoted : ndarray of int64, shape (n,)
        Moments of the quotes, strictly increasing together with those of the decisions.
    decided : ndarray of int64, shape (m,)
        Moments of the decisions.
    """
    decisions = np.arange(len(ends))
    keys = np.concatenate((2 * np.asarray(places, np.int64), 2 * decisions + 1))
    order = np.argsort(keys, kind="stable")
    nominal = np.concatenate((times, np.asarray(ends, np.int64)))[order]
    count = np.arange(len(nominal))
    line = np.empty(len(nominal), np.int64)
    line[order] = np.maximum.accumulate(nominal - count) + count
    return line[: len(times)], line[len(times) :]


def places_among(times: Times, last_quotes: Sequence[int]) -> Times:
    """Return how many decisions had begun before each quote was handled.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        Of the quotes, never falling, UTC ns.
    last_quotes : sequence of int
        Time of the last quote that was handled before each decision.
    """
    return np.maximum.accumulate(np.array(last_quotes, np.int64)).searchsorted(times)


def handled_quotes(quotes: Quotes, passed_over: Iterable[PassedOver]) -> Quotes:
    """Leave out the quotes that a busy worker passed over."""
    times, kept = quotes.time_ns, np.ones(len(quotes.time_ns), bool)
    for one in passed_over:
        kept[times.searchsorted(one.after_ns, side="right") : times.searchsorted(one.before_ns)] = False
    return quotes.where(kept)
