"""What is written is read back bit for bit, in every format and under every clock."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrader.market import Bar, Bars, Quotes, Tick
from data_layer.files import read_file
from data_layer.files.exporting import FileFormat, Target, write_bars, write_quotes
from data_layer.files.zones import LocalClock

PRICE = st.floats(min_value=1e-300, max_value=1e300, allow_nan=False, allow_infinity=False)
VOLUME = st.floats(min_value=0, max_value=1e300, allow_nan=False)
# From 1930 on: before, zones had offsets of odd seconds, which ISO 8601 cannot write.
TIME_NS = st.integers(-1_262_304_000_000_000_000, 7_000_000_000_000_000_000)
SECOND_NS = st.integers(-1_262_304_000, 7_000_000_000).map(lambda second: second * 10**9)
CLOCKS = st.sampled_from([None, "Europe/Madrid", "America/New_York", "Asia/Kolkata"])


@st.composite
def side(draw: st.DrawFn) -> tuple[float, float, float, float]:
    low, one, other, high = sorted(draw(st.lists(PRICE, min_size=4, max_size=4)))
    return (one, high, low, other) if draw(st.booleans()) else (other, high, low, one)


@st.composite
def bars(draw: st.DrawFn) -> Bars:
    times = sorted(draw(st.sets(st.one_of(TIME_NS, SECOND_NS), max_size=12)))
    return Bars.from_rows([Bar(time, *draw(side()), *draw(side()), draw(VOLUME)) for time in times])


@st.composite
def ticks(draw: st.DrawFn) -> list[Tick]:
    times = sorted(draw(st.lists(TIME_NS, max_size=12)))
    late = st.integers(0, 10**9)
    prices = st.tuples(PRICE, PRICE).map(sorted)
    return [Tick("EUR/USD", time, time + draw(late), *draw(prices)) for time in times]


def written(target_format: FileFormat, zone: str | None, name: str, write) -> list:
    handle = io.BytesIO()
    clock = None if zone is None else LocalClock.parse(zone)
    write(Target(handle, target_format, clock, lambda done: None))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"{name}.{target_format}"
        path.write_bytes(handle.getvalue())
        return read_file(path)


@pytest.mark.parametrize("target_format", ["csv", "parquet", "feather"])
@settings(max_examples=60, deadline=None)
@given(expected=bars(), zone=CLOCKS)
def test_bars_come_back_bit_for_bit(target_format: FileFormat, expected: Bars, zone: str | None) -> None:
    [found] = written(target_format, zone, "bars", lambda target: write_bars(expected, target))
    assert found.bad_rows == ()
    assert found.kind == "bars"
    for one, other in zip(expected.columns, found.bars.columns, strict=True):
        assert np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


@pytest.mark.parametrize("target_format", ["csv", "parquet", "feather"])
@settings(max_examples=60, deadline=None)
@given(expected=ticks(), zone=CLOCKS, parts=st.integers(1, 4))
def test_quotes_come_back_bit_for_bit(
    target_format: FileFormat, expected: list[Tick], zone: str | None, parts: int
) -> None:
    size = len(expected) // parts + 1
    pieces = [Quotes.of(expected[start : start + size]) for start in range(0, len(expected), size)]
    [found] = written(target_format, zone, "quotes", lambda target: write_quotes(iter(pieces), target))
    assert found.bad_rows == ()
    assert found.kind == "quotes"
    for one, other in zip(Quotes.of(expected), found.quotes, strict=True):
        assert one.tobytes() == np.ascontiguousarray(other).tobytes()
