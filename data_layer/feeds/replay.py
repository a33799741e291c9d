"""Replay of what is stored, paced by the wall clock or in step with gateways and workers (docs/replay.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import chain

from atrader.clock import NS_PER_S, Clock, parse_time
from atrader.configuration.fleet import ReplayMarket
from atrader.errors import ConfigError
from atrader.market import PRICES_PHASE
from atrader.timeframes import Timeframe
from data_layer.feeds.feed import MarketSink, MarketSource
from data_layer.feeds.replay_plan import Period, ReplayPlan, plan_of_bars, plan_of_ticks
from data_layer.feeds.replay_position import ReplayPosition
from data_layer.feeds.replay_steps import Step

_REPORT_EVERY = 100  # steps between two reports of the progress


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
        self._steps: Iterator[Step] = iter(())
        self._sink: MarketSink | None = None
        self._done = self._total = self._begin_ns = 0

    @property
    def timeframe(self) -> str | None:
        """Bars come ready-made, unless quotes are played."""
        return Timeframe.parse(self._settings.timeframe).name if self._settings.source == "bars" else None

    def prepare(self, sink: MarketSink, source: MarketSource) -> None:
        """Look at what is to be played and move the market clock to where it begins.

        Raises
        ------
        ConfigError
            When nothing is stored for the period.
        StoreError
            When the directory holds the position of another replay.
        """
        self._sink = sink
        plan = self._planned(source)
        if not plan.total:
            raise ConfigError(
                f"nothing to replay: no {self._settings.source} of {', '.join(self._instruments) or 'no instrument'} "
                f"({self._settings.timeframe}) are stored for the period; see 'atrader data list' and 'data import'"
            )
        self._total = plan.total
        self._done = min(self._position.open(), plan.total)
        sink.progress("waiting", self._done, self._total)
        self._steps = plan.steps(max(0, self._done - 1))
        first = next(self._steps)
        if self._done:
            self._begin_ns = first.market_ns
        else:
            self._begin_ns = first.ticks[0].time_ns
            self._steps = chain((first,), self._steps)
        sink.advance_clock(self._begin_ns)

    async def run(self) -> None:
        """Play to the end."""
        assert self._sink is not None
        try:
            if self._settings.speed == "max":
                await self._sink.ready((*self._gateways, *self._workers))
            await self._play(self._sink)
        finally:
            self._position.close()

    def _planned(self, source: MarketSource) -> ReplayPlan:
        try:
            start_ns = None if self._settings.start is None else parse_time(self._settings.start)
            end_ns = None if self._settings.end is None else parse_time(self._settings.end)
        except ValueError as error:
            raise ConfigError(f"etc/atrader.toml: market.replay: {error}") from error
        period = Period(start_ns, end_ns)
        if self._settings.source == "ticks":
            return plan_of_ticks(source, self._instruments, period)
        return plan_of_bars(source, self._instruments, Timeframe.parse(self._settings.timeframe), period)

    async def _play(self, sink: MarketSink) -> None:
        total = self._total
        began_s, began_ns = self._clock.monotonic_s(), self._begin_ns
        for number, step in enumerate(self._steps, self._done):
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
            self._position.done(number + 1, step.market_ns)
        sink.progress("finished", total, total)

    async def _step_together(self, sink: MarketSink, number: int, step: Step) -> None:
        sink.ticks(step.ticks)
        await sink.turn(number, step.market_ns, PRICES_PHASE, self._gateways)
        sink.complete_bars(step.bars)
        sink.advance_clock(step.market_ns)
        for worker in filter(sink.is_due, self._workers):
            await sink.turn(number, step.market_ns, worker, (worker,))
