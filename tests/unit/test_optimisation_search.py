"""Sets are tried once each, written down before they are counted, and never tried again after a death."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atrader.errors import ConfigError, StoreError, StrategyError
from research.optimisation.analysis import analyse
from research.optimisation.axes import Choices
from research.optimisation.optuna_search import OptunaSearch
from research.optimisation.pools import Outcome, Pool, processes, threads
from research.optimisation.reading import read_space
from research.optimisation.searching import ListedSearch, Search, every_combination
from research.optimisation.space import Combination, SearchSpace
from research.optimisation.study import run_study
from research.optimisation.trials import FORMAT, Trial, TrialFile, Trials
from research.optimisation.windows import Split
from research.reports.search_notes import search_notes
from worker.strategies.sma_cross import SmaCrossParameters

DAYS_NS = np.arange(1, 41) * 86_400_000_000_000
STUDY = {"name": "one"}
SEEN = slice(0, 30)


class Stopped(Exception):
    """Raised in place of a death."""


def space_of(**texts: str) -> SearchSpace:
    return read_space(SmaCrossParameters, {}, texts or {"fast": "2,4,6,8", "slow": "10,20,30"}, [])


def outcome_of(one: Combination) -> Outcome:
    """Return a hill over the sets: the best is fast 6 with slow 20."""
    height = 5 - abs(one["fast"] - 6) - abs(one["slow"] - 20) / 10
    days = np.sin(np.arange(40.0) * 2) * 0.01
    return Outcome(one["slow"], days + 0.002 * height)


def evaluate(combinations: Sequence[Combination], tried: list[Combination] | None = None) -> list[Outcome]:
    if tried is not None:
        tried.extend(combinations)
    return [outcome_of(one) for one in combinations]


class SetClock:
    """A clock that goes on with each set that is tried."""

    def __init__(self, set_s: float) -> None:
        self._set_s, self._now_s = set_s, 0.0

    def now_ns(self) -> int:
        return int(self._now_s * 1e9)

    def monotonic_s(self) -> float:
        return self._now_s

    def evaluate(self, combinations: Sequence[Combination]) -> list[Outcome]:
        self._now_s += self._set_s * len(combinations)
        return evaluate(combinations)


def dying(combinations: Sequence[Combination]) -> list[Outcome]:
    if any(one["fast"] == 6 for one in combinations):
        os._exit(9)
    return evaluate(combinations)


def make(work: Any) -> Any:
    return work


@pytest.fixture
def file(tmp_path: Path) -> Iterator[TrialFile]:
    with TrialFile(tmp_path / "trials.sqlite", STUDY, DAYS_NS) as made:
        yield made


def run(search: Search, pool: Pool, file: TrialFile) -> Trials:
    run_study(search, pool, file)
    return file.trials()


def test_trials_are_read_as_they_were_written_to_the_last_bit(file: TrialFile) -> None:
    returns = np.random.default_rng(1).normal(size=40)
    file.append([Trial(3, {"fast": 5, "word": "long"}, 7, returns), Trial(1, {"fast": 2}, 0, np.empty(0), "broken")])
    file.append([Trial(3, {"fast": 5, "word": "long"}, 7, returns)])
    with TrialFile(file.path) as again:
        found = again.trials()
        assert again.study == STUDY
        assert again.days_ns.tolist() == DAYS_NS.tolist()
        assert set(again.numbers()) == {1, 3}
    assert (found.tried, found.parameters, found.trades.tolist()) == (2, [{"fast": 5, "word": "long"}], [7])
    assert found.returns[0].tobytes() == returns.tobytes()
    assert [(one.number, one.error) for one in found.failed] == [(1, "broken")]


@pytest.mark.parametrize("rows", [[1e60, 0.1, 0.1], [1e40] * 10], ids=["squares", "money"])
def test_a_set_that_earned_past_all_figures_has_failed_and_is_neither_first_nor_forgotten(
    tmp_path: Path, rows: list[float]
) -> None:
    days = np.arange(40, dtype=np.int64)
    usual = np.random.default_rng(1).normal(0.001, 0.01, 40)
    absurd = np.concatenate([rows, usual[len(rows) :]])

    def evaluate(combinations: Sequence[Combination]) -> list[Outcome]:
        return [Outcome(50, absurd if one["a"] == 1 else usual * float(str(one["a"]))) for one in combinations]

    sets: list[Combination] = [{"a": value} for value in (1, 2, 3)]
    with TrialFile(tmp_path / "new.sqlite", {"fixed": {}}, days) as file:
        run_study(ListedSearch(sets, set()), threads(evaluate, 1), file)
        found = file.trials()
        file.append([Trial(0, sets[0], 50, absurd)])  # as a version would that did not look
        old = file.trials()
    for trials in (found, old):
        assert [one.parameters for one in trials.failed] == [{"a": 1}]
        assert "figures" in trials.failed[0].error
        assert (trials.tried, trials.parameters, trials.numbers.tolist()) == (3, sets[1:], [1, 2])
        windows = Split(share=0.5).windows(days)
        analysis = analyse(trials, days, [Choices("a", (1, 2, 3))], windows, 260.0)
        assert (analysis.tried, analysis.failed) == (3, 1)
        assert not np.isnan(analysis.top[0].sharpe_is)


def test_notes_of_sets_are_kept_counted_and_shown(file: TrialFile) -> None:
    assert file.trials().notes == []
    noted = [Trial(number, {"a": number}, 5, np.arange(40.0) / 1e4, note=f"like {number // 3}") for number in range(4)]
    file.append(noted)
    file.append(noted[:1])  # again, as after a write of which nobody knows
    trials = file.trials()
    assert trials.notes == ["like 0", "like 0", "like 0", "like 1"]
    axes = [Choices("a", (0, 1, 2, 3))]
    analysis = analyse(trials, file.days_ns, axes, Split(share=0.5).windows(file.days_ns), 260.0)
    assert analysis.notes == {"like 0": 3, "like 1": 1}
    assert search_notes({"total": 4}, analysis) == ["3 sets: like 0", "1 set: like 1"]


def test_a_file_that_is_none_of_ours_or_newer_or_missing_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        TrialFile(tmp_path / "none")
    text = tmp_path / "text"
    text.write_text("fast,slow\n1,2\n" * 100)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    newer = tmp_path / "newer.sqlite"
    TrialFile(newer, STUDY, DAYS_NS).close()
    with sqlite3.connect(newer) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    connection.close()
    for path, said in ((text, "cannot be read"), (other, "something else"), (newer, "newer atrader")):
        with pytest.raises(StoreError, match=said):
            TrialFile(path)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE trial SET returns = substr(returns, 1, 80)",
        """UPDATE trial SET parameters = '{"fast": 2'""",
        "UPDATE trial SET returns = CAST(x'000000000000f87f' || substr(returns, 9) AS BLOB)",
        """UPDATE study SET value = '{"wish' WHERE key = 'study'""",
    ],
    ids=["days", "parameters", "nan", "study"],
)
def test_a_file_whose_rows_are_damaged_is_refused_by_name(file: TrialFile, change: str) -> None:
    file.append([Trial(0, {"fast": 2}, 5, np.ones(len(DAYS_NS)))])
    with sqlite3.connect(file.path) as connection:
        connection.execute(change)
    connection.close()
    with pytest.raises(StoreError, match=r"trials\.sqlite is damaged .*: put a copy"), TrialFile(file.path) as found:
        found.trials()


def test_a_full_disk_is_named_with_what_to_do_and_the_search_goes_on_behind_it(file: TrialFile) -> None:
    with sqlite3.connect(file.path) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    file._connection.execute(f"PRAGMA max_page_count = {pages}")  # what sqlite takes for a full disk
    many = [Trial(number, {"fast": number}, 5, np.ones(len(DAYS_NS))) for number in range(200)]
    with pytest.raises(StoreError, match=r"full; free some space, and go on with --resume"):
        file.append(many)
    assert file.numbers() == set()
    file._connection.execute(f"PRAGMA max_page_count = {pages + 200}")
    file.append(many)
    assert len(file.numbers()) == 200


def test_an_empty_file_of_a_program_that_died_is_no_search(tmp_path: Path) -> None:
    (tmp_path / "trials.sqlite").touch()
    with pytest.raises(ConfigError, match="holds no search"):
        TrialFile(tmp_path / "trials.sqlite")


@pytest.mark.parametrize("workers", [1, 3])
def test_every_set_is_tried_once_by_threads(file: TrialFile, workers: int) -> None:
    tried: list[Combination] = []
    listed = every_combination(space_of())
    found = run(ListedSearch(listed, set()), threads(partial(evaluate, tried=tried), workers), file)
    assert sorted(map(str, tried)) == sorted(map(str, listed))
    assert found.parameters == listed
    assert found.numbers.tolist() == list(range(12))
    assert all((row == outcome_of(one).returns).all() for row, one in zip(found.returns, listed, strict=True))


def test_the_last_batches_are_small_so_that_no_worker_waits_long_for_another(file: TrialFile) -> None:
    sizes: list[int] = []

    def noted(combinations: Sequence[Combination]) -> list[Outcome]:
        sizes.append(len(combinations))
        return evaluate(combinations)

    listed = every_combination(space_of(fast="2:40:1", slow="50:400:10"))
    found = run(ListedSearch(listed, set()), threads(noted, 1), file)
    assert found.parameters == listed
    left = len(listed) - np.cumsum([0, *sizes[:-1]])
    assert all(size <= max(before / 2, 1024 / 8) for size, before in zip(sizes, left, strict=True))


def test_a_search_goes_on_where_it_was_and_ends_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    listed = every_combination(space_of())
    tried: list[Combination] = []
    path = tmp_path / "trials.sqlite"

    def until_half(combinations: Sequence[Combination]) -> list[Outcome]:
        if len(tried) >= 5:
            raise Stopped
        return evaluate(combinations, tried)

    with TrialFile(path, STUDY, DAYS_NS) as file, pytest.raises(Stopped):
        run(ListedSearch(listed, set()), threads(until_half, 1), file)
    with TrialFile(path) as file:
        kept = set(file.numbers())
        assert 0 < len(kept) < len(listed)
        before = len(tried)
        found = run(ListedSearch(listed, kept), threads(partial(evaluate, tried=tried), 1), file)
    assert len(tried) - before == len(listed) - len(kept)
    assert found.parameters == listed


class AtOnce(ThreadPoolExecutor):
    """Has tried what it is given before it returns."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = super().submit(fn, *args, **kwargs)
        future.exception()
        return future


def test_what_was_tried_is_kept_where_others_that_are_done_with_it_failed(file: TrialFile) -> None:
    def evaluate_or_fail(combinations: Sequence[Combination]) -> list[Outcome]:
        if combinations[0]["slow"] == 20:
            raise Stopped
        return evaluate(combinations)

    with pytest.raises(Stopped):
        run_study(ListedSearch(every_combination(space_of()), set()), Pool(AtOnce(1), 1, evaluate_or_fail), file)
    assert file.numbers() == {0}


def test_what_was_tried_is_kept_where_nothing_can_be_handed_over_any_more(file: TrialFile) -> None:
    class Dying(AtOnce):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            if len(tried) >= 2:
                raise BrokenProcessPool
            return super().submit(fn, *args, **kwargs)

    tried: list[Combination] = []
    pool = Pool(Dying(1), 1, partial(evaluate, tried=tried))
    with pytest.raises(StrategyError, match="What was tried is kept"):
        run_study(ListedSearch(every_combination(space_of()), set()), pool, file)
    assert file.numbers() == {0, 1}


def numbers_on_disk(path: Path) -> set[int]:
    """Return what a reader finds in a file meanwhile; it does not wait until it may."""
    with closing(sqlite3.connect(path, timeout=0.0)) as connection:
        return {number for (number,) in connection.execute("SELECT number FROM trial")}


def test_what_is_counted_is_on_disk_for_others_who_read_or_copy_the_file(file: TrialFile, tmp_path: Path) -> None:
    counted: list[int] = []

    def count(tried: int) -> None:
        counted.append(tried)
        copy = Path(shutil.copy(file.path, tmp_path / "copy.sqlite"))
        assert len(numbers_on_disk(file.path)) == len(numbers_on_disk(copy)) == sum(counted)
        assert [one.name for one in tmp_path.glob("trials*")] == ["trials.sqlite"]

    listed = every_combination(space_of(fast="2:6:1", slow="50:400:10"))
    clock = SetClock(set_s=1.0)
    run_study(ListedSearch(listed, set()), threads(clock.evaluate, 2), file, count, clock)
    assert sum(counted) == len(listed)
    assert len(counted) > 1


class StuckFile(TrialFile):
    """A file on a disk that answers when it is told to, and knows how many sets it was given together."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, STUDY, DAYS_NS)
        self.answers, self.lots = threading.Event(), list[int]()

    def append(self, trials: Sequence[Trial]) -> None:
        assert self.answers.wait(60)
        self.lots.append(len(trials))
        super().append(trials)


def test_a_disk_that_is_busy_holds_no_set_up_and_gets_the_rest_in_one_lot(tmp_path: Path) -> None:
    listed = every_combination(space_of())
    tried: list[Combination] = []

    def until_all(combinations: Sequence[Combination]) -> list[Outcome]:
        tried.extend(combinations)
        if len(tried) == len(listed):
            stuck.answers.set()
        return clock.evaluate(combinations)

    clock = SetClock(set_s=1.0)
    with StuckFile(tmp_path / "trials.sqlite") as stuck:
        run_study(ListedSearch(listed, set()), threads(until_all, 1), stuck, clock=clock)
        assert stuck.trials().parameters == listed
    assert len(stuck.lots) == 2


def test_sets_that_take_next_to_no_time_are_written_together(tmp_path: Path) -> None:
    clock = SetClock(set_s=0.0)
    with StuckFile(tmp_path / "trials.sqlite") as file:
        file.answers.set()
        run_study(ListedSearch(every_combination(space_of()), set()), threads(clock.evaluate, 2), file, clock=clock)
    assert file.lots == [12]


def test_a_set_that_was_tried_is_counted_while_the_next_one_takes_long(file: TrialFile) -> None:
    counted = threading.Event()

    def second_waits(combinations: Sequence[Combination]) -> list[Outcome]:
        assert combinations[0] == listed[0] or counted.wait(60)
        return evaluate(combinations)

    listed = every_combination(space_of(fast="2", slow="10,20"))
    run_study(ListedSearch(listed, set()), threads(second_waits, 1), file, lambda _tried: counted.set())
    assert file.numbers() == {0, 1}


def test_what_a_full_disk_does_not_take_is_not_counted_as_tried(file: TrialFile) -> None:
    (pages,) = file._connection.execute("PRAGMA page_count").fetchone()
    file._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    counted = [0]
    listed = every_combination(space_of(fast="2:20:1", slow="50:400:10"))
    clock = SetClock(set_s=0.01)
    with pytest.raises(StoreError, match="full"):
        run_study(ListedSearch(listed, set()), threads(clock.evaluate, 1), file, counted.append, clock)
    assert 0 < sum(counted) == len(numbers_on_disk(file.path)) < len(listed)


def test_processes_try_what_threads_try_and_the_death_of_one_names_the_remedy(file: TrialFile) -> None:
    listed = every_combination(space_of())
    with pytest.raises(StrategyError, match="--resume"):
        run(ListedSearch(listed, set()), processes(partial(make, dying), 1), file)
    kept = set(file.numbers())
    assert kept <= {number for number, one in enumerate(listed) if one["fast"] < 6}
    found = run(ListedSearch(listed, kept), processes(partial(make, evaluate), 1), file)
    assert found.parameters == listed


def optuna(space: SearchSpace, total: int, before: Trials, method: Any = "tpe", aims: Any = ("sharpe",)) -> Search:
    return OptunaSearch(space, method, aims, SEEN, 365.0, total, 0, before)


def test_optuna_comes_to_the_hill_with_a_part_of_the_sets(file: TrialFile) -> None:
    space = space_of(fast="2:40", slow="5:60", stop_atr="1:3")
    found = run(optuna(space, 40, file.trials()), threads(evaluate, 1), file)
    assert len({str(one) for one in found.parameters}) == 40
    assert all(one["fast"] < one["slow"] for one in found.parameters)
    best = found.parameters[int(found.returns.mean(axis=1).argmax())]
    assert abs(best["fast"] - 6) <= 4
    assert abs(best["slow"] - 20) <= 10


def test_a_search_by_optuna_goes_on_with_the_trials_it_has(file: TrialFile) -> None:
    space = space_of(fast="2:40", slow="5:60", direction="both,long", stop_atr="1:3")
    first = run(optuna(space, 10, file.trials()), threads(evaluate, 1), file)
    file.append([Trial(10, {"fast": 3, "slow": 9, "direction": "long", "stop_atr": 1.5}, 0, np.empty(0), "broken")])
    found = run(optuna(space, 25, file.trials()), threads(evaluate, 1), file)
    assert found.tried == 25
    assert found.parameters[:10] == first.parameters
    assert found.numbers.tolist() == [number for number in range(25) if number != 10]


def test_optuna_ends_when_no_set_is_left_and_says_when_there_is_none(file: TrialFile) -> None:
    found = run(optuna(space_of(fast="2,3", slow="3,4"), 50, file.trials()), threads(evaluate, 1), file)
    assert len(found.parameters) == 3
    nothing = Trials(np.empty(0, np.int64), np.empty(0, np.int64), [], np.empty((0, 40)), [])
    with pytest.raises(ConfigError, match="allow no combination"):
        optuna(space_of(fast="9", slow="3,4"), 5, nothing).ask(1)


def test_several_aims_are_searched_by_nsga2(file: TrialFile) -> None:
    search = optuna(space_of(), 12, file.trials(), "nsga2", ("return", "drawdown"))
    assert run(search, threads(evaluate, 2), file).tried == 12
