"""A running gateway takes another configuration: all or nothing, as a new one would, and nobody is dropped silently."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from atrader.configuration.instance import InstanceConfig
from atrader.errors import Rejected
from atrader.messages.gateway import AccountSettings, Orphan, Reconfigure
from atrader.orders.states import OrderState
from atrader.trading_state import TradingState
from atrader.trading_state_file import TradingStates
from atrader.wire import pack_request, unpack_request
from tests.support.gateways import D, GatewayBench, account_config, instance_config


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


@pytest.fixture(params=["hedging", "netting"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> GatewayBench:
    return GatewayBench(tmp_path, positions=request.param)


def reconfigure(bench: GatewayBench, *instances: InstanceConfig, **account: Any) -> tuple[Orphan, ...]:
    """Hand a configuration over, as it comes off the wire, and let the next life of the bench have the same."""
    bench.config = type(bench.config).model_validate(
        {**bench.config.model_dump(exclude_unset=True), **account}, strict=False
    )
    bench.installation = bench.installation.model_copy(
        update={"accounts": {"paper": bench.config}, "instances": {item.name: item for item in instances}}
    )
    request, _ = unpack_request(pack_request(Reconfigure.of(bench.installation, "paper"), 1))
    assert isinstance(request, Reconfigure)
    return bench.gateway.reconfigure(request.settings, request.instances)


ALPHA, BETA = instance_config("alpha", 7), instance_config("beta", 8)


def test_what_travels_is_what_the_files_say() -> None:
    """What [trade] of an instance does not name stays the account's: a default must not become a setting on the way."""
    bench_config = instance_config("alpha", 7, trade={"max_units": 5, "max_price_age": "3s"}, parameters={"fast": 3})
    request = Reconfigure(settings=_settings(), instances=(bench_config,))
    read, _ = unpack_request(pack_request(request, 1))
    assert read == request
    assert isinstance(read, Reconfigure)
    assert read.instances[0].trade is not None
    assert read.instances[0].trade.model_fields_set == {"max_units", "max_price_age"}
    assert (read.instances[0].trade.max_price_age, read.settings.lookup_delays) == (3.0, (0.01, 2.5))


def _settings() -> AccountSettings:
    return AccountSettings.of(account_config(lookup_delays=("10ms", "2.5s"), prop_firm={"daily_loss_limit": 1000}))


def test_new_limits_hold_for_the_next_intent_and_for_a_next_life(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        assert (await bench.submit()).state is OrderState.FILLED
        assert reconfigure(bench, instance_config("alpha", 7, limits={"max_open_trades": 1}), BETA) == ()
        for _ in range(2):
            denied = await bench.submit()
            assert denied.reason.startswith("instance-open-trades")
            assert (await bench.submit(8)).state is OrderState.FILLED
            await bench.stop()
            await bench.connect()
        reconfigure(bench, ALPHA, BETA, limits={"max_open_trades": 3})
        assert (await bench.submit(8)).reason.startswith("account-open-trades")
        reconfigure(bench, ALPHA, BETA, limits={}, trade={"max_units": 10})
        assert (await bench.submit(8)).reason.startswith("max-units")
        reconfigure(bench, ALPHA, instance_config("beta", 8, trade={"max_units": 5000}), trade={"max_units": 10})
        assert (await bench.submit(8)).state is OrderState.FILLED
        await bench.stop()
        assert not bench.failures

    run(story())


def test_an_instance_comes_and_is_handed_over_twice_without_a_difference(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        gamma = instance_config("gamma", 9)
        for _ in range(2):
            assert reconfigure(bench, ALPHA, BETA, gamma) == ()
            bench.gateway.intake.check_origin(bench.intent(9))
            assert (await bench.submit(9)).state is OrderState.FILLED
        reconfigure(bench, ALPHA, BETA, instance_config("delta", 9))  # renamed: its trades stay its own
        assert len(bench.gateway.book.own_trades(9)) == 2
        assert bench.gateway.orphans.found() == ()
        await bench.stop()

    run(story())


def test_an_instrument_the_broker_was_not_asked_for_changes_nothing_at_all(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        with pytest.raises(Rejected) as refusal:
            reconfigure(
                bench,
                instance_config("alpha", 7, limits={"max_open_trades": 1}),
                instance_config("gamma", 9, instrument="GBP/JPY"),
                trade={"max_units": 10},
            )
        assert refusal.value.details["reason"] == "unknown-instrument"
        assert set(bench.gateway.gate.instances) == {7, 8}
        for _ in range(2):
            assert (await bench.submit()).state is OrderState.FILLED
        await bench.stop()

    run(story())


def alerts(bench: GatewayBench, code: str) -> int:
    return bench.gateway.alerts.counters[code]


@pytest.mark.parametrize("policy", ["keep", "reduce", "flatten"])
def test_a_removed_instance_with_a_trade_and_an_order_gets_its_on_down_and_is_shown(
    bench: GatewayBench, policy: str
) -> None:
    async def story() -> None:
        await bench.connect()
        reconfigure(bench, ALPHA, instance_config("beta", 8, on_down=policy))
        await bench.submit(8, stop_loss=D("1.09"))
        await bench.submit(8, order_type="limit", price=D("1.05"))
        shown = Orphan(instance="beta", magic=8, open_trades=1, live_orders=1)
        assert reconfigure(bench, ALPHA) == (shown,)
        assert reconfigure(bench, ALPHA) == (shown,)
        with pytest.raises(Rejected):
            bench.gateway.intake.check_origin(BETA_INTENT)
        await bench.crash()  # nobody but the journal remembers what was to be done
        await bench.connect()
        for _ in range(3):
            await bench.gateway.turn()
            await bench.gateway.submitter.idle(1.0)
        left = {"keep": (1, 1), "reduce": (1, 0), "flatten": (0, 0)}[policy]
        book = bench.gateway.book
        assert (len(book.own_trades(8)), len(book.live_opens(8))) == left
        assert alerts(bench, "orphan") == 1  # once in each life
        if policy != "flatten":  # its stop is still there
            bench.quote(1.08, 1.0801)
            await bench.until(lambda: not book.own_trades(8), "the stop")
        await bench.gateway.turn()
        await bench.stop()
        assert not bench.failures

    run(story())


BETA_INTENT: Any = type("Seen", (), {"magic": 8, "instance": "beta", "n": 1})()


def test_an_instance_that_comes_back_is_no_orphan_and_its_policy_is_forgotten(bench: GatewayBench) -> None:
    async def story() -> None:
        beta = instance_config("beta", 8, on_down="flatten")
        await bench.connect()
        reconfigure(bench, ALPHA, beta)
        await bench.submit(8)
        assert len(reconfigure(bench, ALPHA)) == 1
        assert reconfigure(bench, ALPHA, beta) == ()
        await bench.stop()
        await bench.connect()
        for _ in range(2):
            await bench.gateway.turn()
            await bench.gateway.submitter.idle(1.0)
        assert len(bench.gateway.book.own_trades(8)) == 1
        await bench.stop()

    run(story())


def write_states(bench: GatewayBench, *scopes: tuple[str, TradingState]) -> None:
    states = TradingStates()
    for scope, state in scopes:
        states = states.with_state(scope, state)
    states.save(bench.home.trading_states)


@pytest.mark.parametrize("scope", ["account:paper", "instance:beta", "instance:gone"])
def test_flatten_closes_its_scope_also_under_halt_and_strategies_still_may_not(bench: GatewayBench, scope: str) -> None:
    async def story() -> None:
        await bench.connect()
        mine = await bench.submit(7)
        await bench.submit(8)
        if scope == "instance:gone":
            reconfigure(bench, ALPHA, instance_config("gone", 8))  # the name it has now counts
        write_states(bench, ("fleet", TradingState.HALTED), (scope, TradingState.FLATTENING))
        refused = await bench.submit(7, action="close", trade_id=mine.client_id)
        assert refused.reason.startswith("trading-state")
        await bench.gateway.turn()
        await bench.gateway.submitter.idle(1.0)
        left = () if scope == "account:paper" else (7,)
        assert tuple(trade.magic for trade in bench.gateway.book.own_trades()) == left
        await bench.stop()

    run(story())


def test_an_orphan_is_flattened_by_the_name_it_traded_under(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        await bench.submit(7)
        await bench.submit(8)
        reconfigure(bench, ALPHA)
        write_states(bench, ("instance:beta", TradingState.FLATTENING))
        await bench.gateway.turn()
        await bench.gateway.submitter.idle(1.0)
        assert [trade.magic for trade in bench.gateway.book.own_trades()] == [7]
        assert bench.gateway.orphans.found() == ()
        await bench.stop()

    run(story())


def test_a_trade_without_a_quote_is_one_alert_that_names_it_and_the_remedy(
    bench: GatewayBench, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story() -> None:
        await bench.connect()
        trade = await bench.submit(8)
        await bench.stop()
        bench.start()  # a new life in which nobody quotes it
        await bench.gateway.connect()
        assert (await bench.submit()).reason.startswith(("price-age", "unvalued"))
        await bench.gateway.turn()
        assert alerts(bench, "unvalued") == 0  # quotes may take a moment
        for _ in range(3):
            bench.clock.advance(bench.clock.now_ns() + 11_000_000_000)
            await bench.gateway.turn()
            assert alerts(bench, "unvalued") == 1
        (line,) = [line for line in capsys.readouterr().out.splitlines() if "no quote of EUR/USD" in line]
        assert trade.client_id in line
        assert "beta" in line
        assert "market.instruments" in line
        bench.quote(1.1, 1.1001)
        await bench.gateway.turn()
        assert (await bench.submit()).state is OrderState.FILLED
        await bench.stop()

    run(story())
