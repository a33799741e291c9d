"""Notes what a worker decides on, for who runs the day again (`atrader.runtime.session_file`)."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from decimal import Decimal
from inspect import getsourcefile
from pathlib import Path
from typing import Any, Final, Protocol

from atrader import __version__
from atrader.clock import SystemClock
from atrader.configuration.account import AccountConfig
from atrader.configuration.instance import InstanceConfig
from atrader.market import Bar, Bars, Tick
from atrader.orders.model import Intent, Order, Trade
from atrader.runtime.session_file import Life, SessionFile, packed_file
from atrader.strategy import EventStrategy, Strategy
from worker.checkpoint import Checkpoint

_SETTINGS: Final = {"positions", "currency", "currency_digits", "day_start", "trade", "limits", "prop_firm", "paper"}


class _Desk(Protocol):
    n: int

    @property
    def waiting(self) -> Iterable[Intent]: ...


class Diary:
    """What one worker writes.

    Parameters
    ----------
    file : SessionFile
        Closed by its owner.
    config : InstanceConfig
        Whose worker it is.
    account : AccountConfig
        On which it trades.
    strategy : Strategy
        Prepared.
    window : int
        Bars it looks back on.
    """

    def __init__(
        self, file: SessionFile, config: InstanceConfig, account: AccountConfig, strategy: Strategy, window: int
    ) -> None:
        self._file = file
        self._config = config
        self._account = account
        self._strategy = strategy
        self._window = window
        self._clock = SystemClock()
        listens = isinstance(strategy, EventStrategy) and strategy.wants_quotes
        self._quote_ns = 0 if listens else None  # of the last one that was handled

    def begin(self, memory: Checkpoint, desk: _Desk, bars: Bars, market_ns: int, risk_day: str) -> None:
        """Note that a life begins, with what its gateway said of the risk day; before the strategy is called."""
        config = self._config
        life = Life(
            market_ns=market_ns,
            strategy=config.strategy,
            code=code_of(self._strategy),
            program=__version__,
            instrument=config.instrument,
            timeframe=config.timeframe,
            parameters=config.model_dump(mode="json", include={"parameters"})["parameters"],
            window=self._window,
            bar_ns=memory.bar_open_time_ns,
            newest_ns=int(bars.open_time_ns[-1]) if len(bars) else 0,
            n=desk.n,
            state=memory.state,
            pending=[intent.model_dump(mode="json") for intent in desk.waiting],
            instance=config.model_dump(mode="json", exclude={"parameters", "backtest"}),
            account=account_settings(self._account),
            risk_day=risk_day,
            files={str(path): packed for path in self._strategy.memory_files if (packed := packed_file(path))},
        )
        self._file.begin(life, bars)

    def quoted(self, time_ns: int, *, is_next: bool) -> None:
        """Remember the quote that is handled, and note when those before it were passed over."""
        if self._quote_ns is not None:
            if not is_next:
                self._file.passed_over(self._quote_ns, time_ns)
            self._quote_ns = time_ns

    def asked(self, told: Tick, *, acted: bool) -> None:
        """Note a quote that a strategy acted on, or whose price it asked for."""
        self._file.asked(told.time_ns, told, acted=acted)

    def deciding(self, bar: Bar, equity: Decimal) -> None:
        """Note that a bar is about to be decided, and the equity that is known."""
        self._file.deciding(bar.open_time_ns, equity, self._quote_ns)

    def heard(self, time_ns: int, orders: Iterable[Order], trades: Iterable[Trade]) -> None:
        """Note what the strategy is about to be told of its account, in the order in which it is."""
        self._file.heard(time_ns, (*trades, *orders), self._quote_ns)

    def handled(self, bar: Bar, told: Tick | None) -> None:
        """Note that a bar was handled, and the price that its strategy was told meanwhile."""
        self._file.handled(bar, self._clock.now_ns(), told)


def account_settings(account: AccountConfig) -> dict[str, Any]:
    """Return what decides about the orders of an account: no addresses, no references to secrets."""
    return account.model_dump(mode="json", include=_SETTINGS)


def code_of(strategy: Strategy) -> str:
    """Return a fingerprint of the file a strategy is defined in and of its own files, empty when there is none."""
    try:
        name = getsourcefile(type(strategy))
    except (OSError, TypeError):  # of a class that is in no module, or in one that was typed in
        name = None
    digest, found = hashlib.sha256(), False
    for path in (*((Path(name),) if name else ()), *strategy.own_files):
        with contextlib.suppress(OSError):
            digest.update(path.read_bytes())
            found = True
    return digest.hexdigest()[:16] if found else ""
