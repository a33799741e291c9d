"""One kind of columnar rows (bars, quotes) in a database: chunks of blobs, then a tail of single rows.

Rows are ordered by their first column, a time. All rows of the tail are later than (or as late as) those of the chunks,
and chunks do not overlap, so reading is: the chunks in order, then the tail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_layer.store.blobs import CHUNK_ROWS, block, columns_of, pack, unpack
from data_layer.store.database import DamagedPages, Database
from data_layer.store.images import FEWEST_ROWS, Chunk, Images

Columns = tuple[NDArray[np.generic], ...]


class BadChunk(NamedTuple):
    """A chunk whose rows cannot be read, or are not what was written."""

    series: int
    id: int
    first_ns: int
    last_ns: int
    rows: int
    reason: str = ""


class ColumnTable:
    """Reads and writes the columns of many series.

    Parameters
    ----------
    kind : str
        Prefix of the tables.
    names : sequence of str
        Columns; the first is the time.
    integers : int
        How many of the columns, from the first on, are int64; the others are float64.
    on_damage : callable
        Gets the chunks that are left out because they are damaged.
    """

    def __init__(
        self, kind: str, names: Sequence[str], integers: int, on_damage: Callable[[list[BadChunk]], None]
    ) -> None:
        self._on_damage = on_damage
        self._tail_counts: dict[int, int] = {}  # by series, to count them seldom
        self._names = tuple(names)
        self._integers = integers
        self._dtypes = [np.dtype(np.int64)] * integers + [np.dtype(np.float64)] * (len(names) - integers)
        self._chunks = f"{kind}_chunk"
        self._tail = f"{kind}_tail"
        self._time = names[0]
        self._list = ", ".join(names)
        replaced = ", ".join(f"{name}=excluded.{name}" for name in names[1:])
        self._upsert = (
            f"INSERT INTO {self._tail} (series, number, {self._list}) VALUES ({', '.join('?' * (len(names) + 2))})"
            f" ON CONFLICT (series, {self._time}, number) DO UPDATE SET {replaced}"
        )

    def empty(self) -> Columns:
        """Return no rows."""
        return tuple(np.empty(0, dtype) for dtype in self._dtypes)

    def read(self, db: Database, series: int, start_ns: int, end_ns: int, images: Images | None = None) -> Columns:
        """Return the rows with ``start_ns <= time < end_ns``, without those of damaged chunks.

        Parameters
        ----------
        images : Images, optional
            Where many chunks may be found, or are left for the next who reads them.
        """
        where = f"FROM {self._chunks} WHERE series=? AND t1>=? AND t0<?"
        limits = (series, start_ns, end_ns)
        total = int(db.execute(f"SELECT coalesce(sum(n), 0) {where}", limits).fetchone()[0])
        tail = db.execute(
            f"SELECT {self._list} FROM {self._tail} WHERE series=? AND {self._time}>=? AND {self._time}<?"
            f" ORDER BY {self._time}, number",
            limits,
        ).fetchall()
        if images is not None and total >= FEWEST_ROWS:
            room, total = self._read_images(db, where, limits, total + len(tail), images)
        else:
            room = block(len(self._names), total + len(tail))
            total = self._read_into(db, where, limits, room) if total else 0
        columns = columns_of(room[:, : total + len(tail)], self._integers)
        for column, values in zip(columns, zip(*tail, strict=True), strict=False):
            column[total:] = values
        first, last = np.searchsorted(columns[0], (start_ns, end_ns))
        return tuple(column[first:last] for column in columns)

    def page_end(self, db: Database, series: int, start_ns: int, end_ns: int, rows: int) -> int | None:
        """Return where to cut off a page of about so many rows from the begin of a period; None: all of it is one.

        Never between rows of one time. A page is made of whole chunks, so that none is read twice.
        """
        chunks = max(1, rows // CHUNK_ROWS)
        last = db.execute(
            f"SELECT t1 FROM {self._chunks} WHERE series=? AND t1>=? AND t0<? ORDER BY t0, id LIMIT ?",
            (series, start_ns, end_ns, chunks + 1),
        ).fetchall()
        return int(last[chunks - 1][0]) + 1 if len(last) > chunks else None

    def extent(self, db: Database, series: int) -> tuple[int, int, int]:
        """Return number of rows, first and last time; zeros when there are none."""
        return self.extents(db, series).get(series, (0, 0, 0))

    def extents(self, db: Database, series: int | None = None) -> dict[int, tuple[int, int, int]]:
        """Return number of rows, first and last time of every series (or one) that has any, by series."""
        where = "" if series is None else " WHERE series=?"
        found: dict[int, tuple[int, int, int]] = {}
        for number, count, first_ns, last_ns in db.execute(
            f"SELECT series, sum(n), min(t0), max(t1) FROM {self._chunks}{where} GROUP BY series"
            f" UNION ALL SELECT series, count(*), min({self._time}), max({self._time}) FROM {self._tail}{where}"
            " GROUP BY series",
            () if series is None else (series, series),
        ).fetchall():
            before = found.get(number, (0, first_ns, last_ns))
            found[number] = (before[0] + int(count), min(before[1], first_ns), max(before[2], last_ns))
        return found

    def last_chunk_ns(self, db: Database, series: int) -> int:
        """Return the last time in the chunks, the smallest int64 when there are none: rows after it go to the tail."""
        row = db.execute(f"SELECT t1 FROM {self._chunks} WHERE series=? ORDER BY t0 DESC LIMIT 1", (series,)).fetchone()
        return -(2**63) if row is None else int(row[0])

    def last_ns(self, db: Database, series: int) -> int:
        """Return the last time, the smallest int64 when there is none."""
        row = db.execute(f"SELECT max({self._time}) FROM {self._tail} WHERE series=?", (series,)).fetchone()
        return self.last_chunk_ns(db, series) if row[0] is None else int(row[0])

    def append(self, db: Database, series: int, rows: Sequence[tuple[Any, ...]], number: int = 0) -> None:
        """Add single rows later than all chunks, inside a transaction; rows of equal time and number are replaced.

        Parameters
        ----------
        number : int
            Number of the first row; tells rows of the same time apart where a series may have them. With 0 for every
            row (bars) a time is unique.
        """
        step = 1 if number else 0
        db.executemany(self._upsert, ((series, number + index * step, *row) for index, row in enumerate(rows)))

    def roll(self, db: Database, series: int, added: int) -> None:
        """Turn a full tail into chunks, inside a transaction, after so many rows were added."""
        known = self._tail_counts.get(series)
        # At least as many as there are: a row that took the place of another counts twice, one rolled back too.
        if known is None or known + added >= CHUNK_ROWS:
            count = db.execute(f"SELECT count(*) FROM {self._tail} WHERE series=?", (series,)).fetchone()[0]
            self._tail_counts[series] = int(count)
        else:
            self._tail_counts[series] = known + added
        if self._tail_counts[series] < CHUNK_ROWS:
            return
        del self._tail_counts[series]
        rows = db.execute(
            f"SELECT {self._list} FROM {self._tail} WHERE series=? ORDER BY {self._time}, number", (series,)
        ).fetchall()
        values = zip(*rows, strict=True)
        columns = tuple(np.array(column, dtype) for column, dtype in zip(values, self._dtypes, strict=True))
        db.execute(f"DELETE FROM {self._tail} WHERE series=?", (series,))
        self._insert_chunks(db, series, columns)

    def replace(self, db: Database, series: int, start_ns: int, end_ns: int, columns: Columns) -> list[BadChunk]:
        """Put rows in place of all with ``start_ns <= time < end_ns``, inside a transaction.

        Parameters
        ----------
        columns : Columns
            Rows of that time, in its order.

        Returns
        -------
        list of BadChunk
            Damaged chunks that are gone now, with rows of other times too.
        """
        where = f"FROM {self._chunks} WHERE series=? AND t1>=? AND t0<?"
        limits = (series, self._start_of_short_chunk(db, series, start_ns), end_ns)
        rows = int(db.execute(f"SELECT coalesce(sum(n), 0) {where}", limits).fetchone()[0])
        room = block(len(self._names), rows)
        bad: list[BadChunk] = []
        rows = self._read_into(db, where, limits, room, bad)
        old = columns_of(room[:, :rows], self._integers)
        db.execute(f"DELETE {where}", limits)
        # What the tail has up to the last new row becomes part of the chunks: the tail stays the latest.
        old = self._tail_rows(db, series, end_ns, old)
        db.execute(f"DELETE FROM {self._tail} WHERE series=? AND {self._time}<?", (series, end_ns))
        first, last = np.searchsorted(old[0], (start_ns, end_ns))  # chunks, and the tail after them, are in order
        if first or last < len(old[0]):
            parts = ((before[:first], new, before[last:]) for new, before in zip(columns, old, strict=True))
            columns = tuple(map(np.concatenate, parts))
        self._insert_chunks(db, series, columns)
        return bad

    def _start_of_short_chunk(self, db: Database, series: int, start_ns: int) -> int:
        """Return where to begin so that the chunk before, if it is short, is filled up; many small imports add up."""
        row = db.execute(
            f"SELECT t0, n FROM {self._chunks} WHERE series=? AND t0<? ORDER BY t0 DESC LIMIT 1", (series, start_ns)
        ).fetchone()
        return int(row[0]) if row is not None and row[1] < CHUNK_ROWS else start_ns

    def _tail_rows(self, db: Database, series: int, end_ns: int, before: Columns) -> Columns:
        rows = db.execute(
            f"SELECT {self._list} FROM {self._tail} WHERE series=? AND {self._time}<? ORDER BY {self._time}, number",
            (series, end_ns),
        ).fetchall()
        if not rows:
            return before
        tail = zip(*rows, strict=True)
        return tuple(np.concatenate([a, np.array(b, a.dtype)]) for a, b in zip(before, tail, strict=True))

    def bad_chunks(self, db: Database, series: int) -> list[BadChunk]:
        """Read every chunk of a series; return those that are damaged, without telling `on_damage`."""
        bad: list[BadChunk] = []
        for chunk, crc32, data in self._stream(db, f"FROM {self._chunks} WHERE series=?", (series,), bad):
            self._unpack(chunk, crc32, data, block(len(self._names), chunk.rows), 0, bad)
        return bad

    def drop(self, db: Database, chunks: Sequence[BadChunk]) -> None:
        """Delete chunks, inside a transaction."""
        db.executemany(f"DELETE FROM {self._chunks} WHERE id=?", ((chunk.id,) for chunk in chunks))

    def _read_into(
        self,
        db: Database,
        where: str,
        limits: Sequence[int],
        room: NDArray[np.int64],
        lost: list[BadChunk] | None = None,
    ) -> int:
        """Fill a block from the start with the rows of chunks; return how many. `lost` gets the damaged ones."""
        bad: list[BadChunk] = [] if lost is None else lost
        place = 0
        for chunk, crc32, data in self._stream(db, where, limits, bad):
            place += self._unpack(chunk, crc32, data, room, place, bad)
        if bad:
            self._on_damage(bad)
        return place

    def _read_images(
        self, db: Database, where: str, limits: tuple[int, int, int], rows: int, images: Images
    ) -> tuple[NDArray[np.int64], int]:
        """Return a block with room for so many rows, and how many of it are filled from chunks."""
        series, _, end_ns = limits
        try:
            with closing(db.stream(f"SELECT t0, t1, n, crc32 {where} ORDER BY t0, id", limits)) as listed:
                chunks = [Chunk(*row) for row in listed]
        except DamagedPages:  # reading one by one says which chunks they hold
            room = block(len(self._names), rows)
            return room, self._read_into(db, where, limits, room)
        found = images.find(series, chunks, rows)
        if found is None:
            room = block(len(self._names), rows)
            total = self._read_into(db, where, limits, room)
            if total == sum(chunk.rows for chunk in chunks):
                images.keep(series, chunks, room)
            return room, total
        total = found.rows
        if found.chunks < len(chunks):
            rest = (series, chunks[found.chunks].first_ns, end_ns)
            total += self._read_into(db, where, rest, found.room[:, total:])
        return found.room, total

    def _stream(
        self, db: Database, where: str, limits: Sequence[int], bad: list[BadChunk]
    ) -> Iterator[tuple[BadChunk, int, bytes]]:
        """Yield chunks in order, with checksum and blob; those on pages that cannot be read are added to `bad`."""
        done = -1
        try:
            statement = f"SELECT id, series, t0, t1, n, crc32 {where} ORDER BY t0, id"
            with closing(db.stream_blobs(self._chunks, statement, limits)) as rows:
                for number, series, *place, crc32, data in rows:
                    yield BadChunk(series, number, *place), crc32, data
                    done = number
        except DamagedPages:
            pass
        else:
            return
        # One by one, from the index: the pages of a single chunk are damaged, and the others can be read.
        chunks = db.execute(f"SELECT series, id, t0, t1, n {where} ORDER BY t0, id", limits).fetchall()
        ids = [row[1] for row in chunks]
        for row in chunks[ids.index(done) + 1 if done in ids else 0 :]:
            chunk = BadChunk(*row)
            try:
                with closing(db.stream(f"SELECT crc32, data FROM {self._chunks} WHERE id=?", (chunk.id,))) as rows:
                    for crc32, data in rows:
                        yield chunk, crc32, data
            except DamagedPages as error:
                bad.append(chunk._replace(reason=error.message))

    def _unpack(
        self, chunk: BadChunk, crc32: int, data: bytes, room: NDArray[np.int64], place: int, bad: list[BadChunk]
    ) -> int:
        """Write the rows of a chunk into a block; return how many, 0 when it is damaged and noted as such."""
        try:
            unpack(data, crc32, room, slice(place, place + chunk.rows))
        except ValueError as error:
            bad.append(chunk._replace(reason=str(error)))
            return 0
        return chunk.rows

    def _insert_chunks(self, db: Database, series: int, columns: Columns) -> None:
        db.insert(self._chunks, ("series", "t0", "t1", "n", "crc32", "data"), self._chunk_rows(series, columns))

    def _chunk_rows(self, series: int, columns: Columns) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(columns[0]), CHUNK_ROWS):
            part = tuple(column[start : start + CHUNK_ROWS] for column in columns)
            blob, crc32 = pack(part)
            yield series, int(part[0][0]), int(part[0][-1]), len(part[0]), crc32, blob
