"""Decimal commas, and spreads that brokers count in points."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from atrader.errors import ConfigError
from data_layer.files import read_file
from data_layer.files.column_reader import ColumnReader, read_with_arrow, read_with_numpy
from data_layer.files.reading import FileRows, ReadOptions, read_source
from data_layer.files.sources import sources_of

HEADER = "timestamp;open;high;low;close;volume\n"
ROWS = 50


def own(path: Path, decimal: str) -> Path:
    rows = (
        f"2013-02-01T00:{minute:02d}:00Z;91.{minute:03d};92.5;91.0;91.{minute:03d};{minute}.5\n"
        for minute in range(ROWS)
    )
    path.write_text(HEADER + "".join(rows).replace(".", decimal))
    return path


@pytest.mark.parametrize("columns", [read_with_arrow, read_with_numpy])
def test_decimal_commas_are_read_as_points_are(tmp_path: Path, columns: ColumnReader) -> None:
    [points], [commas] = (
        [
            read_source(source, options, columns=columns)
            for source in sources_of(own(tmp_path / f"USDJPY-{name}.csv", mark))
        ]
        for name, mark, options in (
            ("a", ".", ReadOptions()),
            ("b", ",", ReadOptions(decimal="comma")),
        )
    )
    assert commas.bad_rows == ()
    assert len(commas.bars) == ROWS
    for one, other in zip(points.bars.columns, commas.bars.columns, strict=True):
        assert one.tolist() == other.tolist()


def test_a_number_that_is_not_plain_spoils_its_own_row_and_says_what_to_do(tmp_path: Path) -> None:
    path = own(tmp_path / "USDJPY.csv", ",")
    text = path.read_text()
    path.write_text(text.replace("91,007;92,5", "1.091,007;92,5").replace("91,009;92,5", "91.009;92,5"))
    [found] = read_file(path, ReadOptions(decimal="comma"))
    assert [row.line for row in found.bad_rows] == [9, 11]
    assert len(found.bars) == ROWS - 2
    [found] = read_file(path)
    assert len(found.bars) == 0
    assert "--decimal comma" in found.bad_rows[0].reason
    between = tmp_path / "EURUSD.csv"
    between.write_text("timestamp,open,high,low,close\n2013-02-01T00:00:00Z,1.1,1.2,1.0,1.1\n")
    with pytest.raises(ConfigError, match="EURUSD"):
        read_file(between, ReadOptions(decimal="comma"))
    table = tmp_path / "EURUSD.parquet"
    table.write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match="for text files"):
        read_file(table, ReadOptions(decimal="comma"))


MT5 = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"


def mt5(path: Path, *spreads: str) -> FileRows:
    path.write_text(
        MT5
        + "".join(
            f"2013.02.01\t02:{minute:02d}:00\t91.715\t91.72\t91.653\t91.66\t120\t0\t{spread}\n"
            for minute, spread in enumerate(spreads)
        )
    )
    [found] = read_file(path, ReadOptions(zone="UTC", point=Decimal("0.001")))
    return found


def test_the_spread_of_a_bar_makes_its_ask_prices(tmp_path: Path) -> None:
    found = mt5(tmp_path / "USDJPY_M1.csv", "2", "17", "0")
    assert found.bad_rows == ()
    assert found.bars.ask_open.tolist() == [91.717, 91.732, 91.715]
    assert found.bars.ask_low.tolist() == [91.655, 91.67, 91.653]
    assert found.bars.close.tolist() == [91.66] * 3
    [without] = read_file(tmp_path / "USDJPY_M1.csv", ReadOptions(zone="UTC"))
    assert without.bars.ask_open.tolist() == without.bars.open.tolist()
    assert (found.spread_left, without.spread_left) == (False, True)


def test_a_spread_that_is_none_spoils_its_own_row(tmp_path: Path) -> None:
    found = mt5(tmp_path / "USDJPY_M1.csv", "2", "-1", "", "3")
    assert [(row.line, row.kind) for row in found.bad_rows] == [(3, "price"), (4, "number")]
    assert len(found.bars) == 2


def test_a_spread_of_a_named_column_needs_its_point_and_a_point_a_spread(tmp_path: Path) -> None:
    path = tmp_path / "USDJPY.csv"
    path.write_text("t;o;h;l;c;s\n2013-02-01T00:00:00Z;91.715;91.72;91.653;91.66;2\n")
    columns = {"time": "t", "open": "o", "high": "h", "low": "l", "close": "c"}
    with pytest.raises(ConfigError, match=r"--point 0\.00001"):
        read_file(path, ReadOptions(columns={**columns, "spread": "s"}))
    with pytest.raises(ConfigError, match="there is none"):
        read_file(path, ReadOptions(columns=columns, point=Decimal("0.001")))
    [found] = read_file(path, ReadOptions(columns={**columns, "spread": "s"}, point=Decimal("0.001")))
    assert found.bars.ask_close.tolist() == [91.662]
