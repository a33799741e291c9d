"""pyarrow, numpy and row by row read the same from every file, good or bad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_layer.files import FileRows
from data_layer.files.column_reader import ColumnReader, read_with_arrow, read_with_numpy
from data_layer.files.layout import Layout
from data_layer.files.reading import read_source
from data_layer.files.rows import Numbers
from data_layer.files.sources import Source
from tests.support.file_examples import EXAMPLES, Example


def row_by_row(block: bytes, layout: Layout, first_line: int, symbol: str | None) -> Numbers | None:
    """Refuse every block, so that all rows are read one by one."""
    return None


READERS = {"arrow": read_with_arrow, "numpy": read_with_numpy, "rows": row_by_row}

ODDITIES = (
    *("", "   ", "x", ",,,,,,,,,", "\t\t\t\t", ";;;;;", '"', '"a,b"', "\ufffd\0", "nan,inf,-1", "1_000", "é" * 9),
    *("\r", "2013-02-01T00:00:00Z", "NULL", "null", "+1,2", "0x10,1e5", "1e999,1e-999", "٣,٤", "'"),
)


def told(rows: FileRows) -> tuple[object, ...]:
    """Return everything that reading found, comparably."""
    columns = rows.bars.columns if rows.kind == "bars" else rows.quotes
    return (rows.kind, rows.jumps_back, rows.symbol, rows.bad_rows, *(column.tolist() for column in columns))


def read(path: Path, example: Example, reader: ColumnReader) -> FileRows:
    return read_source(Source(path), example.read_options(), None, reader)


def many_rows(example: Example) -> list[str]:
    """Repeat the last row of an example with other prices, as its format writes them."""
    lines = example.text.rstrip("\n").split("\n")
    digits = [f"{91 + number / 1000:.3f}" for number in range(3, 40)]
    return [*lines, *(lines[-1].replace("91.7", text[:4]) for text in digits)]


TEXTS = [one for one in EXAMPLES if one.format != "candles"]


@pytest.mark.parametrize("example", TEXTS, ids=lambda one: one.title)
def test_all_readers_read_an_example_alike(example: Example, tmp_path: Path) -> None:
    path = tmp_path / Path(example.name).name.replace(".zip", ".csv").removesuffix(".gz")
    path.write_text("\n".join(many_rows(example)))
    expected = told(read(path, example, row_by_row))
    for reader in (read_with_arrow, read_with_numpy):
        assert told(read(path, example, reader)) == expected


@pytest.mark.parametrize("example", TEXTS, ids=lambda one: one.title)
def test_plain_files_are_read_by_columns(example: Example, tmp_path: Path) -> None:
    if "<DATE>" in example.text and "<BID>" in example.text:
        pytest.skip("an empty price is the exception that rows are for with numpy")
    path = tmp_path / Path(example.name).name.replace(".zip", ".csv").removesuffix(".gz")
    path.write_text(example.text)
    for reader in (read_with_arrow, read_with_numpy):
        taken: list[int] = []

        def watched(
            block: bytes,
            layout: Layout,
            first_line: int,
            symbol: str | None,
            reader: ColumnReader = reader,
            taken: list[int] = taken,
        ) -> Numbers | None:
            found = reader(block, layout, first_line, symbol)
            taken.append(-1 if found is None else len(found))
            return found

        read(path, example, watched)
        assert taken
        assert min(taken) > 0


@pytest.mark.parametrize("oddity", ODDITIES, ids=ascii)
@pytest.mark.parametrize("example", TEXTS, ids=lambda one: one.title)
def test_an_odd_line_is_judged_alike_and_costs_no_other(example: Example, oddity: str, tmp_path: Path) -> None:
    path = tmp_path / Path(example.name).name.replace(".zip", ".csv").removesuffix(".gz")
    lines = many_rows(example)
    path.write_text("\n".join(lines))
    plain = read(path, example, row_by_row)
    lines.insert(-1, oddity)
    path.write_bytes("\n".join(lines).encode())
    found = {name: read(path, example, reader) for name, reader in READERS.items()}
    assert told(found["arrow"]) == told(found["rows"])
    assert told(found["numpy"]) == told(found["rows"])
    assert found["rows"].rows >= plain.rows
    odd = [row for row in found["rows"].bad_rows if row.line == len(lines) - 1]
    assert len(odd) == (1 if oddity.strip() else 0) or "\ufffd" in oddity


@pytest.mark.parametrize("fraction", ["", ".5", ".123", ".123456789"])
@pytest.mark.parametrize("offset", ["Z", "+00:00", "+05:30", "-0800"])
def test_times_of_any_length_and_offset_are_read_alike(fraction: str, offset: str, tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    seconds = np.arange(300) * 7_919
    texts = (np.datetime64("2016-02-28T23:00:00") + seconds).astype(str)
    path.write_text(
        "timestamp,bid,ask\n"
        + "".join(f"{text}{fraction if i % 3 else ''}{offset},1.5,2.5\n" for i, text in enumerate(texts))
    )
    example = EXAMPLES[0]
    expected = told(read(path, example, row_by_row))
    assert len(expected[4]) == 300  # type: ignore[arg-type]
    assert told(read(path, example, read_with_arrow)) == expected
    assert told(read(path, example, read_with_numpy)) == expected
