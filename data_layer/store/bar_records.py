"""What an SQLite file knows of bars besides values: who brought them, what was answered, what was replaced."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, Literal

import numpy as np

from atrader.market import Bars
from data_layer.store.blobs import CHUNK_ROWS, pack, unpack
from data_layer.store.interface import BackfillRequest, Revision
from data_layer.store.ranges import TimeRange, painted
from data_layer.store.sqlite_file import damaged

RangeKind = Literal["origin", "answered"]

SCHEMA: Final = (
    "CREATE TABLE bar_range (series INTEGER NOT NULL, kind TEXT NOT NULL, start_ns INTEGER NOT NULL,"
    " end_ns INTEGER NOT NULL, source TEXT NOT NULL, PRIMARY KEY (series, kind, start_ns)) WITHOUT ROWID;"
    "CREATE TABLE bar_revision (id INTEGER PRIMARY KEY, series INTEGER NOT NULL, t0 INTEGER NOT NULL,"
    " t1 INTEGER NOT NULL, n INTEGER NOT NULL, recorded_ns INTEGER NOT NULL, source TEXT NOT NULL,"
    " crc32 INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE INDEX bar_revision_time ON bar_revision (series, t0, t1);"
    "CREATE TABLE backfill (id TEXT PRIMARY KEY, instrument TEXT NOT NULL, timeframe TEXT NOT NULL,"
    " start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, left_ns INTEGER NOT NULL, replace INTEGER NOT NULL,"
    " requested_ns INTEGER NOT NULL) WITHOUT ROWID"
)
"""Statements that make the tables."""


class BarRecords:
    """Reads and writes these records; writes inside a transaction of the caller.

    Parameters
    ----------
    path : Path
        The file, for errors.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def ranges(
        self, db: sqlite3.Connection, series: int, kind: RangeKind, start_ns: int, end_ns: int
    ) -> list[TimeRange]:
        """Return the ranges of a series that overlap ``[start_ns, end_ns)``, whole, oldest first."""
        rows = db.execute(
            "SELECT start_ns, end_ns, source FROM bar_range WHERE series=? AND kind=? AND end_ns>? AND start_ns<?"
            " ORDER BY start_ns",
            (series, kind, start_ns, end_ns),
        )
        return [TimeRange(*row) for row in rows]

    def paint(self, db: sqlite3.Connection, series: int, kind: RangeKind, new: TimeRange) -> None:
        """Put a range over those that are there; ranges of one source become one where they may."""
        over_holes = kind == "origin"
        low_ns, high_ns = new.start_ns, new.end_ns
        if over_holes:  # the next ones on either side count too
            low_ns, high_ns = db.execute(
                "WITH mine AS (SELECT start_ns FROM bar_range WHERE series=? AND kind=?)"
                " SELECT coalesce((SELECT max(start_ns) FROM mine WHERE start_ns<?), ?),"
                " coalesce((SELECT min(start_ns) FROM mine WHERE start_ns>=?), ?)",
                (series, kind, new.start_ns, new.start_ns, new.end_ns, new.end_ns),
            ).fetchone()
        touched = "series=? AND kind=? AND end_ns>=? AND start_ns<=?"
        limits = (series, kind, low_ns, high_ns)
        around = [
            TimeRange(*row)
            for row in db.execute(f"SELECT start_ns, end_ns, source FROM bar_range WHERE {touched}", limits)
        ]
        ranges = painted(around, new, over_holes=over_holes)
        if sorted(around) == ranges:
            return
        db.execute(f"DELETE FROM bar_range WHERE {touched}", limits)
        db.executemany("INSERT INTO bar_range VALUES (?, ?, ?, ?, ?)", ((series, kind, *one) for one in ranges))

    def revisions(self, db: sqlite3.Connection, series: int, start_ns: int, end_ns: int) -> list[Revision]:
        """Return what was replaced with open times in ``[start_ns, end_ns)``, in the order it happened."""
        found = []
        for n, recorded_ns, source, crc32, data in db.execute(
            "SELECT n, recorded_ns, source, crc32, data FROM bar_revision WHERE series=? AND t1>=? AND t0<?"
            " ORDER BY id",
            (series, start_ns, end_ns),
        ):
            bars = Bars.allocate(n)
            try:
                unpack(data, crc32, bars.columns, slice(0, n))
            except ValueError as error:
                raise damaged(self._path, str(error)) from error
            first, last = np.searchsorted(bars.open_time_ns, (start_ns, end_ns))
            found.append(Revision(recorded_ns, source, bars[int(first) : int(last)]))
        return [one for one in found if len(one.replaced)]

    def revise(self, db: sqlite3.Connection, series: int, revision: Revision) -> None:
        """Keep the values that are being replaced."""
        for start in range(0, len(revision.replaced), CHUNK_ROWS):
            part = revision.replaced[start : start + CHUNK_ROWS]
            blob, crc32 = pack(part.columns)
            db.execute(
                "INSERT INTO bar_revision (series, t0, t1, n, recorded_ns, source, crc32, data)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(series, int(part.open_time_ns[0]), int(part.open_time_ns[-1]), len(part)),
                    *(revision.recorded_ns, revision.source, crc32, blob),
                ),
            )

    def requests(self, db: sqlite3.Connection) -> list[BackfillRequest]:
        """Return the requests for history that are not done, oldest first."""
        rows = db.execute(
            "SELECT id, instrument, timeframe, start_ns, end_ns, left_ns, replace, requested_ns FROM backfill"
            " ORDER BY requested_ns, id"
        )
        return [BackfillRequest(*row)._replace(replace=bool(row[6])) for row in rows]

    def save_request(self, db: sqlite3.Connection, request: BackfillRequest) -> None:
        """Keep a request, or how far it is; one that is done is forgotten."""
        if request.left_ns <= request.start_ns:
            db.execute("DELETE FROM backfill WHERE id=?", (request.id,))
        else:
            db.execute("INSERT OR REPLACE INTO backfill VALUES (?, ?, ?, ?, ?, ?, ?, ?)", request)
