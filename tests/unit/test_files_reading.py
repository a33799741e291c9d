"""What is good in a file is taken, what is bad is named, nothing is guessed."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from atrader.errors import ConfigError
from data_layer.files import FileRows, ReadOptions, read_file, sources
from data_layer.files.reading import read_source
from data_layer.files.sides import join_sides
from data_layer.files.sources import BLOCK_BYTES, Source

HEAD = "timestamp,open,high,low,close\n"
T0 = 1_359_676_800_000_000_000  # 2013-02-01 00:00 UTC
MINUTE = 60_000_000_000
HOUR = 60 * MINUTE


def read(tmp_path: Path, text: str, name: str = "bars.csv", zone: str | None = None) -> FileRows:
    path = tmp_path / name
    path.write_text(text)
    [found] = read_file(path, ReadOptions(zone=zone))
    return found


def test_good_rows_become_bars_with_utc_times(tmp_path: Path) -> None:
    text = HEAD + "2013-02-01 00:00:00+00:00,1,3,0.5,2\n2013-02-01 02:01:00+02:00,2,2,2,2\n"
    found = read(tmp_path, text)
    assert found.bad_rows == ()
    np.testing.assert_array_equal(found.bars.open_time_ns, [T0, T0 + MINUTE])
    assert found.bars.row(0)[1:] == (1, 3, 0.5, 2, 1, 3, 0.5, 2, 0)


@pytest.mark.parametrize(
    ("row", "reason", "kind"),
    [
        ("2013-02-01 00:05:00+00:00,1,3,0.5", "column close is missing", "row"),
        ("2013-02-01 00:05:00+00:00,1,3,0.5,x", "close 'x' is no number", "number"),
        ("2013-02-01 00:05:00+00:00,1,3,0.5,1_0", "no number", "number"),
        ("2013-02-01 00:05:00+00:00,1,3,0.5,nan", "no positive number", "price"),
        ("2013-02-01 00:05:00+00:00,1,1e999,0.5,1", "no positive number", "price"),
        ("2013-02-01 00:05:00+00:00,1,3,0.5,-2", "no positive number", "price"),
        ("2013-02-01 00:05:00+00:00,1,1,0.5,2", "do not enclose", "no bar"),
        ("2013-02-01 00:05:00,1,3,0.5,2", "has no zone", "time"),
        ("2013-02-30 00:05:00Z,1,3,0.5,2", "no day of the calendar", "time"),
        ("2013-02-01 24:05:00Z,1,3,0.5,2", "no time of a day", "time"),
        ("0813-02-01 00:05:00Z,1,3,0.5,2", "years 1678 to 2261", "time"),
        ("yesterday,1,3,0.5,2", "no ISO date", "time"),
        ("\ufffd\0,1,3,0.5,2", "no ISO date", "time"),
        ('"2013-02-01 00:05:00Z,1,3,0.5,2', "no ISO date", "time"),
    ],
)
def test_a_bad_row_is_named_and_its_neighbours_are_kept(tmp_path: Path, row: str, reason: str, kind: str) -> None:
    text = f"{HEAD}2013-02-01 00:00:00+00:00,1,3,0.5,2\n{row}\n2013-02-01 00:09:00+00:00,1,3,0.5,2\n"
    found = read(tmp_path, text)
    assert len(found.bars) == 2
    assert [(bad.line, bad.kind) for bad in found.bad_rows] == [(3, kind)]
    assert reason in found.bad_rows[0].reason
    assert str(found.bad_rows[0]).startswith(f"{tmp_path}/bars.csv:3: ")


def test_bytes_that_are_no_utf8_spoil_their_own_row_only(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    good = b"2013-02-01 00:0%d:00+00:00,1,3,0.5,2\n"
    path.write_bytes(HEAD.encode() + good % 0 + b"\xff\xfe,1,1,1,1\n" + good % 2)
    [found] = read_file(path)
    assert len(found.bars) == 2
    assert found.bad_rows[0].line == 3


def test_rows_in_any_order_are_sorted_and_repetitions_named(tmp_path: Path) -> None:
    row = "2013-02-01 00:0{}:00Z,1,3,0.5,{}\n"
    newest_first = "".join(row.format(minute, 2) for minute in (3, 2, 1))
    found = read(tmp_path, HEAD + newest_first + row.format(1, 2) + row.format(2, 1) + row.format(2, 2.5))
    assert (np.diff(found.bars.open_time_ns) // MINUTE).tolist() == [1, 1]
    assert found.bars.close.tolist() == [2, 2.5, 2]  # of other values the last of the file is taken
    assert found.jumps_back == 2
    assert [(bad.line, bad.kind) for bad in found.bad_rows] == [(3, "superseded"), (4, "repeated"), (6, "superseded")]
    assert "2013-02-01T00:02:00Z" in found.bad_rows[0].reason
    assert "line 7" in found.bad_rows[0].reason


def test_local_times_need_a_zone_and_clock_changes_are_not_guessed(tmp_path: Path) -> None:
    rows = "2013-11-03 00:30:00,1,1,1,1\n2013-11-03 01:30:00,1,1,1,1\n2013-11-03 02:30:00,1,1,1,1\n"
    with pytest.raises(ConfigError, match="--zone"):
        read(tmp_path, HEAD + rows)
    found = read(tmp_path, HEAD + rows, zone="America/New_York")
    assert np.diff(found.bars.open_time_ns).tolist() == [3 * HOUR]
    assert [(bad.line, bad.kind) for bad in found.bad_rows] == [(3, "clock change")]
    assert "exists twice" in found.bad_rows[0].reason
    skipped = read(tmp_path, HEAD + "2013-03-10 02:30:00,1,1,1,1\n", zone="America/New_York")
    assert "does not exist in America/New_York" in skipped.bad_rows[0].reason


def mt4(times: list[str]) -> str:
    return "".join(f"2013.{time},1,1,1,1,1\n" for time in times)


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_repeated_hour_is_told_apart_where_the_clock_steps_back_once(tmp_path: Path, newest_first: bool) -> None:
    twice = [f"10.27,02:{minute:02d}" for minute in (0, 30)] * 2
    times = ["10.27,01:30", *twice, "10.27,03:00"]
    found = read(tmp_path, mt4(times[::-1] if newest_first else times), zone="Europe/Madrid")
    assert found.bad_rows == ()
    assert np.diff(found.bars.open_time_ns).tolist() == [HOUR // 2] * 5


@pytest.mark.parametrize(
    "times", [["10.27,02:00", "10.27,02:30"], ["10.27,02:30", "10.27,02:00", "10.27,02:30", "10.27,02:00"]]
)
def test_a_repeated_hour_without_exactly_one_step_back_is_refused(tmp_path: Path, times: list[str]) -> None:
    found = read(tmp_path, mt4(["10.26,12:00", *times, "10.28,12:00"]), zone="Europe/Madrid")
    assert len(found.bars) == 2
    assert {bad.kind for bad in found.bad_rows} == {"clock change"}
    assert len(found.bad_rows) == len(times)


def test_brokers_whose_midnight_is_17_new_york_have_a_zone(tmp_path: Path) -> None:
    # Between the clock changes of the US and the EU, EET and New York + 7 h differ.
    rows = mt4(["03.08,00:00", "03.12,00:00", "04.02,00:00"])
    found = read(tmp_path, rows, zone="America/New_York+7h")
    hours = (found.bars.open_time_ns % (24 * HOUR) // HOUR).tolist()
    assert hours == [22, 21, 21]
    assert (read(tmp_path, rows, zone="EET").bars.open_time_ns % (24 * HOUR) // HOUR).tolist() == [22, 22, 21]


def test_the_old_traders_corruption_is_reported_row_by_row(tmp_path: Path) -> None:
    window = [f"{day:02d}/02/16 {hour:02d}:00,1.1,1.3,1.0,1.2,4" for day in (1, 2, 3) for hour in range(24)]
    changed = [line.replace("1.2,4", "1.25,4") if line.startswith("03/02/16 23") else line for line in window]
    text = "\n".join(window * 5 + changed) + "\n"
    found = read(tmp_path, text, "EURUSD_60.csv")
    assert (found.format, found.timeframe, len(found.bars), found.jumps_back) == ("old-trader", "1h", 72, 5)
    assert found.bars.close[-1] == 1.25
    assert len(found.bad_rows) == 5 * 72
    assert sum(bad.kind == "superseded" for bad in found.bad_rows) == 1
    assert len({bad.line for bad in found.bad_rows}) == 5 * 72


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "empty"), ("open,high,low,close\n", "no format"), ("timestamp,open,high,low\n", "no format")],
)
def test_a_file_that_is_no_bar_file_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read(tmp_path, text)
    with pytest.raises(ConfigError, match="No such file"):
        read_file(tmp_path / "absent.csv")


def test_bid_and_ask_files_are_joined_and_lonely_bars_reported(tmp_path: Path) -> None:
    row = "2013-02-01 00:0{}:00+00:00,{p},{p},{p},{p}\n"
    bid = read(tmp_path, HEAD + row.format(0, p=1) + row.format(1, p=2), "bid.csv")
    ask = read(tmp_path, HEAD + row.format(0, p=1.5) + row.format(2, p=3), "ask.csv")
    joined = join_sides(bid, ask)
    assert joined.bars.row(0)[1:] == (1, 1, 1, 1, 1.5, 1.5, 1.5, 1.5, 0)
    assert len(joined.bars) == 1
    assert sorted(Path(bad.file).name for bad in joined.bad_rows) == ["ask.csv", "bid.csv"]
    quotes = read(tmp_path, "timestamp,bid,ask\n2013-02-01T00:00:00Z,1,2\n", "q.csv")
    with pytest.raises(ConfigError, match="only bars"):
        join_sides(bid, quotes)


def test_quotes_may_repeat_a_time_but_not_cross(tmp_path: Path) -> None:
    row = "2013-01-01 22:00:0{}.295+00:00,{},{}\n"
    text = (
        "timestamp,bid,ask\n" + row.format(1, 2, 3) + row.format(1, 2.5, 3) + row.format(0, 1, 2) + row.format(2, 3, 1)
    )
    found = read(tmp_path, text)
    assert found.quotes.bid.tolist() == [1, 2, 2.5]
    assert found.quotes.time_ns[0] % 10**9 == 295_000_000
    assert (found.quotes.received_ns == found.quotes.time_ns).all()
    assert [(bad.line, bad.kind) for bad in found.bad_rows] == [(5, "crossed quote")]
    assert found.jumps_back == 1


def test_a_small_archive_of_gigabytes_without_an_end_of_line_takes_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_LONGEST_LINE", 8 << 20)
    path = tmp_path / "EURUSD.csv.gz"
    rows = b"".join(f"2024-01-02 00:{minute:02}:00,1,2,1,2,5\n".encode() for minute in range(60))
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"time,open,high,low,close,volume\n" + rows)
        for _ in range(40):
            file.write(b"0" * (1 << 20))
    read = 0

    def count(done: int) -> None:
        nonlocal read
        read = done

    found = read_source(Source(path), ReadOptions(zone="UTC"), count)
    assert found.bad_rows[-1].kind == "damaged file"
    assert len(found.bars) == 60
    assert "a line of more than 8 MB" in found.bad_rows[-1].reason
    assert read < 0.5 * path.stat().st_size


def test_a_compressed_file_that_is_cut_off_keeps_what_came_before(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    rows = [f"2013-02-01 {i // 60:02d}:{i % 60:02d}:00Z,1,3,0.5,{rng.uniform(1, 2)}\n" for i in range(1400)]
    whole = gzip.compress((HEAD + "".join(rows)).encode())
    path = tmp_path / "bars.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    [found] = read_file(path)
    assert 500 < len(found.bars) < 1000
    assert found.bad_rows[-1].kind == "damaged file"
    assert found.bad_rows[-1].line >= len(found.bars)


def test_a_file_longer_than_a_block_is_read_whole_and_lines_stay_numbered(tmp_path: Path) -> None:
    count = 2 * BLOCK_BYTES // 40
    times = (np.datetime64("2013-02-01T00:00:00") + np.arange(count)).astype(str)
    lines = [f"{time}Z,1.5,3,0.5,2.25,7,8\n" for time in times]
    lines[count // 2] = lines[count - 5] = "bad\n"
    found = read(tmp_path, "timestamp,open,high,low,close,volume,more\n" + "".join(lines))
    assert len(found.bars) == count - 2
    assert [bad.line for bad in found.bad_rows] == [count // 2 + 2, count - 3]


@pytest.mark.parametrize("cut_off", [False, True])
def test_blocks_that_are_read_at_once_come_in_the_order_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_off: bool
) -> None:
    monkeypatch.setattr(sources, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(sources, "_PIECE_BYTES", 1024)
    rng = np.random.default_rng(3)
    rows = [f"2013-02-01 {i // 60:02d}:{i % 60:02d}:00Z,{1 + i / 1e4},3,0.5,{rng.uniform(1, 2)}\n" for i in range(1400)]
    bad = sorted({int(number) for number in rng.integers(0, 1400, 12)})
    for number in bad:
        rows[number] = f"bad {number}\n"
    content = gzip.compress((HEAD + "".join(rows)).encode())
    path = tmp_path / "bars.csv.gz"
    path.write_bytes(content[: len(content) // 2] if cut_off else content)
    [found] = read_file(path)
    left = found.bad_rows[-1].line - 3 if cut_off else 1400  # of a file that is cut off the last line may be half
    told = [row for row in found.bad_rows if row.line - 2 < left]
    assert [(row.line - 2, f"'bad {row.line - 2}'" in row.reason) for row in told] == [
        (number, True) for number in bad if number < left
    ]
    expected = [i for i in range(left) if i not in bad]
    np.testing.assert_array_equal((found.bars.open_time_ns[: len(expected)] - T0) // MINUTE, expected)
    np.testing.assert_array_equal(found.bars.open[: len(expected)], [1 + i / 1e4 for i in expected])
    assert len(found.bars) <= len(expected) + cut_off
