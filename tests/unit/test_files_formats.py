"""Every format is recognised by what is in the file, and read to the right moments and prices."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from atrader.errors import ConfigError
from data_layer.files import FileRows, ReadOptions, read_file, read_frame
from data_layer.files.formats import FORMATS
from data_layer.files.formats.mapped import columns_of
from data_layer.files.selection import expanded, grouped, instrument_of
from data_layer.files.sources import Source
from manager.commands.data_import import FORMAT_NAMES
from tests.support.file_examples import EXAMPLES, Example

T0 = 1_359_676_800_000_000_000  # 2013-02-01 00:00 UTC
MINUTE = 60_000_000_000
REAL_DATA = Path(__file__).parents[3] / "shared" / "data"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(path.with_suffix(".csv").name, text)
            archive.writestr("readme.txt", "a report of the download")
    else:
        path.write_text(text)
    return path


def only(path: Path, options: ReadOptions | None = None) -> FileRows:
    [found] = read_file(path, options)
    return found


def first_values(rows: FileRows) -> tuple[int, tuple[float, ...]]:
    if rows.kind == "quotes":
        return int(rows.quotes.time_ns[0]), (float(rows.quotes.bid[0]), float(rows.quotes.ask[0]))
    bar = rows.bars.row(0)
    return bar.open_time_ns, (bar.open, bar.high, bar.low, bar.close)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.title)
def test_the_example_of_a_format_is_recognised_and_read(example: Example, tmp_path: Path) -> None:
    found = only(write(tmp_path / example.name, example.text), example.read_options())
    assert found.format == example.format
    assert first_values(found) == (example.first_ns, example.first[1])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.title)
def test_windows_line_ends_and_byte_order_marks_change_nothing(example: Example, tmp_path: Path) -> None:
    plain = only(write(tmp_path / "plain" / example.name, example.text), example.read_options())
    windows = example.text.replace("\n", "\r\n")
    for encoding in ("utf-8-sig", "utf-16"):
        path = tmp_path / encoding / Path(example.name).name.removesuffix(".gz").replace(".zip", ".csv")
        path.parent.mkdir()
        path.write_bytes(windows.encode(encoding))
        if example.format != "candles" or encoding == "utf-8-sig":
            again = only(path, example.read_options())
            assert first_values(again) == first_values(plain)
            assert again.rows == plain.rows


def test_every_format_has_an_example_and_stands_in_the_help() -> None:
    assert ", ".join(one.name for one in FORMATS) == FORMAT_NAMES
    assert {one.name for one in FORMATS} == {example.format for example in EXAMPLES} - {"columns"}


def test_a_file_of_no_format_is_refused_with_the_formats_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a,b\n1,2\n")
    with pytest.raises(ConfigError, match=r"no format that is known.*'a,b'.*--columns") as error:
        read_file(path)
    assert all(one.name in str(error.value) for one in FORMATS)
    with pytest.raises(ConfigError, match="this is not HistData"):
        read_file(path, ReadOptions(format="histdata"))
    with pytest.raises(ConfigError, match="no format 'excel'"):
        read_file(path, ReadOptions(format="excel"))
    with pytest.raises(ConfigError, match="empty"):
        read_file(write(tmp_path / "empty.csv", "\n"))


@pytest.mark.parametrize("title", ["MetaTrader 4", "MetaTrader 5"])
def test_the_zone_of_a_broker_is_never_guessed(title: str, tmp_path: Path) -> None:
    example = next(one for one in EXAMPLES if one.title == title)
    with pytest.raises(ConfigError, match="--zone"):
        read_file(write(tmp_path / example.name, example.text))
    with pytest.raises(ConfigError, match="no time zone 'Mars/Olympus'"):
        read_file(tmp_path / example.name, ReadOptions(zone="Mars/Olympus"))


def test_a_zone_that_is_given_wins_over_the_one_of_the_format(tmp_path: Path) -> None:
    example = next(one for one in EXAMPLES if one.title == "The old trader")
    path = write(tmp_path / example.name, example.text)
    assert only(path, ReadOptions(zone="UTC")).bars.open_time_ns[0] == T0 + 60 * MINUTE


def test_a_ticks_price_that_did_not_change_is_carried(tmp_path: Path) -> None:
    head = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n"
    rows = "2013.02.01\t00:00:0{}.000\t{}\t{}\t\t\t6\n"
    text = head + rows.format(0, "", 2) + rows.format(1, 1, 2) + rows.format(2, "", 3) + rows.format(3, 2, "")
    found = only(write(tmp_path / "USDJPY.csv", text), ReadOptions(zone="UTC"))
    assert found.quotes.bid.tolist() == [1, 1, 2]
    assert found.quotes.ask.tolist() == [2, 3, 3]
    assert [(row.line, row.kind) for row in found.bad_rows] == [(2, "price")]


def test_rows_of_another_instrument_are_no_rows_of_this_one(tmp_path: Path) -> None:
    text = "EUR/USD,20130201 00:00:00.295,1.1,1.2\nUSD/JPY,20130201 00:00:01.295,91,92\n"
    found = only(write(tmp_path / "x.csv", text))
    assert (found.symbol, found.rows) == ("EUR/USD", 1)
    assert [(row.line, row.kind) for row in found.bad_rows] == [(2, "other instrument")]


def test_a_json_list_that_is_cut_off_or_has_odd_rows_keeps_the_others(tmp_path: Path) -> None:
    whole = json.dumps([[1359676800000, 1, 3, 0.5, 2, 9], ["x"], [1359676860000, 1, 3, 0.5, 2, None]])
    found = only(write(tmp_path / "a-1m.json", whole[:-2] + "],[13596769"))
    assert found.bars.open_time_ns.tolist() == [T0, T0 + MINUTE]
    assert found.bars.volume.tolist() == [9, 0]
    assert [row.line for row in found.bad_rows] == [2, 4]
    with pytest.raises(ConfigError, match="no list of"):
        read_file(write(tmp_path / "b.json", '{"time": 1}'))


def test_tables_are_read_with_and_without_a_zone(tmp_path: Path) -> None:
    times = pa.array([T0 // 10**6, None, T0 // 10**6 + 60_000], pa.timestamp("ms", tz="UTC"))
    prices = {"open": [1.0, 1, 1], "high": [3.0, 3, 3], "low": [0.5, 0.5, 0.5], "close": [2.0, 2, 2]}
    table = pa.table({"date": times, **prices, "volume": [1.0, 2, None]})
    feather.write_feather(table, tmp_path / "BTC_USDT-1m.feather")
    parquet.write_table(table, tmp_path / "BTC_USDT-1m.parquet")
    for path in sorted(tmp_path.iterdir()):
        found = only(path)
        assert found.bars.open_time_ns.tolist() == [T0, T0 + MINUTE]
        assert (found.timeframe, found.bars.volume.tolist()) == ("1m", [1, 0])
        assert [(row.line, row.kind) for row in found.bad_rows] == [(2, "time")]
    naive = table.set_column(0, "date", times.cast(pa.timestamp("ms")))
    parquet.write_table(naive, tmp_path / "naive.parquet")
    with pytest.raises(ConfigError, match="--zone"):
        read_file(tmp_path / "naive.parquet")
    there = only(tmp_path / "naive.parquet", ReadOptions(zone="Europe/Madrid"))
    assert there.bars.open_time_ns[0] == T0 - 60 * MINUTE


@pytest.mark.parametrize("content", [b"PAR1 and then nothing", b"ARROW1 and then nothing"])
def test_a_damaged_table_is_a_clear_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ConfigError, match="damaged"):
        read_file(tmp_path / "x")


def test_archives_that_cannot_be_opened_are_clear_errors(tmp_path: Path) -> None:
    path = write(tmp_path / "eurusd.zip", "timestamp,bid,ask\n2013-02-01T00:00:00Z,1,2\n")
    content = bytearray(path.read_bytes())
    for header, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(header) + flags] |= 1  # encrypted
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="encrypted"):
        read_file(path)
    path.write_bytes(b"PK\3\4 and then nothing")
    with pytest.raises(ConfigError, match=r"eurusd\.zip"):
        read_file(path)
    table = gzip.compress(b"PAR1" + bytes(1000))
    (tmp_path / "eurusd.parquet.gz").write_bytes(table[: len(table) - 9])
    with pytest.raises(ConfigError, match="damaged"):
        read_file(tmp_path / "eurusd.parquet.gz")


@pytest.mark.parametrize("zone", [None, "Europe/Madrid"])
def test_frames_of_pandas_are_taken_with_the_time_as_index_or_column(zone: str | None) -> None:
    index = pd.date_range("2013-02-01", periods=3, freq="1min", tz=None if zone else "UTC", name="open_time")
    frame = pd.DataFrame({"open": 1.0, "high": 3.0, "low": 0.5, "close": [2.0, 9.0, 2.0]}, index=index)
    for one in (frame, frame.reset_index(), frame.rename_axis(None)):
        found = read_frame(one, zone=zone)
        assert found.bars.open_time_ns[0] == (T0 - 60 * MINUTE if zone else T0)
        assert [(row.line, row.kind) for row in found.bad_rows] == [(2, "no bar")]
    if zone:
        with pytest.raises(ConfigError, match="no zone"):
            read_frame(frame)
    with pytest.raises(ConfigError, match="missing close"):
        read_frame(frame.drop(columns="close"), zone="UTC")
    named = frame.rename(columns={"close": "Last"})
    mapping = {"time": "open_time", "open": "open", "high": "high", "low": "low", "close": "last"}
    assert read_frame(named, zone="UTC", columns=mapping).rows == 2


def test_a_frame_goes_in_and_comes_out_alike() -> None:
    from data_layer.client.frame import to_frame

    index = pd.date_range("2013-02-01", periods=3, freq="1min", tz="UTC", name="open_time")
    names = ["open", "high", "low", "close", "ask_open", "ask_high", "ask_low", "ask_close", "volume"]
    frame = pd.DataFrame({name: [1.1, 1.2, 1.3] for name in names}, index=index)
    pd.testing.assert_frame_equal(to_frame(read_frame(frame).bars), frame, check_freq=False, check_index_type=False)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("time=a", "bars need"),
        ("time=a,open=b,high=c,low=d,close=e,ask_open=f", "all four"),
        ("time=a,when=b", "OURS=THEIRS"),
        ("time=a,time=b", "each once"),
        ("time=a,bid=,ask=c", "OURS=THEIRS"),
        ("time=a,bid=b,ask=zz", "no column 'zz'"),
        ("time=1,bid=2,ask=9", "no column 9"),
    ],
)
def test_columns_that_are_named_wrongly_are_refused(text: str, says: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a,b,c,d,e,f\n1,2,3,4,5,6\n")
    with pytest.raises(ConfigError, match=says):
        read_file(path, ReadOptions(columns=columns_of(text), zone="UTC"))


@pytest.mark.parametrize(
    ("form", "says"),
    [("%d/%m", "year, month and day"), ("%Y-%m-%d %Q", "%Q is not known"), ("%Y %Y-%m-%d", "twice")],
)
def test_time_formats_that_tell_no_moment_are_refused(form: str, says: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a,b,c\n1,2,3\n")
    columns = columns_of("time=a,bid=b,ask=c")
    with pytest.raises(ConfigError, match=says):
        read_file(path, ReadOptions(columns=columns, time_format=form, zone="UTC"))
    with pytest.raises(ConfigError, match="--delimiter"):
        read_file(path, ReadOptions(columns=columns, delimiter="ab"))
    with pytest.raises(ConfigError, match="name the columns"):
        ReadOptions(time_format=form)
    with pytest.raises(ConfigError, match="exclude"):
        ReadOptions(columns=columns, format="own")


@pytest.mark.parametrize(("form", "time"), [("s", "1359676800"), ("ms", "1359676800000"), ("%y%m%d%H", "13020100")])
def test_times_are_read_as_they_are_described(form: str, time: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", f"{time};91.1;91.2\n")
    options = ReadOptions(columns=columns_of("time=1,bid=2,ask=3"), time_format=form, zone="UTC")
    assert only(path, options).quotes.time_ns.tolist() == [T0]


def test_folders_patterns_and_archives_are_searched(tmp_path: Path) -> None:
    write(tmp_path / "a" / "one_bid.csv", "x")
    write(tmp_path / "a" / "one_ask.csv", "x")
    write(tmp_path / "a" / "notes.doc", "x")
    write(tmp_path / "b" / "two.zip", "x")
    assert [path.name for path in expanded([tmp_path / "a"])] == ["one_ask.csv", "one_bid.csv"]
    assert [path.name for path in expanded([tmp_path / "*" / "*.zip", tmp_path / "b"])] == ["two.zip"]
    groups = grouped(expanded([tmp_path]))
    assert [[source.name for source in group] for group in groups] == [["one_bid.csv", "one_ask.csv"], ["two.csv"]]
    with pytest.raises(ConfigError, match="no such file"):
        expanded([tmp_path / "*.json"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EURUSD_60.csv", "EUR/USD"),
        ("BTC_USDT-5m.json", "BTC/USDT"),
        ("BTC_USDT_USDT-1h-futures.feather", "BTC/USDT:USDT"),
        ("m1/usd-jpy/2013/5.csv.gz", "USD/JPY"),
    ],
)
def test_the_instrument_is_found_in_the_name_or_the_folders(name: str, expected: str) -> None:
    assert instrument_of(Source(Path("/data") / name), None, None, {}) == expected


def test_an_instrument_is_not_guessed() -> None:
    with pytest.raises(ConfigError, match="--instrument"):
        instrument_of(Source(Path("/data/prices.csv")), None, None, {})
    with pytest.raises(ConfigError, match=r"may be .* or"):
        instrument_of(Source(Path("/data/EURUSD-GBPUSD.csv")), None, None, {})
    with pytest.raises(ConfigError, match="XXX/YYY"):
        instrument_of(Source(Path("/data/EURUSD.csv")), None, "XXX/YYY", {})


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="real market data are not here")
def test_the_real_files_are_read_whole() -> None:
    for name, rows, kind in (
        ("usdjpy-m1-bid-2013.csv", 28_761, "bars"),
        ("btc-perp-20211231-20220201_1m.csv", 45_031, "bars"),
        ("usdjpy-ticks-2013.csv", 1_000, "quotes"),
    ):
        found = only(REAL_DATA / name, ReadOptions(zone="UTC"))
        assert (found.rows, found.kind, found.bad_rows) == (rows, kind, ())
        times = found.bars.open_time_ns if kind == "bars" else found.quotes.time_ns
        assert bool((np.diff(times) >= 0).all())
