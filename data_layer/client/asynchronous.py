"""The client for asyncio: gateways and the manager."""

from __future__ import annotations

from contextlib import suppress
from typing import Self, TypeVar

from atrader.bus import CallClient
from atrader.bus.questions import Question, awaited
from atrader.configuration.home import Home
from atrader.messages.data import FindSharedPrices
from data_layer.client import questions
from data_layer.client.address import DataAddress
from data_layer.client.requests import BULK_TIMEOUT_S, TIMEOUT_S, last_price_of
from data_layer.shared import LastPrice, NotShared, PriceReader

T = TypeVar("T")


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

    prices = awaited(questions.prices)
    bars = awaited(questions.bars)
    ticks = awaited(questions.ticks)
    subscribe_bars = awaited(questions.subscribe_bars)
    series = awaited(questions.series)
    import_bars = awaited(questions.import_bars)
    import_ticks = awaited(questions.import_ticks)
    append_history = awaited(questions.append_history)
    history = awaited(questions.history)
    statistics = awaited(questions.statistics)
    last_seq = awaited(questions.last_seq)
    replay = awaited(questions.replay)

    async def ask(self, question: Question[T]) -> T:
        """Ask one of `data_layer.client.questions`; what their methods above do."""
        calls = self._bulk if question.is_large else self._calls
        limit_s = self._bulk_timeout_s if question.is_slow else self._timeout_s
        answer = await calls.call_frames(question.request, question.timeout_s or limit_s, question.frames)
        return question.read(*answer)

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
