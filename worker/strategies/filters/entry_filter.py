"""What may keep a strategy from entering. Exits are out of its reach."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.orders.model import Side
from atrader.strategy import Parameters, Signals
from worker.strategies.arrays import FloatArray, Mask, closed_sides, exit_codes


class Allowed(NamedTuple):
    """What a filter says at each bar's close.

    Attributes
    ----------
    long, short : ndarray of bool, shape (n,)
        Whether a trade of that side may be opened. False where the filter does not know yet.
    indicators : dict of str to ndarray of float64, shape (n,)
        Values behind it; recorded with every signal. Their names carry the period: there may be two of a kind.
    """

    long: Mask
    short: Mask
    indicators: dict[str, FloatArray]


class EntryFilter(Parameters):
    """Base of all filters: a part of a strategy's parameters, chosen by its ``kind``.

    A filter is asked about every bar and answers with masks; the strategy does not know which filters there are. Each
    row may use only its own past, as in `SignalStrategy.signals`.
    """

    @property
    def warmup_bars(self) -> int:
        """How many bars it needs before its first answer."""
        raise NotImplementedError

    def allowed(self, bars: Bars, instrument: Instrument) -> Allowed:
        """Say at which bars longs and shorts may be opened."""
        raise NotImplementedError


def warmup_of(filters: Sequence[EntryFilter]) -> int:
    """Return how many bars filters need before all of them know."""
    return max((one.warmup_bars for one in filters), default=0)


def filtered(signals: Signals, filters: Sequence[EntryFilter], bars: Bars, instrument: Instrument) -> Signals:
    """Return signals without the entries that a filter forbids.

    Whatever would have closed a trade still closes it: an entry also ends the trade of the other side, so where one is
    dropped an exit of that side takes its place.
    """
    if not filters:
        return signals
    return without_forbidden(signals, allowed_by(filters, bars, instrument))


def without_forbidden(signals: Signals, allowed: Allowed) -> Signals:
    """Return the signals of some rows without the entries that are not allowed there; see `filtered`."""
    long, short, indicators = allowed
    no_long, no_short = (signals.entry == 1) & ~long, (signals.entry == -1) & ~short
    close_long, close_short = closed_sides(signals.exit)
    return replace(
        signals,
        entry=np.where(no_long | no_short, 0, signals.entry).astype(np.int8),
        exit=exit_codes(close_long | no_short, close_short | no_long),
        indicators={**(signals.indicators or {}), **indicators},
    )


def may_enter(side: Side, filters: Sequence[EntryFilter], bars: Bars, instrument: Instrument) -> bool:
    """Tell whether filters let an event strategy open a side at the last of some bars.

    Parameters
    ----------
    bars : Bars
        At least `warmup_of` of them; with fewer the answer is no.
    """
    if not filters:
        return True
    if len(bars) < warmup_of(filters):
        return False
    long, short, _ = allowed_by(filters, bars, instrument)
    return bool((long if side == "buy" else short)[-1])


def allowed_by(filters: Sequence[EntryFilter], bars: Bars, instrument: Instrument) -> Allowed:
    """Return at which bars all of some filters let longs and shorts be opened."""
    long, short = np.ones(len(bars), np.bool_), np.ones(len(bars), np.bool_)
    indicators: dict[str, FloatArray] = {}
    for one in filters:
        answer = one.allowed(bars, instrument)
        long &= answer.long
        short &= answer.short
        indicators |= answer.indicators
    return Allowed(long, short, indicators)
