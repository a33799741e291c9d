"""The synthetic market in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, Clock
from atrader.configuration.fleet import SyntheticMarket
from atrader.instruments import Instrument
from atrader.market import Tick
from data_layer.feeds.feed import MarketSink, MarketSource
from data_layer.feeds.synthetic_prices import SyntheticPrices

_LONGEST_SLEEP_S = 0.5
_LONGEST_CATCH_UP_NS = 5 * NS_PER_S  # after a pause the market goes on from now; it does not invent what was missed


class SyntheticFeed:
    """Quotes of `SyntheticPrices` when they are due; goes on from the last stored prices.

    Parameters
    ----------
    settings : SyntheticMarket
        Seed, rate, volatility, opening hours.
    instruments : tuple of Instrument
        What is quoted.
    calendar_of : callable
        Gives the calendar of a symbol.
    clock : Clock
        The host's, never backwards.
    """

    name = "synthetic"
    timeframe: str | None = None
    is_replay = False

    def __init__(
        self,
        settings: SyntheticMarket,
        instruments: tuple[Instrument, ...],
        calendar_of: Callable[[str], Calendar],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._calendars = {item.symbol: calendar_of(item.symbol) for item in instruments}
        self._clock = clock
        self._sink: MarketSink | None = None
        self._last_mids: dict[str, float] = {}

    def prepare(self, sink: MarketSink, source: MarketSource) -> None:
        """Remember where prices stood."""
        self._sink = sink
        for instrument in self._instruments:
            last = source.last_tick(instrument.symbol)
            if last is not None:
                self._last_mids[instrument.symbol] = last.mid

    async def run(self) -> None:
        """Quote until cancelled."""
        assert self._sink is not None
        prices = self._prices_from_now()
        while True:
            now_ns = self._clock.now_ns()
            if prices.next_ns < now_ns - _LONGEST_CATCH_UP_NS:
                prices = self._prices_from_now()  # the host slept, or its clock was set
            due = [tick for tick in prices.until(now_ns) if self._is_open(tick)]
            if due:
                self._last_mids.update((tick.instrument, tick.mid) for tick in due)
                received_ns = self._clock.now_ns()  # they exist from here on: making them up is no latency
                self._sink.ticks([tick._replace(received_ns=received_ns) for tick in due])
            wait_s = (prices.next_ns - self._clock.now_ns()) / NS_PER_S
            await asyncio.sleep(min(max(wait_s, 0.0), _LONGEST_SLEEP_S))

    def _prices_from_now(self) -> SyntheticPrices:
        return SyntheticPrices(self._settings, self._instruments, self._clock.now_ns(), self._last_mids)

    def _is_open(self, tick: Tick) -> bool:
        return self._settings.always_open or self._calendars[tick.instrument].is_open(tick.time_ns)
