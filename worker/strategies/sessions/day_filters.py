"""Filters of whole days: size of the range, gap, volatility. They decide on opens, never on exits."""

from __future__ import annotations

from typing import Annotated, NamedTuple, Self

from pydantic import Field, model_validator

from atrader.strategy import Parameters

_Atrs = Annotated[float, Field(ge=0, le=20)]
_Share = Annotated[float, Field(ge=0, le=1)]


class DayFacts(NamedTuple):
    """What is known of a day when its range is complete; prices.

    Attributes
    ----------
    open, high, low : float
        Of the range.
    atr, last_close : float or None
        Average true range of the daily bars before, and the close of the last of them; None: too few are there.
    centre : float
        The day's open.
    """

    open: float
    high: float
    low: float
    atr: float | None
    last_close: float | None
    centre: float

    @property
    def size(self) -> float:
        """High less low."""
        return self.high - self.low


class Refusal(NamedTuple):
    """Why a day is not traded: the parameter, and the value it was compared with."""

    parameter: str
    value: float


class DayFilterParameters(Parameters):
    """Bounds a day must keep to be traded; None: no bound. ATR is that of complete daily bars."""

    atr_days: Annotated[int, Field(ge=2, le=200)] = 14  # daily bars in the ATR, each counts the same
    min_range_atr: _Atrs | None = None  # size of the range, in ATRs, at least
    max_range_atr: _Atrs | None = None  # the same, at most
    min_gap_atr: _Atrs | None = None  # last daily close to the open of the range, either way, in ATRs, at least
    max_gap_atr: _Atrs | None = None  # the same, at most
    min_atr_frac: _Share | None = None  # ATR over the open of the range, at least
    max_atr_frac: _Share | None = None  # the same, at most

    @model_validator(mode="after")
    def _bounds_leave_something(self) -> Self:
        for name in ("range_atr", "gap_atr", "atr_frac"):
            least, most = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if least is not None and most is not None and least > most:
                raise ValueError(f"min_{name} must not be above max_{name}")
        return self

    @property
    def filters_days(self) -> bool:
        """Whether any bound is given, so that daily bars are needed."""
        return any(getattr(self, f"{bound}_{name}") is not None for name in _MEASURES for bound in ("min", "max"))

    def refusal(self, facts: DayFacts) -> Refusal | None:
        """Return the first bound that a day does not keep; without daily bars every bound counts as broken."""
        for name, measure in _MEASURES.items():
            least, most = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if least is None and most is None:
                continue
            if not facts.atr or facts.last_close is None:
                return Refusal("atr_days", 0.0)
            value = measure(facts, facts.atr, facts.last_close)
            if least is not None and value < least:
                return Refusal(f"min_{name}", value)
            if most is not None and value > most:
                return Refusal(f"max_{name}", value)
        return None


def _range_size(facts: DayFacts, atr: float, last_close: float) -> float:
    return facts.size / atr


def _gap(facts: DayFacts, atr: float, last_close: float) -> float:
    return abs(facts.open - last_close) / atr


def _volatility(facts: DayFacts, atr: float, last_close: float) -> float:
    return atr / facts.open


_MEASURES = {"range_atr": _range_size, "gap_atr": _gap, "atr_frac": _volatility}
