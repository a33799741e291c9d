"""One parameter of a search: values to be tried, or a span to draw from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Value: TypeAlias = Any
"""A parameter's value as JSON holds it: number, text, truth, or a list of them."""


@dataclass(frozen=True, slots=True)
class Choices:
    """Values of a parameter.

    Attributes
    ----------
    name : str
        The parameter.
    values : tuple of Value
        At least one, no two the same; numbers rise.
    """

    name: str
    values: tuple[Value, ...]

    @classmethod
    def of(cls, name: str, values: Sequence[Value]) -> Choices:
        """Return an axis of these values, each once, numbers in order."""
        once = [value for at, value in enumerate(values) if value not in values[:at]]
        return cls(name, tuple(sorted(once) if all(_is_number(value) for value in once) else once))

    @property
    def is_ordered(self) -> bool:
        """Whether values have neighbours: numbers do, words do not."""
        return all(_is_number(value) for value in self.values)

    def draw(self, chance: np.random.Generator) -> Value:
        """Return one of them by chance."""
        return self.values[int(chance.integers(len(self.values)))]


@dataclass(frozen=True, slots=True)
class Span:
    """Any number between two, both included; a grid cannot walk it.

    Attributes
    ----------
    name : str
        The parameter.
    low, high : float
        The ends.
    """

    name: str
    low: float
    high: float

    def draw(self, chance: np.random.Generator) -> float:
        """Return a number by chance."""
        return self.rounded(chance.uniform(self.low, self.high))

    def rounded(self, value: float) -> float:
        """Return a number with six digits that count: more say nothing about a strategy."""
        return min(max(float(f"{value:.6g}"), self.low), self.high)


Axis: TypeAlias = Choices | Span


def axis_of(values: Mapping[str, Any]) -> Axis:
    """Return an axis of what `dataclasses.asdict` made of it."""
    return Choices(values["name"], tuple(values["values"])) if "values" in values else Span(**values)


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
