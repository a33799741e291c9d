"""Sets tried in two steps by several threads: each lot once, whatever fails, and nobody waits for what never comes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future

import numpy as np
import pytest

from atrader.errors import ConfigError
from research.optimisation.pools import Outcome
from research.optimisation.relay import Relay, TwoSteps
from research.optimisation.space import Combination

LONGEST_S = 20.0


class Recorded(TwoSteps[list[Combination]]):
    """Notes what it does; fails with the sets that say in which step."""

    most_at_once = 3

    def __init__(self) -> None:
        self.prepared: list[Combination] = []
        self.played: list[Combination] = []

    def prepare(self, combinations: Sequence[Combination]) -> list[Combination]:
        self.prepared += combinations
        return self._unless(combinations, "prepare")

    def play(self, prepared: list[Combination]) -> list[Outcome]:
        self.played += prepared
        return [Outcome(one["number"], np.zeros(1)) for one in self._unless(prepared, "play")]

    @staticmethod
    def _unless(combinations: Sequence[Combination], step: str) -> list[Combination]:
        if any(one.get("fails") == step for one in combinations):
            raise ConfigError(step)
        return list(combinations)


def lots_of(count: int, fails: dict[int, str] | None = None) -> list[list[Combination]]:
    return [[{"number": number, "fails": (fails or {}).get(number, "")}] for number in range(count)]


def came(futures: Sequence[Future[list[Outcome]]]) -> list[object]:
    """Return what came of each lot: the number of its set, or the step it failed in."""
    found: list[object] = []
    for future in futures:
        try:
            found.append(future.result(LONGEST_S)[0].trades)
        except ConfigError as error:
            found.append(error.message)
    return found


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_each_lot_is_prepared_and_played_once_whichever_fail(workers: int) -> None:
    trials, fails = Recorded(), {3: "prepare", 4: "play", 5: "prepare", 39: "prepare"}
    relay = Relay(trials, workers)
    lots = lots_of(40, fails)
    found = came([relay.submit(lot) for lot in lots])
    relay.close()
    assert found == [fails.get(number, number) for number in range(40)]
    assert sorted(one["number"] for one in trials.prepared) == list(range(40))
    assert sorted(one["number"] for one in trials.played) == [n for n in range(40) if fails.get(n) != "prepare"]


def test_without_threads_lots_are_tried_one_after_the_other() -> None:
    trials = Recorded()
    outcomes = trials([lot[0] for lot in lots_of(8)])
    assert [one.trades for one in outcomes] == list(range(8))
    assert trials.prepared == trials.played


def test_a_thread_with_nothing_to_play_prepares_beside_another() -> None:
    class Meeting(Recorded):
        both = threading.Barrier(2)

        def prepare(self, combinations: Sequence[Combination]) -> list[Combination]:
            self.both.wait(LONGEST_S)
            return super().prepare(combinations)

    relay = Relay(Meeting(), 2)
    assert came([relay.submit(lot) for lot in lots_of(2)]) == [0, 1]
    relay.close()


def test_what_is_prepared_is_played_while_another_thread_prepares() -> None:
    class Slow(Recorded):
        first_came = threading.Event()

        def prepare(self, combinations: Sequence[Combination]) -> list[Combination]:
            if combinations[0]["number"] == 2:
                assert self.first_came.wait(LONGEST_S)
            return super().prepare(combinations)

        def play(self, prepared: list[Combination]) -> list[Outcome]:
            self.first_came.set()
            return super().play(prepared)

    relay = Relay(Slow(), 2)
    assert came([relay.submit(lot) for lot in lots_of(6)]) == list(range(6))
    relay.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_what_has_not_begun_is_dropped_at_the_end_and_what_has_is_waited_for(workers: int) -> None:
    began, closes = threading.Event(), threading.Event()

    class Held(Recorded):
        def prepare(self, combinations: Sequence[Combination]) -> list[Combination]:
            began.set()
            assert closes.wait(LONGEST_S)
            return super().prepare(combinations)

    class Closing(Relay[list[Combination]]):
        def _drop(self) -> None:
            super()._drop()
            closes.set()

    trials = Held()
    relay = Closing(trials, workers)
    futures = [relay.submit(lot) for lot in lots_of(20)]
    assert began.wait(LONGEST_S)
    relay.close()
    assert all(future.done() for future in futures)
    dropped = [future for future in futures if future.cancelled()]
    assert 20 - workers <= len(dropped) < 20
    assert sorted(map(str, trials.played)) == sorted(map(str, trials.prepared))
    with pytest.raises(CancelledError):
        dropped[0].result()
