"""The event engine passes over quotes that nothing waits for; what comes out is what playing every quote gives."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any, Literal, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from atrader.market import Bar, Tick
from atrader.orders.model import Intent, Order, Trade
from atrader.risk import Allow, evaluate, resolve_units
from atrader.strategy import BaseParameters, EventStrategy
from research.events.engine import EventEngine
from research.events.leeway import Leeway
from research.events.result import Result
from tests.support.event_runs import MINUTE, account_of, instance_of, plan_of, random_bars, run

D = Decimal
Listens = Literal["never", "always", "in trades"]


class Restless(EventStrategy):
    """Does anything a strategy may do, now and then, as a seed says."""

    kinds: tuple[str, ...] = ("market", "market", "limit", "stop", "close", "part", "modify", "cancel", "move")

    def __init__(self, seed: int, pace: float, listens: Listens) -> None:
        super().__init__(BaseParameters())
        self._random = Random(seed)
        self._pace = pace
        self._listens = listens
        self.heard: list[tuple[Any, ...]] = []

    @property
    def wants_quotes(self) -> bool:
        return self._listens != "never"

    @property
    def quotes_only_in_trades(self) -> bool:
        return self._listens == "in trades"

    def on_tick(self, tick: Tick) -> None:
        self.heard.append(("quote", tick))

    def on_bar(self, bar: Bar) -> None:
        if self._random.random() < self._pace:
            self._act(bar)
        if self._random.random() < 0.05:
            self.heard.append(("equity", self.context.now_ns(), self.context.equity()))

    def on_trade(self, trade: Trade) -> None:
        self.heard.append(("trade", trade.trade_id, trade.version, trade.units, len(self.context.trades())))

    def on_order(self, order: Order) -> None:
        self.heard.append(("order", order.client_id, order.version, order.state, self.context.equity()))
        if self._random.random() < 0.02:
            self.context.order("buy", units=D(100))

    def _act(self, bar: Bar) -> None:
        chance, context = self._random, self.context
        trades, orders = context.trades(), context.orders()
        kind = chance.choice(self.kinds)
        if kind in ("market", "limit", "stop"):
            self._open(kind, bar)
        elif kind == "close" and trades:
            context.close(chance.choice(trades).trade_id)
        elif kind == "part" and trades:
            context.close(chance.choice(trades).trade_id, units=D(chance.randint(1, 3000)))
        elif kind == "modify" and trades:
            trade = chance.choice(trades)
            context.modify(
                trade.trade_id, stop_loss=self._near(trade.side == "buy", bar), trailing_distance=self._far()
            )
        elif kind == "cancel" and orders:
            context.cancel(chance.choice(orders).client_id)
        elif kind == "move" and orders:
            context.modify_order(chance.choice(orders).client_id, price=D(repr(bar.close)))

    def _open(self, kind: str, bar: Bar) -> None:
        chance = self._random
        side = chance.choice(("buy", "sell"))
        below = (side == "buy") == (kind == "limit")
        self.context.order(
            side,  # type: ignore[arg-type]
            units=D(chance.randint(1, 20_000)),
            order_type=kind,  # type: ignore[arg-type]
            price=None if kind == "market" else self._near(below, bar),
            stop_loss=self._near(side == "buy", bar, 3) if chance.random() < 0.6 else None,
            take_profit=self._near(side == "sell", bar, 3) if chance.random() < 0.5 else None,
            trailing_distance=self._far() if chance.random() < 0.3 else None,
            expires_ns=self.context.now_ns() + chance.randint(1, 90) * MINUTE if chance.random() < 0.3 else None,
        )

    def _near(self, below: bool, bar: Bar, times: float = 1.0) -> Decimal:
        distance = bar.close * self._random.uniform(1e-4, 1e-3) * times
        return self.context.instrument.round_price(D(repr(bar.close - distance if below else bar.close + distance)))

    def _far(self) -> Decimal:
        return self.context.instrument.price_tick * self._random.randint(10, 200)


class Simple(Restless):
    """Has market orders only, so that none is left waiting."""

    kinds = ("market", "market", "close", "part", "modify")


ACCOUNTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "all the costs": {
        "paper": {
            "slippage_pips": 2, "commission_per_million": 40, "swap_long_frac": "-0.05", "swap_short_frac": "0.01",
            "extra_spread_pips": "0.3",
        },
    },
    "slow and rough": {"paper": {"latency": "90s", "partial_fill_share": 0.5, "reject_share": 0.1}},
    "close to the margin": {"paper": {"initial_balance": 3000, "leverage": 20, "margin_closeout_frac": 2}},
    "watched by the day": {
        "limits": {
            "daily_loss_frac": "0.002", "on_daily_loss": "flatten", "max_drawdown_frac": "0.01",
            "drawdown_reference": "start",
        },
    },
    "strict": {
        "trade": {
            "max_units": 15_000, "max_spread": "0.00002", "stop_required": True, "price_band_frac": "0.0004",
            "max_price_age": "2d",
        },
    },
    "costly and coarse": {"paper": {"slippage_pips": "0.05", "commission_per_million": "7.77"}, "currency_digits": 4},
    "watched": {"limits": {"max_drawdown_frac": "0.02"}, "paper": {"initial_balance": 3000}},
    "netting": {"positions": "netting"},
    "netting, slow and costly": {
        "positions": "netting",
        "paper": {
            "latency": "90s", "partial_fill_share": 0.5, "reject_share": 0.1, "slippage_pips": 2,
            "commission_per_million": 40, "swap_long_frac": "-0.05", "extra_spread_pips": "0.3",
        },
    },
    "netting, close to the margin and watched": {
        "positions": "netting",
        "paper": {"initial_balance": 3000, "leverage": 20, "margin_closeout_frac": 2},
        "limits": {"max_drawdown_frac": "0.02"},
    },
}  # fmt: skip


def outcome(
    account: str,
    seed: int,
    pace: float,
    listens: tuple[Listens, Listens] = ("never", "always"),
    *,
    look_ahead: bool = True,
    shortcuts: bool = True,
    kind: type[Restless] = Restless,
    alone: bool = False,
) -> tuple[Result, list[list[tuple[Any, ...]]]]:
    euro, yen = random_bars(seed, 400, 1.09, 1e-5), random_bars(seed + 1, 400, 147.0, 1e-3)
    chosen = [
        (instance_of("a", magic=1, limits={"max_orders_per_minute": 5}), kind(seed, pace, listens[0])),
        (instance_of("b", magic=2, instrument="USD/JPY"), kind(seed + 7, pace, listens[1])),
    ]
    if seed % 2 or alone:
        chosen = chosen[:1]
    config = account_of(**{"trade": {"max_price_age": "2d"}, **ACCOUNTS[account]})
    series = {("EUR/USD", "1m"): euro} if alone else {("EUR/USD", "1m"): euro, ("USD/JPY", "1m"): yen}
    result = run(plan_of(config, chosen, series), look_ahead=look_ahead, shortcuts=shortcuts)
    return result, [strategy.heard for _, strategy in chosen]


@pytest.mark.parametrize("account", ACCOUNTS)
@settings(max_examples=3, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    pace=st.sampled_from([0.01, 0.05, 0.3]),
    listens=st.tuples(*[st.sampled_from(get_args(Listens))] * 2),
    alone=st.booleans(),
)
@example(seed=2, pace=0.3, listens=("in trades", "never"), alone=False)
@example(seed=2, pace=0.3, listens=("never", "never"), alone=True)
def test_looking_ahead_changes_nothing(
    account: str, seed: int, pace: float, listens: tuple[Listens, Listens], *, alone: bool
) -> None:
    quick, heard = outcome(account, seed, pace, listens, look_ahead=True, alone=alone)
    slow, heard_slowly = outcome(account, seed, pace, listens, look_ahead=False, alone=alone)
    assert quick.fills == slow.fills
    assert quick.orders == slow.orders
    assert quick.trades == slow.trades
    assert heard == heard_slowly
    assert np.array_equal(quick.curve.equity, slow.curve.equity)


@pytest.mark.parametrize("account", ACCOUNTS)
@settings(max_examples=4, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    pace=st.sampled_from([0.05, 0.3, 0.9]),
    listens=st.tuples(*[st.sampled_from(get_args(Listens))] * 2),
    kind=st.sampled_from([Restless, Simple]),
)
def test_orders_in_one_go_are_those_of_the_long_way(
    account: str, seed: int, pace: float, listens: tuple[Listens, Listens], kind: type[Restless]
) -> None:
    quick, heard = outcome(account, seed, pace, listens, kind=kind)
    slow, heard_slowly = outcome(account, seed, pace, listens, kind=kind, shortcuts=False, look_ahead=False)
    for name in ("fills", "orders", "closed", "open_trades", "alerts", "refused", "halted"):
        assert repr(getattr(quick, name)) == repr(getattr(slow, name)), name  # digits too: 0.10 is not 0.1
    assert heard == heard_slowly
    for name in ("time_ns", "balance", "equity", "long", "short"):
        assert np.array_equal(getattr(quick.curve, name), getattr(slow.curve, name)), name


@pytest.mark.parametrize("account", ["plain", "strict", "close to the margin", "watched"])
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_what_passes_unasked_would_have_passed_every_rule(
    account: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    certain, unasked = Leeway.units_of, []

    def asked_all_the_same(leeway: Leeway, intent: Intent, recent: Callable[[int, int], int]) -> Decimal | None:
        units = certain(leeway, intent, recent)
        if units is not None:
            state = leeway.account.risk_state(intent)
            assert repr(units) == repr(resolve_units(state, intent))
            assert evaluate(leeway.limits[intent.magic], state, intent, units) == Allow()
            unasked.append(intent)
        return units

    with monkeypatch.context() as patch:
        patch.setattr(Leeway, "units_of", asked_all_the_same)
        outcome(account, seed, 0.5, kind=Simple)
    assert unasked or account != "plain"


def test_the_random_strategies_meet_every_way_a_trade_ends() -> None:
    seen = set()
    for account in ACCOUNTS:
        for seed in (2, 4):
            seen |= {trade.close_reason for trade in outcome(account, seed, 0.3, look_ahead=True)[0].closed}
    assert {"order", "stop-loss", "take-profit", "trailing-stop", "margin-closeout", "drawdown"} <= seen


@pytest.mark.parametrize("alone", [True, False])
def test_turns_that_are_counted_are_those_that_a_search_finds(alone: bool) -> None:
    series = {("EUR/USD", "1m"): random_bars(3, 50, 1.09, 1e-5)}
    if not alone:  # then there are steps without a turn
        series["USD/JPY", "1m"] = random_bars(4, 50, 147.0, 1e-3)
    engine = EventEngine(plan_of(account_of(), [(instance_of(), Simple(1, 0.1, "never"))], series))
    steps = range(len(engine.market) + 1)
    assert (engine._each_step_from is not None) is alone
    assert [engine._turns_up_to(step) for step in steps] == engine._turn_steps.searchsorted(steps).tolist()
