"""Prices of the account's own broker: to this gateway at once, and to the data layer."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import aclosing
from typing import Final, Protocol

from atrader.clock import Clock
from atrader.errors import ConfigError, Rejected, Retryable
from atrader.market import Tick
from atrader.messages.prices import PRICES, TICKS, Place, prices_body, ticks_body
from broker_api.gateway.alerts import Alerts
from broker_api.prices import PriceSource, VenuePrice

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_JITTER_FRAC: Final = 0.5  # a broker that comes back is met by everybody at once
_STEADY_S: Final = 10.0  # a connection that lasted this long was a good one: the next failure is the first again
_AWAY_S: Final = 15.0  # without prices for so long: a person should know


class Push(Protocol):
    """What the feed needs of a `BeatSender`."""

    def send(self, kind: str, body: dict[str, object]) -> bool:
        """Send without waiting; False when it was dropped."""
        ...


class PriceFeed:
    """Keeps a broker's stream of prices open and hands on what it brings.

    A price goes to `on_ticks` in the call that brought it, then to the data layer without waiting for it: one that is
    away costs nothing, and gets the last prices again each second (`remind`). Of each instrument, a price older than
    the newest is dropped, and so is one that is repeated.

    Parameters
    ----------
    source : PriceSource
        The broker.
    on_ticks : callable
        Takes quotes: valuation, risk, watched stops.
    push : Push
        The way to the data layer.
    market_open : callable
        Tells whether an instrument's market is open now.
    clock : Clock
        The host's.
    rng : random.Random, optional
        Of the pauses between two connections.

    Attributes
    ----------
    counters : Counter of str
        ``taken older halted dropped connections breaks``.
    """

    def __init__(
        self,
        source: PriceSource,
        on_ticks: Callable[[Sequence[Tick]], None],
        push: Push,
        market_open: Callable[[str], bool],
        alerts: Alerts,
        clock: Clock,
        rng: random.Random | None = None,
    ) -> None:
        self._source = source
        self._on_ticks = on_ticks
        self._push = push
        self._market_open = market_open
        self._alerts = alerts
        self._clock = clock
        self._rng = rng or random.Random()
        self._wanted: frozenset[str] = frozenset()
        self._changed = asyncio.Event()
        self._last: dict[str, VenuePrice] = {}
        self._life = clock.now_ns()
        self._seq = 0
        self._since_ns = 0  # of the connection; 0: there is none
        self._since_s = 0.0
        self._away_s = clock.monotonic_s()
        self._alerted = False
        self.counters: Counter[str] = Counter()

    @property
    def instruments(self) -> frozenset[str]:
        """What it brings."""
        return self._wanted

    def bring(self, instruments: Collection[str]) -> None:
        """Bring the prices of these instruments from now on, and of no others."""
        wanted = frozenset(instruments)
        if wanted != self._wanted:
            self._wanted = wanted
            self._last = {symbol: price for symbol, price in self._last.items() if symbol in wanted}
            self._changed.set()

    async def run(self) -> None:
        """Bring prices, until cancelled.

        Raises
        ------
        ConfigError
            When the broker does not let us in.
        """
        failures = 0
        while True:
            self._changed.clear()
            stream = asyncio.ensure_future(self._stream() if self._wanted else self._changed.wait())
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait((stream, changed), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (stream, changed):
                    task.cancel()
                await asyncio.gather(stream, changed, return_exceptions=True)
                lasted_s = self._clock.monotonic_s() - self._since_s if self._since_ns else 0.0
                self._broken()
            if not stream.cancelled() and (error := stream.exception()) is not None:
                raise error
            if self._changed.is_set():
                continue
            failures = 1 if lasted_s >= _STEADY_S else failures + 1
            await self._pause(failures)

    def remind(self) -> None:
        """Tell the data layer the last prices again, and people when there are none; to be called each second."""
        if self._since_ns:
            ticks = [price.tick for price in self._last.values()]
            self._send(PRICES, prices_body(self._place(), ticks, sorted(self._wanted)))
        elif not self._alerted and self._clock.monotonic_s() - self._away_s >= _AWAY_S:
            missing = sorted(filter(self._market_open, self._wanted))
            if missing:
                self._alerted = True
                text = ", ".join(missing)
                self._alerts.alert("prices-away", f"the broker brings no prices of {text} for {_AWAY_S:g} s: no opens")

    def state(self) -> dict[str, object]:
        """Return how it goes, for the beat."""
        return {
            "connected": bool(self._since_ns),
            "instruments": len(self._wanted),
            "priced": len(self._last),
            "halted": sorted(symbol for symbol, price in self._last.items() if not price.tradeable),
            "taken": self.counters["taken"],
            "breaks": self.counters["breaks"],
            "dropped": self.counters["dropped"],
        }

    async def _stream(self) -> None:
        """Take prices until the connection breaks."""
        try:
            async with aclosing(self._source.prices(self._wanted)) as stream:
                async for prices in stream:
                    if not self._since_ns:
                        self._connected()
                    self._take(prices)
            reason = "the broker ended it"
        except (Retryable, Rejected) as error:
            reason = error.message
        except ConfigError:
            raise
        except Exception as error:  # boundary: what an adapter gets wrong here must not end who looks after the orders
            reason = repr(error)
            self._alerts.log.error("price-stream-failed", exc_info=error)
        self._alerts.log.info("price-stream-broken", reason=reason)
        self.counters["breaks"] += 1

    def _connected(self) -> None:
        self._since_ns, self._since_s = self._clock.now_ns(), self._clock.monotonic_s()
        self.counters["connections"] += 1
        self._alerts.log.info("price-stream", instruments=sorted(self._wanted))
        if self._alerted:
            self._alerted = False
            self._alerts.alert("prices-back", "the broker brings prices again")

    def _broken(self) -> None:
        if self._since_ns:
            self._since_ns, self._away_s = 0, self._clock.monotonic_s()

    def _take(self, prices: Sequence[VenuePrice]) -> None:
        news = [price for price in prices if self._is_news(price)]
        if not news:
            return
        self.counters["taken"] += len(news)
        self._on_ticks([price.tick for price in news])
        ticks = [price.tick for price in news if price.tradeable]
        if ticks:
            self._send(TICKS, ticks_body(self._place(), ticks))

    def _is_news(self, price: VenuePrice) -> bool:
        tick = price.tick
        known = self._last.get(tick.instrument)
        if known is None:
            if tick.instrument not in self._wanted:
                return False
        elif tick.time_ns < known.tick.time_ns or _same(price, known):
            self.counters["older"] += 1
            return False
        self._last[tick.instrument] = price
        self.counters["halted"] += not price.tradeable
        return True

    def _place(self) -> Place:
        self._seq += 1
        return Place(self._life, self._seq, self._since_ns)

    def _send(self, kind: str, body: dict[str, object]) -> None:
        if not self._push.send(kind, body):
            self.counters["dropped"] += 1

    async def _pause(self, failures: int) -> None:
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (min(failures, 10) - 1))
        try:
            async with asyncio.timeout(pause_s * (1.0 - _JITTER_FRAC * self._rng.random())):
                await self._changed.wait()
        except TimeoutError:
            pass


def _same(one: VenuePrice, other: VenuePrice) -> bool:
    """Tell whether a price is repeated; when it came does not count."""
    left, right = one.tick, other.tick
    return one.tradeable == other.tradeable and (left.time_ns, left.bid, left.ask) == (
        right.time_ns,
        right.bid,
        right.ask,
    )
