"""What a database knows of bars besides values: who brought them, what was answered, what was replaced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Literal

import numpy as np

from atrader.market import BAR_COLUMNS, Bars
from data_layer.store.blobs import CHUNK_ROWS, block, columns_of, pack, unpack
from data_layer.store.database import Database
from data_layer.store.interface import BackfillRequest, Revision
from data_layer.store.ranges import TimeRange, painted

RangeKind = Literal["origin", "answered"]


class BarRecords:
    """Reads and writes these records; writes inside a transaction of the caller."""

    def ranges(self, db: Database, series: int, kind: RangeKind, start_ns: int, end_ns: int) -> list[TimeRange]:
        """Return the ranges of a series that overlap ``[start_ns, end_ns)``, whole, oldest first."""
        rows = db.execute(
            "SELECT start_ns, end_ns, source FROM bar_range WHERE series=? AND kind=? AND end_ns>? AND start_ns<?"
            " ORDER BY start_ns",
            (series, kind, start_ns, end_ns),
        )
        return [TimeRange(*row) for row in rows]

    def paint(self, db: Database, series: int, kind: RangeKind, new: TimeRange) -> None:
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

    def forget_answers(self, db: Database, series: int, start_ns: int, end_ns: int) -> None:
        """Forget that somebody has told everything about a time; what was answered beside it stays."""
        for old in self.ranges(db, series, "answered", start_ns, end_ns):
            db.execute(
                "DELETE FROM bar_range WHERE series=? AND kind=? AND start_ns=?", (series, "answered", old.start_ns)
            )
            for part in (old._replace(end_ns=start_ns), old._replace(start_ns=end_ns)):
                if part.start_ns < part.end_ns:
                    db.execute("INSERT INTO bar_range VALUES (?, ?, ?, ?, ?)", (series, "answered", *part))

    def revisions(self, db: Database, series: int, start_ns: int, end_ns: int) -> list[Revision]:
        """Return what was replaced with open times in ``[start_ns, end_ns)``, in the order it happened."""
        found = []
        statement = (
            "SELECT n, recorded_ns, source, crc32, data FROM bar_revision WHERE series=? AND t1>=? AND t0<? ORDER BY id"
        )
        with closing(db.stream(statement, (series, start_ns, end_ns))) as rows:
            for n, recorded_ns, source, crc32, data in rows:
                room = block(len(BAR_COLUMNS), n)
                try:
                    unpack(data, crc32, room, slice(0, n))
                except ValueError as error:
                    raise db.damaged(str(error)) from error
                bars = Bars(*columns_of(room, 1))
                first, last = np.searchsorted(bars.open_time_ns, (start_ns, end_ns))
                found.append(Revision(recorded_ns, source, bars[int(first) : int(last)]))
        return [one for one in found if len(one.replaced)]

    def revise(self, db: Database, series: int, revision: Revision) -> None:
        """Keep the values that are being replaced."""
        columns = ("series", "t0", "t1", "n", "recorded_ns", "source", "crc32", "data")
        db.insert("bar_revision", columns, _revision_rows(series, revision))

    def requests(self, db: Database) -> list[BackfillRequest]:
        """Return the requests for history that are not done, oldest first."""
        rows = db.execute(
            "SELECT id, instrument, timeframe, start_ns, end_ns, left_ns, replace, requested_ns FROM backfill"
            " ORDER BY requested_ns, id"
        ).fetchall()
        return [BackfillRequest(*row)._replace(replace=bool(row[6])) for row in rows]

    def save_request(self, db: Database, request: BackfillRequest) -> None:
        """Keep a request, or how far it is; one that is done is forgotten."""
        if request.left_ns <= request.start_ns:
            db.execute("DELETE FROM backfill WHERE id=?", (request.id,))
        else:
            db.execute(
                f"INSERT INTO backfill ({', '.join(request._fields)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET left_ns=excluded.left_ns",
                (*request[:6], int(request.replace), request.requested_ns),
            )


def _revision_rows(series: int, revision: Revision) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(revision.replaced), CHUNK_ROWS):
        part = revision.replaced[start : start + CHUNK_ROWS]
        blob, crc32 = pack(part.columns)
        first_ns, last_ns = int(part.open_time_ns[0]), int(part.open_time_ns[-1])
        yield series, first_ns, last_ns, len(part), revision.recorded_ns, revision.source, crc32, blob
