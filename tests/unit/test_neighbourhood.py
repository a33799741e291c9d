"""Neighbours of parameter sets, counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from research.statistics.neighbourhood import neighbourhood_of_points, neighbourhood_on_grid

NAN = math.nan


def test_a_lone_peak_and_a_plateau_are_told_apart() -> None:
    found = neighbourhood_on_grid([[0, 0, 0, 0], [0, 9, 0, 4], [0, 0, 4, 4]])
    assert found.neighbours.tolist() == [[3, 5, 5, 3], [5, 8, 8, 5], [3, 5, 5, 3]]
    assert found.mean[1, 1] == 0.5  # of 8 neighbours one has 4
    assert found.stability_frac[1, 1] == pytest.approx(0.5 / 9)
    assert found.stability_frac[2, 3] == pytest.approx(8 / 3 / 4)  # neighbours 0, 4, 4
    assert found.worst[2, 3] == 0
    assert found.positive_frac[2, 3] == pytest.approx(2 / 3)
    assert math.isnan(found.stability_frac[0, 0])  # 0 is no score to be a share of
    assert found.mean[0, 0] == 3  # 0, 9, 0


def test_places_without_a_score_are_no_neighbours() -> None:
    found = neighbourhood_on_grid([NAN, 0.5, NAN, -1.0, 5.0])
    assert found.neighbours.tolist() == [1, 0, 2, 1, 1]
    np.testing.assert_array_equal(found.mean, [0.5, NAN, -0.25, 5, -1])
    np.testing.assert_array_equal(found.worst, [0.5, NAN, -1, 5, -1])
    np.testing.assert_array_equal(found.positive_frac, [1, NAN, 0.5, 1, 0])
    np.testing.assert_array_equal(found.stability_frac, [NAN, NAN, NAN, NAN, -0.2])
    tiny = neighbourhood_on_grid([1.0, 1e-310]).stability_frac
    np.testing.assert_array_equal(tiny, [1e-310, NAN])  # the other one is too large for a number


def test_values_without_an_order_have_no_neighbours_and_a_radius_reaches_further() -> None:
    scores = np.arange(12.0).reshape(3, 4)
    found = neighbourhood_on_grid(scores, ordered=[False, True])
    np.testing.assert_array_equal(found.mean, [[1, 1, 2, 2], [5, 5, 6, 6], [9, 9, 10, 10]])
    wide = neighbourhood_on_grid([1.0, 2, 3, 4, 5], radius=2)
    np.testing.assert_array_equal(wide.mean, [2.5, 8 / 3, 3, 10 / 3, 3.5])
    with pytest.raises(ValueError, match="radius"):
        neighbourhood_on_grid(scores, radius=0)
    with pytest.raises(ValueError, match="for each of 2 axes, was 1"):
        neighbourhood_on_grid(scores, ordered=[True])


def test_points_off_a_grid_have_neighbours_within_a_share_of_each_range() -> None:
    points = [[0, 0], [10, 0], [9, 1], [10, 2], [100, 10]]
    found = neighbourhood_of_points(points, [1.0, 2.0, 3.0, NAN, 5.0], 0.1)  # reach 10 and 1
    assert found.neighbours.tolist() == [2, 2, 2, 1, 0]
    np.testing.assert_allclose(found.mean, [2.5, 2, 1.5, 3, NAN])
    np.testing.assert_allclose(found.stability_frac[:3], [2.5, 1, 0.5])
    assert neighbourhood_of_points(np.empty((0, 2)), []).mean.shape == (0,)
    # Of a parameter that has one value only all are neighbours.
    assert neighbourhood_of_points([[0, 7], [1, 7], [100, 7]], [1.0, 2.0, 3.0]).neighbours.tolist() == [1, 1, 0]
    for arguments, message in (
        ((points, [1.0]), "n x parameters"),
        (([1.0, 2.0], [1.0, 2.0]), "n x parameters"),
        ((points, [1.0] * 5, 0), "radius_frac"),
    ):
        with pytest.raises(ValueError, match=message):
            neighbourhood_of_points(*arguments)
