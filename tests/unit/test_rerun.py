"""A recorded session and the same one run again: which difference is the first, and going on from the middle."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from atrader.clock import NS_PER_S
from atrader.market import Bar
from atrader.netting import NetPosition
from atrader.strategy import BaseParameters, EventStrategy
from research.events.engine import EventEngine
from research.events.plan import Begin, Memory, Plan
from research.events.tape import BarTape
from research.rerun import Puppet, Record, compare, record_of
from research.rerun.record import Held, Outcome, Told, Wish
from tests.support.event_runs import account_of, instance_of, plan_of
from tests.support.price_walks import walk

D = Decimal
MINUTE = 60 * NS_PER_S
BARS = walk(600)
END = 10**19


class Turns(EventStrategy):
    """Buys at every fifth bar and sells three bars later; the count is kept."""

    def __init__(self) -> None:
        super().__init__(BaseParameters())

    def on_bar(self, bar: Bar) -> None:
        count = int(str(self.context.state.get("count", 0))) + 1
        self.context.state["count"] = count
        trades = self.context.trades()
        if count % 5 == 0:
            stop = self.context.instrument.round_price(D(repr(bar.close - 0.0005)))
            self.context.order("buy", units=D(1000), stop_loss=stop)
            self.context.signal("turn", 1.0, count=float(count))
        if count % 5 == 3 and trades:
            self.context.close(trades[0].trade_id)


def plan(**changes: Any) -> Plan:
    account = account_of(paper={"slippage_pips": 2})
    return replace(
        plan_of(account, [(instance_of(timeframe="5m"), Turns())], {("EUR/USD", "5m"): BARS}, "5m"), **changes
    )


@pytest.fixture(scope="module")
def whole() -> Record:
    return record_of(EventEngine(plan()).run(), "one", END)


@pytest.mark.parametrize("row", [300, 301, 303, 304])
def test_a_run_that_goes_on_from_the_middle_is_the_rest_of_the_whole_run(whole: Record, row: int) -> None:
    at_ns = int(BARS.open_time_ns[row])
    engine = EventEngine(plan(tapes=[BarTape("EUR/USD", BARS[:row], 5 * MINUTE)]))
    early = engine.run()
    memory = Memory(len(early.orders), {"count": row})
    begin = Begin(
        last_id=engine.account.engine.state.transaction_id,
        time_ns=at_ns,
        balance=D(f"{early.curve.balance[-1]:.2f}"),
        trades=early.open_trades,
        memories={"one": memory},
    )
    late = plan(tapes=[BarTape("EUR/USD", BARS[row:], 5 * MINUTE)], begin=begin)
    rest = record_of(EventEngine(late).run(), "one", END)
    assert rest.wishes == [wish for wish in whole.wishes if wish.n > memory.n]
    assert {name: whole.trades[name] for name in rest.trades} == rest.trades
    assert bool(early.open_trades) == (row % 5 in (0, 1, 2))


@pytest.mark.parametrize("positions", [None, {"USD/JPY": NetPosition("buy", D(1000), D(150))}])
def test_what_was_open_in_an_instrument_that_is_not_played_is_left_out(
    positions: dict[str, NetPosition] | None,
) -> None:
    early = EventEngine(plan(tapes=[BarTape("EUR/USD", BARS[:301], 5 * MINUTE)])).run()
    (held,) = early.open_trades
    other = held.model_copy(update={"trade_id": "other", "instrument": "USD/JPY", "instance": "two", "magic": 2})
    begin = Begin(time_ns=int(BARS.open_time_ns[301]), balance=D(10_000), trades=[other], positions=positions)
    result = EventEngine(plan(begin=begin, tapes=[BarTape("EUR/USD", BARS[301:], 5 * MINUTE)])).run()
    assert result.closed
    assert {trade.instrument for trade in result.trades} == {"EUR/USD"}


@pytest.mark.parametrize("row", [300, 308])
def test_what_was_wanted_and_not_handed_over_is_at_the_price_of_its_bar_which_is_not_decided_again(
    whole: Record, row: int
) -> None:
    last = row - 1  # decided; its intents are left
    engine = EventEngine(plan(tapes=[BarTape("EUR/USD", BARS[:last], 5 * MINUTE)]))
    early = engine.run()
    orders = [order for order in EventEngine(plan()).run().orders if order.intent.n > len(early.orders)]
    left = [order.intent for order in orders if order.intent.time_ns == int(BARS.open_time_ns[row])]
    assert left, "nothing was wanted on that bar"
    memory = Memory(len(early.orders) + len(left), {"count": row}, left, int(BARS.open_time_ns[last]))
    begin = Begin(
        last_id=engine.account.engine.state.transaction_id,
        time_ns=int(BARS.open_time_ns[row]),
        balance=D(f"{early.curve.balance[-1]:.2f}"),
        trades=early.open_trades,
        memories={"one": memory},
    )
    late = plan(tapes=[BarTape("EUR/USD", BARS[last:], 5 * MINUTE)], begin=begin)
    rest = record_of(EventEngine(late).run(), "one", END)
    assert rest.wishes == [wish for wish in whole.wishes if wish.n > len(early.orders)]
    assert {name: whole.trades[name] for name in rest.trades} == rest.trades


def test_an_instance_that_only_wants_what_was_recorded_trades_the_same(whole: Record) -> None:
    first = EventEngine(plan()).run()
    puppet = Puppet([order.intent for order in first.orders], at_quotes=False)
    config = instance_of(timeframe="5m")
    again = EventEngine(plan(instances=[(config, puppet)])).run()
    assert again.trades == first.trades
    assert compare(whole, record_of(again, "one", END)._replace(told=whole.told), same_prices=True, slack_ns=0) == (
        None, len(whole.told), len(whole.wishes), len(whole.trades), [],
    )  # fmt: skip


def first_kind(live: Record, again: Record, *, same_prices: bool = True) -> tuple[str, int] | None:
    one = compare(live, again, same_prices=same_prices, slack_ns=0).difference
    return None if one is None else (one.kind, one.time_ns)


def test_the_earliest_difference_of_any_kind_is_the_one_that_is_shown(whole: Record) -> None:
    wishes, told = whole.wishes, whole.told
    assert first_kind(whole, whole) is None
    without = whole._replace(wishes=wishes[:20] + wishes[21:])
    assert first_kind(whole, without) == ("decision", wishes[20].time_ns)
    other = told[3]._replace(indicators={"count": 99.0})
    assert first_kind(whole, without._replace(told=[*told[:3], other, *told[4:]])) == ("signal", told[3].time_ns)
    less = whole._replace(told=told[:-1])
    assert first_kind(whole, less) == ("signal", told[-1].time_ns)
    assert first_kind(less, whole) == ("signal", told[-1].time_ns)


def with_outcome(record: Record, client_id: str, **changes: Any) -> Record:
    outcome: Outcome = record.outcomes[client_id]
    return record._replace(outcomes={**record.outcomes, client_id: outcome._replace(**changes)})


def test_what_became_of_an_order_is_compared_and_prices_where_they_can_be_the_same(whole: Record) -> None:
    opens = [wish for wish in whole.wishes if wish.values["action"] == "open"]
    wish: Wish = opens[4]
    price = whole.outcomes[wish.client_id].price
    assert price is not None
    refused = with_outcome(whole, wish.client_id, state="DENIED", is_refused=True, reason="stale-price")
    assert first_kind(refused, whole) == ("refused", wish.time_ns)
    assert first_kind(with_outcome(whole, wish.client_id, units=D(999)), whole) == ("size", wish.time_ns)
    dearer = with_outcome(whole, wish.client_id, price=price + D("0.0002"))
    assert first_kind(dearer, whole) == ("price", wish.time_ns)
    found = compare(dearer, whole, same_prices=False, slack_ns=0)
    assert found.difference is None
    assert sum(found.prices) == D("0.0002")


def test_a_trade_that_ended_otherwise_is_a_difference(whole: Record) -> None:
    trade_id, held = next((name, one) for name, one in whole.trades.items() if one.close_reason == "stop-loss")
    assert held.close_ns is not None
    other: Held = held._replace(close_ns=held.close_ns + MINUTE, close_reason="signal exit")
    changed = whole._replace(trades={**whole.trades, trade_id: other})
    assert first_kind(whole, changed) == ("exit", held.close_ns)
    assert first_kind(whole, changed, same_prices=False) == ("exit", held.close_ns)


def test_indicators_that_the_history_could_not_keep_are_the_same_as_those_that_are_not_finite(whole: Record) -> None:
    one: Told = whole.told[0]
    kept = whole._replace(told=[one._replace(indicators={"count": None}), *whole.told[1:]])
    given = whole._replace(told=[one._replace(indicators={"count": float("nan")}), *whole.told[1:]])
    assert first_kind(kept, given) is None
    assert first_kind(kept, whole) == ("signal", one.time_ns)
