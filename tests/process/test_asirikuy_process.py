"""The C library's stand-in in a real worker, on a paper account."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from pathlib import Path

from atrader.clock import parse_time
from atrader.configuration.loader import load_installation
from data_layer.offline import open_history
from manager.backtests.apart import apart
from manager.rerun.diff import in_root, replay_diff
from manager.rerun.life import Job, answers_of
from manager.rerun.sessions import load_lives, sessions_of
from tests.support.asirikuy import standin_library
from tests.support.asirikuy_fixtures import asirikuy_fleet
from tests.support.asirikuy_fleet import METRONOME, PAIR, AsirikuyFleet
from tests.support.books import check_books, orders_so_far
from tests.support.direct_run import gist_of_row
from tests.support.fleet import wait_for
from tests.support.replays import finish, trades_of, wait_step, write_bars, write_replay

HALF_HOUR_NS = 1800 * 10**9

fleet = asirikuy_fleet


def test_the_library_trades_live_on_bars_of_two_instruments_and_every_order_is_in_the_books(
    fleet: AsirikuyFleet,
) -> None:
    fleet.write_market(instruments=(PAIR, "ETH/USD"))
    fleet.write_library_instance(text=fleet.unlimited(), others=("ETH/USD",))
    fleet.import_minutes()
    fleet.import_minutes(instrument="ETH/USD", price=3_000.0)
    fleet.start()
    wait_for(lambda: orders_so_far(fleet) > 10, "orders")
    assert fleet.stop() == 0
    check_books(fleet)
    read_anew = [row["value"] for row in fleet.history("signals") if row["name"] == "library-initialised"]
    assert read_anew[0] == 1.0
    assert len(read_anew) <= 2, "the library followed each call with its own bars, but for a minute nobody quoted"


def check_a_changed_preset(fleet: AsirikuyFleet) -> None:
    """Check that a preset with another period is found by the first decision, and that a crash is told."""
    preset = fleet.home.root / "beat.set"
    before = preset.read_text()
    preset.write_text(before.replace("ADDITIONAL_PARAM_26=4", "ADDITIONAL_PARAM_26=6"))
    answer = replay_diff(fleet.home, "beat", parse_time("2013-02-04"))
    assert answer.comparison.difference is not None
    assert answer.comparison.difference.kind in ("signal", "decision")
    assert answer.causes[0].kind == "code", "the preset is part of what decides"
    assert not [cause for cause in answer.causes if cause.kind == "chance"]
    preset.write_text(before)


def check_fills_by_the_rules_of_the_paper_account(fleet: AsirikuyFleet) -> None:
    """Check that what was wanted fills alike in a run of its own, as live days are held against these rules."""
    installation, day = load_installation(fleet.home.root), (parse_time("2013-02-04"), parse_time("2013-02-05"))
    config = installation.instances["beat"]
    with open_history(fleet.home) as history:
        first = load_lives(history, config, sessions_of(fleet.home, config, day), day, installation.fleet.calendar_of)[
            0
        ]
    job = Job(str(fleet.home.root), "beat", None, as_configured=False)
    with ExitStack() as stack:
        found = apart(stack, in_root, job, answers_of, first).result()
    assert (set(found.prices), found.answers) == ({0}, [])


def replayed(root: Path, kills: int) -> list[list[object]]:
    """Replay two days with the library, killing its worker so often; return what was traded."""
    fleet = AsirikuyFleet(root)
    root.mkdir(exist_ok=True)
    bars = root / "USDJPY_M30.csv"
    write_bars(bars)
    (root / "beat.set").write_text(
        f"OPERATIONAL_MODE=1\nSTRATEGY_INSTANCE_ID=7\nMAX_OPEN_ORDERS=20\nADDITIONAL_PARAM_3={METRONOME}\n"
        "ADDITIONAL_PARAM_26=4\nADDITIONAL_PARAM_28=0.1\nADDITIONAL_PARAM_30=0.5\n"
    )
    text = (
        "strategy = 'asirikuy'\naccount = 'paper'\nmagic = 7\ninstrument = 'USD/JPY'\ntimeframe = '30m'\n[parameters]\n"
        f"library = '{fleet.library}'\nframework_config = 'asirikuy/AsirikuyConfig.xml'\npreset = 'beat.set'\n"
        "strategy_id = 29\nbroker_name = 'UTC'\nreference_name = 'UTC'\nrates = [\n"
        "{ symbol = 'USD/JPY', timeframe = '30m', bars = 10 }, { symbol = 'USD/JPY', timeframe = '1h', bars = 5 }]\n"
    )
    write_replay(fleet, {"beat": text}, files=[bars], settings="start = '2013-02-04'\nend = '2013-02-06'")
    try:
        fleet.launch()
        for number in range(1, kills + 1):
            wait_step(fleet, 25 * number)
            fleet.kill("worker-beat")
        finish(fleet)
        for day in ("2013-02-04", "2013-02-05"):
            answer = replay_diff(fleet.home, "beat", parse_time(day))
            assert answer.comparison.difference is None, (
                f"{day} runs again, each life in a process of its own: {answer}"
            )
            assert answer.comparison.intents > 5
        check_fills_by_the_rules_of_the_paper_account(fleet)
        check_a_changed_preset(fleet)
        return [gist_of_row(trade) for trade in trades_of(fleet)]
    finally:
        fleet.end()


def test_a_replay_with_the_library_makes_the_trades_of_its_formula_also_when_it_is_killed(tmp_path: Path) -> None:
    trades = replayed(tmp_path / "home", kills=2)
    opened = [parse_time(str(trade[2])) // HALF_HOUR_NS for trade in trades]
    assert {number % 4 for number in opened} == {0}, "a buy at each fourth bar since 1970"
    assert {later - number for number, later in itertools.pairwise(opened)} == {4}, "none is missing, none is double"
    closed = [parse_time(str(trade[3])) // HALF_HOUR_NS % 4 for trade in trades if trade[3]]
    assert closed.count(2) > 0.9 * len(closed), "closed half a period later, unless the stop was hit before"


def test_check_names_what_is_wrong_with_the_library_and_its_files_without_loading_it(fleet: AsirikuyFleet) -> None:
    fleet.write_market()
    fleet.write_library_instance("right", 7)
    fleet.write_library_instance("wrong", 8)
    fleet.write_library_instance("random", 9)
    preset = fleet.home.root / "random.set"
    preset.write_text(preset.read_text().replace("INSTANCE_ID=9", "INSTANCE_ID=-1"))
    path = fleet.home.etc / "strategies" / "wrong.toml"
    path.write_text(path.read_text().replace(str(fleet.library), "/no/such.so").replace("'Helsinki'", "'Turku'"))
    done = fleet.command("check")
    assert done.returncode != 0
    lines = [line for line in (done.stderr + done.stdout).splitlines() if "etc/strategies" in line]
    assert len(lines) == 3
    assert any("wrong.toml" in line and "/no/such.so: cannot be read" in line for line in lines)
    assert any("wrong.toml" in line and "there is no row 'Turku'" in line for line in lines)
    assert any("random.toml" in line and "STRATEGY_INSTANCE_ID: expected 9" in line for line in lines)


def test_a_library_of_another_interface_ends_the_worker_with_one_message_and_nothing_is_traded(
    fleet: AsirikuyFleet,
) -> None:
    fleet.library = standin_library("OTHER_SIZES=1")
    fleet.write_market()
    fleet.write_library_instance(text=fleet.unlimited())
    fleet.import_minutes()
    fleet.launch()
    wait_for(lambda: fleet.process("worker-bbs").get("state") == "FAILED", "a configuration error")
    assert orders_so_far(fleet) == 0
    (words,) = {line for line in (fleet.home.log / "worker-bbs.log").read_text().splitlines() if '"failed"' in line}
    assert '"exit_code": "CONFIG"' in words
    assert "not used" in words or "interface" in words
    assert fleet.stop() == 0
