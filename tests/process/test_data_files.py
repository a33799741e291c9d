"""`atrader data import` and `export`, typed, on an installation that does not run and on one that does."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from atrader.exit_codes import ExitCode
from data_layer.offline import open_market
from tests.support.data_layer import DataLayerProcess
from tests.support.typed import type_command

pytestmark = pytest.mark.usefixtures("closed_context")

HEAD = "timestamp,open,high,low,close\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made") / "here"
    assert type_command("atrader-manager init --template empty", directory).code == ExitCode.OK
    return directory


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "here")


def bars(path: Path, minutes: range, price: float = 1.5) -> Path:
    path.parent.mkdir(exist_ok=True)
    rows = "".join(f"2023-02-01T10:{minute:02d}:00Z,{price},2,1,{price}\n" for minute in minutes)
    path.write_text(HEAD + rows)
    return path


def test_a_folder_is_imported_and_one_bad_file_stops_no_other(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    bars(folder / "eurusd_bid.csv", range(3))
    bars(folder / "eurusd_ask.csv", range(3), 1.6)
    bars(folder / "gbpusd.csv", range(2))
    (folder / "usdjpy.csv").write_text("nobody,knows\n1,2\n")
    (folder / "BTC_USDT-5m.json").write_text("[[1675245600000, 1, 2, 0.5, 1.5, 3]]")
    done = type_command("atrader data import --json", folder, cwd=home)
    assert done.code == ExitCode.CONFIG
    told = json.loads(done.out)
    assert [(row["instrument"], row["timeframe"], row["new"]) for row in told["imports"]] == [
        ("BTC/USDT", "5m", 1),
        ("EUR/USD", "1m", 3),
        ("GBP/USD", "1m", 2),
    ]
    assert len(told["failures"]) == 1
    assert "usdjpy.csv" in told["failures"][0]
    assert "usdjpy.csv" in done.err
    assert [Path(file).name for file in told["imports"][1]["files"]] == ["eurusd_bid.csv", "eurusd_ask.csv"]


def test_a_name_tells_the_timeframe_of_few_bars_unless_they_are_closer_than_it_says(home: Path, tmp_path: Path) -> None:
    files = bars(tmp_path / "USDJPY-1m.csv", range(0, 18, 6)), bars(tmp_path / "EURUSD-1h.csv", range(3))
    told = type_command("atrader data import --dry-run --json", *files, cwd=home).json["imports"]
    assert {row["instrument"]: row["timeframe"] for row in told} == {"USD/JPY": "1m", "EUR/USD": "1m"}


def test_a_dry_run_tells_what_an_import_then_does(home: Path, tmp_path: Path) -> None:
    assert type_command("atrader data import", bars(tmp_path / "eurusd.csv", range(4)), cwd=home).code == ExitCode.OK
    changed = bars(tmp_path / "new" / "eurusd.csv", range(2, 6))
    changed.write_text(changed.read_text().replace("10:03:00Z,1.5", "10:03:00Z,1.25"))
    before = type_command("atrader data export EUR/USD 1m", cwd=home).out
    [dry] = type_command("atrader data import --dry-run --json", changed, cwd=home).json["imports"]
    assert (dry["rows"], dry["new"], dry["revised"], dry["unchanged"]) == (4, 2, 1, 1)
    assert type_command("atrader data export EUR/USD 1m", cwd=home).out == before
    [wet] = type_command("atrader data import --json", changed, cwd=home).json["imports"]
    assert {key: wet[key] for key in dry if key != "gaps"} == {key: dry[key] for key in dry if key != "gaps"}
    [again] = type_command("atrader data import --json", changed, cwd=home).json["imports"]
    assert (again["new"], again["revised"], again["unchanged"]) == (0, 0, 4)


def test_people_see_what_was_dropped_and_why(home: Path, tmp_path: Path) -> None:
    path = bars(tmp_path / "eurusd.csv", range(4))
    path.write_text(path.read_text() + "2023-02-01T10:02:00Z,1.5,2,1,1.5\n2023-02-01T10:09:00Z,1.5,1,1,1.5\nx\n")
    done = type_command("atrader data import", path, cwd=home)
    assert done.code == ExitCode.OK
    assert f"{path}:7: open 1.5, high 1.0" in done.err
    assert "the rows jump back" in done.err
    assert "repeated=1" in done.out
    daily = tmp_path / "eurusd-1d.csv"
    daily.write_text(HEAD + "".join(f"2023-02-0{day},1.5,2,1,1.5\n" for day in range(1, 4)))
    assert "--zone" in type_command("atrader data import --timeframe 1d", daily, cwd=home).err
    off = type_command("atrader data import --timeframe 1d --zone UTC", daily, cwd=home)
    assert "do not begin where the calendar" in off.err


def test_an_export_never_replaces_a_file_and_leaves_no_half(home: Path, tmp_path: Path) -> None:
    type_command("atrader data import", bars(tmp_path / "eurusd.csv", range(4)), cwd=home)
    out = tmp_path / "out" / "eurusd.csv.gz"
    refused = type_command("atrader data export EUR/USD 1m -o", out, cwd=home)
    assert refused.code == ExitCode.CONFIG  # no folder
    out.parent.mkdir()
    assert "wrote 4 1m bars of EUR/USD" in type_command("atrader data export EUR/USD 1m -o", out, cwd=home).out
    assert len(gzip.decompress(out.read_bytes()).splitlines()) == 5
    before = out.read_bytes()
    again = type_command("atrader data export EUR/USD 1m --end 2023-02-01T10:01:00Z -o", out, cwd=home)
    assert again.code == ExitCode.CONFIG
    assert "--force" in again.err
    assert out.read_bytes() == before
    assert type_command("atrader data export EUR/USD 2m --force -o", out, cwd=home).code == ExitCode.OK
    assert out.read_bytes() != before
    assert list(out.parent.iterdir()) == [out]
    assert "what format" in type_command("atrader data export EUR/USD 1m -o", tmp_path / "x.xls", cwd=home).err
    assert "timeframe" in type_command("atrader data export EUR/USD", cwd=home).err
    for words, reason in (
        ("GBP/USD 1m", "no bars of GBP/USD are stored"),
        ("EUR/USD ticks", "no quotes of EUR/USD are stored"),
        ("EUR/USD 30s", "no 30s bars of EUR/USD can be built: stored are 1m"),
    ):
        done = type_command(f"atrader data export {words}", cwd=home)
        assert (done.code, done.out) == (ExitCode.FAILURE, "")
        assert reason in done.err


def test_local_times_and_tables_come_back_alike(home: Path, tmp_path: Path) -> None:
    type_command("atrader data import", bars(tmp_path / "eurusd.csv", range(4)), cwd=home)
    plain = type_command("atrader data export EUR/USD 1m", cwd=home).out
    for name in ("eurusd.csv", "eurusd.feather"):
        other = shutil.copytree(home / "etc", tmp_path / f"other-{name}" / "etc").parent
        out = tmp_path / "out" / name
        out.parent.mkdir(exist_ok=True)
        done = type_command("atrader data export EUR/USD 1m --zone Europe/Madrid -o", out, cwd=home)
        assert done.code == ExitCode.OK, done.err
        if name.endswith("csv"):
            assert "2023-02-01T11:00:00+01:00,1.5" in out.read_text()
        assert type_command("atrader data import", out, cwd=other).code == ExitCode.OK
        assert type_command("atrader data export EUR/USD 1m", cwd=other).out == plain


def test_history_is_exported_as_text_and_table(home: Path, tmp_path: Path) -> None:
    header = type_command("atrader data export trades", cwd=home).out.splitlines()
    assert header[0].startswith("magic,instance,account,instrument,side,units,open_time")
    out = tmp_path / "orders.parquet"
    assert type_command("atrader data export orders -o", out, cwd=home).code == ExitCode.OK
    assert pq.read_table(out).column_names[:2] == ["intent_id", "client_id"]


def test_a_running_data_layer_takes_and_gives_bars_and_quotes(home: Path, tmp_path: Path) -> None:
    ticks = tmp_path / "eurusd-ticks.csv"
    rows = [f"2023-02-01T10:{second // 60:02d}:{second % 60:02d}.5Z,1.5,1.6\n" for second in range(300)]
    ticks.write_text("timestamp,bid,ask\n" + "".join(rows))
    with DataLayerProcess(home) as layer:
        told = type_command("atrader data import --json", ticks, bars(tmp_path / "eurusd.csv", range(4)), cwd=home).json
        assert [row["new"] for row in told["imports"]] == [300, 4]
        shown = type_command("atrader data export EUR/USD ticks", cwd=home).out.splitlines()
        assert len(shown) == 301
        dry = type_command("atrader data import --dry-run --json", ticks, cwd=home).json["imports"]
        assert (dry[0]["new"], dry[0]["unchanged"]) == (0, 300)
        running = type_command("atrader data export EUR/USD 1m", cwd=home).out
    with open_market(layer.home) as market:
        assert sum(len(quotes.bid) for quotes in market.tick_parts("EUR/USD")) == 300
    assert type_command("atrader data export EUR/USD 1m", cwd=home).out == running
    assert type_command("atrader data export EUR/USD ticks", cwd=home).out.splitlines() == shown
