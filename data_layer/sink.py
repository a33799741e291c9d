"""The two sides a feed works with, over the live market and the stores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from operator import attrgetter
from typing import Final

from atrader.bus import StreamServer
from atrader.clock import MarketClock
from atrader.market import PRICES_PHASE, REPLAY_STEP, TICK, Bar, Bars, Quotes, Tick, replay_topic, tick_topic
from atrader.messages.data import ReplayAnswer
from atrader.messages.series import SeriesInfo
from atrader.timeframes import Timeframe
from data_layer.bars import BarLibrary
from data_layer.feeds import Feed, ReplayState
from data_layer.live_market import LiveMarket
from data_layer.lockstep import ReplayGate, Turn
from data_layer.store import MarketReader
from data_layer.tick_pages import tick_pages

_NO_HORIZON: Final = 2**62  # the year 2116


class Source:
    """What is stored, whatever the market clock says; a `MarketSource`."""

    def __init__(self, reader: MarketReader, library: BarLibrary, market: LiveMarket) -> None:
        self._reader = reader
        self._library = library
        self._market = market

    def bars(self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        """Return the bars with ``start_ns <= open_time < end_ns``, stored or built from finer stored ones."""
        return self._library.bars(
            instrument, Timeframe.parse(timeframe), start_ns=start_ns, end_ns=end_ns, horizon_ns=_NO_HORIZON
        )

    def tick_pages(self, instrument: str, start_ns: int | None = None, end_ns: int | None = None) -> Iterator[Quotes]:
        """Yield the stored quotes with ``start_ns <= time < end_ns`` in parts of bearable size, oldest first."""
        return tick_pages(self._reader.tick_page, instrument, start_ns, end_ns)

    def series(self, instrument: str) -> Sequence[SeriesInfo]:
        """List what is stored of an instrument."""
        return self._reader.series(instrument)

    def last_tick(self, instrument: str) -> Tick | None:
        """Return the last price known; after a restart the close of the newest bar."""
        tick = self._market.prices.get(instrument)
        if tick is not None:
            return tick
        base = self._market.base.name
        bar = self._market.forming().get(instrument) or self._reader.last_bar(instrument, base)
        if bar is None:
            return None
        return Tick(instrument, bar.open_time_ns, bar.open_time_ns, bar.close, max(bar.close, bar.ask_close))


class Sink:
    """Where a feed hands its market to; a `MarketSink`.

    Parameters
    ----------
    market : LiveMarket
        Gets quotes and bars.
    feed : Feed
        Who brings them.
    clock : MarketClock
        The clock of the market in a replay: it follows `advance_clock`, not the quotes, so that no query sees a bar
        before the step that brings it.

    Attributes
    ----------
    keep : callable, optional
        Takes the quotes that are to be stored.
    """

    def __init__(self, market: LiveMarket, stream: StreamServer, feed: Feed | None, clock: MarketClock) -> None:
        self._market = market
        self._stream = stream
        self._builds = feed is None or feed.timeframe is None
        self._clock = clock
        self.gate = ReplayGate(self._publish_step, self._publish_again)
        self._ticks: Sequence[Tick] = ()
        self.keep: Callable[[Sequence[Tick]], None] | None = None
        self._progress: tuple[ReplayState, int, int] = ("none", 0, 0)

    def ticks(self, ticks: Sequence[Tick]) -> None:
        """Take quotes."""
        self._ticks = ticks
        taken = self._market.ticks(ticks, build=self._builds)
        if self.keep is not None:
            self.keep(taken)

    def complete_bars(self, bars: Sequence[tuple[str, Bar]]) -> None:
        """Take complete bars; the next `advance_clock` publishes them."""
        for instrument, bar in bars:
            self._market.ready_made(instrument, bar)

    def advance_clock(self, market_ns: int) -> None:
        """Move the market clock and publish what is complete by then."""
        self._clock.advance(market_ns)
        self._market.advance(market_ns)

    async def ready(self, participants: Collection[str]) -> None:
        """Wait until every participant is ready."""
        await self.gate.ready(participants)

    def is_due(self, worker: str) -> bool:
        """Tell whether a worker has to get a turn in this step."""
        return self.gate.is_due(worker, self._market.latest)

    async def turn(self, step: int, market_ns: int, phase: str, participants: Collection[str]) -> None:
        """Publish a phase of a step and wait for its acknowledgements."""
        await self.gate.turn(step, market_ns, phase, participants)

    def progress(self, state: ReplayState, done: int, total: int) -> None:
        """Remember how far the replay is."""
        self._progress = (state, done, total)

    def replay(self) -> ReplayAnswer:
        """Return where the replay stands."""
        state, done, total = self._progress
        return ReplayAnswer(
            state=state,
            market_ns=self._clock.now_ns(),
            done=done,
            total=total,
            waiting_for=self.gate.waiting_for,
        )

    def _publish_step(self, turn: Turn) -> None:
        self._stream.publish(replay_topic(turn.phase), REPLAY_STEP, tuple(turn))

    def _publish_again(self, turn: Turn) -> None:
        """Publish the quotes too: a gateway that came back has to know them before a worker hands an intent over.

        When the gateways are through with the step only the last ones: what a worker ordered since then must not meet
        the quotes before it.
        """
        worked = turn.phase != PRICES_PHASE
        last = {tick.instrument: tick for tick in self._ticks}.values()
        for tick in sorted(last, key=attrgetter("time_ns")) if worked else self._ticks:
            self._stream.publish(tick_topic(tick.instrument), TICK, tuple(tick))
        self._publish_step(turn._replace(phase=PRICES_PHASE))
        if worked:
            self._publish_step(turn)
