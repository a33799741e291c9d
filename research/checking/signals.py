"""Signal strategies: their arrays cut at every bar of a sample, behind it and before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf, nan
from typing import Final

import numpy as np

from atrader.calendars import Calendar
from atrader.clock import iso_from_ns
from atrader.errors import ConfigError, StrategyError
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import SignalStrategy
from atrader.timeframes import Timeframe
from research.checking.ahead import bars_ahead, longer_bar
from research.checking.finding import Finding, Kind, Report
from research.checking.spread import Difference, Values, at_row, check_spread, copied
from research.columns import TOLERANCE, Compute, Yardstick, compute_with

Progress = Callable[[int, int], None]
"""Takes the bars done and all bars."""

_SAME: Final = 1e-9  # what the order of floating point sums may do
_EXAMPLES: Final = 24  # rows of a finding that are looked at closely
_FEW: Final = 12  # rows at which the warm-up that is needed is looked for
_STEP: Final = 8  # part of a window by which it grows
_HISTORY: Final = 4  # warm-ups before the sample, to compare with
_LEAST_HISTORY: Final = 1500  # bars


def check_signals(
    strategy: SignalStrategy,
    bars: Bars,
    instrument: Instrument,
    timeframe: Timeframe,
    calendar: Calendar,
    *,
    sample: int,
    progress: Progress | None = None,
) -> Report:
    """Cut the bars at each bar of a sample: the last so many bars, and bars before with a signal.

    What a row says must be the same without the bars after it, and, within `TOLERANCE`, with only the strategy's
    warm-up before it: that is what a worker gives it. The last bars are cut before the strategy has seen them all, so
    that what it keeps from call to call is of the past; what it is given is a copy, behind whose end nothing lies.
    Bars of other weeks are looked at too, see `check_spread`.

    Parameters
    ----------
    bars : Bars
        Complete ones of the strategy's timeframe, oldest first.
    sample : int
        How many of the last bars are cut at.

    Raises
    ------
    ConfigError
        When there are too few bars.
    StrategyError
        When the strategy fails, or answers with columns of another length.
    """
    window = max(strategy.warmup_bars, 1)
    if len(bars) < 2 * window + 2:
        raise ConfigError(f"{len(bars)} bars are too few: {2 * window + 2} or more are needed (twice its warm-up)")
    lead = min(max(_HISTORY * window, window + _LEAST_HISTORY), max(len(bars) - sample, len(bars) // 2))
    case = bars[-(sample + lead) :]
    compute = compute_with(strategy, instrument)
    check = _Check(compute, case, window, len(case) - min(sample, len(case) - lead))
    chance = list(check.chance())
    known = {one.what for one in chance}  # of what is drawn anew, a cut tells nothing
    findings = chance + [one for one in check.cuts(timeframe, calendar, progress) if one.what not in known]
    known |= {one.what for one in findings}
    findings += [one for one in check_spread(compute, bars, len(case), window, sample) if one.what not in known]
    return Report(
        bars=len(check.rows),
        first_ns=int(case.open_time_ns[check.rows[0]]),
        last_ns=int(case.open_time_ns[check.rows[-1]]),
        warmup_bars=strategy.warmup_bars,
        warmup_needed=check.warmup_needed,
        findings=findings,
    )


def _few(rows: Sequence[int]) -> Sequence[int]:
    """Return some of many rows, evenly spread."""
    return rows[:: -(-len(rows) // _FEW)] if rows else rows


class _Check:
    """The rows of one strategy."""

    def __init__(self, compute: Compute, bars: Bars, window: int, first: int) -> None:
        self._compute = compute
        self._bars = bars
        self._window = window
        self._first = first
        self._longest = first * 7 // 8  # window that is tried: all rows of the sample have more bars before them
        self._cuts = {row: at_row(compute(copied(bars[: row + 1])), -1) for row in range(first, len(bars))}
        self._whole = compute(copied(bars))
        self._yardstick = Yardstick(self._whole, bars.close)
        marked = np.flatnonzero((self._whole["entry"] != 0) | (self._whole["exit"] != 0))
        earlier = marked[(marked >= max(window, first // 2)) & (marked < first)][-(len(bars) - first) :]
        self.rows: list[int] = [*earlier.tolist(), *range(first, len(bars))]
        self._prefixes = dict(self._cuts)
        self.warmup_needed: int | None = None

    def chance(self) -> Iterator[Finding]:
        """Compute everything a second time."""
        again, found = self._compute(copied(self._bars)), dict[str, list[Difference]]()
        for row in self.rows:
            self._note(found, row, at_row(self._whole, row), at_row(again, row), 0.0)
        text = (
            "a second call over the same bars says something else: a worker that decides a bar again after a restart,"
            " and every replay, need the same answer"
        )
        for name, differences in found.items():
            yield self._finding("chance", name, differences, text)

    def cuts(self, timeframe: Timeframe, calendar: Calendar, progress: Progress | None) -> Iterator[Finding]:
        """Cut behind each row, then before it."""
        ahead, before = dict[str, list[Difference]](), dict[str, list[Difference]]()
        for number, row in enumerate(self.rows, start=1):
            cut = self._cuts.get(row) or at_row(self._compute(copied(self._bars[: row + 1])), -1)
            short = at_row(self._compute(copied(self._bars[row + 1 - self._window : row + 1])), -1)
            self._note(ahead, row, at_row(self._whole, row), cut, _SAME)
            self._note(before, row, cut, short, TOLERANCE)
            if progress is not None:
                progress(number, len(self.rows))
        for name, differences in ahead.items():
            yield self._ahead(name, differences, timeframe, calendar)
        if not ahead:  # of what knows the future, nobody can say how much of the past it needs
            self.warmup_needed = self._needed([one.row for rows in before.values() for one in rows])
        for name, differences in before.items():
            if name not in ahead:
                yield self._finding("history", name, differences, self._history_text())

    def _note(
        self, into: dict[str, list[Difference]], row: int, given: Values, found: Values, tolerance: float
    ) -> None:
        for name in {**given, **found}:
            one, other = given.get(name, nan), found.get(name, nan)
            if self._yardstick.error(name, row, one, other) > tolerance:
                into.setdefault(name, []).append(Difference(row, one, other))

    def _ahead(self, name: str, differences: Sequence[Difference], timeframe: Timeframe, calendar: Calendar) -> Finding:
        examples = [one for one in differences[:: -(-len(differences) // _EXAMPLES)] if one.row + 1 < len(self._bars)]
        rows = [(one.row, self._bars_ahead(name, one)) for one in examples]
        most = max(ahead for _, ahead in rows)
        wrong = {one.row for one in differences}
        clean = [row for row in self.rows if row not in wrong]
        longer = longer_bar(rows, clean, self._bars, timeframe, calendar)
        if longer is not None:
            text = f"it uses the {longer} bar before that one is over: take the last complete {longer} bar"
            return self._finding("unfinished-bar", name, differences, text, most)
        text = f"it uses bars that come later, up to {most} of them"
        return self._finding("looks-ahead", name, differences, text, most)

    def _bars_ahead(self, name: str, difference: Difference) -> int:
        row, most = difference.row, len(self._bars) - difference.row - 1

        def is_settled(more: int) -> bool:
            value = float(self._compute(copied(self._bars[: row + 1 + more]))[name][row])
            return self._yardstick.error(name, row, difference.given, value) <= _SAME

        return bars_ahead(is_settled, most)

    def _needed(self, differing: Sequence[int]) -> int | None:
        """Return how long the window must be for every column of some rows to be what all bars make it."""
        sample = range(self._first, len(self._bars))
        rows = sorted({*_few(sample), *_few(sorted({*differing} & {*sample}))})
        longest = self._longest
        if longest < self._window or self._worst(longest, rows) > TOLERANCE:
            return None
        low, high = 0, longest
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._worst(middle, rows) <= TOLERANCE else (middle, high)
        while self._worst(high, sample) > TOLERANCE:  # the few agreed by chance, or needed less than others
            if high == longest:
                return None
            high = min(high + high // _STEP + 1, longest)
        return high

    def _worst(self, window: int, rows: Sequence[int]) -> float:
        worst = 0.0
        for row in rows:
            if row not in self._prefixes:
                self._prefixes[row] = at_row(self._compute(copied(self._bars[: row + 1])), -1)
            try:
                short = at_row(self._compute(copied(self._bars[row + 1 - window : row + 1])), -1)
            except StrategyError:
                return inf  # too short for it
            for name, value in self._prefixes[row].items():
                worst = max(worst, self._yardstick.error(name, row, value, short.get(name, nan)))
        return worst

    def _history_text(self) -> str:
        if self.warmup_needed is None:
            return (
                f"it depends on where its bars begin, and no length of them tried (up to {self._longest})"
                " mends it: count from times, not from the first row, and take means over a fixed number of bars"
            )
        return (
            f"its {self._window} bars of warm-up are too few: it differs by more than {TOLERANCE:g} from what many bars"
            f" give; warmup_bars = {self.warmup_needed} are enough"
        )

    def _finding(
        self,
        kind: Kind,
        name: str,
        differences: Sequence[Difference],
        text: str,
        ahead: int | None = None,
    ) -> Finding:
        first = differences[0]
        bar_ns = int(self._bars.open_time_ns[first.row])
        where = f"at {iso_from_ns(bar_ns)} {first.given:.10g}, then {first.found:.10g}"
        return Finding(kind, name, bar_ns, len(differences), f"{where}: {text}", ahead)
