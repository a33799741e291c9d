"""Tables of the market: series, chunks and tails of bars and quotes, and what is known about bars besides values."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Double, Identity, Index, Integer, LargeBinary, MetaData, Table

from atrader.market import BAR_COLUMNS
from data_layer.store.schema import TICK_COLUMNS
from data_layer.store.tables import TEXT, Tables, create

metadata: Final = MetaData()

_Number: Final = BigInteger().with_variant(Integer, "sqlite")  # there INTEGER alone is the number of the row


def _id() -> Column[int]:
    return Column("id", _Number, Identity(), primary_key=True)


def _series() -> Column[int]:
    return Column("series", _Number, primary_key=True, autoincrement=False)


def _whole(*names: str) -> list[Column[Any]]:
    return [Column(name, _Number, nullable=False) for name in names]


def _text(*names: str) -> list[Column[Any]]:
    return [Column(name, TEXT, nullable=False) for name in names]


def _real(names: tuple[str, ...]) -> list[Column[Any]]:
    return [Column(name, Double, nullable=False) for name in names]


series: Final = Table(
    "series",
    metadata,
    _id(),
    *_text("instrument", "timeframe", "source"),
    Index("series_name", "instrument", "timeframe", unique=True),
)

forming: Final = Table("forming", metadata, _series(), *_whole(BAR_COLUMNS[0]), *_real(BAR_COLUMNS[1:]))
"""The bar of each series that was not complete at the last commit."""


def _columnar(kind: str, names: tuple[str, ...], integers: int) -> None:
    Table(
        f"{kind}_chunk",
        metadata,
        _id(),
        *_whole("series", "t0", "t1", "n", "crc32"),
        Column("data", LargeBinary, nullable=False),
        Index(f"{kind}_chunk_time", "series", "t0", "t1", "n"),
    )
    Table(
        f"{kind}_tail",
        metadata,
        _series(),
        Column(names[0], _Number, primary_key=True, autoincrement=False),
        Column("number", _Number, primary_key=True, autoincrement=False),
        *_whole(*names[1:integers]),
        *_real(names[integers:]),
        sqlite_with_rowid=False,
    )


_columnar("bar", BAR_COLUMNS, integers=1)
_columnar("tick", TICK_COLUMNS, integers=2)

bar_range: Final = Table(
    "bar_range",
    metadata,
    _series(),
    Column("kind", TEXT, primary_key=True),
    Column("start_ns", _Number, primary_key=True, autoincrement=False),
    *_whole("end_ns"),
    *_text("source"),
    sqlite_with_rowid=False,
)
"""Who brought the bars of which time, and what a source has told everything about."""

bar_revision: Final = Table(
    "bar_revision",
    metadata,
    _id(),
    *_whole("series", "t0", "t1", "n", "recorded_ns"),
    *_text("source"),
    *_whole("crc32"),
    Column("data", LargeBinary, nullable=False),
    Index("bar_revision_time", "series", "t0", "t1"),
)
"""Bars as they were before others took their place."""

backfill: Final = Table(
    "backfill",
    metadata,
    Column("id", TEXT, primary_key=True),
    *_text("instrument", "timeframe"),
    *_whole("start_ns", "end_ns", "left_ns", "replace", "requested_ns"),
    sqlite_with_rowid=False,
)
"""Requests for history that are not done."""

facts: Final = Table(
    "facts",
    metadata,
    Column("name", TEXT, primary_key=True),
    *_text("value"),
    sqlite_with_rowid=False,
)
"""What there is one of: the last batch of quotes, a transfer that is not finished."""

TABLES: Final = Tables(metadata, steps={2: lambda dialect: create([bar_range, bar_revision, backfill, facts], dialect)})
