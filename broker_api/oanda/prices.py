"""Prices of OANDA: its stream, requests in place of it while it is refused, and candles."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, Clock
from atrader.configuration.oanda import OandaSettings
from atrader.errors import Rejected, Retryable
from atrader.market import Tick
from atrader.timeframes import Timeframe
from broker_api.gateway.budget import Budget, Priority
from broker_api.health import StreamHealth
from broker_api.oanda.candles import page_of, query_of
from broker_api.oanda.rest import OandaRest, account_path
from broker_api.oanda.stream_watch import StreamWatch
from broker_api.oanda.transport import Transport
from broker_api.oanda.values import name_of, symbol_of, time_ns
from broker_api.prices import CandlePage, VenuePrice

_POLL_S: Final = 1.0
_POLLS: Final = 60  # until the stream is tried again
_FAILED_STREAMS: Final = 3  # in a row, before prices are asked for instead
_SKEW_NS: Final = 300 * NS_PER_S


class OandaPrices:
    """A `PriceSource` of one account at OANDA.

    Prices of the stream are samples: at most four a second of each instrument, and another connection sees others. A
    stream that fails three times in a row without a line is replaced by a request each second, for a minute.

    Parameters
    ----------
    transport : Transport
        Of the gateway.
    settings : OandaSettings
        Name the account.
    budget : Budget
        Of the account: for prices that are asked for. A page of candles is paid by who asks for it.
    silence_s : callable
        Returns how long the stream may be silent now, seconds.
    clock : Clock
        The host's.

    Attributes
    ----------
    counters : Counter of str
        ``lines heartbeats unreadable refused polls``.
    newest : dict of str to Tick
        The last price of each instrument that was quoted.
    """

    def __init__(
        self,
        transport: Transport,
        settings: OandaSettings,
        budget: Budget,
        silence_s: Callable[[], float],
        clock: Clock,
    ) -> None:
        self._transport = transport
        self._rest = OandaRest(transport, settings)
        self._path = account_path(settings.account_id) + "/pricing/stream"
        self._budget = budget
        self._silence_s = silence_s
        self._clock = clock
        self._watch = StreamWatch("prices", Rejected, clock)
        self._wanted = False
        self._failed = 0
        self._behind_ns = 0
        self.counters: Counter[str] = Counter()
        self.newest: dict[str, Tick] = {}

    async def prices(self, instruments: Collection[str]) -> AsyncGenerator[Sequence[VenuePrice], None]:
        """Yield what is quoted from now on; see `PriceSource.prices`."""
        names = ",".join(sorted(map(name_of, instruments)))
        self._wanted = True
        try:
            try:
                async with aclosing(self._stream(names)) as stream:
                    async for prices in stream:
                        yield prices
            except (Rejected, Retryable):
                self._failed += 1
                if self._failed < _FAILED_STREAMS:
                    raise
            finally:
                self._watch.connected = False
            self.counters["refused"] += 1
            async with aclosing(self._poll(names)) as polled:
                async for prices in polled:
                    yield prices
        except (GeneratorExit, asyncio.CancelledError):  # nobody listens any more
            self._wanted = False
            raise

    async def candles(
        self, instrument: str, timeframe: Timeframe, calendar: Calendar, start_ns: int, end_ns: int
    ) -> CandlePage:
        """Fetch the bars with ``start_ns <= open_time < end_ns``; see `PriceSource.candles`."""
        query = query_of(timeframe, calendar, start_ns, end_ns)
        try:
            body = await self._rest.get(f"/instruments/{name_of(instrument)}/candles", query)
        except Rejected as error:
            if start_ns < self._clock.now_ns() - _SKEW_NS:
                raise
            # By the broker's clock it may be in the future.
            raise Retryable(error.message, details=error.details) from error
        # What lies in the broker's future has no candle yet, which does not mean that it will have none.
        passed_ns = calendar.bar_open(self._clock.now_ns() - self._behind_ns, timeframe)
        return page_of(body, int(query["count"]), timeframe, calendar, start_ns, max(start_ns, min(end_ns, passed_ns)))

    def health(self) -> StreamHealth | None:
        """Return how the stream does; None while nobody wants prices of this account: others may bring them."""
        return self._watch.health() if self._wanted else None

    async def _stream(self, names: str) -> AsyncGenerator[Sequence[VenuePrice], None]:
        async with self._transport.stream(self._path, {"instruments": names}, silence_s=self._silence_s) as opened:
            async for lines in self._watch.admitted(opened):
                self._watch.connected, self._failed = True, 0
                self._watch.heard()
                received_ns = self._clock.now_ns()
                yield [price for line in lines if (price := self._read(line, received_ns)) is not None]

    async def _poll(self, names: str) -> AsyncGenerator[Sequence[VenuePrice], None]:
        """Ask again and again, for a while."""
        for _ in range(_POLLS):
            await self._budget.take(Priority.QUERY)
            body = await self._rest.get("/pricing", {"instruments": names})
            self.counters["polls"] += 1
            received_ns = self._clock.now_ns()
            yield [price for line in body.get("prices", ()) if (price := self._price(line, received_ns)) is not None]
            await asyncio.sleep(_POLL_S)

    def _read(self, line: bytes, received_ns: int) -> VenuePrice | None:
        self.counters["lines"] += 1
        try:
            message = json.loads(line)
            kind = message["type"]
        except (ValueError, KeyError, TypeError, RecursionError):
            self.counters["unreadable"] += 1
            return None
        if kind != "PRICE":
            if kind == "HEARTBEAT":
                self._note_time(message.get("time"), received_ns)
            return None
        return self._price(message, received_ns)

    def _note_time(self, told: object, received_ns: int) -> None:
        """Note how far the broker's clock is behind ours, the way of the heartbeat included."""
        self.counters["heartbeats"] += 1
        try:
            self._behind_ns = max(0, received_ns - time_ns(str(told)))
        except ValueError:
            self.counters["unreadable"] += 1

    def _price(self, message: Mapping[str, Any], received_ns: int) -> VenuePrice | None:
        try:
            price = price_of(message, received_ns)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError):
            self.counters["unreadable"] += 1
            return None
        self.newest[price.tick.instrument] = price.tick
        return price


def price_of(message: Mapping[str, Any], received_ns: int) -> VenuePrice:
    """Return the price that a message tells; where a side is empty, the one at which trades would be closed out.

    Raises
    ------
    KeyError, ValueError, TypeError, IndexError, AttributeError
        When it tells none.
    """
    tradeable = message.get("tradeable") is not False
    if (bids := message.get("bids")) and (asks := message.get("asks")):
        bid, ask = bids[0]["price"], asks[0]["price"]
    else:
        bid, ask, tradeable = message["closeoutBid"], message["closeoutAsk"], False
    tick = Tick(symbol_of(message["instrument"]), time_ns(message["time"]), received_ns, float(bid), float(ask))
    return VenuePrice(tick, tradeable)
