"""The worker process: one strategy instance, started by the manager."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from pydantic import ValidationError

from atrader.bus import BeatSender, SyncCallClient
from atrader.clock import MarketClock, SystemClock
from atrader.configuration.instance import InstanceConfig
from atrader.errors import DeadlineExceeded, Retryable, StrategyError
from atrader.market import replay_topic
from atrader.messages.manager import Activate, SetTradingState
from atrader.orders.model import Intent
from atrader.runtime.child import Child
from atrader.runtime.guest import Guest
from atrader.runtime.market_clock import market_clock
from atrader.runtime.outbox_file import OutboxFile
from atrader.runtime.session_file import SessionFile
from atrader.runtime.spec import gateway_name
from atrader.signal_driver import SignalDriver
from atrader.strategy import EventStrategy, SignalStrategy, Strategy
from atrader.trading_state import TradingState
from atrader.view import View
from broker_api.client import BrokerClient
from data_layer.client import DataClient
from worker.account_feed import AccountFeed
from worker.checkpoint import CheckpointFile
from worker.context import LiveContext
from worker.desk import Desk
from worker.diary import Diary
from worker.history_sender import HistorySender
from worker.loading import load_strategy, make_strategy
from worker.lockstep import Lockstep
from worker.loop import Loop
from worker.market_feed import MarketFeed
from worker.outside import Outside
from worker.placing import place
from worker.recorder import Recorder
from worker.strategy_call import StrategyCall

_PAUSE_S = 0.2  # between two attempts at something that is not there yet
_FLUSH_S = 0.5  # for signals at the end; what is left is in the outbox's file
_RECENT_NS = 60 * 1_000_000_000  # orders that ended while the worker was away are of interest this long


def main(child: Child) -> None:
    """Run one strategy instance until told to stop.

    Raises
    ------
    ConfigError
        When the strategy cannot be loaded or its parameters are wrong.
    StrategyError
        When the strategy's error policy says stop.

    Where the account's session lives in this process (``session = "worker"``), what its gateway raises as well.
    """
    config = child.installation.instances[child.spec.subject]
    strategy = make_strategy(
        load_strategy(config.strategy, child.home.root), config.parameters, f"etc/strategies/{config.name}.toml"
    )
    os.chdir(child.home.root)  # what strategies and their libraries take relative paths from
    place(strategy, child.installation, config)
    if child.spec.standby:
        _await_turn(child)
    with _session(child, config.account):
        worker = _Worker(child, config, strategy)
        try:
            worker.run()
        finally:
            worker.close()


def _session(child: Child, account: str) -> AbstractContextManager[object]:
    """Return the session with the broker as far as it is ours: the whole gateway, in a thread of this process."""
    if child.installation.accounts[account].session == "gateway":
        return nullcontext()
    return Guest(child, "gateway", gateway_name(account), account)


class _Worker:
    """Puts the parts of one worker together."""

    def __init__(self, child: Child, config: InstanceConfig, strategy: Strategy) -> None:
        self._child = child
        self._config = config
        self._file = CheckpointFile(child.home.checkpoint(config.name))
        self._memory, damage = self._file.load(config.name, config.magic)
        if damage:
            child.log.warning("checkpoint-damaged", reason=damage)
        self._manager = SyncCallClient(child.home.endpoint("manager.call"))
        self._data = DataClient(child.home)
        self._broker = BrokerClient(child.home, config.account)
        self._push = BeatSender(child.home.endpoint("data.push"), child.spec.name)
        self._clock = market_clock(child.installation)
        self._outbox = OutboxFile(child.home.worker_outbox(config.name))
        self._recorder = Recorder(config, self._clock, self._outbox, child.log)
        self._session = SessionFile(child.home.session(config.name))
        self._history_calls = SyncCallClient(child.home.endpoint("data.call"))
        self._history = HistorySender(
            f"worker:{config.name}", self._outbox, self._history_calls, SystemClock(), child.log
        )
        self._view = View()
        self._given = strategy
        self._strategy = SignalDriver(strategy) if isinstance(strategy, SignalStrategy) else strategy

    def run(self) -> None:
        """Warm up, attach, work."""
        config, child = self._config, self._child
        assert isinstance(self._strategy, EventStrategy)
        listens = self._strategy.wants_quotes
        outside = Outside(child.installation, config, self._data, self._broker, self._view)
        calendar = outside.calendar(config.instrument)
        market = MarketFeed(
            child.home, self._data, config.instrument, config.timeframe, self._window(), calendar, quotes=listens
        )
        account = AccountFeed(child.home, self._broker, config, self._view)
        try:
            if child.installation.fleet.market.in_lockstep:
                market.stream.subscribe(replay_topic(child.spec.name))
            self._retry(market.start)
            self._retry(lambda: outside.prepare(self._strategy.other_series))
            if isinstance(self._clock, MarketClock):
                self._clock.advance(self._data.replay().market_ns)
            self._retry(lambda: account.start(max(0, self._clock.now_ns() - _RECENT_NS)))
            left = self._left()
            desk = Desk(self._broker, self._view, max(self._memory.n, account.last_n), self._still_wanted, left)
            context = LiveContext(config, self._clock, desk, self._view, self._recorder, outside, market.ask_price)
            context.account_equity = account.equity
            context.listens = listens
            self._strategy.context = context
            loop = Loop(
                child,
                self._strategy,
                context,
                desk,
                StrategyCall(config, SystemClock(), self._recorder.incident, self._reduce),
                market,
                account,
                self._memory,
                self._file,
                self._history,
                Diary(self._session, config, child.installation.accounts[config.account], self._given, self._window()),
                self._lockstep(f"{config.instrument}|{context.timeframe}", listens=listens),
            )
            self._loop = loop
            # Who died with a question never answers it: no wait may look like a stall.
            self._data.timeout_s = self._data.bulk_timeout_s = config.process.beat_timeout / 2
            try:
                loop.run()
            finally:
                loop.close()
        finally:
            market.close()
            account.close()

    def _left(self) -> list[Intent]:
        """Return what the last life was about to hand over, but for what this configuration would not want any more."""
        left = []
        for one in self._memory.pending:
            try:
                intent = Intent.model_validate(one)
            except ValidationError as error:  # of another release: the worker must run all the same
                self._child.log.error("noted-intent-unreadable", intent=one, reason=str(error))
                continue
            if intent.action == "open" and intent.instrument != self._config.instrument:
                self._child.log.warning("noted-intent-dropped", intent=one, reason="the instrument is another one now")
                continue
            left.append(intent)
        return left

    def close(self) -> None:
        """Hand over what is left for the history, close the sockets."""
        self._file.close()
        self._session.close()
        self._history.flush(_FLUSH_S)
        for part in (self._manager, self._data, self._broker, self._push, self._history_calls, self._outbox):
            part.close()

    def _lockstep(self, series: str, *, listens: bool) -> Lockstep | None:
        if not self._child.installation.fleet.market.in_lockstep:
            return None
        return Lockstep(self._child.spec.name, self._push, (series,), listens=listens)

    def _window(self) -> int:
        if self._config.warmup_bars is not None:
            return max(self._config.warmup_bars, self._strategy.warmup_bars)
        return self._strategy.warmup_bars

    def _retry(self, step: Callable[[], None]) -> None:
        """Repeat a start-up step while the other side is not there yet; the manager's start grace ends it."""
        while True:
            try:
                return step()
            except Retryable as error:
                self._child.beat("starting", 0)
                self._child.log.info("waiting", reason=str(error))
                if self._child.stopping:
                    raise
                if not isinstance(error, DeadlineExceeded):  # answered at once: asking on would only keep it busy
                    time.sleep(_PAUSE_S)

    def _still_wanted(self) -> bool:
        """Beat between two attempts at a silent gateway; False once the process is told to stop."""
        self._loop.beat("ready")
        return not self._child.stopping

    def _reduce(self, reason: str) -> None:
        """Ask the manager for exits only (``on_error = "reduce"``)."""
        scope = f"instance:{self._config.name}"
        try:
            self._manager.call(SetTradingState(scope=scope, state=TradingState.REDUCING, reason=reason), timeout_s=2.0)
        except Retryable as error:
            raise StrategyError(f"{reason}; the manager did not take REDUCING ({error}), so it stops") from error


def _await_turn(child: Child) -> None:
    """Wait until the predecessor of a reload is gone: never two workers of one instance."""
    manager = SyncCallClient(child.home.endpoint("manager.call"))
    try:
        while not child.stopping:
            child.beat("starting", 0)
            try:
                manager.call(Activate(name=child.spec.name, pid=os.getpid()), timeout_s=1.0)
            except DeadlineExceeded:
                continue
            return
    finally:
        manager.close()
