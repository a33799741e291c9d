"""The gateway's share of the market: quotes in, and its part in a replay in lockstep."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from atrader.bus import AsyncStreamClient, BeatSender, Gap, Message
from atrader.clock import NS_PER_S, MarketClock
from atrader.market import PRICES_PHASE, REPLAY_STEP, Tick, replay_topic, tick_topic
from atrader.runtime.spec import worker_name
from broker_api.adapter import PriceDriven
from broker_api.gateway.core import Gateway
from broker_api.journal import Batch

_BUSY_S: Final = 5.0  # orders a step caused itself; nothing else delays a step
_time_of: Final = attrgetter("time_ns")
_WORKED: Final = "replay-worked-ns"  # in the journal, with what the step's quotes caused


class Market:
    """Feeds quotes to the core, in the order of the stream.

    Parameters
    ----------
    gateway : Gateway
        The core.
    stream : AsyncStreamClient
        Subscription to the data layer; it need not be there yet.
    push : BeatSender, optional
        Sender to the data layer, in a replay in lockstep only: steps are acknowledged through it.
    name : str
        Process name of this gateway.
    """

    def __init__(self, gateway: Gateway, stream: AsyncStreamClient, push: BeatSender | None, name: str) -> None:
        self._gateway = gateway
        self._stream = stream
        self._push = push
        self._name = name
        self._done = -1
        self._turn_due_ns = 0
        self._kept: list[Tick] = []
        self._proved: int | None = None
        self._news: tuple[str, ...] = ()
        self._first_step = asyncio.Event()
        self._worked_before = 0
        self._heard: frozenset[str] = frozenset()
        self.worked = 0  # quotes and steps so far

    def listen(self, instruments: Collection[str]) -> None:
        """Listen to the quotes of these instruments and of no others, and to a replay that is in lockstep."""
        if self._heard != instruments:
            for symbol in self._heard.difference(instruments):
                self._stream.unsubscribe(tick_topic(symbol))
            for symbol in set(instruments) - self._heard:
                self._stream.subscribe(tick_topic(symbol))
            self._heard = frozenset(instruments)
        if self._push is not None:
            self._stream.subscribe(replay_topic(PRICES_PHASE))

    def own(self, ticks: Sequence[Tick]) -> None:
        """Work in quotes of the account's own broker, oldest first."""
        self._work(ticks)

    def ready(self) -> None:
        """Take part in the replay from here."""
        if self._push is not None:
            self._push.send("replay-ready", {"name": self._name})

    def remind(self) -> None:
        """Say so again when nothing came since the last call: this may be another data layer."""
        if self.worked == self._worked_before:
            self.ready()
        self._worked_before = self.worked

    async def first_step(self, timeout_s: float) -> bool:
        """Join a replay that runs, and wait for its present step to be worked in; False when it did not come in time.

        No intent can be judged without quotes, and orders of an earlier life come before new ones.
        """
        self.ready()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._first_step.wait()
        return self._first_step.is_set()

    async def run(self) -> None:
        """Work in whatever comes, until cancelled."""
        async for items in self._stream:
            await self.take(items)

    async def take(self, items: list[Message | Gap]) -> None:
        """Work one batch in. Missed quotes are gone: the next ones are as good."""
        ticks: list[Tick] = []
        for item in items:
            if isinstance(item, Gap):
                continue
            if item.kind == REPLAY_STEP.kind:
                await self._step(item.values.step, item.values.market_ns)
            elif self._push is None:
                ticks.append(Tick(*item.values))
            else:
                self._keep(Tick(*item.values))
        self._work(ticks)

    def _keep(self, tick: Tick) -> None:
        """Keep a quote until its step is complete: all of them are worked in at once."""
        if self._kept and tick.time_ns < self._kept[-1].time_ns:
            self._kept = []  # the step is published again, from its beginning
        self._kept.append(tick)

    def _work(self, ticks: Sequence[Tick]) -> None:
        if ticks:
            self.worked += len(ticks)
            self._gateway.on_ticks(ticks)

    async def _step(self, step: int, market_ns: int) -> None:
        """Finish a step: everything its quotes caused is on disk and published before it is acknowledged."""
        if self._push is None:
            return
        ticks, self._kept = self._kept, []
        if step > self._done:
            await self._work_step(self._unworked(ticks))
            if isinstance(self._gateway.clock, MarketClock):
                self._gateway.clock.advance(market_ns)
            await self._gateway.idle(_BUSY_S)
            await self._turn_if_due(market_ns)
            await self._gateway.journal.settle()
            self._done = step
            self.worked += 1
            self._news = tuple(sorted(worker_name(instance) for instance in self._gateway.publisher.news))
            self._gateway.publisher.news.clear()
            self._first_step.set()
        body = {"name": self._name, "step": step, "phase": PRICES_PHASE, "news": self._news}
        self._push.send("replay-ack", body)

    async def _work_step(self, ticks: list[Tick]) -> None:
        """Work the quotes of a step in, at once where the broker sees each of them.

        Stops and targets that we watch meet the quote that reaches them, and not the last one of the step.
        """
        if self._gateway.adapter.capabilities.native_protection:
            self._work(ticks)
            self._note_worked(ticks)
            return
        for _, together in groupby(ticks, _time_of):
            moment = list(together)
            self._work(moment)
            self._note_worked(moment)
            if self._gateway.is_busy:
                await self._gateway.idle(_BUSY_S)
            if self._gateway.journal.waiting:  # what comes with the next quote may be on disk before it
                await self._gateway.journal.settle()

    def _unworked(self, ticks: list[Tick]) -> list[Tick]:
        """Leave of the quotes that an earlier life worked in before it died only the last ones.

        What came about in this step, a stop that was moved for instance, must not meet the quotes before it.
        """
        if self._done >= 0 or not ticks:
            return ticks
        adapter = self._gateway.adapter
        worked_ns = adapter.worked_ns if isinstance(adapter, PriceDriven) else 0
        worked_ns = max(worked_ns, int(self._gateway.journal.read.meta(_WORKED) or 0))
        last = {tick.instrument: tick for tick in ticks if tick.time_ns <= worked_ns}
        return [*last.values(), *(tick for tick in ticks if tick.time_ns > worked_ns)]

    def _note_worked(self, ticks: list[Tick]) -> None:
        """Note that quotes were worked in, in one transaction with what they caused, if anything."""
        if ticks and self._gateway.journal.waiting:
            batch = Batch(self._gateway.account.name)
            batch.meta(_WORKED, str(ticks[-1].time_ns))
            self._gateway.journal.stage(batch)

    async def _turn_if_due(self, market_ns: int) -> None:
        if market_ns < self._turn_due_ns:
            return
        self._turn_due_ns = market_ns + int(self._gateway.account.proof_interval * NS_PER_S)
        # Nothing but reports, and stops that trail, changes either side of the proof: a paper account has no others.
        newest = self._gateway.bookkeeper.newest
        trails = any(trade.trailing_distance for trade in self._gateway.book.own_trades())
        await self._gateway.turn(prove=trails or newest != self._proved or bool(self._gateway.reconciler.breaks))
        self._proved = newest
        await self._gateway.idle(_BUSY_S)
