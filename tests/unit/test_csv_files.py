"""CSV import: what is good is taken, what is bad is named, nothing is guessed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from atrader.errors import ConfigError
from data_layer.csv_files import join_sides, read_bars, read_quotes, write_bars
from data_layer.csv_files.quotes import is_quote_file

HEAD = "timestamp,open,high,low,close\n"
T0 = 1_359_676_800_000_000_000  # 2013-02-01 00:00 UTC
MINUTE = 60_000_000_000


def file(tmp_path: Path, text: str, name: str = "bars.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_good_rows_become_bars_with_utc_times(tmp_path: Path) -> None:
    text = HEAD + "2013-02-01 00:00:00+00:00,1,3,0.5,2\n2013-02-01 02:01:00+02:00,2,2,2,2\n"
    found = read_bars(file(tmp_path, text))
    assert found.bad_rows == ()
    np.testing.assert_array_equal(found.bars.open_time_ns, [T0, T0 + MINUTE])
    assert found.bars.row(0)[1:] == (1, 3, 0.5, 2, 1, 3, 0.5, 2, 0)
    assert found.step_ns() == MINUTE


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2013-02-01 00:05:00+00:00,1,3,0.5", "column close is missing"),
        ("2013-02-01 00:05:00+00:00,1,3,0.5,x", "no number"),
        ("2013-02-01 00:05:00+00:00,1,3,0.5,nan", "no positive number"),
        ("2013-02-01 00:05:00+00:00,1,3,0.5,-2", "no positive number"),
        ("2013-02-01 00:05:00+00:00,1,1,0.5,2", "do not enclose"),
        ("2013-02-01 00:05:00,1,3,0.5,2", "has no zone"),
        ("yesterday,1,3,0.5,2", "no ISO date"),
        ("2013-02-01 00:00:00+00:00,1,3,0.5,2", "is not after the row before"),
        ("\ufffd\0,1,3,0.5,2", "no ISO date"),
    ],
)
def test_a_bad_row_is_named_and_its_neighbours_are_kept(tmp_path: Path, row: str, reason: str) -> None:
    text = f"{HEAD}2013-02-01 00:00:00+00:00,1,3,0.5,2\n{row}\n2013-02-01 00:09:00+00:00,1,3,0.5,2\n"
    found = read_bars(file(tmp_path, text))
    assert len(found.bars) == 2
    assert [bad.line for bad in found.bad_rows] == [3]
    assert reason in found.bad_rows[0].reason
    assert str(found.bad_rows[0]).startswith(f"{tmp_path}/bars.csv:3: ")


def test_bytes_that_are_no_utf8_spoil_their_own_row_only(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    good = b"2013-02-01 00:0%d:00+00:00,1,3,0.5,2\n"
    path.write_bytes(HEAD.encode() + good % 0 + b"\xff\xfe,1,1,1,1\n" + good % 2)
    found = read_bars(path)
    assert len(found.bars) == 2
    assert found.bad_rows[0].line == 3


def test_local_times_need_a_zone_and_clock_changes_are_not_guessed(tmp_path: Path) -> None:
    rows = "2013-11-03 00:30:00,1,1,1,1\n2013-11-03 01:30:00,1,1,1,1\n2013-11-03 02:30:00,1,1,1,1\n"
    found = read_bars(file(tmp_path, HEAD + rows), zone="America/New_York")
    assert len(found.bars) == 2
    assert "ambiguous" in found.bad_rows[0].reason
    assert np.diff(found.bars.open_time_ns)[0] == 3 * 3600 * 10**9


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("open,high,low,close\n", "time column"),
        ("timestamp,open,high,low\n", "missing close"),
    ],
)
def test_a_file_that_is_no_bar_file_is_refused_with_what_is_missing(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read_bars(file(tmp_path, text))


def test_bid_and_ask_files_are_joined_and_lonely_bars_reported(tmp_path: Path) -> None:
    row = "2013-02-01 00:0{}:00+00:00,{p},{p},{p},{p}\n"
    bid = read_bars(file(tmp_path, HEAD + row.format(0, p=1) + row.format(1, p=2), "bid.csv"))
    ask = read_bars(file(tmp_path, HEAD + row.format(0, p=1.5) + row.format(2, p=3), "ask.csv"))
    joined = join_sides(bid, ask)
    assert joined.bars.row(0)[1:] == (1, 1, 1, 1, 1.5, 1.5, 1.5, 1.5, 0)
    assert len(joined.bars) == 1
    assert sorted(Path(bad.file).name for bad in joined.bad_rows) == ["ask.csv", "bid.csv"]


def test_what_is_written_is_read_back_exactly(tmp_path: Path) -> None:
    row = "2013-02-01 00:0{}:00+00:00,{p},{p},{p},{p}\n"
    bid = read_bars(file(tmp_path, HEAD + row.format(0, p=1.1) + row.format(1, p=0.30000000000000004), "bid.csv"))
    ask = read_bars(file(tmp_path, HEAD + row.format(0, p=1.2) + row.format(1, p=0.4), "ask.csv"))
    joined = join_sides(bid, ask).bars
    out = io.StringIO()
    assert write_bars(joined, out) == 2
    again = read_bars(file(tmp_path, out.getvalue(), "out.csv")).bars
    for one, other in zip(joined.columns, again.columns, strict=True):
        np.testing.assert_array_equal(one, other)


def test_quotes_are_told_from_bars_and_read(tmp_path: Path) -> None:
    path = file(tmp_path, "timestamp,bid,ask\n2013-01-01 22:00:00.295+00:00,86.655,86.728\nx,1,2\n", "q.csv")
    assert is_quote_file(path)
    found = read_quotes(path, "USD/JPY")
    assert found.ticks[0].bid == 86.655
    assert found.ticks[0].time_ns % 10**9 == 295_000_000
    assert found.bad_rows[0].line == 3
    assert not is_quote_file(file(tmp_path, HEAD))
