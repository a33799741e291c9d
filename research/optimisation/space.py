"""Every set of parameters that may be tried: axes, what is fixed, and which sets are none."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
from pydantic import ValidationError

from atrader.errors import ConfigError
from atrader.strategy import Parameters
from research.optimisation.axes import Axis, Choices, Span, Value
from research.optimisation.constraints import Constraint

Combination = dict[str, Value]
"""The parameters that vary, in the order of the axes."""

MOST_GRID_SETS: Final = 1_000_000
"""A longer grid is refused: its sets alone would fill the memory."""


@dataclass(frozen=True)
class SearchSpace:
    """What may be tried.

    Attributes
    ----------
    model : type of Parameters
        The strategy's; what its validators refuse is no combination.
    fixed : Mapping of str to object
        Parameters that stay as they are.
    axes : sequence of Axis
        Those that vary.
    constraints : sequence of Constraint
        Of the user, besides those of the strategy. They see defaults and fixed parameters as well.
    """

    model: type[Parameters]
    fixed: Mapping[str, object]
    axes: Sequence[Axis]
    constraints: Sequence[Constraint] = ()

    @property
    def size(self) -> int | None:
        """How many sets there are before any is left out; None when an axis is a span."""
        if any(isinstance(axis, Span) for axis in self.axes):
            return None
        return math.prod(len(axis.values) for axis in self.axes if isinstance(axis, Choices))

    def allows(self, combination: Combination) -> bool:
        """Tell whether the strategy takes a combination, and every constraint holds."""
        return self._refusal(combination) is None

    def why_not(self, combination: Combination) -> str:
        """Return what refuses a combination, for people."""
        match self._refusal(combination):
            case ValidationError() as error:
                return str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            case Constraint(text=text):
                return f"not {text}"
        return "allowed"

    def _refusal(self, combination: Combination) -> ValidationError | Constraint | None:
        try:
            parameters = self.model.model_validate({**self.fixed, **combination})
        except ValidationError as error:
            return error
        return next((one for one in self.constraints if not one.holds(_numbers(parameters))), None)

    def grid(self) -> Iterator[Combination]:
        """Yield every allowed combination; the last axis varies first.

        Raises
        ------
        ConfigError
            When an axis is a span, or there are too many.
        """
        for axis in self.axes:
            if isinstance(axis, Span):
                raise ConfigError(
                    f"{axis.name} = {axis.low:g}:{axis.high:g} has no steps, and a grid needs them: write"
                    f" {axis.low:g}:{axis.high:g}:STEP, or search with --method random, tpe or nsga2"
                )
        if (self.size or 0) > MOST_GRID_SETS:
            raise ConfigError(
                f"a grid of {self.size:,} combinations is too large ({MOST_GRID_SETS:,} at most):"
                " give fewer values, or search with --method random or tpe and --trials"
            )
        names = [axis.name for axis in self.axes]
        for values in itertools.product(*(axis.values for axis in self.axes if isinstance(axis, Choices))):
            combination = dict(zip(names, values, strict=True))
            if self.allows(combination):
                yield combination

    def draw(self, chance: np.random.Generator) -> Combination:
        """Return a combination by chance, allowed or not."""
        return {axis.name: axis.draw(chance) for axis in self.axes}


def _numbers(parameters: Parameters) -> dict[str, object]:
    """Return the values as conditions count with them: money as float."""
    return {name: _plain(getattr(parameters, name)) for name in type(parameters).model_fields}


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value
