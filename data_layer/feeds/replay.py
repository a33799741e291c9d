"""Replay of what is stored, paced by the wall clock or in step with gateways and workers (docs/replay.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

from atrader.clock import NS_PER_S, Clock, parse_time
from atrader.configuration.fleet import ReplayMarket
from atrader.errors import ConfigError
from atrader.market import PRICES_PHASE
from atrader.timeframes import Timeframe
from data_layer.feeds.feed import MarketSink, MarketSource
from data_layer.feeds.replay_position import ReplayPosition
from data_layer.feeds.replay_steps import Step, steps_of_bars, steps_of_ticks

_REPORT_EVERY = 100  # steps between two reports of the progress
_TICK_WINDOW_NS = NS_PER_S  # quotes of one second make a step


class ReplayFeed:
    """Plays stored bars or quotes of several instruments.

    At a numeric speed it follows the wall clock and waits for nobody. At ``max`` each step waits for the gateways,
    then for one worker after the other, so that every run gives the same trades.

    Parameters
    ----------
    settings : ReplayMarket
        Source, period, speed.
    instruments : sequence of str
        What is played.
    gateways, workers : sequence of str
        Process names that take part; workers take their turns in this order.
    position : ReplayPosition
        How far it got.
    clock : Clock
        The host's.
    """

    name = "replay"
    is_replay = True

    def __init__(
        self,
        settings: ReplayMarket,
        instruments: Sequence[str],
        gateways: Sequence[str],
        workers: Sequence[str],
        position: ReplayPosition,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._instruments = instruments
        self._gateways = gateways
        self._workers = workers
        self._position = position
        self._clock = clock
        self._steps: list[Step] = []
        self._sink: MarketSink | None = None
        self._done = 0

    @property
    def timeframe(self) -> str | None:
        """Bars come ready-made, unless quotes are played."""
        return Timeframe.parse(self._settings.timeframe).name if self._settings.source == "bars" else None

    def prepare(self, sink: MarketSink, source: MarketSource) -> None:
        """Read what is to be played and move the market clock to where it begins.

        Raises
        ------
        ConfigError
            When nothing is stored for the period.
        StoreError
            When the directory holds the position of another replay.
        """
        self._sink = sink
        self._steps = self._read(source)
        if not self._steps:
            raise ConfigError(
                f"nothing to replay: no {self._settings.source} of {', '.join(self._instruments) or 'no instrument'} "
                f"({self._settings.timeframe}) are stored for the period; see 'atrader data list' and 'data import'"
            )
        self._done = self._position.open()
        sink.progress("waiting", self._done, len(self._steps))
        sink.advance_clock(self._begin_ns())

    async def run(self) -> None:
        """Play to the end."""
        assert self._sink is not None
        try:
            if self._settings.speed == "max":
                await self._sink.ready((*self._gateways, *self._workers))
            await self._play(self._sink)
        finally:
            self._position.close()

    def _begin_ns(self) -> int:
        if self._done:
            return self._steps[self._done - 1].market_ns
        first = self._steps[0]
        return first.ticks[0].time_ns

    def _read(self, source: MarketSource) -> list[Step]:
        try:
            start_ns = None if self._settings.start is None else parse_time(self._settings.start)
            end_ns = None if self._settings.end is None else parse_time(self._settings.end)
        except ValueError as error:
            raise ConfigError(f"etc/atrader.toml: market.replay: {error}") from error
        if self._settings.source == "ticks":
            ticks = [tick for name in self._instruments for tick in source.ticks(name, start_ns, end_ns)]
            ticks.sort(key=lambda tick: (tick.time_ns, tick.instrument))
            return list(steps_of_ticks(ticks, _TICK_WINDOW_NS))
        name = Timeframe.parse(self._settings.timeframe).name
        series = {symbol: source.bars(symbol, name, start_ns, end_ns) for symbol in self._instruments}
        return list(steps_of_bars(series, Timeframe.parse(name).ns))

    async def _play(self, sink: MarketSink) -> None:
        total = len(self._steps)
        began_s, began_ns = self._clock.monotonic_s(), self._begin_ns()
        for number, step in enumerate(islice(self._steps, self._done, None), self._done):
            if number % _REPORT_EVERY == 0:
                sink.progress("running", number, total)
            if self._settings.speed == "max":
                await self._step_together(sink, number, step)
            else:
                due_s = began_s + (step.market_ns - began_ns) / NS_PER_S / self._settings.speed
                await asyncio.sleep(max(0.0, due_s - self._clock.monotonic_s()))
                sink.ticks(step.ticks)
                sink.complete_bars(step.bars)
                sink.advance_clock(step.market_ns)
            self._position.done(number + 1)
        sink.progress("finished", total, total)

    async def _step_together(self, sink: MarketSink, number: int, step: Step) -> None:
        sink.ticks(step.ticks)
        await sink.turn(number, step.market_ns, PRICES_PHASE, self._gateways)
        sink.complete_bars(step.bars)
        sink.advance_clock(step.market_ns)
        for worker in filter(sink.is_due, self._workers):
            await sink.turn(number, step.market_ns, worker, (worker,))
