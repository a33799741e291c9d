"""The robustness factor in all its cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from research.statistics.robustness import over_windows, ranking, robustness_factor, robustness_factors

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("in_sample", "out_of_sample", "factor"),
    [
        (2.0, 1.0, 0.5),  # 1 * 1 / 2
        (1.0, 2.0, 4.0),  # better out of sample: 2 * 2 / 1
        (1.5, 1.5, 1.5),  # what survives whole is the ratio itself
        (2.0, -1.0, -0.5),  # taken literally +0.5: a loss would be rewarded
        (0.5, -1.0, -2.0),
        (2.0, 0.0, 0.0),
        (0.0, 1.0, None),  # taken literally infinite
        (0.1, 1.0, None),  # next to nothing: the limit itself is too little
        (0.10001, 1.0, 1 / 0.10001),
        (1e-300, 1.0, None),
        (-0.0, 1.0, None),
        (-2.0, 1.0, None),  # taken literally -0.5: a win out of sample would be punished
        (-2.0, -1.0, None),  # taken literally -0.5, for another reason
        (None, 1.0, None),
        (1.0, None, None),
        (NAN, 1.0, None),
        (1.0, NAN, None),
        (INF, 1.0, None),
        (1.0, INF, None),
        (1.0, -INF, None),
    ],
)
def test_the_robustness_factor_has_the_sign_of_what_came_out_of_sample_or_is_undefined(
    in_sample: float | None, out_of_sample: float | None, factor: float | None
) -> None:
    found = robustness_factor(in_sample, out_of_sample)
    assert found == (None if factor is None else pytest.approx(factor, rel=1e-12, abs=1e-300))


def test_what_counts_as_nothing_in_sample_can_be_chosen_and_is_never_negative() -> None:
    assert robustness_factor(0.3, 0.6) == pytest.approx(1.2)  # 0.36 / 0.3
    assert robustness_factor(0.3, 0.6, minimum=0.3) is None
    assert robustness_factor(0.05, 0.1, minimum=0) == pytest.approx(0.2)
    assert robustness_factor(0, 0.1, minimum=0) is None
    assert robustness_factor(1e-320, 1, minimum=0) is None  # too large for a number
    with pytest.raises(ValueError, match="minimum: expected 0 or more, was -1"):
        robustness_factor(1, 1, minimum=-1)
    with pytest.raises(ValueError, match=r"shape \(2,\), those out of sample \(1,\)"):
        robustness_factors([1, 2], [1])


def test_undefined_factors_rank_last_behind_the_worst_loss() -> None:
    factors = robustness_factors([2, 0.05, 1, 1, -1, 1], [1, 9, -5, 2, 3, 2])
    np.testing.assert_array_equal(factors, [0.5, NAN, -25, 4, NAN, 4])
    assert ranking(factors).tolist() == [3, 5, 0, 2, 1, 4]  # equal ones and undefined ones keep their order


def test_windows_without_a_factor_count_against_the_share_of_good_ones() -> None:
    found = over_windows([1.0, NAN, -0.5, 0.0, 2.5, 3.5])
    assert found == (6, 1, 0.5, 1.3, 1.0, -0.5)  # 3 of 6; (1 - 0.5 + 0 + 2.5 + 3.5) / 5; the third of five
    assert over_windows([NAN, NAN]) == (2, 2, 0.0, None, None, None)
    for none in ([], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="one or more windows"):
            over_windows(none)
