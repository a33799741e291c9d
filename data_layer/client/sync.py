"""The client for plain loops: workers and commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from atrader.bus import SyncCallClient
from atrader.configuration.home import Home
from atrader.market import Bars, Tick
from atrader.messages.data import (
    GetBars,
    GetPrices,
    GetReplay,
    ImportBars,
    ImportTicks,
    LastSeq,
    ListSeries,
    Price,
    QueryHistory,
    ReplayAnswer,
    SeriesInfo,
    Stored,
    SubscribeBars,
)
from atrader.messages.gateway import OutboxRow
from data_layer.client.requests import BULK_TIMEOUT_S, TIMEOUT_S, append_request, bars_of
from data_layer.frames import frames_of_bars, frames_of_ticks


class DataClient:
    """Asks the data layer, one call at a time; for one thread.

    Every method blocks until the answer or the time-out and may be repeated; each raises `DeadlineExceeded` when
    nobody answers in time, and whatever the data layer refuses with (`Rejected`, `ConfigError`, `StoreError`).

    Parameters
    ----------
    home : Home
        The installation.
    timeout_s, bulk_timeout_s : float
        How long small and large calls may take.
    """

    def __init__(self, home: Home, timeout_s: float = TIMEOUT_S, bulk_timeout_s: float = BULK_TIMEOUT_S) -> None:
        self._calls = SyncCallClient(home.endpoint("data.call"))
        self._bulk = SyncCallClient(home.endpoint("data.bulk"))
        self._timeout_s = timeout_s
        self._bulk_timeout_s = bulk_timeout_s

    def prices(self, instruments: Sequence[str] = ()) -> tuple[Price, ...]:
        """Return the last prices with their age (none named: of all instruments); those without one are missing."""
        prices: tuple[Price, ...] = self._calls.call(GetPrices(instruments=tuple(instruments)), self._timeout_s).prices
        return prices

    def bars(
        self,
        instrument: str,
        timeframe: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        count: int | None = None,
    ) -> tuple[Bars, int, int]:
        """Return complete bars with ``start_ns <= open_time < end_ns``, the last `count` of them.

        Returns
        -------
        tuple of (Bars, int, int)
            The bars (read-only arrays over the received bytes), and epoch and number in the stream of their topic:
            everything up to there is included.
        """
        request = GetBars(instrument=instrument, timeframe=timeframe, start_ns=start_ns, end_ns=end_ns, count=count)
        return bars_of(*self._bulk.call_frames(request, self._bulk_timeout_s))

    def subscribe_bars(self, instrument: str, timeframe: str) -> int:
        """Ask that bars of a timeframe be built and published; return the epoch of the stream."""
        request = SubscribeBars(instrument=instrument, timeframe=timeframe)
        return int(self._calls.call(request, self._timeout_s).epoch)

    def series(self) -> tuple[SeriesInfo, ...]:
        """Return what is stored."""
        series: tuple[SeriesInfo, ...] = self._calls.call(ListSeries(), self._timeout_s).series
        return series

    def import_bars(self, instrument: str, timeframe: str, source: str, bars: Bars) -> Stored:
        """Store bars; those with the same open time are replaced. In the store when this returns."""
        request = ImportBars(instrument=instrument, timeframe=timeframe, source=source)
        stored: Stored = self._calls.call_frames(request, self._bulk_timeout_s, frames_of_bars(bars))[0]
        return stored

    def import_ticks(self, instrument: str, source: str, ticks: Sequence[Tick]) -> Stored:
        """Store quotes of one instrument, in place of those of their period. In the store when this returns."""
        request = ImportTicks(instrument=instrument, source=source)
        stored: Stored = self._calls.call_frames(request, self._bulk_timeout_s, frames_of_ticks(ticks))[0]
        return stored

    def append_history(self, source: str, rows: Sequence[OutboxRow]) -> int:
        """Append rows of an outbox; return the last number of the source that is on disk (synced)."""
        return int(self._calls.call(append_request(source, rows), self._timeout_s).last_seq)

    def history(self, query: QueryHistory) -> list[dict[str, Any]]:
        """Return rows of the history, oldest first; money as text, times ns UTC."""
        return list(self._calls.call(query, self._bulk_timeout_s).rows)

    def last_seq(self, source: str) -> int:
        """Return how far an outbox is in the history."""
        return int(self._calls.call(LastSeq(source=source), self._timeout_s).last_seq)

    def replay(self) -> ReplayAnswer:
        """Return where the replay stands."""
        answer: ReplayAnswer = self._calls.call(GetReplay(), self._timeout_s)
        return answer

    def close(self) -> None:
        """Close the sockets."""
        self._calls.close()
        self._bulk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
