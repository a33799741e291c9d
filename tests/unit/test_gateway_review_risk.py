"""What a review of the gateway found: intents that cannot be judged, policies that must last, days without quotes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from atrader.bus import Caller
from atrader.clock import NS_PER_S
from atrader.configuration.limits import AccountLimits, InstanceLimits, PropFirmLimits, SessionWindow
from atrader.messages.gateway import Attach
from atrader.orders.states import OrderState
from atrader.risk import RiskLimits, forced_exits
from broker_api.gateway.calls import Calls
from tests.support.gateways import GatewayBench
from tests.support.orders import D, make_intent, make_trade
from tests.support.risk_states import make_state

DAY_S = 86_400


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


@pytest.fixture
def bench(tmp_path: Path) -> GatewayBench:
    return GatewayBench(tmp_path)


@pytest.mark.parametrize("field", ["units", "stop_loss", "take_profit", "trailing_distance"])
@pytest.mark.parametrize("value", ["1e30", "1e15", "NaN", "Infinity", "1e-61"])
def test_an_amount_that_nobody_trades_is_no_intent(field: str, value: str) -> None:
    values: dict[str, Any] = {field: value}
    with pytest.raises(ValidationError, match=field):
        make_intent(**values)


def test_a_price_made_from_a_float_is_an_intent() -> None:
    price = Decimal.from_float(1.05)
    assert make_intent(stop_loss=price).stop_loss == price


def test_an_intent_that_breaks_the_intake_is_denied_and_the_gateway_lives(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        valuation = bench.gateway.valuation
        usual = valuation.instruments
        # A token with 18 digits: so many steps are beyond decimal arithmetic.
        fine = usual["EUR/USD"].model_copy(update={"unit_step": D("1e-18")})
        valuation.instruments = {"EUR/USD": fine}
        bad = bench.intent(units=D("1e12"))
        order, _ = await bench.gateway.submitter.submit(bad)
        assert order.state is OrderState.DENIED
        assert order.reason.startswith("internal-error: InvalidOperation")
        assert bench.gateway.alerts.counters["intake-failed"] == 1
        stored = bench.journal.read.orders_since(7, 0, 10)
        assert [(item.client_id, item.state) for item in stored] == [(bad.client_id, OrderState.DENIED)]
        assert bench.failures == []
        valuation.instruments = usual
        assert (await bench.submit()).state is OrderState.FILLED
        await bench.stop()

    run(story())


@pytest.mark.parametrize("policy", ["flatten", "reduce"])
def test_a_policy_for_an_absent_worker_is_applied_until_one_attaches(bench: GatewayBench, policy: Any) -> None:
    async def story() -> None:
        await bench.connect()
        gateway = bench.gateway
        await gateway.flattener.instance_down("alpha", 7, policy)

        async def left_after_a_turn() -> tuple[int, int]:
            """Trades and orders of an instance whose orders were on their way when its policy was applied."""
            await bench.submit()
            await bench.submit(order_type="limit", price=D("1.05"))
            await gateway.turn(prove=False)
            await gateway.submitter.idle(5.0)
            return len(gateway.book.own_trades(7)), len(gateway.book.live_opens(7))

        assert await left_after_a_turn() == ((0, 0) if policy == "flatten" else (1, 0))
        request = Attach(instance="alpha", magic=7, since_ns=0)
        await Calls(gateway, None, bench.clock).attach(request, Caller(b"alpha", bench.clock.now_ns(), ()))
        assert await left_after_a_turn() == ((1, 1) if policy == "flatten" else (2, 1))
        await bench.stop()

    run(story())


def test_a_day_does_not_begin_and_nothing_is_forced_before_open_trades_have_a_quote(tmp_path: Path) -> None:
    bench = GatewayBench(tmp_path, limits={"daily_loss": 300, "on_daily_loss": "flatten"})

    async def story() -> None:
        await bench.connect()
        await bench.submit(units=D(100_000))
        bench.quote(1.098, 1.0981)  # 210 under water
        await bench.gateway.turn(prove=False)
        before = bench.gateway.day.day
        assert before is not None
        await bench.crash()

        bench.clock.advance(bench.clock.now_ns() + DAY_S * NS_PER_S)
        bench.start()
        await bench.gateway.connect()
        await bench.gateway.turn(prove=False)
        assert bench.gateway.day.day == before
        denied = await bench.submit()
        assert denied.state is OrderState.DENIED
        assert "EUR/USD" in bench.gateway.gate.state().unvalued

        bench.quote(1.0978, 1.0979)  # 230 under water: the reference of the new day
        await bench.gateway.turn(prove=False)
        day = bench.gateway.day.day
        assert day is not None
        assert day.day_start_ns == before.day_start_ns + DAY_S * NS_PER_S
        assert day.day_start_equity == bench.gateway.valuation.balance - 230
        bench.quote(1.096, 1.0961)  # 180 more: less than the limit of a day
        await bench.gateway.turn(prove=False)
        assert len(bench.gateway.book.own_trades()) == 1
        await bench.stop()

    run(story())


def test_a_clock_that_jumps_ahead_and_back_leaves_the_day_as_it_was(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        await bench.gateway.turn(prove=False)
        before, now_ns = bench.gateway.day.day, bench.clock.now_ns()
        assert bench.gateway.gate.roll_day(now_ns + DAY_S * NS_PER_S) == before
        bench.quote(1.1, 1.1001, after_s=DAY_S)
        assert bench.gateway.gate.roll_day(now_ns) == before
        assert bench.gateway.gate.roll_day(bench.clock.now_ns()) != before
        await bench.stop()

    run(story())


def test_while_trades_are_not_valued_only_the_clock_forces_exits() -> None:
    afternoon = SessionWindow(start="13:00", end="16:00")
    state = make_state(equity=D(1), unvalued=("EUR/USD",), floating={7: D(-9999)}, trades=(make_trade("t1"),))
    equity = RiskLimits(
        account=AccountLimits(daily_loss=D(1), on_daily_loss="flatten", max_drawdown_frac=D("0.01")),
        prop_firm=PropFirmLimits(daily_loss_limit=D(1), maximum_loss_limit=D(1)),
    )
    lost = {7: InstanceLimits(daily_loss=D(1), on_daily_loss="flatten")}
    assert forced_exits(equity, state, lost) == []
    late = {7: InstanceLimits(session=afternoon, exit_at_session_end=True)}
    assert [found.rule for found in forced_exits(equity, state, late)] == ["session-end"]
    firm = RiskLimits(prop_firm=PropFirmLimits(flat_by=afternoon))
    assert [found.rule for found in forced_exits(firm, state)] == ["prop-flat-by"]
