"""What the C library may do to its process, each a named way: what dies, what is refused, what goes on.

Each test makes a child that loads a library of its own, so that the one that dies is not this process.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from atrader.errors import ConfigError
from framework_bridge.abi.call import StrategyCall
from framework_bridge.abi.codes import LibraryError, ReturnCode
from framework_bridge.abi.library import FrameworkLibrary
from framework_bridge.abi.orders import OrderEntry, pack
from framework_bridge.abi.probe import require_known_interface
from framework_bridge.abi.rates import RatesPlan
from framework_bridge.abi.settings import Setting, StrategyId
from tests.support.asirikuy import fresh_library, standin_library
from tests.support.asirikuy_desk import WEDNESDAY_NS, Desk, bars_until

CLOSE_ALL = {25: 2.0, 26: -1.0}
UNPROTECTED = OrderEntry(5, 7, 0, 1_718_100_000, 0, 0, 1.3, 0, 1.1, 0, 0.1, 0, 0, 0, 1)
FORK = multiprocessing.get_context("fork")
GOOD, REFUSED = 0, 3


def misbehaving(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setenv("ASIRIKUY_STANDIN_MISBEHAVE", how)


def one_call(desk: Desk) -> None:
    call = desk.call(mode=200, additional=CLOSE_ALL)
    assert desk.run(call) == ReturnCode.SUCCESS
    assert [row.bits for row in call.results.read()] == [2]


def child(folder: Path, act: Callable[[Desk], object] = one_call) -> multiprocessing.process.BaseProcess:
    """Start a process that loads the library and acts; it exits with 3 when the library is refused."""

    def body() -> None:
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        try:
            act(Desk(folder, fresh_library(folder), testing=False))
        except LibraryError:
            os._exit(REFUSED)
        os._exit(GOOD)

    process = FORK.Process(target=body)
    process.start()
    return process


def exit_of(process: multiprocessing.process.BaseProcess) -> int | None:
    process.join(60)
    assert not process.is_alive()
    return process.exitcode


@pytest.mark.parametrize(
    ("how", "end"),
    [("crash", -signal.SIGSEGV), ("abort", -signal.SIGABRT), ("slow", GOOD), ("chatter", GOOD), ("none", GOOD)],
)
def test_a_library_ends_its_own_process_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, end: int
) -> None:
    misbehaving(monkeypatch, how)
    assert exit_of(child(tmp_path)) == end


@pytest.mark.parametrize("how", ["garbage", "nan", "overflow"])
def test_results_that_cannot_be_are_refused_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    misbehaving(monkeypatch, how)
    assert exit_of(child(tmp_path)) == REFUSED


def test_a_library_that_ends_its_process_politely_is_seen_by_the_missing_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(desk: Desk) -> None:
        one_call(desk)
        (tmp_path / "answer").touch()

    misbehaving(monkeypatch, "exit")
    assert exit_of(child(tmp_path, call)) == 0
    assert not (tmp_path / "answer").exists()


def test_an_early_return_leaves_zeros_and_no_results_of_the_call_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two_calls(desk: Desk) -> None:
        call = desk.call(mode=200, additional=CLOSE_ALL, common={Setting.RUN_EVERY_TICK: 1})
        assert desk.run(call) == ReturnCode.SUCCESS
        assert call.results.read()
        assert desk.run(call) == ReturnCode.SUCCESS
        assert call.results.read() == ()

    misbehaving(monkeypatch, "stale:2")
    assert exit_of(child(tmp_path, two_calls)) == GOOD


def test_a_code_nobody_knows_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(desk: Desk) -> None:
        assert desk.run(desk.call(mode=200, additional=CLOSE_ALL)) == 4711

    misbehaving(monkeypatch, "code")
    assert exit_of(child(tmp_path, call)) == GOOD


def test_misbehaving_once_is_remembered_over_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    misbehaving(monkeypatch, "crash:1:once")
    assert exit_of(child(tmp_path)) == -signal.SIGSEGV
    assert exit_of(child(tmp_path)) == GOOD


@pytest.mark.parametrize("way", ["endless loop", "time server"])
def test_a_call_that_never_returns_leaves_other_threads_running_and_can_be_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The watchdog of a worker is such a thread: ctypes gives the interpreter away during the call."""

    def hang(desk: Desk) -> None:
        watchdog = threading.Timer(0.2, lambda: os._exit(68))
        watchdog.start()
        desk.run(desk.call(mode=200, common={Setting.IS_BACKTESTING: 0.0 if way == "time server" else 1.0}))

    monkeypatch.setenv("ASIRIKUY_STANDIN_NOW", str(WEDNESDAY_NS // 10**9))
    if way == "time server":
        monkeypatch.setenv("ASIRIKUY_STANDIN_NTP", "never")
    else:
        misbehaving(monkeypatch, "hang")
    assert exit_of(child(tmp_path, hang)) == 68


def test_two_threads_without_the_lock_end_the_process_and_with_it_they_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def threads(desk: Desk, run: Callable[[Desk, StrategyCall], int]) -> None:
        calls = [desk.call(mode=200, additional=CLOSE_ALL, common={Setting.RUN_EVERY_TICK: 1}) for _ in range(2)]
        codes: list[int] = []
        workers = [threading.Thread(target=lambda call=call: codes.append(run(desk, call))) for call in calls]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert codes == [ReturnCode.SUCCESS] * 2
        assert [len(call.results.read()) for call in calls] == [1, 1]

    def unlocked(desk: Desk, call: StrategyCall) -> int:
        return int(desk.library._run(*call.arguments()))

    misbehaving(monkeypatch, "race")
    for name, run, end in (("with", Desk.run, GOOD), ("without", unlocked, -signal.SIGSEGV)):
        (tmp_path / name).mkdir()
        assert exit_of(child(tmp_path / name, partial(threads, run=run))) == end


def test_too_few_arrays_for_a_strategy_end_the_process(tmp_path: Path) -> None:
    """Why the adapter refuses them before the first call."""
    assert exit_of(child(tmp_path, lambda desk: desk.run(desk.call(mode=18)))) == -signal.SIGSEGV


def test_an_empty_element_of_the_configuration_ends_the_process(tmp_path: Path) -> None:
    """Why the adapter reads the file itself before the library does."""

    def start_again(desk: Desk) -> None:
        config = desk.config.parent / "empty.xml"
        config.write_text(desk.config.read_text().replace("broker-tz.csv", ""))
        (desk.config.parent / "other").mkdir()
        FrameworkLibrary(fresh_library(desk.config.parent / "other")).init_instance(7, config)

    assert exit_of(child(tmp_path, start_again)) == -signal.SIGSEGV


def test_each_initialisation_leaks_the_bars_of_nine_arrays(tmp_path: Path) -> None:
    """Why a worker counts them and is replaced at a flat moment."""

    def many(desk: Desk) -> None:
        wanted = 20_000  # more than the memory that the test run has free
        plans = [RatesPlan(wanted, 60, 60, 5)] * 10
        call = desk.call(mode=203, bars=[bars_until(desk.now_ns, 30_000)] * 10, plans=plans)
        memory = []
        for _ in range(6):
            desk.library.init_instance(desk.magic, desk.config)
            assert desk.run(call) == ReturnCode.SUCCESS
            memory.append(psutil.Process().memory_info().rss)
        assert memory[-1] - memory[1] > 0.9 * 4 * 9 * wanted * 48

    assert exit_of(child(tmp_path, many)) == GOOD


@pytest.mark.parametrize("sizes", [1, 3])
def test_a_library_of_other_sizes_is_refused_before_it_is_used(sizes: int) -> None:
    with pytest.raises(ConfigError, match="not of our interface"):
        require_known_interface(standin_library(f"OTHER_SIZES={sizes}"))


def test_a_library_of_larger_result_rows_is_caught_by_what_it_writes(tmp_path: Path) -> None:
    require_known_interface(standin_library("OTHER_SIZES=4"))  # no question shows it
    desk = Desk(tmp_path, fresh_library(tmp_path, "OTHER_SIZES=4"))
    call = desk.call(strategy=StrategyId.TAKEOVER, common={Setting.ORDERINFO_ARRAY_SIZE: 20})
    call.orders.fill([pack(UNPROTECTED)] * 20)  # a row for each
    with pytest.raises(LibraryError, match="wrote behind the 20 rows"):
        desk.run(call)


def test_a_library_of_our_interface_passes(tmp_path: Path) -> None:
    assert require_known_interface(standin_library()) == (4, 5, 10)


def test_a_library_of_another_version_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"version 3\.5\.10; 4\.5 is the one"):
        require_known_interface(standin_library("VERSION_MAJOR=3"))


@pytest.mark.parametrize(("how", "why"), [("crash", "SIGSEGV"), ("exit", "exit code 0"), ("hang", "answers nothing")])
def test_a_library_that_does_not_survive_being_tried_is_refused(
    monkeypatch: pytest.MonkeyPatch, how: str, why: str
) -> None:
    misbehaving(monkeypatch, how)
    with pytest.raises(ConfigError, match=why):
        require_known_interface(standin_library(), timeout_s=1.0 if how == "hang" else 20.0)


def test_a_library_that_is_no_framework_is_named() -> None:
    other = importlib.util.find_spec("numpy.linalg._umath_linalg")
    assert other is not None
    with pytest.raises(ConfigError, match="not the Asirikuy framework: it lacks getFrameworkVersion"):
        FrameworkLibrary(Path(other.origin or ""))
