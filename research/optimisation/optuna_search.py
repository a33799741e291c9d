"""Searches that learn from what they tried, by Optuna: TPE for one aim, NSGA-II for several.

Optuna keeps its study in memory. Ours is in the file of trials: a search that goes on is told of them first.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from atrader.extras import imported
from research.optimisation.axes import Axis, Choices, Value
from research.optimisation.figures import AIMS, Aim
from research.optimisation.searching import MOST_REFUSALS, Asked, key_of, nothing_left
from research.optimisation.space import Combination, SearchSpace
from research.optimisation.trials import Trial, Trials

Floats = NDArray[np.float64]

_REFUSALS: Final = 20  # repeated or forbidden sets in a row, after which chance decides: each makes Optuna slower
_WORST: Final = -1e6  # of a set that failed or never traded: searches only compare


class OptunaSearch:
    """A search by Optuna; every allowed set is tried once at most.

    Parameters
    ----------
    space : SearchSpace
        What may be tried.
    method : {"tpe", "nsga2"}
        TPE takes one aim, NSGA-II any number.
    aims : sequence of Aim
        What is looked for, on the days of `seen`.
    seen : slice
        The days that the search may see: none that a set is judged on later.
    days_per_year : float
        Trading days in a year.
    total : int
        Sets to try, those of `before` included.
    seed : int
        Of the sampler. With one worker the same seed tries the same sets.
    before : Trials
        What an earlier run tried.

    Raises
    ------
    ConfigError
        When Optuna is not installed.
    """

    is_adaptive = True

    def __init__(
        self,
        space: SearchSpace,
        method: Literal["tpe", "nsga2"],
        aims: Sequence[Aim],
        seen: slice,
        days_per_year: float,
        total: int,
        seed: int,
        before: Trials,
    ) -> None:
        self._optuna = imported("optuna", "optimise", f"--method {method} needs Optuna")
        self._optuna.logging.set_verbosity(self._optuna.logging.ERROR)
        self._space = space
        self._aims = aims
        self._seen = seen
        self._days_per_year = days_per_year
        self._next = max([*before.numbers.tolist(), *(one.number for one in before.failed)], default=-1) + 1
        self._chance = np.random.default_rng(seed + before.tried)
        self.left = total - before.tried
        self._known: set[str] = set()
        self._running: dict[int, Any] = {}
        self._distributions = {axis.name: self._distribution(axis) for axis in space.axes}
        samplers = self._optuna.samplers
        sampler = (
            samplers.TPESampler(seed=seed + before.tried)
            if method == "tpe"
            else samplers.NSGAIISampler(seed=seed + before.tried, population_size=max(4, min(50, total // 4)))
        )
        self._study = self._optuna.create_study(sampler=sampler, directions=["maximize"] * len(aims))
        for number, parameters, trades, returns in zip(
            before.numbers.tolist(), before.parameters, before.trades.tolist(), before.returns, strict=True
        ):
            self._remember(Trial(number, parameters, trades, returns))
        for failed in before.failed:
            self._remember(failed)

    def ask(self, count: int) -> list[Asked]:
        """Return the next sets, those that Optuna thinks most of.

        Raises
        ------
        ConfigError
            When no set is allowed.
        """
        found: list[Asked] = []
        while len(found) < min(count, self.left):
            trial = self._next_trial()
            if trial is None:
                self.left = len(found)
                break
            combination = self._combination(trial.params)
            self._known.add(key_of(combination))
            self._running[self._next] = trial
            found.append(Asked(self._next, combination))
            self._next += 1
        if not self._known:
            raise nothing_left(self._space)
        self.left -= len(found)
        return found

    def _next_trial(self) -> Any:
        """Return a trial of an allowed set that was not tried; None when none is found."""
        for _ in range(_REFUSALS):
            trial = self._study.ask(self._distributions)
            if self._is_new(self._combination(trial.params)):
                return trial
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        for _ in range(MOST_REFUSALS):  # Optuna repeats itself where little is left: chance does not
            drawn = self._space.draw(self._chance)
            if self._is_new(drawn):
                self._study.enqueue_trial(self._params(drawn))
                return self._study.ask(self._distributions)
        return None

    def _is_new(self, combination: Combination) -> bool:
        return key_of(combination) not in self._known and self._space.allows(combination)

    def _params(self, combination: Combination) -> dict[str, Any]:
        return {axis.name: _place(axis, combination[axis.name]) for axis in self._space.axes}

    def tell(self, trials: Sequence[Trial]) -> None:
        """Let Optuna know how good sets were."""
        for one in trials:
            self._study.tell(self._running.pop(one.number), self._values(one))

    def _remember(self, one: Trial) -> None:
        """Add a set of an earlier run; one that this space does not have (it never should) teaches nothing."""
        self._known.add(key_of(one.parameters))
        params = self._params(one.parameters)
        self._study.add_trial(
            self._optuna.trial.create_trial(params=params, distributions=self._distributions, values=self._values(one))
        )

    def _values(self, one: Trial) -> list[float]:
        if one.error:
            return [_WORST] * len(self._aims)
        found = [float(AIMS[aim](one.returns[None, self._seen], self._days_per_year)[0]) for aim in self._aims]
        return [value if np.isfinite(value) else _WORST for value in found]

    def _combination(self, params: dict[str, Any]) -> Combination:
        return {axis.name: _value(axis, params[axis.name]) for axis in self._space.axes}

    def _distribution(self, axis: Axis) -> Any:
        distributions = self._optuna.distributions
        if not isinstance(axis, Choices):
            return distributions.FloatDistribution(axis.low, axis.high)
        if axis.is_ordered:  # by place, so that the sampler knows what lies beside what
            return distributions.IntDistribution(0, len(axis.values) - 1)
        return distributions.CategoricalDistribution([json.dumps(value) for value in axis.values])


def _value(axis: Axis, found: Any) -> Value:
    """Return the value that Optuna means."""
    if not isinstance(axis, Choices):
        return axis.rounded(found)
    return axis.values[found] if axis.is_ordered else json.loads(found)


def _place(axis: Axis, value: Value) -> Any:
    """Return what Optuna calls a value."""
    if not isinstance(axis, Choices):
        return value
    return axis.values.index(value) if axis.is_ordered else json.dumps(value)
