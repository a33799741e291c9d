"""All instruments on one time line of steps; a step is over when a row of some instrument is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from atrader.market import Tick
from research.events.tape import Tape

_time_then_symbol = itemgetter(1, 0)


class Reel:
    """A tape with its place on the time line.

    Attributes
    ----------
    played : int
        Rows that the account has seen.
    is_dense : bool
        Whether there is one in each step.
    """

    def __init__(self, tape: Tape, ends: NDArray[np.int64]) -> None:
        self.tape = tape
        self.is_dense = len(tape) == len(ends)
        self.played = 0
        self._ends = ends

    @cached_property
    def steps(self) -> NDArray[np.int64]:
        """Number of the step in which each row is played, shape (n,)."""
        return np.arange(len(self._ends)) if self.is_dense else self._ends.searchsorted(self.tape.end_ns)

    def rows_until(self, step: int) -> int:
        """Return how many rows are played when a step is over."""
        return step + 1 if self.is_dense else int(self.steps.searchsorted(step, side="right"))

    def last_rows(self, steps: int) -> NDArray[np.int64]:
        """Return the last row of each of so many steps, the first row where there was none yet."""
        every = np.arange(steps)
        return every if self.is_dense else np.maximum(self.steps.searchsorted(every, side="right") - 1, 0)


class Market:
    """The tapes of a backtest, merged.

    Parameters
    ----------
    tapes : sequence of Tape
        One for each instrument, traded or converting.
    step_ends : sequence of int
        When a step ends besides their rows, UTC ns; rising.

    Attributes
    ----------
    ends : ndarray of int64, shape (m,)
        Market time at the end of each step, UTC ns.
    reels : dict of str to Reel
        By instrument.
    """

    def __init__(self, tapes: Sequence[Tape], step_ends: Sequence[int] = ()) -> None:
        more = [np.array(step_ends, np.int64)] if len(step_ends) else []
        self.ends = _union([*(tape.end_ns for tape in tapes), *more])
        self.reels = {tape.symbol: Reel(tape, self.ends) for tape in tapes}
        self._first_ends = [one - 1 for one in step_ends[:1]]

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def first_ns(self) -> int:
        """Time of the very first quote; a moment before the first step, where that ends before it."""
        quoted = (reel.tape.ticks(0)[0].time_ns for reel in self.reels.values() if len(reel.tape))
        return min([*quoted, *self._first_ends])

    def play(self, step: int) -> list[Tick]:
        """Return the quotes of one step that were not played, as a replay sends them."""
        ticks: list[Tick] = []
        for reel in self.reels.values():
            until = reel.rows_until(step)
            while reel.played < until:
                ticks.extend(reel.tape.ticks(reel.played))
                reel.played += 1
        if len(self.reels) > 1:
            ticks.sort(key=_time_then_symbol)
        return ticks

    def skip(self, step: int) -> list[Tick]:
        """Return the last quote of each instrument up to a step, if it was not played: nothing happened before it."""
        ticks: list[Tick] = []
        for reel in self.reels.values():
            until = step + 1 if reel.is_dense else reel.rows_until(step)
            if reel.played < until:
                reel.played = until
                ticks.append(reel.tape.last(until - 1))
        if len(ticks) > 1:
            ticks.sort(key=_time_then_symbol)
        return ticks

    @property
    def is_single(self) -> bool:
        """Whether one instrument alone is played, in every step."""
        return len(self.reels) == 1

    def pass_over(self, step: int) -> None:
        """Count what comes before a step as played."""
        for reel in self.reels.values():
            reel.played = max(reel.played, reel.rows_until(step - 1))

    def last(self, symbol: str, step: int) -> Tick | None:
        """Return the last quote of an instrument when a step is over, None before its first."""
        reel = self.reels.get(symbol)
        rows = 0 if reel is None else reel.rows_until(step)
        return reel.tape.last(rows - 1) if reel is not None and rows else None


def _union(times: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return all times once, rising; sorted by hand, as `numpy.unique` takes half a second for a million."""
    if len(times) == 1:
        return times[0]
    together = np.sort(np.concatenate(times))
    first: NDArray[np.bool_] = np.concatenate([[True], together[1:] != together[:-1]])
    rising: NDArray[np.int64] = together[first]
    return rising
