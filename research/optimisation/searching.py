"""Which set comes next."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple, Protocol

import numpy as np

from atrader.errors import ConfigError
from research.optimisation.axes import Value
from research.optimisation.space import Combination, SearchSpace
from research.optimisation.trials import Trial

MOST_REFUSALS: Final = 10_000
"""Draws in a row that may be refused, or known already, before a search gives up."""


class Asked(NamedTuple):
    """A set to be tried, and its number in the search."""

    number: int
    parameters: Combination


class Search(Protocol):
    """Says which sets are tried, in which order.

    Attributes
    ----------
    is_adaptive : bool
        Whether what came of one set decides on the next.
    left : int
        How many sets there are still to ask for, at most.
    """

    is_adaptive: bool
    left: int

    def ask(self, count: int) -> list[Asked]:
        """Return the next sets, at most so many; none when there are no more."""
        ...

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn what came of sets that were asked for."""
        ...


class ListedSearch:
    """Sets that are known beforehand, but for those an earlier run has tried.

    Parameters
    ----------
    combinations : sequence of Combination
        All of them; the same each time, as their places are their numbers.
    done : collection of int
        Numbers that were tried.
    """

    is_adaptive = False

    def __init__(self, combinations: Sequence[Combination], done: Collection[int]) -> None:
        self._next: Iterator[Asked] = (
            Asked(number, one) for number, one in enumerate(combinations) if number not in done
        )
        self.left = len(combinations) - len(done)

    def ask(self, count: int) -> list[Asked]:
        """Return the next sets."""
        asked = list(islice(self._next, count))
        self.left -= len(asked)
        return asked

    def tell(self, trials: Sequence[Trial]) -> None:
        """Take note of nothing: what is tried does not depend on it."""


def every_combination(space: SearchSpace) -> list[Combination]:
    """Return the grid of a space.

    Raises
    ------
    ConfigError
        When there is none, or no combination is left by the constraints.
    """
    found = list(space.grid())
    if not found:
        raise nothing_left(space)
    return found


def random_combinations(space: SearchSpace, count: int, seed: int) -> list[Combination]:
    """Draw different combinations by chance; fewer when there are fewer. The same for the same seed.

    Raises
    ------
    ConfigError
        When none is allowed.
    """
    chance = np.random.default_rng(seed)
    found: dict[str, Combination] = {}
    refused = 0
    while len(found) < count and refused < MOST_REFUSALS:
        drawn = space.draw(chance)
        if key_of(drawn) in found or not space.allows(drawn):
            refused += 1
        else:
            found[key_of(drawn)], refused = drawn, 0
    if not found:
        raise nothing_left(space)
    return list(found.values())


def key_of(what: Combination | Value) -> str:
    """Return a text that is the same for the same set, or the same value of a parameter."""
    return json.dumps(what, sort_keys=True)


def nothing_left(space: SearchSpace) -> ConfigError:
    """Say that no combination is allowed, and why one of them is not."""
    given = ", ".join(f"{one.text!r}" for one in space.constraints) or "none given"
    one = space.draw(np.random.default_rng(0))
    told = " ".join(f"{name}={value}" for name, value in one.items())
    return ConfigError(
        f"the strategy's own conditions and the constraints ({given}) allow no combination of"
        f" {', '.join(axis.name for axis in space.axes)}: give other values. {told} is refused: {space.why_not(one)}"
    )
