"""Any text file whose columns a person names: ``time=Date,open=O,high=H,low=L,close=C`` or ``time=1,bid=2,ask=3``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from atrader.errors import ConfigError
from data_layer.files.layout import ASK_PRICES, BID_PRICES, QUOTE_PRICES, VALUES, Layout, Sample, Table
from data_layer.files.rows import Kind
from data_layer.files.times import ISO, time_form

_DELIMITERS: Final = {"tab": "\t", "comma": ",", "semicolon": ";", "space": " "}


def columns_of(text: str) -> dict[str, str]:
    """Read what a person names: our names, and theirs or numbers from 1 on.

    Raises
    ------
    ConfigError
        When a name is none of ours or there twice.
    """
    found: dict[str, str] = {}
    for pair in text.split(","):
        ours, equals, theirs = (part.strip() for part in pair.partition("="))
        if ours not in ("time", *VALUES) or not equals or not theirs or ours in found:
            raise ConfigError(
                f"--columns {pair.strip()!r}: expected OURS=THEIRS, each once, with OURS one of"
                f" {', '.join(('time', *VALUES))}"
            )
        found[ours] = theirs
    return found


def delimiter_of(text: str) -> str:
    """Read a delimiter: one character, or ``tab``, ``comma``, ``semicolon``, ``space``.

    Raises
    ------
    ConfigError
        When it is something else.
    """
    mark = _DELIMITERS.get(text, text).replace("\\t", "\t")
    if len(mark) != 1 or not mark.isascii() or mark in '"\r\n' or mark.isalnum():
        raise ConfigError(f"--delimiter {text!r}: expected one character, or {', '.join(_DELIMITERS)}")
    return mark


def layout_of(
    sample: Sample, columns: Mapping[str, str], delimiter: str | None = None, times: str | None = None
) -> Layout:
    """Make the layout of a file whose columns are named.

    Raises
    ------
    ConfigError
        When the header lacks one, or they make neither bars nor quotes.
    """
    table = sample.table(None if delimiter is None else delimiter_of(delimiter))
    by_number = all(theirs.isdecimal() for theirs in columns.values())
    kind = _kind(columns)
    found = {ours: _column(theirs, table, by_number, sample.name) for ours, theirs in columns.items()}
    form = ISO if times is None else time_form(times)
    time_at = ((found.pop("time"), form),)
    # Named by number, the first line is a header when it reads as no row.
    skip = 0 if by_number and table.reads(0, time_at) else 1
    return Layout("columns", kind, table.delimiter, skip, time_at, found)


def _kind(columns: Mapping[str, str]) -> Kind:
    names = columns.keys()
    if "time" in names and set(BID_PRICES) <= names and not names & {*QUOTE_PRICES, "received"}:
        asks = names & {*ASK_PRICES, "spread"}
        if asks in (set(), {"spread"}, set(ASK_PRICES)):
            return "bars"
    elif "time" in names and set(QUOTE_PRICES) <= names <= {"time", *QUOTE_PRICES, "received"}:
        return "quotes"
    raise ConfigError(
        "--columns: bars need time, open, high, low, close (all four ask prices, a spread, or none); quotes need time,"
        " bid, ask"
    )


def _column(theirs: str, table: Table, by_number: bool, name: str) -> int:
    if by_number:
        width = len(table.rows[0]) if table.rows else 0
        if not 1 <= int(theirs) <= width:
            raise ConfigError(f"{name}: there is no column {theirs}; the first line has {width}")
        return int(theirs) - 1
    if theirs.lower() not in table.names:
        raise ConfigError(f"{name}:1: there is no column {theirs!r}; the header has {', '.join(table.names)}")
    return table.names.index(theirs.lower())
