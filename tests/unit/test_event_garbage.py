"""While a backtest runs Python looks for cycles less often, and as often as before when it is over."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from research.events.garbage import seldom_sought


def fail_after(seen: list[tuple[int, int, int]]) -> None:
    with seldom_sought():
        seen.append(gc.get_threshold())
        raise KeyError


@pytest.fixture(autouse=True)
def thresholds_afterwards() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_it_is_less_often_inside_and_as_before_afterwards_whatever_happened() -> None:
    gc.set_threshold(700, 10, 10)
    inside: list[tuple[int, int, int]] = []
    with pytest.raises(KeyError):
        fail_after(inside)
    assert inside[0][0] > 10_000
    assert inside[0][1:] == (10, 10)
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("chosen", [0, 10**6])
def test_who_looks_less_often_or_never_keeps_that(chosen: int) -> None:
    gc.set_threshold(chosen, 10, 10)
    with seldom_sought():
        assert gc.get_threshold()[0] == chosen
