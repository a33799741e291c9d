"""One instance at work: what the worker's loop does for a strategy, without a process around it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable
from typing import Final, TypeGuard

import numpy as np

from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError, StrategyError
from atrader.indicator_strategy import IndicatorStrategy
from atrader.market import Tick
from atrader.orders.model import Intent, Order, Trade
from atrader.signal_driver import SignalDriver
from atrader.strategy import EventStrategy, SignalStrategy, Strategy
from atrader.telling import Telling
from atrader.trading_state import TradingState
from atrader.view import View
from research.events.context import BacktestContext, World
from research.events.history import History, check_decides
from research.events.once import indicators_once
from research.events.plan import Memory, SignalsOver
from research.events.rows import rows_of
from research.events.selected import SelectedSteps
from research.events.told import Alert
from research.events.whole import WholeDriver
from research.events.wished import wished

_TRACE_LINES: Final = 12


class Runner:
    """Drives one strategy.

    Parameters
    ----------
    config : InstanceConfig
        Who it is.
    strategy : Strategy
        Of either kind.
    world : World
        The account it trades on, and the market.
    history : History
        Its bars.
    selected : SelectedSteps, optional
        When its market lets it open; without, always.
    signals : SignalsOver
        How those of a signal strategy are computed, and the indicators of an event strategy.

    Attributes
    ----------
    waiting : list of Intent
        What it wants and the account was not told.
    needs_whole_turn : bool
        Whether its next turn is more than a bar: the first one, quotes, things left to tell.
    bars_handled : int
        So far.
    errors : int
        Exceptions in the strategy so far.
    listens_always, listens_in_trades : bool
        Whether it is told every quote, or those that come while it has an open trade.

    Raises
    ------
    ConfigError
        When a signal strategy would never have the bars it needs: a result without trades would say something else.
    """

    def __init__(
        self,
        config: InstanceConfig,
        strategy: Strategy,
        world: World,
        history: History,
        selected: SelectedSteps | None = None,
        signals: SignalsOver = "once",
    ) -> None:
        self.name = config.name
        self.config = config
        self.strategy = _driven(strategy, history, signals)
        self.history = history
        self.waiting: list[Intent] = []
        self.errors = 0
        self._world = world
        self._selected = selected
        self._account = world.account
        self._view = View()
        self._n = 0
        self._is_new = True
        self._errors_in_row = 0
        self._failed_row = -2
        wants_quotes, only_in_trades = self.strategy.wants_quotes, self.strategy.quotes_only_in_trades
        self.listens_always = wants_quotes and not only_in_trades
        self.listens_in_trades = wants_quotes and only_in_trades
        # What it asks in on_order is answered with what the account was before: only then that has to be kept.
        self._keeps_equity = type(self.strategy).on_order is not EventStrategy.on_order and not isinstance(
            self.strategy, SignalDriver
        )
        self._telling = Telling(self.strategy, self._call, self._complain)
        self.needs_whole_turn = True
        window = max(config.warmup_bars or 0, self.strategy.warmup_bars)
        check_decides(config, history, self.strategy.warmup_bars if isinstance(self.strategy, SignalDriver) else 0)
        self._rows = rows_of(history.bars, (), history.first - 1)
        self._decides: Callable[..., None] | None = None  # instead of its on_bar
        self._ready = 0  # first row that is decided: a life before decided others, or values are missing
        self._pass_over = self.strategy.pass_over if isinstance(self.strategy, WholeDriver) else None
        self._computes_once = signals == "once"
        self.context = BacktestContext(config, world, history, window, self._view, self._note, self._rows)
        self.strategy.context = self.context

    @property
    def bars_handled(self) -> int:
        """Bars that it decided."""
        return self.context.row - self.history.first + 1

    @property
    def listens_now(self) -> bool:
        """Whether it is told the next quote because it has an open trade."""
        return self.listens_in_trades and bool(self._view.trades)

    def begin(self, memory: Memory, orders: Iterable[Order], trades: Iterable[Trade]) -> None:
        """Go on from where another run or life was."""
        self._n = memory.n
        decided = int(np.searchsorted(self.history.bars.open_time_ns, memory.bar_ns, side="right"))
        self._ready = max(self._ready, decided)
        self.waiting = list(memory.waiting)
        self.context.state = dict(memory.state)
        self.context.told = memory.told
        self._view.replace(orders, trades)

    def start(self) -> None:
        """Let the strategy start; what it wants then is handed over in its first turn."""
        self._call("on_start", self.strategy.on_start)
        strategy = self.strategy
        if self._computes_once and _decides_by_indicators(strategy):
            self._compute(strategy)

    def stop(self) -> None:
        """Let the strategy stop; it must not trade.

        Raises
        ------
        StrategyError
            When its state holds what JSON cannot: a worker could not keep it.
        """
        self._call("on_stop", self.strategy.on_stop)
        self.waiting.clear()
        try:
            json.dumps(self.context.state, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise StrategyError(f"the state of {self.name} holds a value JSON cannot: {error}") from error

    def turn(self, step: int, bars: int, tick: Tick | None) -> None:
        """Take a whole turn: hear of the account, then a quote, then so many bars that are complete now."""
        self.context.deciding, self.context.step = False, step
        self._telling.begin_turn()
        self._hear()
        if self._is_new:
            self._is_new = False
            self._telling.tell(self._hand_over(again=True), [])
            self._hear()
            self._telling.tell(self.context.orders(), self.context.trades())
        if tick is not None and (self.listens_always or self.listens_now):
            self._call("on_tick", self.strategy.on_tick, tick)
        for _ in range(bars):
            self._hear()
            self._decide()
        self._hear()
        self.needs_whole_turn = self.listens_always or self._telling.is_waiting

    def decide_bars(self, count: int) -> int:
        """Take turns in which there is nothing but one bar, until something is wanted; return how many.

        What is wanted waits for `finish`.
        """
        rows, waiting, pass_over = self._rows, self.waiting, self._pass_over
        decides = self._decides or self.strategy.on_bar
        self.context.deciding = True
        first = rows.row
        last = first + count
        if first + 1 < self._ready:
            rows.skip(min(count, self._ready - first - 1))
        while rows.row < last and not waiting:
            at_once = last - rows.row
            if pass_over is not None:
                rows.skip(pass_over(at_once))
                at_once = min(last - rows.row, 1)
            try:
                rows.run(decides, at_once, waiting)
            except ConfigError:
                raise  # it will not get better with the next bar: a worker ends, too
            except (Exception, SystemExit) as error:  # noqa: BLE001 - boundary: user code may fail in any way, a policy decides
                waiting.clear()
                self.fail("on_bar", error)
        return rows.row - first

    def finish(self, step: int) -> None:
        """End a turn begun by `decide_bars`, with the account at its step: hand over, hear what came of it."""
        context, telling = self.context, self._telling
        telling.begin_turn()
        self._tell_answers()
        context.deciding, context.step = False, step
        self._hear()
        self.needs_whole_turn = self.listens_always or telling.is_waiting

    def fail(self, what: str, error: Exception | SystemExit) -> None:
        """Count an exception of the strategy, and do what the configuration says; what it wanted is dropped.

        Raises
        ------
        StrategyError
            When the policy is to stop, or after ``max_errors`` failures in a row.
        """
        self.errors += 1
        self._errors_in_row = self._errors_in_row + 1 if self._failed_row >= self.context.row - 1 else 1
        self._failed_row = self.context.row
        text = f"{what} of {self.name} raised {type(error).__name__}: {error}"
        where = "".join(traceback.format_exception(error)[-_TRACE_LINES:])
        self.context.alert("strategy-error", f"{text}\n{where}")
        # Of an answer that is none the message says everything: no line of the strategy raised it.
        told = f": {self.config.strategy}" if isinstance(error, StrategyError) else f"\n{where}"
        if self.config.on_error == "stop":
            raise StrategyError(f"{text} (on_error = stop){told}") from error
        if self._errors_in_row >= self.config.max_errors:
            raise StrategyError(f"{text}; {self._errors_in_row} errors in a row (max_errors){told}") from error
        if self.config.on_error == "reduce":
            self._account.states[self.name] = TradingState.REDUCING

    def _compute(self, strategy: IndicatorStrategy) -> None:
        """Compute all indicators at once, if they are those of the windows."""
        if len(self.history.bars) < strategy.bars_needed:
            return  # it never decides, here as there
        values, difference = indicators_once(strategy, self.history)
        if values is None:
            text = f"indicators over the window of each bar, which is slow, and not over all bars at once: {difference}"
            self.context.alert("signals-by-window", text)
            return
        self._rows = self.context.place = rows_of(self.history.bars, values, self.history.first - 1)
        self._decides, self._ready = strategy.on_indicators, max(self._ready, strategy.bars_needed - 1)

    def _decide(self) -> None:
        rows = self._rows
        if rows.row + 1 < self._ready:
            rows.skip(1)
            return
        self.context.deciding = True
        self._call("on_bar", rows.run, self._decides or self.strategy.on_bar, 1, [])
        self.context.deciding = False

    def _call(self, what: str, call: Callable[..., None], *told: object) -> None:
        before = len(self.waiting)
        try:
            call(*told)
        except ConfigError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - boundary: user code may fail in any way, a policy decides
            del self.waiting[before:]
            self.fail(what, error)
            return
        self._errors_in_row = 0
        if self.waiting and not self._is_new:
            self._tell_answers()

    def _tell_answers(self) -> None:
        answers = self._hand_over()
        if not answers:
            return
        # Not asked of `vars`: attributes of an object whose dictionary somebody asked for are slower from then on.
        hears = getattr(self.strategy.on_order, "__func__", None)
        if hears is EventStrategy.on_order and self._telling.pass_over(len(answers)):
            self._errors_in_row = 0  # as after every callback that raised nothing
        else:
            self._telling.tell(answers, [])

    def _hand_over(self, *, again: bool = False) -> list[Order]:
        """Hand all kept intents over, in order; return the orders that are news."""
        if not self.waiting:
            return []
        at = self.context.at
        self._world.reach(at)
        if self._selected is not None:
            self._account.selected[self.name] = self._selected.state_at(at)
        if self._keeps_equity:
            self.context.equity()
        news = []
        while self.waiting:
            order = self._account.submit(self.waiting.pop(0))
            if self._view.see_order(order) or again:
                news.append(order)
        return news

    def _hear(self) -> None:
        """Take in everything the account did up to now, and tell the strategy."""
        news, view = self._account.booking.news, self._view
        while self.name in news:
            orders, trades = news.pop(self.name)
            self.context.heard()
            if orders:
                orders = [order for order in orders if view.see_order(order)]
            self._telling.tell(orders, [trade for trade in trades if view.see_trade(trade)])

    def _note(self, values: dict[str, object]) -> Intent:
        own = values.pop("n", None)  # who plays what was recorded brings the number
        self._n = self._n + 1 if own is None else int(str(own))
        intent = wished(values, self._n)
        self.waiting.append(intent)
        return intent

    def _complain(self, waiting: int) -> None:
        text = f"{self.name}: {waiting} callbacks wait: its on_order answers orders by orders without an end"
        self._world.alerts.append(Alert(self.context.now_ns(), self.name, "strategy-does-not-end", text))


def _decides_by_indicators(strategy: EventStrategy) -> TypeGuard[IndicatorStrategy]:
    return isinstance(strategy, IndicatorStrategy) and type(strategy).on_bar is IndicatorStrategy.on_bar


def _driven(strategy: Strategy, history: History, signals: SignalsOver) -> EventStrategy:
    if isinstance(strategy, SignalStrategy):
        return WholeDriver(strategy, history) if signals == "once" else SignalDriver(strategy)
    assert isinstance(strategy, EventStrategy)
    return strategy
