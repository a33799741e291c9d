"""Trades the probabilities of a model of scikit-learn that `atrader train` made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from atrader.errors import ConfigError
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Parameters, Placement
from worker.strategies.arrays import FloatArray, began, crossed_above, crossed_below
from worker.strategies.entries import AtrStopParameters, EntryStrategy, Wanted
from worker.strategies.learned.features import known_rows, matrix_of, memory_of
from worker.strategies.learned.model_file import Estimator, ModelHeader, check_usable, read_estimators, read_header


class LearnedParameters(AtrStopParameters):
    """Parameters of `Learned`."""

    model: str  # file that `atrader train` wrote; relative to the installation
    features: tuple[str, ...] | None = None  # those the model must have been trained with, in this order; none: any
    enter_frac: Annotated[float, Field(gt=0.5, lt=1)] = 0.55  # probability of a rise for a long, of a fall for a short
    leave_frac: Annotated[float, Field(gt=0, le=0.5)] = 0.5  # a trade is closed when that of its side is below this

    @model_validator(mode="after")
    def _names_features(self) -> Self:
        if self.features is not None:
            try:
                memory_of(self.features)
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return self


class Learned(EntryStrategy):
    """Asks at each bar the estimator that was trained before it, and no other.

    A model file holds one estimator for each window of its walk-forward training. So a backtest over the years of the
    training is honest: nothing decides a bar that it was trained on. Before the first window nothing is traded.
    """

    Parameters: ClassVar[type[Parameters]] = LearnedParameters
    parameters: LearnedParameters

    _path: Path
    _header: ModelHeader | None = None
    _estimators: list[Estimator] | None = None

    def prepare(self, placement: Placement) -> None:
        """Read what the model is, and check that it fits; loads neither scikit-learn nor estimators.

        Raises
        ------
        ConfigError
            When the model is missing or damaged, or was trained for something else: another instrument, timeframe,
            list of features, or release of scikit-learn.
        """
        self._path = placement.root / self.parameters.model
        header = read_header(self._path)
        check_usable(self._path, header)
        for what, trained, here in (
            ("instrument", header.instrument, placement.instrument.symbol),
            ("timeframe", header.timeframe, placement.timeframe),
        ):
            if trained != here:
                raise ConfigError(f"{self._path}: it was trained on the {what} {trained}, this instance has {here}")
        if self.parameters.features is not None:
            _check_features(self._path, header.features, self.parameters.features)
        self._header = header

    def load(self) -> None:
        """Load the estimators; takes seconds, for scikit-learn itself.

        Raises
        ------
        ConfigError
            When they cannot be loaded, or want other features than the file says.
        """
        header = self._known_header
        self._estimators = read_estimators(self._path, header)

    @property
    def own_files(self) -> tuple[Path, ...]:
        """The model: trained again under the same name it is another one."""
        return (self._path,)

    @property
    def own_bars(self) -> int:
        """Until the features one bar ago have forgotten where their data began."""
        return memory_of(self._known_header.features) + 1

    def wanted(self, bars: Bars, instrument: Instrument) -> Wanted:
        """Enter where a probability becomes large enough, leave where that of the side does not hold any more."""
        rise, p = self._probabilities(bars), self.parameters
        return Wanted(
            long=crossed_above(rise, p.enter_frac),
            short=crossed_below(rise, 1.0 - p.enter_frac),
            close_long=began(rise < p.leave_frac),
            close_short=began(1.0 - rise < p.leave_frac),
            indicators={"rise": rise},
        )

    def _probabilities(self, bars: Bars) -> FloatArray:
        """Return the probability of a rise after each bar, shape (n,); NaN where no estimator may be asked."""
        if self._estimators is None:
            self.load()
        assert self._estimators is not None
        header = self._known_header
        rows = matrix_of(header.features, bars)
        known = known_rows(rows)
        found = np.full(len(bars), np.nan)
        begins = np.searchsorted(bars.open_time_ns, [window.usable_from_ns for window in header.windows])
        for estimator, first, last in zip(self._estimators, begins, [*begins[1:], len(bars)], strict=True):
            mine = np.flatnonzero(known[first:last]) + first
            if len(mine):
                found[mine] = estimator.predict_proba(rows[mine])[:, 1]
        return found

    @property
    def _known_header(self) -> ModelHeader:
        if self._header is None:
            raise ConfigError("a model is read where the strategy runs: prepare() comes first")
        return self._header


def _check_features(path: Path, trained: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """Compare lists of features: a column in another place is another model."""
    if trained == expected:
        return
    missing, more = [name for name in expected if name not in trained], [n for n in trained if n not in expected]
    differences = [
        f"without {', '.join(missing)}" if missing else "",
        f"with {', '.join(more)} besides" if more else "",
        "in another order" if not missing and not more else "",
    ]
    raise ConfigError(
        f"{path}: it was trained {' and '.join(filter(None, differences))}: its features are {', '.join(trained)},"
        f" parameters.features are {', '.join(expected)}"
    )
