"""Whatever a file holds: the reader never fails with anything but its own error, and never loses a good row."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrader.errors import ConfigError
from data_layer.files import ReadOptions, read_file
from data_layer.files.column_reader import read_with_arrow, read_with_numpy
from data_layer.files.decimals import read_decimals
from data_layer.files.formats.mapped import columns_of, delimiter_of
from data_layer.files.reading import read_source
from data_layer.files.sources import Source
from data_layer.files.times import Cells, time_form
from data_layer.files.zones import LocalClock
from tests.support.file_examples import EXAMPLES

BEGINS = (b"PAR1", b"ARROW1", b"\x1f\x8b", b"PK\3\4", b"[[", b"\xff\xfe")
HEAD = "timestamp,open,high,low,close,volume\n"
T0 = 1_359_676_800
JUNK = st.one_of(
    st.binary(max_size=60),
    st.text(alphabet="0123456789-:.,;TZ+ eE_\"'\t<>[]", max_size=60).map(str.encode),
)


def read_bytes(content: bytes, name: str, options: ReadOptions) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / name
        path.write_bytes(content)
        with suppress(ConfigError):
            for found in read_file(path, options):
                assert all(row.line >= 1 and row.reason for row in found.bad_rows)


@settings(max_examples=60, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=300),
        JUNK,
        st.tuples(st.sampled_from(BEGINS), JUNK).map(b"".join),
    ),
    zone=st.sampled_from([None, "UTC", "Europe/Madrid"]),
)
def test_random_bytes_are_read_or_refused(content: bytes, zone: str | None) -> None:
    read_bytes(content, "EURUSD.csv", ReadOptions(zone=zone))


@settings(max_examples=60, deadline=None)
@given(example=st.sampled_from(EXAMPLES), junk=JUNK, at=st.floats(0, 1), cut=st.integers(0, 30), twice=st.booleans())
def test_mutated_files_are_read_or_refused(example, junk: bytes, at: float, cut: int, twice: bool) -> None:
    text = example.text.encode() * (2 if twice else 1)
    place = int(at * len(text))
    name = Path(example.name).name.replace(".zip", ".csv").removesuffix(".gz")
    read_bytes(text[:place] + junk + text[place + cut :], name, example.read_options())


def good_line(minute: int) -> bytes:
    return f"{(T0 + 60 * minute) * 1000},1.5,1.75,1.25,{1.25 + (minute % 50) / 100},{minute}\n".encode()


@settings(max_examples=60, deadline=None)
@given(junk=st.lists(st.tuples(st.integers(0, 199), JUNK), max_size=8))
def test_junk_between_good_lines_costs_none_of_them(junk: list[tuple[int, bytes]]) -> None:
    lines = [good_line(minute) for minute in range(200)]
    wanted = {(T0 + 60 * minute) * 10**9 for minute in range(200)}
    for place, piece in junk:
        # One line of its own: what is in it must not reach into its neighbours.
        lines[place] += piece.replace(b"\n", b"").replace(b"\r", b"") + b"\n"
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "EURUSD.csv"
        path.write_bytes(HEAD.encode() + b"".join(lines))
        found = [
            read_source(Source(path), ReadOptions(), None, reader)
            for reader in (read_with_arrow, read_with_numpy, lambda *_: None)
        ]
    for one in found:
        assert wanted <= set(one.bars.open_time_ns.tolist())
        assert one.bad_rows == found[0].bad_rows
        assert one.bars.close.tolist() == found[0].bars.close.tolist()


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=30))
def test_what_a_person_says_is_taken_or_refused(text: str) -> None:
    for read in (columns_of, delimiter_of, time_form, LocalClock.parse):
        with suppress(ConfigError):
            read(text)


@settings(max_examples=60, deadline=None)
@given(
    numbers=st.lists(st.from_regex(r"[0-9]{1,12}(\.[0-9]{0,9})?|\.[0-9]{1,9}", fullmatch=True), min_size=1, max_size=30)
)
def test_a_column_of_decimals_is_read_as_one_by_one(numbers: list[str]) -> None:
    ends = np.cumsum([len(number) for number in numbers])
    cells = Cells(np.frombuffer("".join(numbers).encode(), np.uint8), ends - [len(number) for number in numbers], ends)
    found = read_decimals(cells)
    if found is None:
        assert max(len(number.replace(".", "")) for number in numbers) > 15
    else:
        assert found.tolist() == [float(number) for number in numbers]


@pytest.mark.parametrize("cell", ["", ".", "-1", "1e5", "1.2.3", " 1", "1,5", "nan", "1" * 16])
def test_a_cell_that_is_no_plain_decimal_is_left_to_others(cell: str) -> None:
    text = f"1.5{cell}"
    cells = Cells(np.frombuffer(text.encode(), np.uint8), np.array([0, 3]), np.array([3, len(text)]))
    assert read_decimals(cells) is None
