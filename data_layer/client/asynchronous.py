"""The client for asyncio: gateways and the manager."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Self

from atrader.bus import CallClient
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


class AsyncDataClient:
    """Asks the data layer from asyncio; any number of calls may be in flight.

    Every method waits for the answer or the time-out and may be repeated; each raises `DeadlineExceeded` when
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
        self._calls = CallClient(self.address.call, curve=self.address.curve)
        self._bulk = CallClient(self.address.bulk, curve=self.address.curve)
        self._last = PriceReader() if self.address.is_local else None
        self._timeout_s = timeout_s
        self._bulk_timeout_s = bulk_timeout_s

    async def prices(self, instruments: Sequence[str] = ()) -> tuple[Price, ...]:
        """Return the last prices with their age (none named: of all instruments); those without one are missing."""
        answer = await self._calls.call(GetPrices(instruments=tuple(instruments)), self._timeout_s)
        prices: tuple[Price, ...] = answer.prices
        return prices

    async def last_price(self, instrument: str) -> LastPrice | None:
        """Return the last price of an instrument with its age; None when there is none.

        On the data layer's host it is read from shared memory in about a microsecond; when that cannot answer, and
        from other hosts, it is a call.
        """
        if self._last is not None:
            try:
                return self._last.read(instrument)
            except NotShared:
                pass
        return await self._ask_last_price(instrument)

    async def bars(
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
        return bars_of(*await self._bulk.call_frames(request, self._bulk_timeout_s))

    async def subscribe_bars(self, instrument: str, timeframe: str) -> int:
        """Ask that bars of a timeframe be built and published; return the epoch of the stream."""
        request = SubscribeBars(instrument=instrument, timeframe=timeframe)
        return int((await self._calls.call(request, self._timeout_s)).epoch)

    async def series(self) -> tuple[SeriesInfo, ...]:
        """Return what is stored."""
        series: tuple[SeriesInfo, ...] = (await self._calls.call(ListSeries(), self._timeout_s)).series
        return series

    async def import_bars(self, instrument: str, timeframe: str, source: str, bars: Bars) -> Stored:
        """Store bars; those with the same open time are replaced. In the store when this returns."""
        request = ImportBars(instrument=instrument, timeframe=timeframe, source=source)
        stored: Stored = (await self._calls.call_frames(request, self._bulk_timeout_s, frames_of_bars(bars)))[0]
        return stored

    async def import_ticks(self, instrument: str, source: str, ticks: Sequence[Tick]) -> Stored:
        """Store quotes of one instrument, in place of those of their period. In the store when this returns."""
        request = ImportTicks(instrument=instrument, source=source)
        stored: Stored = (await self._calls.call_frames(request, self._bulk_timeout_s, frames_of_ticks(ticks)))[0]
        return stored

    async def append_history(self, source: str, rows: Sequence[OutboxRow]) -> int:
        """Append rows of an outbox; return the last number of the source that is on disk (synced)."""
        return int((await self._calls.call(append_request(source, rows), self._timeout_s)).last_seq)

    async def history(self, query: QueryHistory) -> list[dict[str, Any]]:
        """Return rows of the history, oldest first; money as text, times ns UTC."""
        return list((await self._calls.call(query, self._bulk_timeout_s)).rows)

    async def last_seq(self, source: str) -> int:
        """Return how far an outbox is in the history."""
        return int((await self._calls.call(LastSeq(source=source), self._timeout_s)).last_seq)

    async def replay(self) -> ReplayAnswer:
        """Return where the replay stands."""
        answer: ReplayAnswer = await self._calls.call(GetReplay(), self._timeout_s)
        return answer

    async def _ask_last_price(self, instrument: str) -> LastPrice | None:
        """Map the table of prices if there is one and it is time to; else ask for the price."""
        if self._last is not None and self._last.wants_table:
            self._last.attach(await self._calls.call(FindSharedPrices(), self._timeout_s))
            with suppress(NotShared):
                return self._last.read(instrument)
        prices = await self.prices((instrument,))
        return last_price_of(prices[0]) if prices else None

    async def close(self) -> None:
        """Close the sockets and let go of shared memory; arrays that were returned stay as they are."""
        if self._last is not None:
            self._last.close()
        await self._calls.close()
        await self._bulk.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
