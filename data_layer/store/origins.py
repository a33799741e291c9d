"""Who brought which bars: ranges of time, the newest of which may be open, so that a live bar need not lengthen it.

An open range ends where the series ends. It is written with the first bar of a source; the bars that follow from there
change nothing but the tail. Whatever else is put into the series closes it first.
"""

from __future__ import annotations

from typing import Final

from data_layer.store.bar_records import BarRecords
from data_layer.store.column_table import ColumnTable
from data_layer.store.database import Database
from data_layer.store.ranges import TimeRange

_OPEN_NS: Final = 2**63 - 1  # in place of an end


class Origins:
    """Reads and writes the origins of bars; writes inside a transaction of the caller.

    Parameters
    ----------
    bars : ColumnTable
        The bars.
    records : BarRecords
        Where the ranges are.
    """

    def __init__(self, bars: ColumnTable, records: BarRecords) -> None:
        self._bars = bars
        self._records = records

    def ranges(self, db: Database, series: int, length_ns: int, start_ns: int, end_ns: int) -> list[TimeRange]:
        """Return the ranges of a series that overlap ``[start_ns, end_ns)``, whole, oldest first.

        Parameters
        ----------
        length_ns : int
            Nominal length of its bars.
        """
        found = self._records.ranges(db, series, "origin", start_ns, end_ns)
        if found and found[-1].end_ns == _OPEN_NS:
            last = found.pop()._replace(end_ns=self._bars.last_ns(db, series) + length_ns)
            if last.end_ns > max(last.start_ns, start_ns):
                found.append(last)
        return found

    def paint(self, db: Database, series: int, new: TimeRange) -> None:
        """Put a range over those that are there, none of which is open."""
        self._records.paint(db, series, "origin", new)

    def follow(self, db: Database, series: int, length_ns: int, last_ns: int, start_ns: int, source: str) -> None:
        """Note who brought the bars from `start_ns` on, which are later than the last one so far at `last_ns`."""
        row = db.execute(
            "SELECT end_ns, source FROM bar_range WHERE series=? AND kind='origin' ORDER BY start_ns DESC LIMIT 1",
            (series,),
        ).fetchone()
        if row is not None and tuple(row) == (_OPEN_NS, source):
            return
        self.close(db, series, last_ns + length_ns)
        self.paint(db, series, TimeRange(start_ns, _OPEN_NS, source))

    def close(self, db: Database, series: int, end_ns: int) -> None:
        """Give the open range, if there is one, an end: that of the last bar so far."""
        which = "WHERE series=? AND kind='origin' AND end_ns=?"
        db.execute(f"DELETE FROM bar_range {which} AND start_ns>=?", (series, _OPEN_NS, end_ns))  # its bars are gone
        db.execute(f"UPDATE bar_range SET end_ns=? {which}", (end_ns, series, _OPEN_NS))
