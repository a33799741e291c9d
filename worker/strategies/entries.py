"""What the built-in signal strategies have in common: sides, sizes, stops and filters around some masks."""

from collections.abc import Hashable
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from atrader.indicators import atr, true_range, wilder_memory
from atrader.indicators.volatility import average_of
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
    trailing_atr: Annotated[float, Field(gt=0, le=50)] | None = None  # of a stop from the best price; none: fixed
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
    """How far stop and target are from the entry, and the stop from the best price; None: no target, a stop that stays.

    All but the first are counted in average true ranges of so many bars.
    """

    atr_period: int
    stop_atr: float
    target_atr: float | None
    trailing_atr: float | None

    def protection(self, paid: FloatArray, away: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Return stops and targets, from the prices paid and the average true ranges, negative for shorts."""
        take_profit = None if self.target_atr is None else paid + self.target_atr * away
        return paid - self.stop_atr * away, take_profit

    def trailing(self, away: FloatArray) -> FloatArray | None:
        """Return the distances at which stops trail; None: they stay."""
        return None if self.trailing_atr is None else self.trailing_atr * np.abs(away)


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
    """What is wanted at the rows only at which anything is; all arrays have shape (k,).

    Attributes
    ----------
    rows : ndarray of intp
        Rising.
    unprotected : Signals
        Of these rows, without indicators; for stop losses it has `paid`.
    paid, away : ndarray of float64
        What an entry would pay, and the average true range, negative where it is no long: stops and targets are
        ``paid`` minus or plus so many ``away``.
    distances : Distances
        How many.
    key : hashable
        Sets over the same bars with equal keys have the same rows and agree in `unprotected`.
    """

    rows: NDArray[np.intp]
    unprotected: Signals
    paid: FloatArray
    away: FloatArray
    distances: Distances
    key: Hashable

    @property
    def signals(self) -> Signals:
        """The same with stops and targets."""
        stop_loss, take_profit = self.distances.protection(self.paid, self.away)
        trailing = self.distances.trailing(self.away)
        return replace(self.unprotected, stop_loss=stop_loss, take_profit=take_profit, trailing_distance=trailing)


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
        p = self.parameters
        return Distances(p.atr_period, p.stop_atr, p.target_atr, p.trailing_atr)

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
        period, own = self.distances.atr_period, self.parameters
        wanted = (type(self), *(repr(getattr(own, name)) for name in self.wanted_reads()))
        key = (wanted, repr(self.filters), own.direction, own.units, own.risk_frac)
        unknown, away, rows, entry, leave, size, paid, _ = shared.get(
            ("entries", key, period), lambda: self._entry_rows(wanted, key, bars, instrument, shared)
        )
        signals = Signals(
            entry=entry,
            exit=leave,
            stop_loss=paid,
            risk_frac=size if own.units is None else None,
            units=None if own.units is None else size,
        )
        return SparseSignals(rows, signals, paid, away, self.distances, (key, unknown.tobytes()))

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

    def mean_ranges(self, bars: Bars, shared: Shared) -> FloatArray:
        """Return the average true range of each bar, that of its stops."""
        period = self.distances.atr_period
        return shared.get(("atr", period), lambda: _mean_ranges(bars, period, shared))

    def _entry_rows(
        self, wanted: Hashable, key: Hashable, bars: Bars, instrument: Instrument, shared: Shared
    ) -> tuple[NDArray[Any], ...]:
        """Return what sets that differ in stop and target only have in common.

        The places of rows before the average true range is known; that average, negative where no long is entered; and
        what `_sided_rows` returns.
        """
        wanted_rows = shared.get(("wanted", wanted), lambda: self._wanted_rows(bars, instrument, shared))
        whole = self.mean_ranges(bars, shared)
        mean_range = whole.take(wanted_rows[0], mode="clip")  # twice as fast as with a check, and rows are rows
        unknown = np.flatnonzero(np.isnan(mean_range))
        sided = shared.get(
            ("sided", key, unknown.tobytes()), lambda: self._sided_rows(wanted_rows, unknown, bars, instrument, shared)
        )
        return unknown, np.where(sided[-1], mean_range, -mean_range), *sided

    def _wanted_rows(self, bars: Bars, instrument: Instrument, shared: Shared) -> tuple[NDArray[Any], ...]:
        rows, wanted = self.wanted_rows(bars, instrument, shared)
        return rows, *wanted[:4], bars.ask_close.take(rows, mode="clip"), bars.close.take(rows, mode="clip")

    def _sided_rows(
        self,
        wanted_rows: tuple[NDArray[Any], ...],
        unknown: NDArray[np.intp],
        bars: Bars,
        instrument: Instrument,
        shared: Shared,
    ) -> tuple[NDArray[Any], ...]:
        """Return rows, entries, exits, sizes, what an entry would pay, and whether it would be a long."""
        rows, long, short, close_long, close_short, ask_close, close = wanted_rows
        entry = self._entered(Wanted(long, short, close_long, close_short, {}), unknown)
        is_long, signals = entry > 0, self._sized(entry, exit_codes(close_long, close_short))
        if self.filters:
            may_long, may_short = shared.get(
                ("allowed", repr(self.filters)), lambda: allowed_by(self.filters, bars, instrument)[:2]
            )
            signals = without_forbidden(signals, Allowed(may_long[rows], may_short[rows], {}))
        size = signals.risk_frac if signals.units is None else signals.units
        assert size is not None
        return rows, signals.entry, signals.exit, size, np.where(is_long, ask_close, close), is_long

    def _at_rows(self, wanted: Wanted, mean_range: FloatArray, ask_close: FloatArray, close: FloatArray) -> Signals:
        """Put the signals of some rows together, each from its own values alone."""
        entry = self._entered(wanted, np.isnan(mean_range))
        rows = np.flatnonzero(entry)
        is_long, ranges = entry[rows] > 0, mean_range[rows]
        protection = self.distances.protection(
            np.where(is_long, ask_close[rows], close[rows]), np.where(is_long, ranges, -ranges)
        )
        stop_loss, take_profit = (_only_at(rows, one, len(entry)) for one in protection)
        return replace(
            self._sized(entry, exit_codes(wanted.close_long, wanted.close_short)),
            stop_loss=stop_loss,
            take_profit=take_profit,
            trailing_distance=self.distances.trailing(mean_range),
            indicators={**wanted.indicators, "stop_distance": self.distances.stop_atr * mean_range},
        )

    def _entered(self, wanted: Wanted, unknown: NDArray[np.intp] | Mask) -> NDArray[np.int8]:
        """Return the sides that are entered: none where the average true range is unknown."""
        entry = wanted.long.astype(np.int8) - wanted.short.astype(np.int8)
        entry[unknown] = 0
        entry[entry == self._never_entered] = 0
        return entry

    def _sized(self, entry: NDArray[np.int8], leave: NDArray[np.int8]) -> Signals:
        """Return signals of a size, without stops."""
        risk_frac, units = self.parameters.risk_frac, self.parameters.units
        if units is None and risk_frac is None:
            risk_frac = DEFAULT_RISK_FRAC
        return Signals(
            entry=entry,
            exit=leave,
            risk_frac=None if risk_frac is None else np.full(len(entry), float(risk_frac)),
            units=None if units is None else np.full(len(entry), float(units)),
        )

    @property
    def _never_entered(self) -> int:
        """Value of `Signals.entry` that `direction` forbids; 2: none."""
        return {"both": 2, "long": -1, "short": 1}[self.parameters.direction]


def _only_at(rows: NDArray[np.intp], values: FloatArray | None, count: int) -> FloatArray | None:
    """Return a column that is NaN but at some rows."""
    if values is None:
        return None
    found = np.full(count, np.nan)
    found[rows] = values
    return found


def _mean_ranges(bars: Bars, period: int, shared: Shared) -> FloatArray:
    """Return the average true range of each bar, from true ranges that sets share."""
    return average_of(shared.get("true ranges", lambda: true_range(bars.high, bars.low, bars.close)), period)
