"""What the built-in signal strategies have in common: sides, sizes, stops and filters around some masks."""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from atrader.indicators import atr, wilder_memory
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import BaseParameters, Parameters, Signals, SignalStrategy
from worker.strategies.arrays import FloatArray, Mask, exit_codes
from worker.strategies.filters import (
    Allowed,
    EntryFilter,
    Filters,
    allowed_by,
    filtered,
    warmup_of,
    without_forbidden,
)
from worker.strategies.sharing import Shared

DEFAULT_RISK_FRAC: Final = Decimal("0.01")


class EntryParameters(Parameters):
    """Parameters of every built-in signal strategy: which sides, how large, and what may keep it from entering."""

    direction: Literal["both", "long", "short"] = "both"  # sides that are entered
    risk_frac: Annotated[Decimal, Field(gt=0, le=1)] | None = None  # of equity, to the stop; 0.01 without `units`
    units: Annotated[Decimal, Field(gt=0)] | None = None  # fixed size instead of risk_frac
    filters: Filters = ()  # what may keep it from entering, never from leaving

    @model_validator(mode="after")
    def _has_one_size(self) -> Self:
        if self.risk_frac is not None and self.units is not None:
            raise ValueError("give risk_frac or units, not both")
        return self


class AtrStopParameters(EntryParameters):
    """Parameters of strategies whose stop is some average true ranges away."""

    atr_period: Annotated[int, Field(ge=2, le=200)] = 14  # bars of the average true range
    stop_atr: Annotated[float, Field(gt=0, le=50)] = 3.0  # distance of the stop from the entry, in ATRs
    target_atr: Annotated[float, Field(gt=0, le=50)] | None = None  # of the take-profit, in ATRs; none: exits only


_READ_ELSEWHERE: Final = {*EntryParameters.model_fields, "stop_atr", "target_atr"}


class Distances(NamedTuple):
    """How far stop and target are from the entry, in average true ranges of so many bars; None: no target."""

    atr_period: int
    stop_atr: float
    target_atr: float | None


class Wanted(NamedTuple):
    """What a strategy wants at each bar's close, before sides, sizes and filters.

    Attributes
    ----------
    long, short : ndarray of bool, shape (n,)
        Where a trade of that side is to be opened. Where both hold, neither is.
    close_long, close_short : ndarray of bool, shape (n,)
        Where a trade of that side is to be closed.
    indicators : dict of str to ndarray of float64, shape (n,)
        Values behind it.
    """

    long: Mask
    short: Mask
    close_long: Mask
    close_short: Mask
    indicators: dict[str, FloatArray]


class SparseSignals(NamedTuple):
    """What is wanted at the rows only at which anything is.

    Attributes
    ----------
    rows : ndarray of intp, shape (k,)
        Rising.
    signals : Signals
        Of these rows, shape (k,), without indicators.
    key : hashable
        Sets over the same bars with equal keys differ in stops and targets only.
    """

    rows: NDArray[np.intp]
    signals: Signals
    key: Hashable


class EntryStrategy(SignalStrategy):
    """A strategy that says only when to enter and leave.

    The stop stands ``stop_atr`` average true ranges from the price that is paid at the bar's close: below the ask for a
    long, above the bid for a short. Nothing is entered before the average true range is known.
    """

    Parameters: ClassVar[type[BaseParameters]] = AtrStopParameters
    parameters: EntryParameters

    @property
    def own_bars(self) -> int:
        """How many bars its own indicators need; those of stop and filters come on top of that where they need more."""
        raise NotImplementedError

    @property
    def distances(self) -> Distances:
        """Where stop and target are."""
        assert isinstance(self.parameters, AtrStopParameters)
        return Distances(self.parameters.atr_period, self.parameters.stop_atr, self.parameters.target_atr)

    @property
    def filters(self) -> tuple[EntryFilter, ...]:
        """What may keep it from entering."""
        return self.parameters.filters

    @property
    def warmup_bars(self) -> int:
        """Enough for its own indicators, a settled average true range, and the filters."""
        return max(self.exit_bars, warmup_of(self.filters))

    @property
    def exit_bars(self) -> int:
        """The same without the filters, which may not delay an exit by needing more bars either."""
        return max(self.own_bars, wilder_memory(self.distances.atr_period))

    def wanted(self, bars: Bars, instrument: Instrument) -> Wanted:
        """Say when to enter and leave; each row may use only its own past."""
        raise NotImplementedError

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        """Compute entries, exits, stops and targets for every bar."""
        wanted = self.wanted(bars, instrument)
        mean_range = atr(bars.high, bars.low, bars.close, self.distances.atr_period)
        signals = self._at_rows(wanted, mean_range, bars.ask_close, bars.close)
        return filtered(signals, self.filters, bars, instrument)

    def sparse_signals(self, bars: Bars, instrument: Instrument, shared: Shared) -> SparseSignals:
        """Compute the same at the rows only at which something is wanted: for many sets over the same bars.

        Parameters
        ----------
        shared : Shared
            Of these bars; keeps what sets have in common.
        """
        wanted_key = (type(self), *(repr(getattr(self.parameters, name)) for name in self.wanted_reads()))
        own, period = self.parameters, self.distances.atr_period
        key = (wanted_key, period, self.filters, own.direction, own.units, own.risk_frac)
        rows, long, short, close_long, close_short, *quotes = shared.get(
            ("wanted", wanted_key), lambda: self._wanted_rows(bars, instrument, shared)
        )
        wanted = Wanted(long, short, close_long, close_short, {})
        entry, leave, size, paid, away = shared.get(
            ("entries", key), lambda: self._entry_rows(rows, wanted, quotes, bars, instrument, shared)
        )
        stop_loss, take_profit = self._protection(paid, away)
        signals = Signals(
            entry=entry,
            exit=leave,
            stop_loss=stop_loss,
            take_profit=take_profit,
            risk_frac=size if own.units is None else None,
            units=None if own.units is None else size,
        )
        return SparseSignals(rows, signals, key)

    @classmethod
    def wanted_reads(cls) -> tuple[str, ...]:
        """Return the parameters that `wanted` depends on: by default all but those of side, size, stop and target."""
        return tuple(name for name in cls.Parameters.model_fields if name not in _READ_ELSEWHERE)

    def wanted_rows(self, bars: Bars, instrument: Instrument, shared: Shared) -> tuple[NDArray[np.intp], Wanted]:
        """Return the rows at which `wanted` wants anything, rising, and what it wants there, without indicators.

        A strategy whose sets share more than what they want replaces this by something faster with the same answer.
        """
        long, short, close_long, close_short, _ = self.wanted(bars, instrument)
        rows = np.flatnonzero(long | short | close_long | close_short)
        return rows, Wanted(long[rows], short[rows], close_long[rows], close_short[rows], {})

    def _wanted_rows(self, bars: Bars, instrument: Instrument, shared: Shared) -> tuple[NDArray[Any], ...]:
        rows, wanted = self.wanted_rows(bars, instrument, shared)
        return rows, *wanted[:4], bars.ask_close[rows], bars.close[rows]

    def _entry_rows(
        self,
        rows: NDArray[np.intp],
        wanted: Wanted,
        quotes: list[FloatArray],
        bars: Bars,
        instrument: Instrument,
        shared: Shared,
    ) -> tuple[NDArray[Any], ...]:
        """Return what sets share that differ in stop and target only: entries, exits, sizes, and what both are from.

        The quotes are asks and bids at the close of the rows.
        """
        period = self.distances.atr_period
        whole = shared.get(("atr", period), lambda: atr(bars.high, bars.low, bars.close, period))
        mean_range = whole[rows]
        signals = self._at_rows(wanted, mean_range, *quotes)
        paid, away = _reference(signals.entry, mean_range, *quotes)
        if self.filters:
            may_long, may_short = shared.get(
                ("allowed", self.filters), lambda: allowed_by(self.filters, bars, instrument)[:2]
            )
            signals = without_forbidden(signals, Allowed(may_long[rows], may_short[rows], {}))
        size = signals.risk_frac if signals.units is None else signals.units
        assert size is not None
        return signals.entry, signals.exit, size, paid, away

    def _at_rows(self, wanted: Wanted, mean_range: FloatArray, ask_close: FloatArray, close: FloatArray) -> Signals:
        """Put the signals of some rows together, each from its own values alone."""
        count = len(close)
        entry = wanted.long.astype(np.int8) - wanted.short.astype(np.int8)
        entry[np.isnan(mean_range) | (entry == self._never_entered)] = 0
        risk_frac, units = self.parameters.risk_frac, self.parameters.units
        if units is None and risk_frac is None:
            risk_frac = DEFAULT_RISK_FRAC
        stop_loss, take_profit = self._protection(*_reference(entry, mean_range, ask_close, close))
        return Signals(
            entry=entry,
            exit=exit_codes(wanted.close_long, wanted.close_short),
            stop_loss=stop_loss,
            take_profit=take_profit,
            risk_frac=None if risk_frac is None else np.full(count, float(risk_frac)),
            units=None if units is None else np.full(count, float(units)),
            indicators={**wanted.indicators, "stop_distance": self.distances.stop_atr * mean_range},
        )

    def _protection(self, paid: FloatArray, away: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Return stops and targets, from the prices paid and the average true ranges, negative for shorts."""
        rule = self.distances
        take_profit = None if rule.target_atr is None else paid + rule.target_atr * away
        return paid - rule.stop_atr * away, take_profit

    @property
    def _never_entered(self) -> int:
        """Value of `Signals.entry` that `direction` forbids; 2: none."""
        return {"both": 2, "long": -1, "short": 1}[self.parameters.direction]


def _reference(
    entry: NDArray[np.int8], mean_range: FloatArray, ask_close: FloatArray, close: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return what an entry would pay at each row, and the average true range, negative where it is no long."""
    is_long = entry > 0
    return np.where(is_long, ask_close, close), np.where(is_long, mean_range, -mean_range)
