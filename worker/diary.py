"""Notes what a worker decides on, for who runs the day again (`atrader.runtime.session_file`)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from inspect import getsourcefile
from pathlib import Path
from typing import Protocol

from atrader.clock import SystemClock
from atrader.configuration.instance import InstanceConfig
from atrader.market import Bar, Bars
from atrader.orders.model import Intent
from atrader.runtime.session_file import Life, SessionFile
from atrader.strategy import Strategy
from worker.checkpoint import Checkpoint


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
    code : str
        Of its strategy, see `code_of`.
    window : int
        Bars it looks back on.
    """

    def __init__(self, file: SessionFile, config: InstanceConfig, code: str, window: int) -> None:
        self._file = file
        self._config = config
        self._code = code
        self._window = window
        self._clock = SystemClock()

    def begin(self, memory: Checkpoint, desk: _Desk, bars: Bars, market_ns: int) -> None:
        """Note that a life begins; before the strategy is called."""
        config = self._config
        life = Life(
            market_ns=market_ns,
            strategy=config.strategy,
            code=self._code,
            program=version("atrader-platform"),
            instrument=config.instrument,
            timeframe=config.timeframe,
            parameters=config.model_dump(mode="json", include={"parameters"})["parameters"],
            window=self._window,
            bar_ns=memory.bar_open_time_ns,
            newest_ns=int(bars.open_time_ns[-1]) if len(bars) else 0,
            n=desk.n,
            state=memory.state,
            pending=[intent.model_dump(mode="json") for intent in desk.waiting],
        )
        self._file.begin(life, bars)

    def handled(self, bar: Bar) -> None:
        """Note that a bar was handled."""
        self._file.handled(bar, self._clock.now_ns())


def code_of(strategy: Strategy) -> str:
    """Return a fingerprint of the file a strategy is defined in, empty when there is none."""
    try:
        name = getsourcefile(type(strategy))
        return hashlib.sha256(Path(name).read_bytes()).hexdigest()[:16] if name else ""
    except (OSError, TypeError):  # TypeError: of a class that is in no module
        return ""
