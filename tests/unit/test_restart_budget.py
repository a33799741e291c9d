"""How often a process may die, and how long it waits."""

import random

import pytest

from atrader.configuration.instance import RestartBudget
from manager.budget import Budget

EVEN = RestartBudget.model_validate(
    {"count": 3, "window": "60s", "min_backoff": "250ms", "max_backoff": "30s", "jitter_frac": 0.0}
)


def budget(**changes: object) -> Budget:
    return Budget(EVEN.model_copy(update=changes), random.Random(1))


def test_the_first_restart_is_at_once_and_later_ones_wait_longer_and_longer() -> None:
    one = budget()
    delays = []
    for now_s in range(10):
        one.record_exit(now_s)
        delays.append(one.delay_s(now_s))
    assert delays[:5] == [0.0, 0.25, 0.5, 1.0, 2.0]
    assert delays[9] == 30.0


def test_the_first_delay_and_the_growth_of_the_later_ones_are_settings() -> None:
    one = budget(first_backoff=2.0, backoff_factor=3.0)
    delays = []
    for now_s in range(4):
        one.record_exit(now_s)
        delays.append(one.delay_s(now_s))
    assert delays == [2.0, 2.0, 2.0, 2.25]  # 0.25 and 0.75 would be shorter than the first


def test_a_delayed_restart_is_never_at_once() -> None:
    one = budget()
    one.record_exit(0.0)
    assert one.delayed_s(0.0) == 0.25


def test_the_budget_is_spent_by_one_exit_more_than_it_allows() -> None:
    one = budget()
    for now_s in (0.0, 1.0, 2.0):
        one.record_exit(now_s)
    assert not one.spent(2.0)
    one.record_exit(3.0)
    assert one.spent(3.0)


def test_exits_older_than_the_window_are_forgotten() -> None:
    one = budget()
    for now_s in (0.0, 1.0, 2.0, 3.0):
        one.record_exit(now_s)
    assert one.spent(60.0)
    assert not one.spent(60.5)
    assert one.exits(100.0) == 0


def test_a_budget_of_zero_allows_no_exit() -> None:
    one = budget(count=0)
    one.record_exit(0.0)
    assert one.spent(0.0)


def test_a_reset_forgets_everything() -> None:
    one = budget()
    for _ in range(9):
        one.record_exit(0.0)
    one.reset()
    assert one.exits(0.0) == 0


@pytest.mark.parametrize("exits", [2, 5, 60])
def test_jitter_stays_within_its_share(exits: int) -> None:
    one = budget(jitter_frac=0.2)
    for _ in range(exits):
        one.record_exit(0.0)
    plain_s = min(0.25 * 2.0 ** (exits - 2), 30.0)
    delays = [one.delay_s(0.0) for _ in range(200)]
    assert all(0.8 * plain_s <= delay <= 1.2 * plain_s for delay in delays)
    assert len(set(delays)) > 100


def test_jitter_comes_from_the_given_seed() -> None:
    first, second = (Budget(RestartBudget(), random.Random(7)) for _ in range(2))
    assert [first.slow_s() for _ in range(5)] == [second.slow_s() for _ in range(5)]
