"""The worker's loop: drain everything waiting, call the strategy, hand intents over, checkpoint, beat."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from atrader.bus import Gap, Message, Poller, Source
from atrader.calendars import Calendar
from atrader.market import Bar, Tick
from atrader.orders.model import Order, Trade
from atrader.runtime.child import Child
from atrader.strategy import EventStrategy
from atrader.telling import Telling
from atrader.timeframes import Timeframe
from worker.account_feed import AccountFeed
from worker.checkpoint import Checkpoint, CheckpointFile
from worker.context import LiveContext
from worker.desk import Desk
from worker.diary import Diary
from worker.history_sender import HistorySender
from worker.lockstep import Lockstep
from worker.market_feed import MarketFeed
from worker.strategy_call import StrategyCall

_LOOK_FRAC: Final = 0.05
"""How often a loop that quotes wake looks whether a beat is due, in beat intervals."""


class Loop:
    """One strategy instance at work. Everything happens in one thread, one event after the other.

    Order of work in a turn: what happened to orders and trades, quotes, bars (oldest first). Intents of a callback
    are noted beside the checkpoint with the state that wanted them, and handed over right after it; the checkpoint is
    written when a bar and everything it caused is done. So a life that is killed in between is finished by the next:
    it hands the noted intents over, which the gateway knows by their numbers, and decides nothing twice.
    """

    def __init__(
        self,
        child: Child,
        strategy: EventStrategy,
        context: LiveContext,
        desk: Desk,
        call: StrategyCall,
        market: MarketFeed,
        account: AccountFeed,
        memory: Checkpoint,
        file: CheckpointFile,
        history: HistorySender,
        diary: Diary,
        lockstep: Lockstep | None,
    ) -> None:
        self._child = child
        self._strategy = strategy
        self._context = context
        self._desk = desk
        self._call = call
        self._market = market
        self._account = account
        self._memory = memory
        self._file = file
        self._bar_ns = memory.bar_open_time_ns  # the newest bar that was given to the strategy
        self._history = history
        self._diary = diary
        self._lockstep = lockstep
        self._calendar = Calendar.get(context.instrument.calendar)
        self._timeframe = Timeframe.parse(context.timeframe)
        self._wants_ticks = strategy.wants_quotes
        self._only_in_trades = strategy.quotes_only_in_trades
        self._is_new = True
        self._is_full = False  # the disk of the checkpoint
        self._quote: Tick | None = None  # that the strategy is told right now, until it is noted
        self._synchronised = desk.answered
        self._telling = Telling(strategy, self._callback, self._complain)
        self._progress = 0
        self._lag_s = 0.0
        self._poller = Poller()
        self._poller.register(market.stream)
        if lockstep is None:  # in lockstep the account is asked in turns: what comes by chance in between has to wait
            self._poller.register(account.stream)
        self._poller.register(child.wakeup_fd)

    def run(self) -> None:
        """Work until the process is told to stop."""
        self._start()
        interval_s = self._child.installation.fleet.beat_interval
        ready: list[Source] = []
        look_s, patience_s = 0.0, self._history.work()
        while not self._child.stopping:
            if not ready or time.monotonic() >= look_s:
                self.beat("ready")
                look_s = time.monotonic() + interval_s * _LOOK_FRAC
            ready = self._poller.poll(min(interval_s, patience_s))
            if self._lockstep is None:
                self._turn(ready)
            else:
                self._turn_in_lockstep(self._lockstep)
                self._lockstep.remind(interval_s)
            patience_s = self._history.work()
        self.beat("draining")
        if self._desk.gave_up:
            self._child.log.warning("not-handed-over", reason="told to stop while the gateway was away; noted")
            return
        left = len(self._desk.waiting)  # no turn has come since the start: the next life has to hand it over
        self._call("on_stop", self._strategy.on_stop)
        self._desk.drop(left)  # on_stop must not trade
        self._save()

    def beat(self, phase: str) -> None:
        """Send a beat when one is due; called from the strategy loop only."""
        if not self._child.beat_is_due(phase):
            return
        series = f"{self._context.instrument.symbol}|{self._context.timeframe}"
        self._child.beat(
            phase,
            self._progress,
            handled={series: self._memory.bar_open_time_ns},
            lag_s=round(self._lag_s, 6),
            errors=self._call.errors,
            warm_up_missing=self._market.missing,
        )

    def _start(self) -> None:
        self._context.state = self._memory.state
        self._see_bars()
        now_ns, risk_day = self._context.now_ns(), self._account.risk_day
        self._diary.begin(self._memory, self._desk, self._market.bars, now_ns, risk_day)
        if self._lockstep is None:
            self._diary.heard(0, self._context.orders(), self._context.trades())
        self._context.last_tick = self._market.tick
        self._callback("on_start", self._strategy.on_start)
        if self._lockstep is None:
            self._catch_up()
        else:
            self._lockstep.ready()

    def _catch_up(self) -> None:
        """Finish what the last life left, and tell what was found; in lockstep that is part of the first turn."""
        self._is_new = False
        self._tell(self._desk.hand_over(again=True), [])
        self._drain_account()
        self._telling.tell(list(self._context.orders()), list(self._context.trades()))
        self._handle_missed_bar()

    def _handle_missed_bar(self) -> None:
        """Handle the newest warm-up bar when the last life did not: an older one is history, not a decision."""
        newest = self._market.last_bar_ns
        if 0 < self._memory.bar_open_time_ns < newest:
            self._handle_bar(self._market.bars.row(-1))
        elif newest > self._memory.bar_open_time_ns:  # an older one: a replay goes back to the begin of its step
            self._bar_ns = self._memory.bar_open_time_ns = newest

    def _turn(self, ready: list[Source]) -> None:
        self._telling.begin_turn()
        if self._telling.is_waiting:
            self._telling.tell([], [])
        if self._account.stream in ready or self._account.is_behind:
            self._drain_account()
        if self._market.stream in ready or self._market.is_behind:
            self._handle_market(self._market.stream.drain())

    def _turn_in_lockstep(self, lockstep: Lockstep) -> None:
        for turn in lockstep.turns(self._market.stream.drain()):
            self._telling.begin_turn()
            self._context.advance_clock(turn.market_ns)
            self._synchronise()
            if self._is_new:
                self._catch_up()
            self._handle_market(turn.items)
            while self._market.is_behind and not self._desk.gave_up:
                self._desk.gave_up = not self._desk.while_waiting()
                self._handle_market([])
            self._drain_account()
            if self._desk.gave_up:
                return  # the turn is not over: the next life gets it again, with the intents that were noted
            lockstep.done(turn)

    def _synchronise(self) -> None:
        """Take in everything that the account did up to now; how far it got by itself is chance."""
        self._synchronised = self._desk.answered
        self._telling.tell(*self._account.synchronise(self._context.now_ns(), self._desk.while_waiting))
        self._context.account_equity = self._account.equity

    def _handle_market(self, items: list[Message | Gap]) -> None:
        tick = self._market.only_quote(items)
        if tick is not None:
            self._handle_tick(tick)
            return
        bars, tick = self._market.take(items)
        self._see_bars()
        if tick is not None:
            self._handle_tick(tick)
        for bar in bars:
            self._market.advance(bar)
            self._see_bars()
            if self._lockstep is None or bar.open_time_ns > self._memory.bar_open_time_ns:
                self._handle_bar(bar)  # a step played again after a death may bring a bar that was handled

    def _see_bars(self) -> None:
        context, market = self._context, self._market
        if context.history is not market.bars or context.warm_up.missing != market.missing:
            context.history, context.warm_up = market.bars, market.warm_up

    def _handle_tick(self, tick: Tick) -> None:
        context = self._context
        context.last_tick = tick
        self._lag_s = max(0.0, (context.advance_clock(tick.time_ns) - tick.received_ns) / 1e9)
        if self._lockstep is None:
            self._diary.quoted(tick.time_ns, is_next=self._market.is_next)
        if self._wants_ticks and (not self._only_in_trades or context.trades()):
            context.take_told()
            self._quote = tick
            self._callback("on_tick", self._strategy.on_tick, tick)
            self._note_asked(context.take_told())
            self._progress += 1

    def _handle_bar(self, bar: Bar) -> None:
        self._drain_account()  # what a quote just before it caused
        end_ns = self._calendar.next_bar_open(bar.open_time_ns, self._timeframe)
        self._context.advance_clock(end_ns)
        self._context.deciding(f"{self._context.timeframe}|{bar.open_time_ns}", end_ns)
        self._bar_ns = bar.open_time_ns
        if self._lockstep is None:
            self._diary.deciding(bar, self._context.account_equity)
        self._callback("on_bar", self._strategy.on_bar, bar)
        self._context.deciding(None)
        if self._desk.gave_up:
            return  # the next life hands over what was noted
        self._drain_account()
        self._memory.bar_open_time_ns = bar.open_time_ns
        self._diary.handled(bar, self._context.take_told())
        self._progress += 1
        self._save()

    def _drain_account(self) -> None:
        if self._lockstep is not None:
            while self._desk.answered != self._synchronised:
                self._synchronise()
            return
        self._tell(*self._account.drain())
        self._context.account_equity = self._account.equity

    def _complain(self, waiting: int) -> None:
        self._child.log.warning("strategy-does-not-end", waiting=waiting, setting="its on_order")

    def _callback(self, what: str, call: Callable[..., None], *told: object) -> None:
        if self._desk.gave_up:
            return  # what is noted is the next life's to do, and must not be overwritten
        before = len(self._desk.waiting)
        if self._call(what, partial(call, *told)) == "failed":
            self._note_quote()
            self._desk.drop(before)
            return
        after = len(self._desk.waiting)
        if not after:
            return
        if after > before:
            self._note_quote()  # before anything comes of it: this may be its last moment
        news: list[Order] = []
        if after > before and not self._note():
            # After a death nobody would know of them: what opens might be wanted twice, what closes has to go.
            news = self._desk.refuse_opens(before, "not-noted")
        if not self._is_new:  # before the first turn nobody would know a price
            news += self._desk.hand_over()
        if news:
            self._tell(news, [])

    def _tell(self, orders: list[Order], trades: list[Trade]) -> None:
        """Tell news; nobody but the diary knows later when they were heard."""
        if self._lockstep is None:
            self._diary.heard(self._context.now_ns(), orders, trades)
        self._telling.tell(orders, trades)

    def _note_quote(self) -> None:
        """Note, once, the quote at which the strategy wanted something or failed."""
        if self._quote is not None and self._lockstep is None:  # in lockstep each is played again
            self._diary.asked(self._quote, acted=True)
            self._quote = None

    def _note_asked(self, told: Tick | None) -> None:
        """Note the price that the strategy was told at a quote, unless that one is noted already."""
        unnoted, self._quote = self._quote, None
        if told is not None and unnoted is not None and self._lockstep is None:
            self._diary.asked(told, acted=False)

    def _note(self) -> bool:
        """Write down what is about to be handed over, as if its bar were done; False when there is no room."""
        self._fill_memory()
        noted = replace(self._memory, bar_open_time_ns=self._bar_ns)
        return self._write(lambda: self._file.note(noted))

    def _save(self) -> None:
        """Write the checkpoint; without room the next bar's has to do."""
        self._fill_memory()
        self._write(lambda: self._file.save(self._memory))

    def _write(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except OSError as error:
            if not self._is_full:
                self._child.log.error("checkpoint-not-written", reason=str(error), setting="make room on the disk")
            self._is_full = True
            return False
        if self._is_full:
            self._child.log.info("checkpoint-written-again")
        self._is_full = False
        return True

    def _fill_memory(self) -> None:
        self._memory.n = self._desk.n
        self._memory.state = self._context.state
        self._memory.pending = [intent.model_dump(mode="json") for intent in self._desk.waiting]
        self._memory.number += 1

    def close(self) -> None:
        """Stop watching the streams; they are closed by who made them."""
        self._poller.unregister(self._market.stream)
        if self._lockstep is None:
            self._poller.unregister(self._account.stream)
