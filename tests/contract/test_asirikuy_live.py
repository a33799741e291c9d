"""Live calls: clocks that are compared, files that are written and read, and what a new process remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework_bridge.abi.call import StrategyCall
from framework_bridge.abi.codes import ReturnCode
from framework_bridge.abi.internals import read_state
from framework_bridge.abi.library import FrameworkLibrary
from framework_bridge.abi.orders import OrderEntry, pack
from framework_bridge.abi.settings import Setting, StrategyId
from tests.support.asirikuy import fresh_library
from tests.support.asirikuy_desk import ACCOUNT, MINUTE_NS, PRICES, WEDNESDAY_NS, Desk, bars_until

CLOSE_ALL = {25: 2.0, 26: -1.0}
UNPROTECTED = OrderEntry(5, 7, 0, 1_718_100_000, 0, 0, 1.3, 0, 1.1, 0, 0.1, 0, 0, 0, 1)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("ASIRIKUY_STANDIN_NOW", str(WEDNESDAY_NS // 10**9))
    return Desk(tmp_path, fresh_library(tmp_path), testing=False)


def live(desk: Desk, *, late_minutes: int = 0, **common: float) -> StrategyCall:
    """Prepare a call that closes all buys; its bars and its time are late by so much."""
    settings = {Setting.IS_BACKTESTING: 0.0, **{Setting[name]: value for name, value in common.items()}}
    call = desk.call(mode=200, additional=CLOSE_ALL, common=settings, bars=[bars_until(desk.now_ns, 30)])
    call.set_now(desk.now_ns - late_minutes * MINUTE_NS, PRICES, ACCOUNT)
    return call


def runs(desk: Desk, call: StrategyCall) -> bool:
    assert desk.run(call) == ReturnCode.SUCCESS
    return bool(call.results.read())


@pytest.mark.parametrize(
    ("server_s", "late_minutes", "wanted"),
    [
        (0, 0, ReturnCode.SUCCESS),
        (1700, 0, ReturnCode.SUCCESS),
        (1900, 0, ReturnCode.LOCAL_TZ_MISMATCH),
        (-1900, 0, ReturnCode.LOCAL_TZ_MISMATCH),
        (0, 29, ReturnCode.SUCCESS),
        (0, 40, ReturnCode.BROKER_TZ_MISMATCH),
    ],
)
def test_clocks_may_be_thirty_minutes_apart(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, server_s: int, late_minutes: int, wanted: ReturnCode
) -> None:
    monkeypatch.setenv("ASIRIKUY_STANDIN_NTP", str(server_s))
    assert desk.run(live(desk, late_minutes=late_minutes)) == wanted


def test_a_backtest_asks_no_clock_and_writes_no_files(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASIRIKUY_STANDIN_NTP", "never")
    assert runs(desk, desk.call(mode=200, additional=CLOSE_ALL))
    assert list(desk.temp.iterdir()) == []


def test_the_bar_of_the_last_run_is_in_the_state_file_and_holds_in_the_next_process(desk: Desk, tmp_path: Path) -> None:
    assert runs(desk, live(desk))
    state = read_state((desk.temp / "7.state").read_bytes(), "7.state")
    assert state == (7, desk.now_ns // 10**9, 0)
    (tmp_path / "next").mkdir()
    library = FrameworkLibrary(fresh_library(tmp_path / "next"))
    desk.library = library
    library.init_instance(7, desk.config)
    assert not runs(desk, live(desk))
    library.init_instance(7, desk.config, testing=True)
    assert runs(desk, live(desk))


@pytest.mark.parametrize(("names", "before"), [("clean", ""), ("newlines", "\n")])
def test_files_have_the_names_of_their_version(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, names: str, before: str
) -> None:
    monkeypatch.setenv("ASIRIKUY_STANDIN_NAMES", names)
    assert runs(desk, live(desk))
    assert (desk.temp / f"{before}7_heartBeat.hb").read_text() == "12\n12/06/24 12:00\n"
    values = (desk.temp / f"{before}7.ui").read_text().splitlines()
    assert values[0] == "bars, 30"
    assert not runs(desk, live(desk))
    (desk.temp / f"{before}7_orderFail.of").write_text("order 5 failed")
    assert runs(desk, live(desk))
    assert (desk.temp / f"{before}7_orderFail.of.bak").read_text() == "order 5 failed"
    assert not runs(desk, live(desk))


@pytest.mark.parametrize(("setting", "again"), [("USE_SL", True), ("USE_TP", False), ("TIMEFRAME", False)])
def test_an_order_without_its_stop_makes_the_bar_run_again(desk: Desk, setting: str, again: bool) -> None:
    for wanted in (True, again):
        call = live(desk, ORDERINFO_ARRAY_SIZE=1, **{setting: 1})
        call.orders.fill([pack(UNPROTECTED)])
        assert runs(desk, call) is wanted


@pytest.mark.parametrize(("names", "name"), [("clean", "EURUSD_60.csv"), ("newlines", "\nEURUSD_\n60.csv")])
def test_complete_bars_are_recorded(desk: Desk, monkeypatch: pytest.MonkeyPatch, names: str, name: str) -> None:
    monkeypatch.setenv("ASIRIKUY_STANDIN_NAMES", names)
    bars = bars_until(desk.now_ns, 31)
    call = desk.call(strategy=StrategyId.RECORD_BARS, bars=[bars[:30]])
    assert desk.run(call) == ReturnCode.SUCCESS
    call.set_bars(0, bars[1:])
    assert desk.run(call) == ReturnCode.SUCCESS
    rows = [list(map(float, line.split(","))) for line in (desk.temp / name).read_text().splitlines()]
    wanted = [bars.row(at) for at in (28, 29)]
    assert rows == [pytest.approx([bar.open_time_ns / 1e9, *bar[1:5], bar.volume]) for bar in wanted]


def test_without_a_temp_folder_nothing_is_remembered_and_nothing_is_said(desk: Desk) -> None:
    desk.temp.rmdir()
    assert runs(desk, live(desk))
    assert "cannot write" in (desk.config.parent / "log" / "AsirikuyFramework.log").read_text()
