"""Every way in which the C library may go wrong under a worker: no order is lost or doubled, nobody else suffers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.asirikuy_fixtures import asirikuy_fleet
from tests.support.asirikuy_fleet import AsirikuyFleet
from tests.support.books import check_books, rows
from tests.support.fleet import wait_for

WORKER = "worker-bbs"

fleet = asirikuy_fleet


def start(fleet: AsirikuyFleet, misbehaviour: str, *, parameters: str = "", text: str = "") -> None:
    """Start a library that goes wrong at its tenth run, beside a strategy that needs no library."""
    fleet.environment["ASIRIKUY_STANDIN_MISBEHAVE"] = misbehaviour
    fleet.write_market()
    fleet.write_library_instance(text=text or fleet.unlimited(), parameters=parameters)
    fleet.write_instance("busy", 8, instrument="BTC/USD", text=fleet.unlimited())
    path = fleet.home.etc / "strategies" / "busy.toml"
    path.write_text(path.read_text().replace("timeframe = '1s'", "timeframe = '1m'") + "[parameters]\nunits = 1\n")
    fleet.import_minutes()
    fleet.start()


def stop_and_check(fleet: AsirikuyFleet) -> None:
    """Stop; every order and fill of every life is in the books, once."""
    assert fleet.process("worker-busy")["restarts"] == 0, "another instance suffered"
    assert fleet.process("gateway-paper")["restarts"] == 0
    assert fleet.stop() == 0
    check_books(fleet)


def orders_of(fleet: AsirikuyFleet, magic: int) -> int:
    path = fleet.home.journal("paper")
    return int(rows(path, f"SELECT count(*) FROM orders WHERE magic = {magic}")[0][0]) if path.exists() else 0


def goes_on(fleet: AsirikuyFleet, more: int = 10) -> None:
    before = orders_of(fleet, 7)
    wait_for(lambda: orders_of(fleet, 7) > before + more, "more orders")


@pytest.mark.parametrize("how", ["crash", "exit"])
def test_a_library_that_ends_its_process_is_started_again_and_trades_on(fleet: AsirikuyFleet, how: str) -> None:
    start(fleet, f"{how}:10:once")
    wait_for(lambda: fleet.process(WORKER).get("restarts", 0) >= 1, "a restart")
    goes_on(fleet)
    stop_and_check(fleet)


def test_a_worker_with_the_library_that_is_killed_again_and_again_loses_and_doubles_nothing(
    fleet: AsirikuyFleet,
) -> None:
    start(fleet, "none")
    for _ in range(3):
        goes_on(fleet, 4)
        fleet.wait_replaced(WORKER, fleet.kill(WORKER))
    goes_on(fleet, 4)
    stop_and_check(fleet)


def test_a_library_that_hangs_is_ended_with_a_code_and_a_line_that_names_the_call(fleet: AsirikuyFleet) -> None:
    start(fleet, "hang:10:once", parameters="call_deadline = '500ms'")
    wait_for(lambda: fleet.process(WORKER).get("restarts", 0) >= 1, "a restart")
    goes_on(fleet)
    log = (fleet.home.log / f"{WORKER}.log").read_text()
    assert "c_runStrategy of the C library did not return within call_deadline = 0.5 s" in log
    assert "LIBRARY" in log
    stop_and_check(fleet)


def test_a_library_that_writes_behind_its_results_ends_its_process_before_anything_is_sent(
    fleet: AsirikuyFleet,
) -> None:
    start(fleet, "overflow:10:once")
    wait_for(lambda: fleet.process(WORKER).get("restarts", 0) >= 1, "a restart")
    assert "wrote behind the 20 rows of its results" in (fleet.home.log / f"{WORKER}.log").read_text()
    goes_on(fleet)
    stop_and_check(fleet)


def test_results_that_cannot_be_are_an_alert_and_nothing_of_them_is_sent(fleet: AsirikuyFleet) -> None:
    start(fleet, "garbage:10:once")
    wait_for(lambda: fleet.alerts("strategy-error"), "an alert")
    assert "of the library's results cannot be" in fleet.alerts("strategy-error")[0]
    goes_on(fleet)
    assert fleet.process(WORKER)["restarts"] == 0
    stop_and_check(fleet)


def test_a_code_is_an_alert_with_its_name_and_its_results_are_not_looked_at(fleet: AsirikuyFleet) -> None:
    start(fleet, "code:10:once")
    wait_for(lambda: fleet.alerts("library-code"), "an alert")
    assert "4711 (no code of this library); its results are not looked at" in fleet.alerts("library-code")[0]
    goes_on(fleet)
    stop_and_check(fleet)


def test_what_a_library_prints_is_never_taken_for_anything_and_kept_apart_from_our_log(fleet: AsirikuyFleet) -> None:
    start(fleet, "chatter:10")
    printed = fleet.home.log / f"{WORKER}.out"
    wait_for(lambda: '{"looks": "like data"}' in printed.read_text(), "noise")
    goes_on(fleet)
    wait_for(lambda: fleet.alerts("library-noise"), "the file to be emptied")
    assert printed.stat().st_size < 25_000_000
    assert "looks" not in (fleet.home.log / f"{WORKER}.log").read_text()
    stop_and_check(fleet)


def test_results_of_an_earlier_call_are_not_carried_out_again(fleet: AsirikuyFleet) -> None:
    start(fleet, "stale:10")
    wait_for(lambda: orders_of(fleet, 7) > 5, "the first orders")
    before = orders_of(fleet, 8)
    wait_for(lambda: orders_of(fleet, 8) > before + 60, "many more quotes, at each of which the library is called")
    assert orders_of(fleet, 7) <= 18, "nine runs spoke, with two orders each"
    stop_and_check(fleet)


def test_a_slow_library_is_reported_and_works_on(fleet: AsirikuyFleet) -> None:
    start(fleet, "slow:10")
    wait_for(lambda: fleet.alerts("call-budget"), "an alert")
    assert "more than call_budget = 0.1 s" in fleet.alerts("call-budget")[0]
    goes_on(fleet, 3)
    stop_and_check(fleet)


def test_without_a_time_server_the_library_is_not_called_and_people_are_told(tmp_path: Path) -> None:
    fleet = AsirikuyFleet(tmp_path / "home")
    fleet.servers = "ntp_servers = ['127.0.0.1:9']\nntp_deadline = '200ms'"
    fleet.environment["ASIRIKUY_STANDIN_NTP"] = "never"
    try:
        start(fleet, "none")
        wait_for(lambda: fleet.alerts("clock"), "an alert")
        assert "the library would wait for one for ever" in fleet.alerts("clock")[0]
        assert not list(fleet.temp.glob("*.state")), "it was called"
        stop_and_check(fleet)
    finally:
        fleet.end()


def test_time_servers_that_fall_silent_later_end_the_process_that_waits_for_them(fleet: AsirikuyFleet) -> None:
    fleet.environment["ASIRIKUY_STANDIN_NTP"] = "never"  # the proof succeeds, the library's own question does not
    start(fleet, "none", parameters="call_deadline = '300ms'")
    wait_for(lambda: fleet.process(WORKER).get("restarts", 0) >= 2, "restarts")
    assert "did not return within call_deadline" in (fleet.home.log / f"{WORKER}.log").read_text()
    stop_and_check(fleet)
