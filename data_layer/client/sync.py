"""The client for plain loops: workers and commands."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

from atrader.bus import SyncCallClient
from atrader.configuration.home import Home
from atrader.market import Bars, Tick
from atrader.messages.data import (
    FindSharedPrices,
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
from data_layer.client.address import DataAddress
from data_layer.client.requests import BULK_TIMEOUT_S, TIMEOUT_S, append_request, bars_of, last_price_of
from data_layer.frames import frames_of_bars, frames_of_ticks
from data_layer.shared import LastPrice, NotShared, PriceReader


class DataClient:
    """Asks the data layer, one call at a time; for one thread.

    Every method blocks until the answer or the time-out and may be repeated; each raises `DeadlineExceeded` when
    nobody answers in time, and whatever the data layer refuses with (`Rejected`, `ConfigError`, `StoreError`).

    Parameters
    ----------
    where : Home or DataAddress
        The installation on this host, or an address (`DataAddress.of_url` for another host).
    timeout_s, bulk_timeout_s : float
        How long small and large calls may take.
    """

    def __init__(
        self, where: Home | DataAddress, timeout_s: float = TIMEOUT_S, bulk_timeout_s: float = BULK_TIMEOUT_S
    ) -> None:
        self.address = DataAddress.of_home(where) if isinstance(where, Home) else where
        self._calls = SyncCallClient(self.address.call, curve=self.address.curve)
        self._bulk = SyncCallClient(self.address.bulk, curve=self.address.curve)
        self._last = PriceReader() if self.address.is_local else None
        self._timeout_s = timeout_s
        self._bulk_timeout_s = bulk_timeout_s

    def prices(self, instruments: Sequence[str] = ()) -> tuple[Price, ...]:
        """Return the last prices with their age (none named: of all instruments); those without one are missing."""
        prices: tuple[Price, ...] = self._calls.call(GetPrices(instruments=tuple(instruments)), self._timeout_s).prices
        return prices

    def last_price(self, instrument: str) -> LastPrice | None:
        """Return the last price of an instrument with its age; None when there is none.

        On the data layer's host it is read from shared memory in about a microsecond; when that cannot answer, and
        from other hosts, it is a call.
        """
        if self._last is not None:
            try:
                return self._last.read(instrument)
            except NotShared:
                pass
        return self._ask_last_price(instrument)

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

    def _ask_last_price(self, instrument: str) -> LastPrice | None:
        """Map the table of prices if there is one and it is time to; else ask for the price."""
        if self._last is not None and self._last.wants_table:
            self._last.attach(self._calls.call(FindSharedPrices(), self._timeout_s))
            with suppress(NotShared):
                return self._last.read(instrument)
        prices = self.prices((instrument,))
        return last_price_of(prices[0]) if prices else None

    def close(self) -> None:
        """Close the sockets and let go of shared memory; arrays that were returned stay as they are."""
        if self._last is not None:
            self._last.close()
        self._calls.close()
        self._bulk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
