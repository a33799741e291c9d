"""The entry points that we do not use ourselves: declared as the reference says, they do what it says."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from framework_bridge.abi.codes import ReturnCode
from framework_bridge.abi.library import load
from framework_bridge.abi.prototypes import FRAMEWORK, FRAMEWORK_REQUIRED, RUN_ARGUMENTS, declare
from framework_bridge.abi.structures import MQL4_RATES, MQL4_STRING, MQL5_RATES, RATES, RATES_INFO
from framework_bridge.abi.tester_structures import (
    ON_FINISHED,
    ON_OPTIMIZED,
    OPTIMIZATION_PARAMETER,
    TEST_SETTINGS,
    TESTER,
    TESTER_RATES,
    GeneticSettings,
)
from tests.support.asirikuy import framework_files, fresh_library, standin_tester
from tests.support.asirikuy_desk import ACCOUNT, WEDNESDAY_NS, Desk, bars_until

ECHO, METRONOME = 203, 202
FIRST_RATES = RUN_ARGUMENTS.index("rates_0")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, fresh_library(tmp_path))


def declared(desk: Desk) -> ctypes.CDLL:
    library = load(desk.library.path)
    assert not declare(library, FRAMEWORK) & set(FRAMEWORK_REQUIRED)
    return library


def mql_string(text: bytes) -> tuple[NDArray[Any], Any]:
    buffer = ctypes.create_string_buffer(text, 256)
    return np.array([(len(text), ctypes.addressof(buffer))], MQL4_STRING), buffer


@pytest.mark.parametrize("front_end", ["mql5", "mql4"])
def test_bars_of_metatrader_are_seen_as_ours_are(desk: Desk, front_end: str) -> None:
    library, bars = declared(desk), bars_until(desk.now_ns, 30)
    call = desk.call(mode=ECHO, bars=[bars])
    assert desk.run(call) == ReturnCode.SUCCESS
    ours = call.results.rows.tolist()
    rows = np.zeros(30, MQL5_RATES if front_end == "mql5" else MQL4_RATES)
    for name in ("open", "high", "low", "close"):
        rows[name] = getattr(bars, name)
    rows["tick_volume" if front_end == "mql5" else "volume"] = bars.volume
    rows["time"] = bars.open_time_ns // 10**9
    arguments = list(call.arguments())
    arguments[FIRST_RATES] = rows.ctypes.data
    kept = [mql_string(text) for text in (b"EURUSD", b"USD", b"UTC", b"UTC")]
    if front_end == "mql4":
        arguments[1:5] = [string.ctypes.data for string, _ in kept]
    desk.library.init_instance(desk.magic, desk.config, testing=True)
    call.results.clear()
    assert getattr(library, f"{front_end}_runStrategy")(*arguments) == ReturnCode.SUCCESS
    assert call.results.rows.tolist() == ours


def test_instances_begin_by_any_of_three_ways(tmp_path: Path) -> None:
    config = framework_files(tmp_path / "home")
    library = load(fresh_library(tmp_path))
    declare(library, FRAMEWORK)
    path, _kept = mql_string(str(config).encode())
    assert library.initInstanceMQL5(1, 1, str(config).encode()) == ReturnCode.SUCCESS
    assert library.initInstanceMQL4(2, 1, path.ctypes.data) == ReturnCode.SUCCESS
    assert library.initInstanceC(3, 1, str(config).encode(), None) == ReturnCode.SUCCESS
    assert library.jf_runStrategy(None, None) == ReturnCode.SUCCESS
    assert sorted(path.name for path in (config.parent / "tmp").iterdir()) == ["1.state", "2.state", "3.state"]


def test_a_symbol_falls_into_five_parts(desk: Desk) -> None:
    parts = [ctypes.create_string_buffer(64) for _ in range(5)]
    library = declared(desk)
    assert library.mql5_parseSymbol(b"pEUR/USD.x", *parts) == ReturnCode.SUCCESS
    assert [part.value for part in parts] == [b"p", b"EUR", b"/", b"USD", b".x"]
    assert library.mql5_parseSymbol(b"ABC", *parts) == ReturnCode.UNKNOWN_SYMBOL


def test_the_optimiser_passes_structs_by_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    framework_files(tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    library = load(standin_tester())
    assert not declare(library, TESTER)
    desk = Desk(tmp_path / "desk", fresh_library(tmp_path))
    call = desk.call(mode=METRONOME, additional={25: 4, 27: 0.1}, common={})
    bars = bars_until(WEDNESDAY_NS, 60)
    rows = np.zeros(60, TESTER_RATES)
    for name in ("open", "high", "low", "close", "volume"):
        rows[name] = getattr(bars, name)
    rows["time"] = bars.open_time_ns // 10**9
    infos = np.zeros(10, RATES_INFO)
    infos[0] = (1, 60, 5, 60, 7, 1e-5, 5)
    settings = np.ctypeslib.as_array((ctypes.c_double * 64).from_address(call.arguments()[0] or 0)).copy()
    by_index = (ctypes.c_void_p * 10)(rows.ctypes.data)
    test = np.array([(0.0, rows["time"][12], rows["time"][-1], 0)], TEST_SETTINGS)
    tried = np.array([(25, 4.0, 4.0, 12.0)], OPTIMIZATION_PARAMETER)
    found: list[tuple[float, int]] = []

    def note(result: Any, pairs: Any, count: int) -> None:
        assert (count, pairs[0]) == (1, 25.0)
        found.append((pairs[1], result.total_trades))

    returned = library.runOptimizationMultipleSymbols(
        *(tried.ctypes.data, 1, 0, GeneticSettings(population=10, optimization_goal=3), 1),
        *(settings.ctypes.data, (ctypes.c_char_p * 1)(b"EURUSD"), b"USD", b"UTC", b"UTC"),
        *(np.array(ACCOUNT).ctypes.data, test.ctypes.data, (ctypes.c_void_p * 1)(infos.ctypes.data)),
        *(60, 1, (ctypes.c_void_p * 1)(ctypes.addressof(by_index)), 0.01),
        *(ON_OPTIMIZED(note), ON_FINISHED(lambda _result: None), None),
    )
    library.stopOptimization()
    hours = bars.open_time_ns[12:] // 3_600_000_000_000
    for period, trades in found:
        closes = np.flatnonzero(hours % period == period // 2)
        opens = np.flatnonzero(hours % period == 0)
        assert trades == int((closes > opens[0]).sum())
    assert (returned, [period for period, _ in found]) == (ReturnCode.SUCCESS, [4.0, 8.0, 12.0])


def test_bars_are_of_the_size_that_the_library_counts_by() -> None:
    assert [kind.itemsize for kind in (RATES, MQL5_RATES, MQL4_RATES, TESTER_RATES)] == [48, 64, 44, 64]
