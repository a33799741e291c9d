"""The loop of the event engine: steps in which something happens at the account, and turns of the instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError
from atrader.market import Bar
from atrader.timeframes import Timeframe
from research.events.account import Account
from research.events.context import not_loaded
from research.events.exits import ForcedExits
from research.events.garbage import seldom_sought
from research.events.history import History
from research.events.lookahead import LookAhead
from research.events.market import Market
from research.events.plan import Plan, Progress, SeriesKey
from research.events.result import Result
from research.events.runner import Runner
from research.events.selected import SelectedSteps
from research.events.told import Alert, Signal
from research.events.watching import LimitWatch

_REPORT_EVERY: Final = 4096


class EventEngine:
    """Runs a plan, once.

    The order of events is that of a replay in lockstep: the account sees the quotes of a step, limits force what they
    force, then each instance with something to hear takes its turn, in the order of names. Steps in which nothing can
    happen at the account are not played quote by quote: the strategies decide their bars, and the account learns the
    last quotes when it is asked. What comes out is the same.

    Parameters
    ----------
    plan : Plan
        What to run.
    look_ahead : bool, default True
        False plays every quote of every step: slower, for comparison.
    account_of : callable
        Makes the account.

    Raises
    ------
    ConfigError
        When nothing is there to be played, or an instance has no bars in it.
    """

    def __init__(self, plan: Plan, *, look_ahead: bool = True, account_of: Callable[..., Account] = Account) -> None:
        tapes = [tape for tape in plan.tapes if len(tape)]
        if not tapes:
            raise ConfigError("nothing to play: no bars or quotes in the period; see 'atrader data list'")
        self.market = Market(tapes, plan.step_ends)
        self.signals: list[Signal] = []
        self.alerts: list[Alert] = []
        self._plan = plan
        self._histories: dict[SeriesKey, History] = {}
        quoted = {tape.symbol: plan.instruments[tape.symbol] for tape in tapes}
        self.account = account_of(plan.account, [config for config, _ in plan.instances], quoted, plan.calendar_of)
        self._exits = ForcedExits(self.account)
        self._watch = LimitWatch(self.account, self.market)
        self._ahead = LookAhead(self.market, self.account.engine, self.account.net_watch) if look_ahead else None
        # Then quotes that change nothing need not be heard of before the next, which takes their place.
        self._may_pass_over = look_ahead and self.market.is_single and not self.account.watches
        self._reached = -1
        self._runners = [
            Runner(
                config,
                strategy,
                self,
                self.history(SeriesKey(config.instrument, config.timeframe)),
                self._selected(config),
                plan.signals,
            )
            for config, strategy in sorted(plan.instances, key=lambda item: item[0].name)
        ]
        self._in_trades = [item for item in enumerate(self._runners) if item[1].listens_in_trades]
        self._turn_steps, self._turn_of, self._turn_bars = _turns(self._runners, len(self.market))
        self._each_step_from = _first_of_each(self._turn_steps)
        self._is_odd = (self._turn_bars != 1).tobytes()  # of each turn, whether it is more or less than a bar
        self._next_odd = 0  # the first one that was not taken yet

    # -- what contexts ask

    def history(self, key: SeriesKey) -> History:
        """Return the bars of a series."""
        found = self._histories.get(key)
        if found is None:
            bars = self._plan.series.get(key)
            if bars is None:
                raise not_loaded(key)
            gaps = self._plan.missing.get(key, ())
            timeframe, calendar = Timeframe.parse(key.timeframe), self.calendar_of(key.instrument)
            late = self._plan.late.get(key, {})
            found = self._histories[key] = History(bars, timeframe, calendar, self.market, gaps, late)
        return found

    def _selected(self, config: InstanceConfig) -> SelectedSteps | None:
        if config.selection is None:
            return None
        timeframe = config.selection.timeframe or config.timeframe
        return SelectedSteps(config.selection, self.history(SeriesKey(config.instrument, timeframe)))

    def calendar_of(self, symbol: str) -> Calendar:
        """Return the calendar of an instrument."""
        return self._plan.calendar_of(symbol)

    def forming(self, instrument: str, timeframe: str, step: int) -> Bar | None:
        """Return the bar that forms when a step is over, None when none does."""
        reel = self.market.reels.get(instrument)
        if reel is None or step < 0:
            return None
        open_ns = self.calendar_of(instrument).bar_open(int(self.market.ends[step]), Timeframe.parse(timeframe))
        return reel.tape.since(open_ns, reel.rows_until(step))

    def reach(self, step: int) -> None:
        """Let the account know every quote up to the end of a step; none of them makes anything happen."""
        if step <= self._reached:
            return
        if self.account.watches:
            for peak in self._watch.peaks(self._reached + 1, step):
                self._look_at(peak)
        self._look_at(step)

    def _look_at(self, step: int) -> None:
        account, self._reached = self.account, step
        account.on_ticks(self.market.skip(step))
        end_ns = self.market.ends.item(step)
        if end_ns > account.now_ns:
            account.now_ns = end_ns
        if account.watches:
            account.roll_day()

    # -- the loop

    def run(self, progress: Progress | None = None) -> Result:
        """Run it to the end.

        Raises
        ------
        StrategyError
            When a strategy fails and its policy is to stop.
        """
        with seldom_sought():
            return self._run(progress)

    def _run(self, progress: Progress | None) -> Result:
        self.account.now_ns = self.market.first_ns
        self._begin()
        self.account.roll_day()
        for runner in self._runners:
            runner.start()
        step, turn, total, reported = 0, 0, len(self.market), 0
        while step < total:
            work, is_work = self._next_work(step)
            before = self.account.submitted
            turn = self._coast(step, turn, work)
            if self.account.submitted != before:  # other levels from here on
                step = self._reached + 1
                self._settle()
            elif is_work:
                turn = self._work(work, turn)
                step = work + 1
            else:
                step = work
            if progress is not None and step - reported >= _REPORT_EVERY:
                reported = step
                progress(step, total)
        self._turns_before(total, turn)  # of the last step, in which somebody wanted something
        self.reach(total - 1)
        for runner in self._runners:
            runner.stop()
        if progress is not None:
            progress(total, total)
        return Result.of(self.account, self.market, self._runners, self.signals, self.alerts)

    def _begin(self) -> None:
        begin = self._plan.begin
        if begin is None:
            return
        self.account.carry(begin)
        for runner in self._runners:
            memory = begin.memories.get(runner.name)
            if memory is not None:
                magic = runner.config.magic
                orders = [one for one in self.account.open_orders.values() if one.intent.magic == magic]
                runner.begin(memory, orders, self.account.ledger.open_trades(magic))

    def _next_work(self, step: int) -> tuple[int, bool]:
        if self._ahead is None or self.account.booking.news or self._exits.has_news:
            return step, True
        if not (self.account.watches and self._exits.is_busy):
            return self._ahead.next_work(step)
        if not self._watch.can_skip:
            return step, True
        work, is_work = self._ahead.next_work(step)
        watched = self._watch.next_work(step, work)
        return (watched, True) if watched < work else (work, is_work)

    def _work(self, step: int, turn: int) -> int:
        """Play a step quote by quote, then the turns in it; return the next turn."""
        account = self.account
        if self._may_pass_over:
            self.market.pass_over(step)
        elif step:
            self.reach(step - 1)
        account.on_ticks(self.market.play(step))
        self._reached = step
        account.advance(self.market.ends.item(step))
        self._exits.turn()
        self._settle()
        return self._turns_until(step, turn)

    def _turns_until(self, step: int, turn: int) -> int:
        """Take what is left of the turns before a step, and all of its own, in the order of names."""
        turn = self._turns_before(step, turn)
        due: dict[int, int] = {}
        while turn < len(self._turn_steps) and self._turn_steps.item(turn) == step:
            due[self._turn_of[turn]] = self._turn_bars.item(turn)
            turn += 1
        for number, runner in self._in_trades:
            if runner.listens_now or runner.name in self.account.news:
                due.setdefault(number, 0)
        for number in sorted(due):
            self._hear_until(step, number)
            self._whole_turn(step, number, due[number])
        self._hear_until(step, len(self._runners))
        return turn

    def _turns_before(self, step: int, turn: int) -> int:
        """Take what is left of the turns before a step."""
        while turn < len(self._turn_steps) and self._turn_steps.item(turn) < step:
            self._whole_turn(self._turn_steps.item(turn), self._turn_of[turn], self._turn_bars.item(turn))
            turn += 1
        return turn

    def _settle(self) -> None:
        if self._ahead is not None:
            self._ahead.settle()

    def _hear_until(self, step: int, number: int) -> None:
        """Give a turn to whoever comes before a number and has something to hear."""
        if self.account.news:
            for runner in self._runners[:number]:
                if runner.name in self.account.news:
                    runner.turn(step, 0, None)

    def _whole_turn(self, step: int, number: int, bars: int) -> None:
        runner = self._runners[number]
        if not (runner.listens_always or runner.listens_in_trades):
            runner.turn(step, bars, None)
            return
        reel = self.market.reels[runner.config.instrument]
        rows = reel.rows_until(step)
        quoted = rows > 0 and reel.steps[rows - 1] == step
        runner.turn(step, bars, reel.tape.last(rows - 1) if quoted else None)

    def _coast(self, step: int, turn: int, work: int) -> int:
        """Take the turns from one step to before another; stop when somebody wanted something. Return the next turn.

        What opens or closes a trade is wanted, or happens in a step that is played: so nobody begins or ends to be told
        quotes on the way.
        """
        account, before = self.account, self.account.submitted
        if self._in_trades and any(runner.listens_now for _, runner in self._in_trades):
            turn = self._turns_before(step, turn)  # of a step in which somebody wanted something: before the next quote
            while step < work and account.submitted == before:
                turn = self._turns_until(step, turn)
                step += 1
            return turn
        stop = self._turns_up_to(work)
        while turn < stop and account.submitted == before:
            runner = self._runners[self._turn_of[turn]]
            if runner.needs_whole_turn or self._is_odd[turn]:
                self._whole_turn(self._turn_steps.item(turn), self._turn_of[turn], self._turn_bars.item(turn))
                turn += 1
            else:
                turn += runner.decide_bars(self._alike(turn, stop) - turn)
                if runner.waiting:
                    runner.finish(self._turn_steps.item(turn - 1))
        return turn

    def _turns_up_to(self, step: int) -> int:
        """Return how many turns come before a step."""
        if self._each_step_from is None:
            return int(self._turn_steps.searchsorted(step))
        turns = step - self._each_step_from
        return (turns if turns > 0 else 0) if turns < len(self._turn_of) else len(self._turn_of)

    def _alike(self, turn: int, stop: int) -> int:
        """Return up to which turn there is nothing but a bar of the same instance in each."""
        if len(self._runners) > 1:
            return turn + 1
        if self._next_odd < turn or not turn:
            odd = self._is_odd.find(1, turn)
            self._next_odd = len(self._is_odd) if odd < 0 else odd
        return self._next_odd if self._next_odd < stop else stop


def _first_of_each(turn_steps: NDArray[np.int64]) -> int | None:
    """Return from which step on there is a turn in each, as long as there are turns; None when it is not so."""
    if not len(turn_steps):
        return None
    first, last = turn_steps.item(0), turn_steps.item(-1)
    is_each = last - first == len(turn_steps) - 1 and bool((np.diff(turn_steps) == 1).all())
    return first if is_each else None


def _turns(runners: list[Runner], steps: int) -> tuple[NDArray[np.int64], list[int], NDArray[np.int64]]:
    """Return of every turn its step, whose it is, and how many bars are in it; in the order they are taken."""
    found = []
    for number, runner in enumerate(runners):
        ends = runner.history.steps[runner.history.first :]  # never falls
        firsts = np.flatnonzero(np.diff(ends, prepend=-1))
        due, bars = ends[firsts], np.diff(firsts, append=len(ends))
        if runner.listens_always:
            counts = np.zeros(steps, np.int64)
            counts[due] = bars
            due, bars = np.arange(steps), counts
        found.append((due, np.full(len(due), number), bars))
    if len(found) == 1:
        due, _, bars = found[0]
        return due, [0] * len(due), bars
    due, whose, bars = (np.concatenate(columns) for columns in zip(*found, strict=True))
    order = np.lexsort((whose, due))
    return due[order], whose[order].tolist(), bars[order]
