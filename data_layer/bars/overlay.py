"""Stored bars, followed by the newest ones that the store could not take (its disk is full)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from atrader.market import Bars
from atrader.messages.series import SeriesInfo
from data_layer.bars.library import BarReader
from data_layer.store.ranges import TimeRange


class Overlay:
    """A `BarReader` that puts newer base bars over stored ones.

    Attributes
    ----------
    waiting : mapping of str to Bars
        Base bars by instrument, later than what is stored or equal to it.
    """

    def __init__(self, reader: BarReader, timeframe: str) -> None:
        self._reader = reader
        self._timeframe = timeframe
        self.waiting: Mapping[str, Bars] = {}

    def series(self, instrument: str | None = None) -> list[SeriesInfo]:
        """List the stored series; those with waiting bars reach as far as these."""
        stored = {(one.instrument, one.timeframe): one for one in self._reader.series(instrument)}
        for symbol, bars in self.waiting.items():
            if instrument in (None, symbol) and len(bars):
                key = (symbol, self._timeframe)
                first_ns, last_ns = int(bars.open_time_ns[0]), int(bars.open_time_ns[-1])
                old = stored.get(key)
                if old is None:
                    stored[key] = SeriesInfo(
                        instrument=symbol,
                        timeframe=self._timeframe,
                        source="memory",
                        count=len(bars),
                        first_ns=first_ns,
                        last_ns=last_ns,
                    )
                else:
                    new = len(_after(bars, old.last_ns))
                    stored[key] = old.model_copy(
                        update={"count": old.count + new, "last_ns": max(old.last_ns, last_ns)}
                    )
        return list(stored.values())

    def bars(self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        """Return the bars of exactly this timeframe with ``start_ns <= open_time < end_ns``."""
        stored = self._reader.bars(instrument, timeframe, start_ns, end_ns)
        waiting = self.waiting.get(instrument)
        if waiting is None or timeframe != self._timeframe:
            return stored
        first = 0 if start_ns is None else int(np.searchsorted(waiting.open_time_ns, start_ns))
        last = len(waiting) if end_ns is None else int(np.searchsorted(waiting.open_time_ns, end_ns))
        fresh = waiting[first:last]
        if len(stored):
            fresh = _after(fresh, int(stored.open_time_ns[-1]))
        return stored.append(fresh) if len(fresh) else stored

    def answered(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[TimeRange]:
        """Return the ranges that a source has told everything about, oldest first."""
        return self._reader.answered(instrument, timeframe, start_ns, end_ns)


def _after(bars: Bars, time_ns: int) -> Bars:
    return bars[int(np.searchsorted(bars.open_time_ns, time_ns, side="right")) :]
