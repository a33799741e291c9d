"""What a step of a replay waits for in the gateway, and what it does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

import pytest

from atrader.bus import AsyncStreamClient, BeatSender, Gap, Message
from atrader.clock import NS_PER_S
from atrader.errors import Retryable
from atrader.market import PRICES_PHASE, REPLAY_STEP, TICK, Tick
from broker_api.gateway.market import Market
from tests.support.gateways import GatewayBench

D: Final = Decimal


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


def ticks_of(begun_ns: int, bids: Sequence[float]) -> list[Message | Gap]:
    """Return the quotes of a step, a second apart, and the end of the step."""
    ticks = [
        Message("tick.EUR/USD", TICK.kind, 1, TICK.values_type("EUR/USD", at_ns, at_ns, bid, round(bid + 0.0001, 5)), 1)
        for at_ns, bid in ((begun_ns + number * NS_PER_S, bid) for number, bid in enumerate(bids))
    ]
    end = REPLAY_STEP.values_type(step=0, market_ns=begun_ns + len(bids) * NS_PER_S, phase=PRICES_PHASE)
    return [*ticks, Message("replay", REPLAY_STEP.kind, 1, end, 1)]


def test_a_step_that_was_half_done_goes_on_behind_the_quote_that_was_worked_in_last(tmp_path: Path) -> None:
    async def story() -> None:
        bench = GatewayBench(tmp_path, positions="netting", trade={"max_price_age": "1h"})
        await bench.connect()
        trailing = await bench.submit(trailing_distance=D("0.0020"))
        stopped = await bench.submit(stop_loss=D("1.0990"))
        begun_ns = bench.clock.now_ns() + NS_PER_S
        step = ticks_of(begun_ns, (1.0995, 1.0985, 1.1025, 1.1012))  # the second stops one, the third moves the other
        for dies_at in (3, None):
            on_ticks = bench.gateway.on_ticks

            def dying(ticks: Sequence[Tick], dies_at: int | None = dies_at, go_on: Any = on_ticks) -> None:
                if dies_at is not None and ticks[0].time_ns == begun_ns + dies_at * NS_PER_S:
                    raise ConnectionAbortedError
                go_on(ticks)

            bench.gateway.on_ticks = dying  # type: ignore[method-assign]
            market = Market(bench.gateway, cast(AsyncStreamClient, None), cast(BeatSender, Push()), "gateway-paper")
            if dies_at is None:
                await market.take(step)
            else:
                with pytest.raises(ConnectionAbortedError):
                    await market.take(step)
                await bench.crash()
                bench.start()
                await bench.gateway.connect()
        assert [trade.trade_id for trade in bench.gateway.book.own_trades()] == [trailing.client_id]
        (left,) = bench.gateway.book.own_trades()
        assert left.stop_loss == D("1.1005")
        closed = next(trade for trade in bench.recorder.trades if not trade.is_open)
        assert (closed.trade_id, closed.close_price) == (stopped.client_id, D("1.0985"))
        await bench.stop()

    asyncio.run(story())
