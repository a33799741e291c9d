"""A gateway's core in this process: real journal, real adapter, events kept in a list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import structlog

from atrader.clock import NS_PER_S, Clock, MarketClock, SystemClock, parse_time
from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import FleetConfig, Installation
from atrader.configuration.home import Home
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import KNOWN
from atrader.market import Tick
from atrader.orders.model import Intent, Order, Trade
from atrader.wire import StreamSchema
from broker_api.adapter import Adapter
from broker_api.gateway.budget import Budget
from broker_api.gateway.core import Gateway
from broker_api.journal import Journal
from broker_api.paper import PaperAdapter

START = "2024-06-04T10:00:00Z"
D = Decimal


class Recorder:
    """Takes the place of the stream's socket and keeps what was published."""

    epoch = 1

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.trades: list[Trade] = []
        self._last: dict[str, int] = {}

    def publish(self, topic: str, schema: StreamSchema, values: tuple[str, ...]) -> int:
        """Keep an event."""
        if schema.kind == "order":
            self.orders.append(Order.model_validate_json(values[0]))
        else:
            self.trades.append(Trade.model_validate_json(values[0]))
        self._last[topic] = self._last.get(topic, 0) + 1
        return self._last[topic]

    def last(self, topic: str) -> tuple[int, int]:
        """Return the position of a topic."""
        return self.epoch, self._last.get(topic, 0)


def account_config(**changes: Any) -> AccountConfig:
    """Return a paper account without slippage and with quick look-ups."""
    values: dict[str, Any] = {
        "name": "paper",
        "broker": "paper",
        "lookup_delays": ("10ms",),
        "lost_after": "100ms",
        "order_timeout": "250ms",
        **changes,
    }
    values["paper"] = {"slippage_pips": 0, "initial_balance": 1_000_000, **values.get("paper", {})}
    return AccountConfig.model_validate(values)


def instance_config(name: str, magic: int, **changes: Any) -> InstanceConfig:
    """Return an instance on the account ``paper``."""
    values = {"limits": {"max_orders_per_minute": 1_000_000}, **changes}
    return InstanceConfig.model_validate(
        {
            "name": name, "strategy": "sma-cross", "account": "paper", "magic": magic, "instrument": "EUR/USD",
            "timeframe": "1m", **values,
        }
    )  # fmt: skip


class GatewayBench:
    """One account under test: its home, its clock, and as many lives of its gateway as a test wants.

    Parameters
    ----------
    root : Path
        Becomes the installation.
    make_adapter : callable, optional
        Makes the adapter of each life; default a `PaperAdapter` over the home's book.
    instances : tuple of InstanceConfig, optional
        Default: ``alpha`` (magic 7) and ``beta`` (magic 8).
    host_clock : Clock, optional
        Time of time-outs and budgets; default the host's.
    **account
        Settings of the account that differ from `account_config`.
    """

    def __init__(
        self,
        root: Path,
        make_adapter: Callable[[GatewayBench], Adapter] | None = None,
        instances: tuple[InstanceConfig, ...] | None = None,
        host_clock: Clock | None = None,
        **account: Any,
    ) -> None:
        self.host_clock = host_clock or SystemClock()
        self.home = Home(root)
        self.config = account_config(**account)
        self.clock = MarketClock(parse_time(START))
        found = instances or (instance_config("alpha", 7), instance_config("beta", 8))
        self.installation = Installation(
            home=str(root),
            fleet=FleetConfig(),
            accounts={self.config.name: self.config},
            instances={item.name: item for item in found},
        )
        self.recorder = Recorder()
        self.failures: list[BaseException] = []
        self._make_adapter = make_adapter or paper_adapter
        self._counts: dict[int, int] = {}
        self.last_tick = Tick("EUR/USD", self.clock.now_ns(), self.clock.now_ns(), 1.1, 1.1001)

    def start(self) -> None:
        """Open the journal and build a gateway; `connect` is the caller's."""
        self.journal = Journal(self.home.journal(self.config.name))
        self.budget = Budget(self.config.budget, self.host_clock)
        self.adapter = self._make_adapter(self)
        if self.adapter.capabilities.price_driven:
            self.budget = Budget(None, self.host_clock)
        self.gateway = Gateway(
            self.installation, self.config, self.adapter, self.journal, self.recorder, self.clock,
            self.host_clock, self.clock, self.budget, structlog.get_logger(), self.failures.append,
        )  # fmt: skip
        self.journal.on_commit = self.gateway.publisher.on_commit

    async def connect(self) -> None:
        """Start a life: build, connect, quote."""
        self.start()
        await self.gateway.connect()
        self.quote(self.last_tick.bid, self.last_tick.ask, after_s=0)

    async def stop(self) -> None:
        """End a life in order."""
        await self.gateway.stop(1.0)
        self.journal.close()

    async def crash(self) -> None:
        """End a life as kill -9 would, as far as one process can: nothing staged is written, nobody is told."""
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)
        self.journal.abandon()
        await self.adapter.close()

    def quote(self, bid: float, ask: float, after_s: float = 1.0, instrument: str = "EUR/USD") -> None:
        """Quote an instrument, some market seconds later."""
        self.clock.advance(self.clock.now_ns() + int(after_s * NS_PER_S))
        self.last_tick = Tick(instrument, self.clock.now_ns(), self.clock.now_ns(), bid, ask)
        self.gateway.on_ticks([self.last_tick])

    def intent(self, magic: int = 7, **values: Any) -> Intent:
        """Return the next intent of an instance: by default a market order for 1000 EUR/USD."""
        if "n" not in values:
            self._counts[magic] = self._counts.get(magic, 0) + 1
            values["n"] = self._counts[magic]
        name = next(item.name for item in self.installation.instances.values() if item.magic == magic)
        values = {
            "magic": magic, "instance": name, "instrument": "EUR/USD", "action": "open",
            "time_ns": self.clock.now_ns(), **values,
        }  # fmt: skip
        if values["action"] == "open":
            values.setdefault("side", "buy")
            if "risk_frac" not in values:
                values.setdefault("units", D(1000))
        return Intent.model_validate(values)

    async def submit(self, magic: int = 7, **values: Any) -> Order:
        """Carry an intent out and return its order."""
        return (await self.gateway.submitter.submit(self.intent(magic, **values)))[0]

    async def until(self, condition: Callable[[], Any], what: str, deadline_s: float = 60.0) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(deadline_s):
            while not condition():
                await asyncio.sleep(0.002)
        assert condition(), what


def paper_adapter(bench: GatewayBench) -> PaperAdapter:
    """Make the paper account of a bench."""
    clock: Clock = bench.clock
    return PaperAdapter(bench.config, bench.home, {"EUR/USD": KNOWN["EUR/USD"]}, clock)
