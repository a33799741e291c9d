"""What else could have come of a run: a planted pattern is found, chance is called chance."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray

from atrader.clock import NS_PER_S, parse_time
from atrader.errors import ConfigError
from atrader.market import Bar, Bars
from atrader.orders.model import Trade
from atrader.strategy import BaseParameters, EventStrategy
from research.events.plan import Plan
from research.events.result import Result
from research.events.tape import BarTape
from research.luck import luck_of
from research.statistics.periods import period_returns
from research.statistics.permutation import permuted_bars
from research.statistics.resampling import bootstrap_returns, trade_orders
from tests.support.event_runs import account_of, instance_of, plan_of, run

PAIR, HOUR_NS = "BTC/USD", 3600 * NS_PER_S
COUNT = 24 * 14


class Follow(EventStrategy):
    """Buys what rose much in the last hour, and holds it until it falls."""

    def __init__(self) -> None:
        super().__init__(BaseParameters())
        self._held: str | None = None

    def on_bar(self, bar: Bar) -> None:
        if bar.close > bar.open * 1.003 and self._held is None:
            self.context.order("buy", units=Decimal("0.01"))
        elif bar.close < bar.open * 0.999 and self._held is not None:
            self.context.close(self._held)

    def on_trade(self, trade: Trade) -> None:
        self._held = trade.trade_id if trade.is_open else None


class Idle(EventStrategy):
    """Does nothing."""

    def __init__(self) -> None:
        super().__init__(BaseParameters())


def bars_of(follow: float, seed: int) -> Bars:
    """Return hours whose moves go on as before, by some share, with a small spread."""
    chance = np.random.default_rng(seed)
    moves = chance.normal(0, 2e-3, COUNT)
    for place in range(1, COUNT):
        moves[place] += follow * moves[place - 1]
    closes = np.round(50_000 * np.exp(np.cumsum(moves)), 1)
    opens = np.concatenate([[50_000.0], closes[:-1]])
    bids = (opens, np.maximum(opens, closes) + 1, np.minimum(opens, closes) - 1, closes)
    times = parse_time("2024-01-01T00:00:00Z") + np.arange(COUNT) * HOUR_NS
    return Bars(times, *bids, *(column + 0.1 for column in bids), np.ones(COUNT))


def plan(bars: Bars, strategy: EventStrategy | None = None, played: int = 0) -> Plan:
    """Return a plan that plays bars from one on; each deal costs something, and so does each night."""
    config = instance_of(instrument=PAIR, timeframe="1h")
    account = account_of(paper={"commission_per_million": 40, "swap_long_frac": "-0.2"})
    tapes = [BarTape(PAIR, bars[played:], HOUR_NS)]
    return plan_of(account, [(config, strategy or Follow())], {(PAIR, "1h"): bars}, base="1h", tapes=tapes)


def test_a_planted_pattern_is_no_luck() -> None:
    told: list[tuple[int, int]] = []
    given = plan(bars_of(0.9, 1))
    found = luck_of(given, Follow, draws=5, permutations=9, seed=3, progress=lambda *done: told.append(done))
    assert (found.p_sharpe, found.p_return, found.permutations) == (0.1, 0.1, 9)  # none of 9 did as well
    assert told == [(number, 9) for number in range(1, 10)]


class Noting(Follow):
    """Notes the bars it was shown, and the prices that its trades had."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[object, ...]] = []

    def on_bar(self, bar: Bar) -> None:
        self.noted.append((bar.open_time_ns, bar.close))
        super().on_bar(bar)

    def on_trade(self, trade: Trade) -> None:
        self.noted.append((trade.open_price, trade.close_price))
        super().on_trade(trade)


@pytest.mark.parametrize("seed", [1, 5])
def test_bars_in_another_order_are_decided_at_and_played_as_in_a_run_of_their_own(seed: int) -> None:
    bars, half, made = bars_of(0.0, seed), COUNT // 2, list[Noting]()

    def make() -> Noting:
        made.append(Noting())
        return made[-1]

    found = luck_of(plan(bars, played=half), make, draws=1, permutations=9, seed=3)
    others = [permuted_bars(bars, 3, number, keep=half, tick=0.1) for number in range(9)]
    earned = []
    for one, strategy in zip([bars, *others], made, strict=True):
        alone = Noting()
        result = run(plan(one, alone, half))
        assert strategy.noted == alone.noted
        days = days_of(result)
        earned.append((np.prod(1 + days), days.mean() / days.std(ddof=1)))
    p_return, p_sharpe = (np.array(earned) >= earned[0]).mean(axis=0)
    assert (found.p_return, found.p_sharpe) == pytest.approx((p_return, p_sharpe))


def days_of(result: Result) -> NDArray[np.float64]:
    calendar = plan(bars_of(0.0, 1)).calendar_of(PAIR)
    return period_returns(result.curve.time_ns, result.curve.equity, calendar, initial=10_000.0).returns


@pytest.mark.parametrize("count", [COUNT, 48])
def test_draws_are_those_of_the_trades_with_all_that_they_cost_and_of_the_days(count: int) -> None:
    given = plan(bars_of(0.3, 1)[:count])
    found = luck_of(given, Follow, draws=50, permutations=0, seed=3)
    result = run(plan(bars_of(0.3, 1)[:count]))
    assert found.trades == len(result.closed) > 1
    assert found.return_frac == pytest.approx(result.curve.equity[-1] / 10_000 - 1)
    days = days_of(result)
    assert found.days == len(days) == count // 24
    assert found.sharpe == pytest.approx(days.mean() / days.std(ddof=1) * math.sqrt(365))
    net = [float(trade.profit + trade.commission + trade.swap) for trade in result.closed]
    assert 10_000 + sum(net) == pytest.approx(result.curve.equity[-1])
    orders = trade_orders(net, 1e4, 50, 3)
    assert found.order_drawdown_frac == pytest.approx(np.quantile(orders.drawdown_frac, [0.05, 0.5, 0.95]))
    drawn = bootstrap_returns(days, 50, 3)
    assert found.drawn_return_frac == pytest.approx(np.quantile(drawn.growth - 1, [0.05, 0.5, 0.95]))
    assert found.drawn_sharpe == pytest.approx(np.quantile(drawn.sharpe, [0.05, 0.5, 0.95]) * math.sqrt(365))
    assert found.drawn_drawdown_frac == pytest.approx(np.quantile(drawn.drawdown_frac, [0.05, 0.5, 0.95]))
    assert found.drawn_loss_frac == np.mean(drawn.growth < 1)
    assert json.loads(json.dumps(found.as_json()))["drawn_sharpe"]["low"] == found.drawn_sharpe.low  # type: ignore[union-attr]


def test_what_follows_nothing_is_luck() -> None:
    values = [luck_of(plan(bars_of(0.0, seed)), Follow, draws=1, permutations=4).p_sharpe for seed in range(6)]
    assert 0.3 < np.mean(np.array(values, float)) < 0.9  # uniform on 0.2 ... 1


def test_bars_before_the_period_stay_as_they_are_and_the_same_seed_gives_the_same() -> None:
    given = plan(bars_of(0.9, 1), played=COUNT // 2)
    one, same, other = (luck_of(given, Follow, draws=20, permutations=2, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.drawn_sharpe != other.drawn_sharpe
    assert one.days == 7


def test_a_strategy_that_does_not_trade_has_nothing_to_draw() -> None:
    found = luck_of(plan(bars_of(0, 1)), Idle, draws=5, permutations=4)
    assert (found.trades, found.return_frac, found.sharpe, found.order_drawdown_frac) == (0, 0, 0, None)
    assert (found.p_return, found.p_sharpe, found.drawn_loss_frac) == (None, None, None)
    assert (found.order_draws, found.permutations, found.drawn_sharpe) == (0, 0, None)


def test_a_single_day_has_no_ratio_and_no_others_to_draw() -> None:
    short = luck_of(plan(bars_of(0.9, 1)[:20]), Follow, draws=5, permutations=0)
    assert (short.days, short.drawn_sharpe, short.drawn_loss_frac, short.p_sharpe) == (1, None, None, None)
    assert (short.order_draws, short.sharpe) == (5, 0)


def test_bars_that_are_not_those_that_are_played_cannot_be_permuted() -> None:
    bars = bars_of(0, 1)
    config = instance_of(instrument=PAIR, timeframe="1h")
    finer = plan_of(account_of(), [(config, Follow())], {(PAIR, "1h"): bars, (PAIR, "1m"): bars})
    with pytest.raises(ConfigError, match="a strategy that looks at others, too: BTC/USD 1m"):
        luck_of(finer, Follow)
    assert luck_of(finer, Follow, draws=5, permutations=0).permutations == 0
    hours = plan(bars[:90:2]).tapes
    for timeframe in ("1h", "1d"):
        decided = instance_of(instrument=PAIR, timeframe=timeframe)
        played = plan_of(account_of(), [(decided, Follow())], {(PAIR, timeframe): bars}, tapes=hours)
        with pytest.raises(ConfigError, match=f"the {timeframe} bars that the strategy decides at have to be those"):
            luck_of(played, Follow)
    two = plan_of(account_of(), [(config, Follow()), (config, Follow())], {(PAIR, "1h"): bars}, base="1h")
    with pytest.raises(ConfigError, match="one strategy at a time"):
        luck_of(two, Follow)
