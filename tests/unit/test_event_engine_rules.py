"""The event engine: input that is no market, strategies that fail, quotes, several instances, what a context shows."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from atrader.clock import NS_PER_S, parse_time
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError, StrategyError
from atrader.market import Bar, Bars, Quotes, Tick
from atrader.market_checks import check_bars, check_quotes
from atrader.orders.model import Order, Trade
from atrader.strategy import BaseParameters, EventStrategy
from manager.backtests.comparing import side_by_side
from research.events.account import Account
from research.events.engine import EventEngine
from research.events.tape import BarTape, QuoteTape
from tests.support.event_runs import account_of, instance_of, plan_of, run

D = Decimal
MINUTE = 60 * NS_PER_S
BEGIN = parse_time("2024-06-04T10:00:00Z")


def flat_bars(closes: list[float], begin_ns: int = BEGIN, step_ns: int = MINUTE) -> Bars:
    """Return bars of one price each, one tick wide, with a spread of two ticks."""
    bids = [np.array(closes) + shift for shift in (0.0, 1e-5, -1e-5, 0.0)]
    times = begin_ns + np.arange(len(closes)) * step_ns
    return Bars(times, *bids, *(column + 2e-5 for column in bids), np.ones(len(closes)))


class Doing(EventStrategy):
    """Does at each bar what a test says, and remembers what it heard."""

    def __init__(self, act: Callable[[Doing, Bar], None] = lambda strategy, bar: None) -> None:
        super().__init__(BaseParameters())
        self._act = act
        self.orders: list[Order] = []
        self.trades: list[Trade] = []
        self.bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        self._act(self, bar)

    def on_order(self, order: Order) -> None:
        self.orders.append(order)

    def on_trade(self, trade: Trade) -> None:
        self.trades.append(trade)


def at(number: int, wish: Callable[[Doing], object]) -> Doing:
    """Return a strategy that wants one thing, at one bar."""

    def act(strategy: Doing, bar: Bar) -> None:
        if strategy.bars == number:
            wish(strategy)

    return Doing(act)


def over(strategy: EventStrategy, closes: list[float], **settings: Any) -> EventEngine:
    plan = plan_of(account_of(), [(instance_of(**settings), strategy)], {("EUR/USD", "1m"): flat_bars(closes)})
    return EventEngine(plan)


def test_a_market_order_fills_at_the_close_of_its_bar_and_the_stop_where_the_market_is() -> None:
    strategy = at(2, lambda s: s.context.order("buy", units=D(1000), stop_loss=D("1.0999")))
    result = over(strategy, [1.1, 1.1, 1.1, 1.0990, 1.1]).run()
    (trade,) = result.closed
    assert trade.open_price == D("1.10002") or trade.open_price > D("1.10002")  # slippage is against us
    assert trade.close_reason == "stop-loss"
    assert trade.close_price is not None and trade.close_price <= D("1.0990")  # noqa: PT018 - one thing: it was closed there
    assert trade.open_time_ns == BEGIN + 2 * MINUTE
    assert [order.state for order in strategy.orders] == ["FILLED"]
    assert [one.units for one in strategy.trades] == [1000, 0]
    assert result.curve.equity[-1] == pytest.approx(float(10_000 + trade.profit + trade.commission))
    assert result.curve.long.tolist() == pytest.approx([0, 1100, 0, 0, 0])  # stopped at the end of step 3
    assert not result.curve.short.any()


def test_a_strategy_hears_of_its_own_orders_only() -> None:
    mine, other = at(1, lambda s: s.context.order("buy", units=D(10))), Doing()
    chosen = [(instance_of("b", magic=2), other), (instance_of("a", magic=1), mine)]
    run(plan_of(account_of(), chosen, {("EUR/USD", "1m"): flat_bars([1.1] * 4)}))
    assert len(mine.trades) == 1
    assert not other.orders
    assert not other.trades


def test_an_exception_drops_what_the_bar_wanted_and_goes_on() -> None:
    def act(strategy: Doing, bar: Bar) -> None:
        strategy.context.order("buy", units=D(10))
        if strategy.bars == 2:
            raise ValueError("no luck")

    strategy = Doing(act)
    result = over(strategy, [1.1] * 4).run()
    assert len(result.open_trades) == 3
    assert result.errors == {"one": 1}
    assert "no luck" in result.alerts[0].text


class FailingAtTrades(EventStrategy):
    """Opens at each bar, and fails at what it is told of the trade; of orders it wants to hear nothing."""

    def on_bar(self, bar: Bar) -> None:
        self.context.order("buy", units=D(10))

    def on_trade(self, trade: Trade) -> None:
        raise ValueError("no luck")


class FailingBesideOrders(FailingAtTrades):
    """The same, and orders it hears in peace."""

    def on_order(self, order: Order) -> None:
        assert order.state == "FILLED"


@pytest.mark.parametrize("kind", [FailingAtTrades, FailingBesideOrders])
def test_errors_with_an_order_heard_between_them_are_not_in_a_row_whether_anybody_listens_or_not(
    kind: type[EventStrategy],
) -> None:
    result = over(kind(BaseParameters()), [1.1] * 8, max_errors=2).run()
    assert result.errors == {"one": 8}


def test_a_strategy_that_begins_to_listen_to_orders_hears_of_the_next_one() -> None:
    heard: list[Order] = []

    class Later(EventStrategy):
        bars = 0

        def on_bar(self, bar: Bar) -> None:
            self.bars += 1
            if self.bars == 3:
                self.on_order = self.hear  # type: ignore[method-assign]
            self.context.order("buy", units=D(10))

        def hear(self, order: Order) -> None:
            heard.append(order)

    over(Later(BaseParameters()), [1.1] * 4).run()
    assert [order.state for order in heard] == ["FILLED", "FILLED"]


@pytest.mark.parametrize(("settings", "said"), [({"on_error": "stop"}, "on_error"), ({"max_errors": 3}, "3 errors")])
def test_errors_end_a_run_as_they_end_a_worker(settings: dict[str, object], said: str) -> None:
    def fail(strategy: Doing, bar: Bar) -> None:
        raise ValueError("always")

    with pytest.raises(StrategyError, match=said):
        over(Doing(fail), [1.1] * 9, **settings).run()


def test_what_is_configured_wrongly_ends_a_run_at_once() -> None:
    strategy = at(1, lambda s: s.context.bars_of("EUR/USD", "5m", 5))
    with pytest.raises(ConfigError, match="other_series"):
        over(strategy, [1.1] * 9).run()
    assert strategy.bars == 1


def test_after_an_error_an_instance_that_is_to_reduce_opens_nothing() -> None:
    def act(strategy: Doing, bar: Bar) -> None:
        strategy.context.order("buy", units=D(10))
        if strategy.bars == 2:
            raise ValueError("no luck")

    result = over(Doing(act), [1.1] * 4, on_error="reduce").run()
    assert len(result.open_trades) == 1
    assert [order.state for order in result.orders] == ["FILLED", "DENIED", "DENIED"]


def test_a_result_says_since_when_and_why_a_limit_stopped_trading() -> None:
    account = account_of(paper={"initial_balance": "1000"}, limits={"max_drawdown_frac": "0.01"})
    closes = [1.1, 1.1, 1.0, 1.0, 1.0]
    for tries, why in ((1, "everything was closed, and nothing wanted after it"), (9, "equity 899.9")):

        def act(strategy: Doing, bar: Bar, tries: int = tries) -> None:
            if strategy.bars <= tries and not strategy.context.trades():
                strategy.context.order("buy", units=D(1000))

        result = run(plan_of(account, [(instance_of(), Doing(act))], {("EUR/USD", "1m"): flat_bars(closes)}))
        ((rule, text),) = result.halted.items()
        assert rule == "drawdown"
        assert text.startswith(f"2024-06-04T10:03:00Z: {why}")


def test_the_context_shows_the_past_and_nothing_else() -> None:
    seen: list[tuple[int, int, float]] = []

    def look(strategy: Doing, bar: Bar) -> None:
        context = strategy.context
        price = context.price()
        assert price is not None
        seen.append((int(context.bars(1).open_time_ns[-1]), context.now_ns(), price.bid))
        assert context.bars_of("EUR/USD", "1m", 5).close[-1] == bar.close
        with pytest.raises(ConfigError, match="other_series"):
            context.bars_of("EUR/USD", "5m", 5)

    closes = [1.1, 1.2, 1.3]
    over(Doing(look), closes).run()
    assert seen == [(BEGIN + n * MINUTE, BEGIN + (n + 1) * MINUTE, close) for n, close in enumerate(closes)]


def test_bars_before_the_first_quote_are_history_and_not_decided() -> None:
    bars = flat_bars([1.1] * 10)
    strategy = Doing()
    plan = plan_of(
        account_of(),
        [(instance_of(warmup_bars=4), strategy)],
        {("EUR/USD", "1m"): bars},
        tapes=[BarTape("EUR/USD", bars[6:], MINUTE)],
    )
    result = EventEngine(plan).run()
    assert strategy.bars == result.bars["one"] == 4
    assert strategy.context.warm_up == (4, 4, 0)


def test_stored_quotes_are_played_one_by_one_and_told_once_a_second() -> None:
    class Listening(Doing):
        ticks: list[Tick]

        def on_start(self) -> None:
            self.ticks = []

        def on_tick(self, tick: Tick) -> None:
            self.ticks.append(tick)

    times = BEGIN + np.array([0, 200, 400, 70_000, 70_100]) * 10**6
    bids = np.array([1.1, 1.0980, 1.1, 1.1, 1.1])
    tape = QuoteTape("EUR/USD", Quotes(times, times, bids, bids + 2e-5), NS_PER_S)
    strategy = Listening(lambda s, bar: None)
    plan = plan_of(account_of(), [(instance_of(), strategy)], {("EUR/USD", "1m"): flat_bars([1.1] * 2)}, tapes=[tape])
    EventEngine(plan).run()
    assert [tick.time_ns for tick in strategy.ticks] == [int(times[2]), int(times[4])]
    assert strategy.bars == 1


class InTrades(Doing):
    """Remembers the quotes it is told, and asks for those in trades only."""

    @property
    def quotes_only_in_trades(self) -> bool:
        return True

    def on_start(self) -> None:
        self.told: list[int] = []

    def on_tick(self, tick: Tick) -> None:
        self.told.append((tick.time_ns + 1 - BEGIN) // MINUTE)


@pytest.mark.parametrize("look_ahead", [True, False])
@pytest.mark.parametrize("others", [0, 2])
def test_quotes_may_be_told_only_while_a_trade_is_open(look_ahead: bool, others: int) -> None:
    def act(strategy: Doing, bar: Bar) -> None:
        if strategy.bars in (5, 15):
            strategy.context.order("buy", units=D(10), stop_loss=D("1.0999") if strategy.bars == 15 else None)
        if strategy.bars == 10:
            strategy.context.close(strategy.context.trades()[0].trade_id)

    strategy = InTrades(act)
    closes = [*[1.1] * 20, 1.0990, *[1.1] * 10]  # the second trade is stopped in minute 21
    chosen: list[tuple[InstanceConfig, EventStrategy]] = [(instance_of("m", timeframe="1m"), strategy)]
    chosen += [(instance_of(name, magic=2 + n), Doing()) for n, name in enumerate("az"[:others])]
    plan = plan_of(account_of(), chosen, {("EUR/USD", "1m"): flat_bars(closes)})
    EventEngine(plan, look_ahead=look_ahead).run()
    # A trade opened at the close of minute 5 hears from minute 6 on; closed at the close of 10, it has heard of that.
    assert strategy.told == [6, 7, 8, 9, 10, 16, 17, 18, 19, 20]


@pytest.mark.parametrize("look_ahead", [True, False])
def test_everybody_decides_the_last_bar(look_ahead: bool) -> None:
    def act(strategy: Doing, bar: Bar) -> None:
        if strategy.bars == 5:
            strategy.context.order("buy", units=D(10))

    chosen: list[tuple[InstanceConfig, EventStrategy]] = [
        (instance_of(name, magic=1 + n), Doing(act)) for n, name in enumerate("abc")
    ]
    plan = plan_of(account_of(), chosen, {("EUR/USD", "1m"): flat_bars([1.1] * 5)})
    result = EventEngine(plan, look_ahead=look_ahead).run()
    assert [trade.instance for trade in result.open_trades] == ["a", "b", "c"]
    assert result.bars == {"a": 5, "b": 5, "c": 5}


def test_a_period_without_quotes_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing to play"):
        over(Doing(), [])


@pytest.mark.parametrize(
    ("day", "hour"), [("2024-03-08", 15), ("2024-03-11", 14), ("2024-11-01", 14), ("2024-11-04", 15)]
)
def test_an_instance_is_flat_at_the_end_of_its_session_in_winter_and_in_summer_time(day: str, hour: int) -> None:
    """Sessions of New York, before and after both changes of its clocks."""

    def act(strategy: Doing, bar: Bar) -> None:
        strategy.context.order("buy", units=D(10))

    session = {"start": "09:50", "end": "10:00", "zone": "America/New_York"}
    begin_ns = parse_time(f"{day}T{hour - 1}:55:00Z")
    plan = plan_of(
        account_of(),
        [(instance_of(limits={"session": session, "exit_at_session_end": True}), Doing(act))],
        {("EUR/USD", "1m"): flat_bars([1.1] * 10, begin_ns)},
    )
    result = EventEngine(plan).run()
    assert len(result.closed) == 4
    assert not result.open_trades
    assert {trade.close_time_ns for trade in result.closed} == {parse_time(f"{day}T{hour}:00:00Z")}


def test_state_that_json_cannot_hold_is_an_error_as_it_is_for_a_worker() -> None:
    with pytest.raises(StrategyError, match="JSON"):
        over(at(1, lambda s: s.context.state.update(when=object())), [1.1] * 2).run()


def test_on_a_netting_account_each_trade_keeps_its_own_stop_and_meets_the_quote_that_reaches_it() -> None:
    bars = flat_bars([1.1, 1.1, 1.1, 1.1])
    bars.low[2] = 1.0990  # the bid touches it inside the bar; the bar closes at 1.1 again
    bars.ask_low[2] = 1.0990 + 2e-5
    buys = at(1, lambda s: s.context.order("buy", units=D(3000), stop_loss=D("1.0995")))
    sells = at(1, lambda s: s.context.order("sell", units=D(3000), take_profit=D("1.0993")))
    engine = EventEngine(
        plan_of(
            account_of(positions="netting", paper={"slippage_pips": 0}),
            [(instance_of("buys"), buys), (instance_of("sells", magic=2), sells)],
            {("EUR/USD", "1m"): bars},
        )
    )
    closed = {trade.instance: trade for trade in engine.run().closed}
    assert (closed["buys"].close_reason, closed["buys"].close_price) == ("stop-loss", D("1.0990"))
    assert (closed["sells"].close_reason, closed["sells"].close_price) == ("take-profit", D("1.09902"))
    assert not engine.account.engine.state.tickets
    lost = sum((trade.profit for trade in closed.values()), D(0))
    assert engine.account.valuation.balance == engine.account.initial_balance + lost
    assert engine.account.engine.state.balance == engine.account.valuation.balance


def test_a_close_out_of_a_net_position_closes_the_oldest_trades_of_its_side() -> None:
    def act(strategy: Doing, bar: Bar) -> None:
        if strategy.bars <= 2:
            strategy.context.order("buy", units=D(40_000))

    longs = Doing(act)
    short = at(2, lambda s: s.context.order("sell", units=D(20_000)))
    prices = [1.1, 1.1, 1.1, 1.06, 1.06]
    account = account_of(
        positions="netting", paper={"initial_balance": 3000, "leverage": 30, "margin_closeout_frac": "0.5"}
    )
    engine = EventEngine(
        plan_of(
            account,
            [(instance_of("long"), longs), (instance_of("short", magic=2), short)],
            {("EUR/USD", "1m"): flat_bars(prices)},
        )
    )
    result = engine.run()
    first, second = sorted((one for one in result.trades if one.side == "buy"), key=lambda one: one.open_time_ns)
    assert (first.units, first.close_reason, second.units) == (D(0), "margin-closeout", D(20_000))
    assert [fill.units for fill in result.fills if fill.reason == "margin-closeout"] == [D(40_000), D(20_000)]
    (held,) = (one for one in result.open_trades if one.side == "sell")
    assert held.units == D(20_000)  # what is left nets to nothing
    assert not engine.account.engine.state.tickets
    worth = engine.account.worth()
    assert abs(worth.equity - engine.account.engine.state.balance) < D("0.5")  # the spread between both


def test_a_stop_that_trails_on_a_netting_account_moves_with_every_quote_and_the_strategy_hears_of_it() -> None:
    strategy = at(1, lambda s: s.context.order("buy", units=D(1000), trailing_distance=D("0.0010")))
    bars = flat_bars([1.1, 1.1, 1.102, 1.1015, 1.1005])
    engine = EventEngine(
        plan_of(
            account_of(positions="netting", paper={"slippage_pips": 0}),
            [(instance_of(), strategy)],
            {("EUR/USD", "1m"): bars},
        )
    )
    (trade,) = engine.run().closed
    assert (trade.close_reason, trade.close_price, trade.stop_loss) == ("trailing-stop", D("1.1005"), D("1.10101"))
    stops = [heard.stop_loss for heard in strategy.trades if heard.is_open]
    assert stops[-1] == D("1.10101")
    assert len(set(stops)) > 2


def test_a_changed_stop_of_a_netting_account_is_done_at_once_whatever_side_it_is_on() -> None:
    def act(strategy: Doing, bar: Bar) -> None:
        if strategy.bars == 1:
            strategy.context.order("buy", units=D(1000))
        elif strategy.bars == 2:
            (trade,) = strategy.context.trades()
            strategy.context.modify(trade.trade_id, stop_loss=D("1.2"))

    strategy = Doing(act)
    result = EventEngine(
        plan_of(
            account_of(positions="netting", paper={"slippage_pips": 0}),
            [(instance_of(), strategy)],
            {("EUR/USD", "1m"): flat_bars([1.1] * 4)},
        )
    ).run()
    (trade,) = result.closed
    assert trade.close_reason == "stop-loss"
    assert [order.state.value for order in strategy.orders if order.intent.action == "modify"] == ["DONE"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda b: b.close.__setitem__(2, np.nan), "close at 2024-06-04T10:02:00Z is nan"),
        (lambda b: b.ask_low.__setitem__(1, 0.0), "ask_low at 2024-06-04T10:01:00Z is 0.0"),
        (lambda b: b.open.__setitem__(1, -1.0), "open at 2024-06-04T10:01:00Z is -1.0"),
        (lambda b: b.open_time_ns.__setitem__(2, BEGIN), "after a later one"),
        (lambda b: b.open_time_ns.__setitem__(2, BEGIN + MINUTE), "comes twice"),
        (lambda b: b.high.__setitem__(3, 1.0), "outside of high and low"),
    ],
)
def test_bars_that_are_no_market_are_refused_by_the_first_that_is_wrong(
    spoil: Callable[[Bars], None], said: str
) -> None:
    bars = flat_bars([1.1] * 5)
    check_bars(bars, "EUR/USD 1m")
    spoil(bars)
    with pytest.raises(ConfigError, match=f"EUR/USD 1m: .*{said}"):
        check_bars(bars, "EUR/USD 1m")


def test_quotes_that_are_no_market_are_refused() -> None:
    times, bids = BEGIN + np.arange(3), np.array([1.1, 1.1, 1.1])
    check_quotes(Quotes(times, times, bids, bids), "EUR/USD")
    with pytest.raises(ConfigError, match="back in time"):
        check_quotes(Quotes(times[::-1].copy(), times, bids, bids), "EUR/USD")
    with pytest.raises(ConfigError, match="nan"):
        check_quotes(Quotes(times, times, bids, np.array([1.1, np.nan, 1.1])), "EUR/USD")


def test_the_first_trade_that_differs_is_found_wherever_it_is() -> None:
    def trade(**other: object) -> dict[str, object]:
        usual = {"side": "buy", "lots": 1.0, "open_s": 10, "close_s": 20, "profit": 1.0}
        return {**usual, **other}

    one, late, short = trade(), trade(close_s=25), trade(side="sell")
    assert side_by_side([one], [trade(open_s=11)], (1, 1), "1", 0).first_different is None
    assert side_by_side([one, late], [one, one], (1, 1), "1", 0).first_different == (late, one)
    assert side_by_side([one, short], [one], (1, 1), "1", 0).first_different == (short, None)
    assert side_by_side([one], [one, trade(close_s=None)], (1, 1), "1", 0).same == 1


def test_plain_orders_and_entries_far_from_every_limit_do_not_go_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the long way")

    def act(strategy: Doing, bar: Bar) -> None:
        held = strategy.context.trades()
        if held:
            strategy.context.close(held[0].trade_id)
        else:
            stop = strategy.context.instrument.round_price(D(repr(bar.close - 0.001)))
            strategy.context.order("buy", units=D(100), stop_loss=stop)

    plan = plan_of(account_of(), [(instance_of(), Doing(act))], {("EUR/USD", "1m"): flat_bars([1.1] * 6)})
    monkeypatch.setattr(Account, "risk_state", refuse)
    monkeypatch.setattr(Account, "_ask_broker", refuse)
    assert len(run(plan).closed) == 3
