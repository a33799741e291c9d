"""Allocation and correlation: whatever the results are."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from research.selection.allocation import Method, allocate, covariance
from research.selection.correlation import correlation

SEEDS = st.integers(0, 2**32 - 1)


def results_of(seed: int, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Daily results with deviations over three orders of magnitude and some correlation, also negative."""
    chance = np.random.default_rng(seed)
    common = chance.normal(size=(120, 1)) * chance.uniform(-1, 1, count)
    return (common + chance.normal(size=(120, count))) * 10 ** chance.uniform(-1.5, 1.5, count)


METHODS = st.sampled_from(get_args(Method))


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 8), METHODS, st.floats(1e-4, 1e4), st.floats(1.0, 3.0) | st.none())
def test_shares_add_up_to_the_budget_and_none_is_above_its_cap(
    seed: int, count: int, method: Any, budget: float, room: float | None
) -> None:
    names = tuple(f"i{number}" for number in range(count))
    caps = None
    if room is not None:
        caps = np.random.default_rng(seed + 1).uniform(0.2, 1.0, count)
        caps *= budget * room / caps.sum()
    found = allocate(names, covariance(results_of(seed, count), 0.1), method, budget, caps)
    assert abs(found.weights.sum() / budget - 1) < 1e-9
    assert (found.weights > 0).all()
    assert caps is None or (found.weights <= caps * (1 + 1e-12)).all()
    assert abs(found.contributions.sum() - 1) < 1e-9


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(2, 8), st.floats(1.05, 3.0) | st.none())
def test_risk_parity_makes_contributions_equal_but_for_those_at_their_cap(
    seed: int, count: int, room: float | None
) -> None:
    names = tuple(f"i{number}" for number in range(count))
    matrix = covariance(results_of(seed, count), 0.1)
    caps = np.full(count, np.inf if room is None else room / count)
    found = allocate(names, matrix, "risk-parity", 1.0, caps)
    free = found.weights < caps * (1 - 1e-9)
    assert free.any()
    level = found.contributions[free].max()
    np.testing.assert_allclose(found.contributions[free], level, rtol=1e-6)
    assert (found.contributions[~free] <= level * (1 + 1e-6)).all()
    if room is None:
        np.testing.assert_allclose(found.contributions, 1 / count, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 8))
def test_a_correlation_matrix_is_one(seed: int, count: int) -> None:
    matrix = correlation(results_of(seed, count))
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 1.0)
    assert np.abs(matrix).max() <= 1.0
    assert np.linalg.eigvalsh(matrix).min() > -1e-9
