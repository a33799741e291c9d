"""Signals computed once over all bars of a series; each bar then takes its row."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from atrader.errors import ConfigError, StrategyError
from atrader.instruments import Instrument
from atrader.market import Bar, Bars
from atrader.signal_checks import check_signals
from atrader.signal_driver import DECIDED, LEAVING, SignalDriver
from atrader.strategy import Signals, SignalStrategy
from research.columns import Columns, columns_of, compute_with, difference_over_windows, places, spread
from research.events.history import History

if TYPE_CHECKING:  # the context brings the account with it, of which signals over all bars know nothing
    from research.events.context import BacktestContext

_SAMPLE: Final = 32  # rows with entries, with exits only, and without both, that are computed as a worker does
_NEVER: Final = -2


class WholeDriver(SignalDriver):
    """Drives a signal strategy as `SignalDriver` does, and asks it once where that gives what a worker's window gives.

    It is asked at the first bar to be decided. Rows of a sample are then computed over their windows: where one is
    another, or all bars at once fail, an alert says so and every bar is decided over its window, as live.

    Parameters
    ----------
    strategy : SignalStrategy
        To be driven.
    history : History
        All bars, those before the period too.
    """

    def __init__(self, strategy: SignalStrategy, history: History) -> None:
        super().__init__(strategy)
        self._history = history
        self._whole: Signals | None = None
        self._is_asked = False
        self._calm = b""  # of each row, whether nothing is wanted at it; empty while windows are computed
        self._decided_row = _NEVER

    def on_bar(self, bar: Bar) -> None:
        """Act on the row of a bar."""
        row, state = self._at.row, self.context.state
        if self._calm and self._calm[row] and self._decided_row == row - 1 and not state.get(LEAVING):
            state[DECIDED] = bar.open_time_ns
        else:
            super().on_bar(bar)
        self._decided_row = row

    def pass_over(self, most: int) -> int:
        """Decide the next bars, at most so many, as long as nothing is wanted at them; return how many those are."""
        first, state = self._at.row + 1, self.context.state
        if not self._calm or self._decided_row != first - 1 or state.get(LEAVING):
            return 0
        wanted = self._calm.find(0, first, first + most)
        count = most if wanted < 0 else wanted - first
        if count:
            self._decided_row = first + count - 1
            state[DECIDED] = int(self._history.bars.open_time_ns[self._decided_row])
        return count

    @property
    def _at(self) -> BacktestContext:
        return cast("BacktestContext", self.context)

    def _signals(self, bars: Bars) -> Signals:
        if not self._is_asked:
            self._is_asked = True
            self._ask()
        if self._whole is None:
            return super()._signals(bars)
        end = self._at.row + 1
        return _cut(self._whole, slice(end - len(bars), end))

    def _ask(self) -> None:
        """Compute all rows, and keep them if they are those of the windows."""
        whole, difference = signals_once(self._strategy, self._history, self.context.instrument)
        if whole is None:
            text = f"decided over the window of each bar, which is slow, and not over all bars at once: {difference}"
            self._at.alert("signals-by-window", text)
            return
        self._whole = whole
        calm = (whole.entry == 0) & (whole.exit == 0)
        calm[: self._window] = False  # before its warm-up is there nothing is decided
        self._calm = calm.astype(np.uint8).tobytes()


def signals_once(strategy: SignalStrategy, history: History, instrument: Instrument) -> tuple[Signals | None, str]:
    """Return the signals over all bars, or None and why they are not those that a worker computes over its windows.

    Raises
    ------
    ConfigError
        When the strategy cannot do its work.
    """
    bars = history.bars
    try:
        whole = strategy.signals(bars, instrument)
        check_signals(whole, len(bars))
        difference = _difference(strategy, history, instrument, columns_of(whole, len(bars)))
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - boundary: user code may fail in any way; over windows not
        difference = error.message if isinstance(error, StrategyError) else f"{type(error).__name__}: {error}"
    return (whole, "") if difference is None else (None, difference)


def _difference(strategy: SignalStrategy, history: History, instrument: Instrument, whole: Columns) -> str | None:
    """Return where a row of a sample is another one over its window; None: nowhere.

    Raises
    ------
    StrategyError
        When the strategy fails at a window.
    """
    compute, size = compute_with(strategy, instrument), max(strategy.warmup_bars, 1)
    rows = sample_of(whole, max(history.first, size - 1), _SAMPLE)
    return difference_over_windows(whole, compute, history.bars, rows, size)


def sample_of(whole: Columns, first: int, most: int) -> list[int]:
    """Return rows from one on, so many of each kind at most: with entries, with exits only, and without both."""
    enters, leaves = (whole[name][first:] != 0 for name in ("entry", "exit"))
    said = np.flatnonzero(enters | leaves)
    entered = enters[said]
    found = [*spread(said[entered], most), *spread(said[~entered], most)]
    silent = len(enters) - len(said)  # most rows: the n-th of them stands behind those before it that say something
    before = said - np.arange(len(said))
    numbers = places(silent, most)
    found += (numbers + np.searchsorted(before, numbers, side="right")).tolist()
    return [first + row for row in found]


def _cut(signals: Signals, rows: slice) -> Signals:
    cut: dict[str, Any] = {}
    for field in fields(Signals):
        value = getattr(signals, field.name)
        if isinstance(value, dict):
            cut[field.name] = {name: column[rows] for name, column in value.items()}
        else:
            cut[field.name] = None if value is None else value[rows]
    return Signals(**cut)
