"""Splits of trials are crossed the same way, to the last bit, whether that was compiled or not."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from research.statistics.splits import Blocks, Crossed, cross, is_compiled, plain_cross

pytestmark = pytest.mark.skipif(not is_compiled, reason="nothing was compiled")


def assert_plain_is_compiled(blocks: Blocks, masks: NDArray[np.uint32]) -> None:
    found, plain = Crossed.empty(len(masks)), Crossed.empty(len(masks))
    cross(blocks, masks, found)
    plain_cross(*blocks, masks, *plain)
    for one, other in zip(found, plain, strict=True):
        assert one.tobytes() == other.tobytes()


def blocks_of(seed: int, count: int, trials: int) -> Blocks:
    """Return trials of which some never traded, some do not vary, some are others, larger, and some traded seldom."""
    chance = np.random.default_rng(seed)
    lengths = chance.integers(1, 40, count)
    returns = chance.normal(0, 0.01, (int(lengths.sum()), trials))
    kinds = chance.integers(0, 6, trials)
    returns[:, kinds == 1] = 0.0
    returns[:, kinds == 2] = 0.1
    returns[:, kinds == 3] = returns[:, :1] * 4.0
    returns[:, kinds == 4] *= chance.random((len(returns), 1)) < 0.1
    starts = np.cumsum(lengths) - lengths
    sums, squares = (np.add.reduceat(moment, starts, axis=0) for moment in (returns, returns**2))
    return Blocks(sums, squares, lengths.astype(np.float64))


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), half=st.integers(1, 10), trials=st.integers(1, 70), data=st.data())
def test_compiled_or_not_the_same_is_found_in_every_split(
    seed: int, half: int, trials: int, data: st.DataObject
) -> None:
    blocks = blocks_of(seed, 2 * half, trials)
    sides = st.permutations([0] * half + [1] * half)
    drawn = data.draw(st.lists(sides, min_size=1, max_size=40))
    masks = np.array([sum(side << place for place, side in enumerate(one)) for one in drawn], np.uint32)
    assert_plain_is_compiled(blocks, masks)


@pytest.mark.parametrize("at_once", [1, 17])  # fewer than the trials: each split for itself; or three splits
def test_however_few_keys_are_in_work_at_a_time_the_same_is_found(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("research.statistics.splits._AT_ONCE", at_once)
    assert_plain_is_compiled(blocks_of(2, 4, 5), np.array([3, 5, 9, 6, 10, 12, 3], np.uint32))


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_returns_whose_squares_are_too_large_to_count_with_are_read_no_further_than_they_go() -> None:
    returns = np.random.default_rng(0).normal(size=(64, 5)) * [1e160, 1e170, 1.0, 1.0, 1.0]
    starts = np.arange(0, 64, 16)
    sums, squares = (np.add.reduceat(moment, starts, axis=0) for moment in (returns, returns**2))
    # The compiled one looked for NaN behind the last trial, and died.
    assert_plain_is_compiled(Blocks(sums, squares, np.full(4, 16.0)), np.array([3, 5, 9], np.uint32))


def test_compiled_code_refuses_what_would_be_read_or_written_beyond_its_arrays() -> None:
    cross_them = importlib.import_module("research.statistics._splits").cross
    (sums, squares, lengths), masks = blocks_of(1, 4, 5), np.array([3, 5], np.uint32)
    best, ranks, moments = Crossed.empty(2)
    for wrong in ([3, 15], [0, 3], [3, 16]):
        with pytest.raises(ValueError, match="do not fit"):
            cross_them(sums, squares, lengths, np.array(wrong, np.uint32), best, ranks, moments)
    with pytest.raises(ValueError, match="do not fit"):
        cross_them(sums, squares, lengths, masks, best, ranks[:1], moments)
    with pytest.raises(ValueError, match="do not fit"):
        cross_them(sums[:3], squares, lengths, masks, best, ranks, moments)
    with pytest.raises(ValueError, match="do not fit"):
        cross_them(sums.astype(np.float32), squares, lengths, masks, best, ranks, moments)
