"""How often a source is asked."""

from __future__ import annotations

import random

import pytest

from data_layer.sources import SourceLimits
from data_layer.sources.budget import RequestBudget, pause_after


def budget(rate: float = 2.0, burst: int = 3) -> RequestBudget:
    return RequestBudget(SourceLimits(requests_per_s=rate, burst=burst), random.Random(1), 100.0)


def test_a_burst_goes_at_once_and_then_the_rate_holds() -> None:
    one = budget()
    for _ in range(3):
        assert one.delay_s(100.0) == 0.0
        one.spend(100.0)
    assert one.delay_s(100.0) == pytest.approx(0.5)
    assert one.delay_s(100.5) == 0.0
    one.spend(100.5)
    assert one.delay_s(100.5) == pytest.approx(0.5)
    assert one.delay_s(1e6) == 0.0
    for _ in range(3):
        one.spend(1e6)
    assert one.delay_s(1e6) > 0.0, "a long pause is no credit beyond the burst"


def test_what_the_source_says_about_waiting_holds_and_is_not_shortened() -> None:
    one = budget()
    assert one.failed(100.0, retry_after_s=30.0) == 30.0
    one.failed(101.0)
    assert one.delay_s(102.0) == pytest.approx(28.0)


def test_pauses_grow_with_failures_in_a_row_up_to_a_limit_and_are_never_alike() -> None:
    rng = random.Random(2)
    longest = [max(pause_after(failures, rng) for _ in range(200)) for failures in range(1, 15)]
    shortest = [min(pause_after(failures, rng) for _ in range(200)) for failures in range(1, 15)]
    assert longest[0] <= 1.0
    assert longest[3] <= 8.0 < longest[4]
    assert max(longest) <= 300.0
    assert min(shortest) >= 0.5
    assert len({pause_after(5, rng) for _ in range(20)}) == 20
    one = budget()
    one.failed(100.0)
    one.failed(100.0)
    one.succeeded()
    assert one.failed(200.0) <= 1.0
