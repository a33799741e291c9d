"""The gateway's share of the market: quotes in, and its part in a replay in lockstep."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from atrader.bus import AsyncStreamClient, BeatSender, Gap, Message
from atrader.clock import NS_PER_S, MarketClock
from atrader.market import REPLAY_TOPIC, Tick, tick_topic
from broker_api.gateway.core import Gateway

PRICES: Final = "prices"
"""Phase of a replay step in which gateways work the quotes in."""

_BUSY_S: Final = 5.0  # orders a step caused itself; nothing else delays a step


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
        self.worked = 0  # quotes and steps so far

    def subscribe(self, instruments: Iterable[str]) -> None:
        """Listen to the quotes of these instruments, and to the replay when it is in lockstep."""
        for symbol in instruments:
            self._stream.subscribe(tick_topic(symbol))
        if self._push is not None:
            self._stream.subscribe(REPLAY_TOPIC)

    def ready(self) -> None:
        """Take part in the replay from here."""
        if self._push is not None:
            self._push.send("replay-ready", {"name": self._name})

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
            if item.topic == REPLAY_TOPIC:
                self._work(ticks)
                ticks = []
                if item.values.phase == PRICES:
                    await self._step(item.values.step, item.values.market_ns)
            else:
                ticks.append(Tick(*item.values))
        self._work(ticks)

    def _work(self, ticks: list[Tick]) -> None:
        if ticks:
            self.worked += len(ticks)
            self._gateway.on_ticks(ticks)

    async def _step(self, step: int, market_ns: int) -> None:
        """Finish a step: everything its quotes caused is on disk and published before it is acknowledged."""
        if self._push is None:
            return
        if step > self._done:
            if isinstance(self._gateway.clock, MarketClock):
                self._gateway.clock.advance(market_ns)
            await self._gateway.submitter.idle(_BUSY_S)
            await self._turn_if_due(market_ns)
            await self._gateway.journal.settle()
            self._done = step
            self.worked += 1
        self._push.send("replay-ack", {"name": self._name, "step": step, "phase": PRICES})

    async def _turn_if_due(self, market_ns: int) -> None:
        if market_ns < self._turn_due_ns:
            return
        self._turn_due_ns = market_ns + int(self._gateway.account.proof_interval * NS_PER_S)
        await self._gateway.turn()
        await self._gateway.submitter.idle(_BUSY_S)
