"""What a step of a replay waits for in the gateway, and what it does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from atrader.bus import AsyncStreamClient, BeatSender, Message
from atrader.clock import NS_PER_S
from atrader.errors import Retryable
from atrader.market import PRICES_PHASE, REPLAY_STEP
from broker_api.gateway.market import Market
from tests.support.gateways import GatewayBench


async def away(*_: Any) -> Sequence[Any]:
    raise Retryable("the book is away")


def test_an_order_that_waits_for_its_first_quote_holds_no_step_up(tmp_path: Path) -> None:
    async def story() -> None:
        bench = GatewayBench(tmp_path)
        await bench.connect()
        bench.adapter.submit = away  # type: ignore[method-assign, assignment]
        intent = bench.intent()
        task = asyncio.ensure_future(bench.gateway.submitter.submit(intent))
        await bench.until(lambda: bench.gateway.alerts.counters["not-executed"], "the refusal")
        await bench.crash()
        await asyncio.gather(task, return_exceptions=True)
        bench.start()
        await bench.gateway.connect()
        entry = bench.gateway.book.entry(intent.client_id)
        assert entry is not None
        assert entry.order.state == "NEW"
        bench.quote(150.0, 150.01, instrument="USD/JPY")
        began_s = time.monotonic()
        for _ in range(3):
            await bench.gateway.idle(5.0)
        assert time.monotonic() - began_s < 4.0, "steps that bring no quote of its instrument"
        assert bench.gateway.submitter.busy
        bench.quote(1.1, 1.1001)
        await bench.gateway.idle(5.0)
        assert entry.order.state == "FILLED", "the step that brings it waits for what becomes of the order"
        await bench.stop()

    asyncio.run(story())


class Push:
    """Takes what the gateway acknowledges."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def send(self, kind: str, body: dict[str, Any]) -> bool:
        self.steps.append(body["step"])
        return True


def test_the_limits_are_worked_once_in_each_proof_interval_of_market_time(tmp_path: Path) -> None:
    async def story() -> None:
        bench = GatewayBench(tmp_path, proof_interval="60s")
        await bench.connect()
        turns: list[int] = []

        async def turn(*, prove: bool = True) -> None:
            turns.append((bench.clock.now_ns() - begun_ns) // NS_PER_S)

        bench.gateway.turn = turn  # type: ignore[method-assign]
        begun_ns, push = bench.clock.now_ns(), Push()
        market = Market(bench.gateway, cast(AsyncStreamClient, None), cast(BeatSender, push), "gateway-paper")
        for step in range(10):
            values = REPLAY_STEP.values_type(step=step, market_ns=begun_ns + step * 20 * NS_PER_S, phase=PRICES_PHASE)
            await market.take([Message("replay", REPLAY_STEP.kind, step + 1, values, 1)])
        assert push.steps == list(range(10))
        assert turns == [0, 60, 120, 180]
        await bench.stop()

    asyncio.run(story())
