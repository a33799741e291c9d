"""What is chosen on and what is judged on: one split, or windows that walk forward, with days left out between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.clock import NS_PER_S, iso_from_ns
from atrader.errors import ConfigError

Times = NDArray[np.int64]

DAY_NS: Final = 86_400 * NS_PER_S
_LONGEST_DAY_NS: Final = 25 * 3600 * NS_PER_S  # when clocks are set back
FEWEST_DAYS: Final = 5
"""Trading days that a part must have: a Sharpe ratio of fewer says nothing."""


class Window(NamedTuple):
    """Rows of days: parameters are chosen on ``train``, and judged on ``test``, which lies after it."""

    train: slice
    test: slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One window: the days that end up to a moment, and those after it.

    Attributes
    ----------
    share : float or None
        Share of the days to choose on, between 0 and 1.
    at_ns : int or None
        The moment instead of a share, UTC ns.
    purge_days, embargo_days : float
        As of `WalkForward`.
    """

    share: float | None = None
    at_ns: int | None = None
    purge_days: float = 0.0
    embargo_days: float = 0.0

    def windows(self, days_ns: Times) -> list[Window]:
        """Return the window as a list of one; raises as `WalkForward.windows`."""
        _check_gaps(self.purge_days, self.embargo_days)
        at_ns = self.at_ns
        if at_ns is None:
            at_ns = int(days_ns[max(round(len(days_ns) * (self.share or 0)), 1) - 1])
        whole = (int(days_ns[0]) - DAY_NS, at_ns, int(days_ns[-1]))
        window = _window(days_ns, *whole, self.purge_days, self.embargo_days)
        if window is None:
            raise ConfigError(
                f"the split at {iso_from_ns(at_ns)} leaves less than {FEWEST_DAYS} days before or after it, of those"
                f" from {iso_from_ns(whole[0])} to {iso_from_ns(whole[2])}: split elsewhere, or take a longer period"
            )
        return [window]


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkForward:
    """Windows, each beginning its test where that of the one before ended; lengths in days of 24 hours.

    Attributes
    ----------
    train_days, test_days : float
        Lengths. The training of anchored windows grows: they all begin with the first day.
    is_anchored : bool
        Whether they do.
    purge_days : float
        Left out at the end of each training: what was held there may still be held in the test. Days are left out
        whole: of one hour, a day.
    embargo_days : float
        Left out at the begin of each test, likewise: a move that the training saw begin must not pay for its choice.
    """

    train_days: float
    test_days: float
    is_anchored: bool = False
    purge_days: float = 0.0
    embargo_days: float = 0.0

    def windows(self, days_ns: Times) -> list[Window]:
        """Cut days into windows; the days after the last whole test are left over.

        Parameters
        ----------
        days_ns : ndarray of int64, shape (days,)
            End of each trading day, UTC ns, rising.

        Raises
        ------
        ConfigError
            When lengths are no lengths, or no window fits.
        """
        _check_gaps(self.purge_days, self.embargo_days)
        if min(self.train_days, self.test_days) <= 0:
            raise ConfigError("walk-forward: --train and --test must be longer than nothing")
        train_ns, test_ns = round(self.train_days * DAY_NS), round(self.test_days * DAY_NS)
        begin, end = int(days_ns[0]) - DAY_NS, int(days_ns[-1])
        found, cut = [], begin + train_ns
        while cut + test_ns <= end:
            start = begin if self.is_anchored else cut - train_ns
            window = _window(days_ns, start, cut, cut + test_ns, self.purge_days, self.embargo_days)
            if window is not None:
                found.append(window)
            cut += test_ns
        if not found:
            shorter = ", --test, --purge or --embargo" if self.purge_days or self.embargo_days else " or --test"
            raise ConfigError(
                f"no window of {self.train_days:g} days to choose on and {self.test_days:g} to judge on, with"
                f" {FEWEST_DAYS} trading days in each, fits between {iso_from_ns(begin)} and {iso_from_ns(end)}:"
                f" shorten --train{shorter}, or take a longer period"
            )
        return found


def _window(
    days_ns: Times, start_ns: int, cut_ns: int, end_ns: int, purge_days: float, embargo_days: float
) -> Window | None:
    """Return the days of a window, None when too few are left in one of its parts.

    The cut is the end of the last day that ended by `cut_ns`; gaps are counted from there. A day of which any part lies
    in a gap is left out.
    """
    first, cut, end = np.searchsorted(days_ns, (start_ns, cut_ns, end_ns), side="right").tolist()
    cut_ns = int(days_ns[cut - 1]) if cut else cut_ns
    last = int(np.searchsorted(days_ns, cut_ns - round(purge_days * DAY_NS), side="right"))
    # A day begins where the one before it ended; behind a closed market it is no longer than the longest there is.
    begins_ns = np.maximum(days_ns[cut:] - _LONGEST_DAY_NS, np.append(cut_ns, days_ns[cut:-1]))
    begin = cut + int(np.searchsorted(begins_ns, cut_ns + round(embargo_days * DAY_NS)))
    if last - first < FEWEST_DAYS or end - begin < FEWEST_DAYS:
        return None
    return Window(slice(first, last), slice(begin, end))


def _check_gaps(purge_days: float, embargo_days: float) -> None:
    if purge_days < 0 or embargo_days < 0:
        raise ConfigError("walk-forward: --purge and --embargo must not be negative")
