"""Bars and quotes as CSV that reads back bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.clock import NS_PER_S
from atrader.market import BAR_COLUMNS, Bars, Quotes
from data_layer.files.zones import LocalClock

ROWS_AT_ONCE: Final = 50_000
_MINUTE_NS: Final = 60 * NS_PER_S


def bar_lines(bars: Bars, clock: LocalClock | None = None) -> Iterator[bytes]:
    """Yield a header and blocks of lines; prices as short as they read back exactly.

    Parameters
    ----------
    clock : LocalClock, optional
        Whose clock times show; with its offset, so that each is one moment. Default: UTC.
    """
    yield ",".join(("timestamp", *BAR_COLUMNS[1:])).encode() + b"\n"
    for start in range(0, len(bars), ROWS_AT_ONCE):
        part = bars[start : start + ROWS_AT_ONCE]
        yield _lines([time_texts(part.open_time_ns, clock), *map(_numbers, part.columns[1:])])


def quote_header() -> bytes:
    """Return the header of quotes."""
    return b"timestamp,received,bid,ask\n"


def quote_lines(quotes: Quotes, clock: LocalClock | None = None) -> bytes:
    """Return a block of lines; see `bar_lines`."""
    times = (time_texts(quotes.time_ns, clock), time_texts(quotes.received_ns, clock))
    return _lines([*times, _numbers(quotes.bid), _numbers(quotes.ask)])


def time_texts(utc_ns: NDArray[np.int64], clock: LocalClock | None = None) -> list[str]:
    """Return times as ISO 8601 with their offset, without a superfluous digit."""
    offsets = np.zeros(len(utc_ns), np.int64) if clock is None else clock.offsets_ns(utc_ns)
    local = (utc_ns + offsets).astype("datetime64[ns]")
    if bool((utc_ns % NS_PER_S == 0).all()):
        texts = np.datetime_as_string(local.astype("datetime64[s]")).tolist()
    else:
        texts = [text.rstrip("0").rstrip(".") for text in np.datetime_as_string(local).tolist()]
    if clock is None:
        return [f"{text}Z" for text in texts]
    names = {int(offset): _offset_text(int(offset)) for offset in np.unique(offsets)}
    return [text + names[offset] for text, offset in zip(texts, offsets.tolist(), strict=True)]


def _offset_text(offset_ns: int) -> str:
    hours, minutes = divmod(abs(offset_ns) // _MINUTE_NS, 60)
    return f"{'-' if offset_ns < 0 else '+'}{hours:02d}:{minutes:02d}"


def _numbers(column: NDArray[np.generic]) -> list[str]:
    return list(map(repr, column.tolist()))


def _lines(columns: list[list[str]]) -> bytes:
    return "".join(",".join(cells) + "\n" for cells in zip(*columns, strict=True)).encode()
