"""The history of an installation that is not running, as commands show and write it."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest

from atrader.clock import NS_PER_S
from atrader.configuration.fleet import DataConfig
from atrader.configuration.home import Home
from atrader.exit_codes import ExitCode
from data_layer.archive import Archiver, limits_of
from data_layer.store.history_sqlite import SqliteHistoryStore
from tests.support.history_rows import closed_trade, rows, still_open, trade
from tests.support.typed import type_command

END_NS = 1_359_676_800 * NS_PER_S  # 1 February 2013
HOUR_NS = 3_600 * NS_PER_S


def made(root: Path, template: str) -> Home:
    assert type_command("atrader-manager init --template", template, root).code == ExitCode.OK
    return Home(root)


def exposed_s(home: Home) -> float:
    [row] = type_command("atrader -C", home.root, *["history", "stats", "--json"]).json
    return float(row["exposed_s"])


def test_a_trade_that_a_replay_left_open_was_held_until_the_end_of_its_market(tmp_path: Path) -> None:
    home = made(tmp_path / "jpy", "replay")
    with_an_open_trade = SqliteHistoryStore(home.history_store, "the test")
    with_an_open_trade.append([("gateway:paper", rows(("trades", trade(END_NS - HOUR_NS))))])
    with_an_open_trade.close()
    assert exposed_s(home) > 10 * 365 * 86_400, "nothing is known of a replay: until now"
    home.replay_position.write_text(f'{{"plan": "a"}}\n{7:>20}\n{END_NS:>20}\n')
    assert exposed_s(home) == 3600.0
    fleet = home.etc / "atrader.toml"
    fleet.write_text(fleet.read_text().replace('feed = "replay"', 'feed = "none"'))
    assert exposed_s(home) > 10 * 365 * 86_400, "a live market has the time of the host"


def test_an_export_of_the_history_holds_what_was_archived_when_it_is_asked_to(tmp_path: Path) -> None:
    home = made(tmp_path / "demo", "empty")
    store = SqliteHistoryStore(home.history_store, "the test")
    store.append([("gateway:paper", rows(*closed_trade(1, 2), *still_open(3)))])
    Archiver(store, store.archive, home.archive, 4).run(
        limits_of(DataConfig.model_validate({"keep_trades": "60s"}), 61 * NS_PER_S), lambda *_: None
    )
    store.close()

    def exported(*options: str) -> list[str]:
        done = type_command("atrader -C", home.root, "data", "export", "trades", *options)
        assert done.code == 0, done.err
        return [row["trade_id"] for row in csv.DictReader(io.StringIO(done.out))]

    assert exported() == ["t3"]
    assert exported("--archived") == ["t1", "t3"]


def test_a_period_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    home = made(tmp_path / "demo", "empty")
    for command in ("data export EUR/USD 1m", "history trades", "data gaps EUR/USD 1m"):
        done = type_command("atrader -C", home.root, *command.split(), "--start", "2024-01-02", "--end", "2024-01-01")
        assert done.code == 2, command
        assert "not later than --start" in done.err


@pytest.mark.parametrize("option", ["--archived", "--instance one", "--account paper"])
def test_an_option_of_the_history_is_refused_for_bars(tmp_path: Path, option: str) -> None:
    home = made(tmp_path / "demo", "empty")
    done = type_command("atrader -C", home.root, *f"data export EUR/USD 1m {option}".split())
    assert done.code == ExitCode.CONFIG
    assert option.split()[0] in done.err
    assert os.linesep not in done.err.strip(), "one line"
