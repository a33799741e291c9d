"""A recorded session and the same one run again: which difference is the first, and going on from the middle."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from atrader.clock import NS_PER_S
from atrader.market import Bar, Quotes
from atrader.netting import NetPosition
from atrader.orders.model import Intent, Order, Trade
from atrader.orders.states import OrderState
from atrader.strategy import BaseParameters, EventStrategy
from research.events.engine import EventEngine
from research.events.plan import Begin, Memory, Plan
from research.events.tape import BarTape, QuoteTape
from research.rerun import (
    Hearing,
    Puppet,
    Record,
    Story,
    compare,
    compare_answers,
    compare_decisions,
    record_of,
    telling,
)
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


def test_bars_that_a_life_before_decided_are_not_decided_again(whole: Record) -> None:
    row, played_again = 304, 3
    engine = EventEngine(plan(tapes=[BarTape("EUR/USD", BARS[:row], 5 * MINUTE)]))
    early = engine.run()
    assert not early.open_trades
    begin = Begin(
        last_id=engine.account.engine.state.transaction_id,
        time_ns=int(BARS.open_time_ns[row - played_again]),
        balance=D(f"{early.curve.balance[-1]:.2f}"),
        memories={"one": Memory(len(early.orders), {"count": row}, [], int(BARS.open_time_ns[row - 1]))},
    )
    late = plan(tapes=[BarTape("EUR/USD", BARS[row - played_again :], 5 * MINUTE)], begin=begin)
    rest = record_of(EventEngine(late).run(), "one", END)
    assert rest.wishes == [wish for wish in whole.wishes if wish.n > len(early.orders)]


def test_an_instance_that_only_wants_what_was_recorded_trades_the_same(whole: Record) -> None:
    first = EventEngine(plan()).run()
    puppet = Puppet([order.intent for order in first.orders], at_quotes=False)
    config = instance_of(timeframe="5m")
    again = EventEngine(plan(instances=[(config, puppet)])).run()
    assert again.trades == first.trades
    assert compare(whole, record_of(again, "one", END)._replace(told=whole.told), same_prices=True, slack_ns=0) == (
        None, len(whole.told), len(whole.wishes), len(whole.trades), [], (),
    )  # fmt: skip


def test_what_was_allowed_at_its_time_is_not_judged_again() -> None:
    tight = [(instance_of(timeframe="5m", limits={"max_position_units": 10}), Turns())]
    begin = Begin(time_ns=int(BARS.open_time_ns[0]), balance=D(10000))
    assert {one.state.value for one in EventEngine(plan(instances=tight, begin=begin)).run().orders} == {"DENIED"}
    allowed = replace(begin, allowed=frozenset({1}))
    fresh = [(tight[0][0], Turns())]
    assert {one.state.value for one in EventEngine(plan(instances=fresh, begin=allowed)).run().orders} == {"FILLED"}


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


def test_what_a_broker_answered_otherwise_is_no_decision_and_is_listed(whole: Record) -> None:
    opens = [wish for wish in whole.wishes if wish.values["action"] == "open"]
    price = whole.outcomes[opens[2].client_id].price
    assert price is not None
    told = with_outcome(whole, opens[2].client_id, price=price + D("0.0003"))
    told = with_outcome(told, opens[4].client_id, state="REJECTED", is_refused=True, reason="no money")
    assert compare_decisions(told, whole, slack_ns=0).difference is None
    prices, answers = compare_answers(told, whole, slack_ns=0)
    assert sum(prices) == D("0.0003")
    assert [(one.kind, one.time_ns) for one in answers] == [("refused", opens[4].time_ns)]
    other = whole._replace(wishes=whole.wishes[:3])
    assert compare_answers(told, other, slack_ns=0)[1] == [], "from the first decision that differs on nothing is"
    assert compare_decisions(told, other, slack_ns=0).difference == ("decision", *_at(whole.wishes[3]))


def _at(wish: Wish) -> tuple[int, str | None, dict[str, Any], None]:
    return wish.time_ns, wish.bar, wish.values, None


class Asking(EventStrategy):
    """Wants by what it holds: buys with nothing, closes what is a bar old, and writes down what it was told."""

    def __init__(self) -> None:
        super().__init__(BaseParameters())
        self.told: list[str] = []

    def on_bar(self, bar: Bar) -> None:
        trades = self.context.trades()
        self.told.append(f"bar {len(trades)} {self.context.equity()}")
        if trades:
            self.context.close(trades[0].trade_id)
        elif not self.context.orders():
            self.context.order("buy", units=D(1000), stop_loss=D("1.00"))

    def on_order(self, order: Order) -> None:
        self.told.append(f"{order.client_id} {order.state.value}")

    def on_trade(self, trade: Trade) -> None:
        self.told.append(f"{trade.trade_id} {trade.units}")


def test_a_story_is_told_in_the_order_in_which_the_worker_heard_it_and_nothing_else_happens() -> None:
    """The broker filled the order of the first bar a bar later, and closed it by itself before the fourth."""
    bars, length = BARS[:5], 5 * MINUTE
    ends = [int(one) + length for one in bars.open_time_ns]
    wanted = Intent(
        n=1, magic=1, instance="one", instrument="EUR/USD", action="open", time_ns=ends[0], side="buy", units=D(1000),
        stop_loss=D("1.00"),
    )  # fmt: skip
    sent = Order(
        client_id=wanted.client_id, intent=wanted, state=OrderState.WORKING, units=D(1000), filled_units=D(0),
        created_ns=ends[0], updated_ns=ends[0], version=2,
    )  # fmt: skip
    filled = sent.model_copy(update={"state": OrderState.FILLED, "version": 3})
    held = Trade(
        trade_id=wanted.client_id, account="paper", magic=1, instance="one", instrument="EUR/USD", side="buy",
        units_opened=D(1000), units=D(1000), open_time_ns=ends[1] - 7, open_price=D("1.5"),
    )  # fmt: skip
    gone = held.model_copy(update={"units": D(0), "close_time_ns": ends[3] + 9, "version": 2})
    heard = [
        Hearing(ends[0] + 5, sent, 1, True),
        Hearing(ends[1] + 3, held, 1, False),  # after the bar ended, and before it was decided
        Hearing(ends[1] + 3, filled, 1, False),
        Hearing(ends[3] + 9, gone, 3, False),
    ]
    strategy = Asking()
    one = (instance_of(timeframe="5m"), strategy)
    tape = BarTape("EUR/USD", bars, length)
    story = Story(ends, [D(100 + row) for row in range(5)], heard)
    told = plan_of(account_of(), [one], {("EUR/USD", "5m"): bars}, "5m", [tape])
    result = EventEngine(replace(told, signals="window"), look_ahead=False, account_of=telling(story)).run()
    order, close, again = (one.client_id for one in result.orders)
    assert strategy.told == [
        "bar 0 100", f"{order} WORKING", f"{order} 1000", f"{order} FILLED", "bar 1 101", f"{close} SENT", "bar 1 102",
        f"{again} SENT", f"{order} 0", "bar 0 103", "bar 0 104",
    ]  # fmt: skip
    assert [one.intent.action for one in result.orders] == ["open", "close", "close"], "closes that nobody answered"


@pytest.mark.parametrize("decided", [0, 1])
def test_a_bar_after_whose_end_nothing_is_quoted_is_decided_where_a_step_ends_then(decided: int) -> None:
    bars, length = BARS[:3], 5 * MINUTE
    times = bars.open_time_ns + length - 20_000_000  # the last quote of each bar comes before its end
    quotes = QuoteTape("EUR/USD", Quotes(times, times, bars.close, bars.close + 1e-4), 1000)
    strategy = Asking()
    played = plan_of(account_of(), [(instance_of(timeframe="5m"), strategy)], {("EUR/USD", "5m"): bars}, "5m", [quotes])
    end_ns = int(bars.open_time_ns[2]) + length
    result = EventEngine(replace(played, step_ends=[end_ns] * decided), look_ahead=False).run()
    assert sum(one.startswith("bar") for one in strategy.told) == 2 + decided
    assert (result.orders[-1].intent.time_ns == end_ns) == bool(decided)
