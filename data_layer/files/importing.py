"""From files into the store, file by file and part by part, so that what was stored stays when it is cut off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.clock import NS_PER_S
from atrader.configuration.fleet import FleetConfig
from atrader.errors import ConfigError
from atrader.market import Bars
from atrader.messages.series import Stored
from atrader.timeframes import Timeframe
from data_layer.bars.aggregation import open_times
from data_layer.files.checks import step_ns
from data_layer.files.names import timeframe_in
from data_layer.files.reading import FileRows, ReadOptions, read_source
from data_layer.files.rows import BadRow
from data_layer.files.selection import instrument_of
from data_layer.files.sides import join_sides
from data_layer.files.sources import Source
from data_layer.offline import Market
from data_layer.store.bar_merge import merged

BARS_AT_ONCE: Final = 250_000
QUOTES_AT_ONCE: Final = 100_000
QUOTES: Final = "ticks"
"""What the store calls the timeframe of quotes."""


@dataclass(frozen=True, slots=True)
class Series:
    """What one file, or a pair, brings.

    Attributes
    ----------
    sources : tuple of Source
        The files.
    rows : FileRows
        What they held.
    instrument, timeframe : str
        Where it goes; quotes have the timeframe ``ticks``.
    off_grid : int
        Bars that do not begin where the instrument's calendar begins bars of this timeframe: a sign of a wrong zone.
    """

    sources: tuple[Source, ...]
    rows: FileRows
    instrument: str
    timeframe: str
    off_grid: int

    @property
    def count(self) -> int:
        """How many rows are good."""
        return self.rows.rows

    @property
    def times(self) -> NDArray[np.int64]:
        """Times of the good rows, increasing."""
        return self.rows.bars.open_time_ns if self.rows.kind == "bars" else self.rows.quotes.time_ns

    @property
    def bad_rows(self) -> tuple[BadRow, ...]:
        """Rows that were not taken."""
        return self.rows.bad_rows

    def reasons(self) -> dict[str, int]:
        """Count the rows that were not taken by reason."""
        return dict(Counter(row.kind for row in self.bad_rows).most_common())


class Importer:
    """Reads files and brings what they hold into the store.

    Parameters
    ----------
    market : Market
        The running data layer, or its file.
    fleet : FleetConfig
        Knows the instruments and their calendars.
    options : ReadOptions
        What a person says about all files.
    instrument, timeframe : str, optional
        The same; else each file tells it.

    Raises
    ------
    ConfigError
        When the timeframe is none.
    """

    def __init__(
        self,
        market: Market,
        fleet: FleetConfig,
        options: ReadOptions,
        *,
        instrument: str | None = None,
        timeframe: str | None = None,
    ) -> None:
        self._market = market
        self._fleet = fleet
        self._options = options
        self._instrument = instrument
        try:
            self._timeframe = None if timeframe is None else Timeframe.parse(timeframe).name
        except ValueError as error:
            raise ConfigError(str(error)) from error

    def read(self, sources: tuple[Source, ...], progress: Callable[[int], None] | None = None) -> Series:
        """Read one file, or a bid and an ask file; stores nothing.

        Parameters
        ----------
        sources : tuple of Source
            From `data_layer.files.selection.grouped`.
        progress : callable, optional
            Called with the bytes read so far.

        Raises
        ------
        ConfigError
            When a file cannot be read, or instrument or timeframe cannot be told.
        """
        done = 0

        def report(read: int) -> None:
            if progress is not None:
                progress(done + read)

        parts = []
        for source in sources:
            parts.append(read_source(source, self._options, report))
            done += source.path.stat().st_size
        rows = join_sides(*parts) if len(parts) == 2 else parts[0]
        instrument = instrument_of(sources[0], rows.symbol, self._instrument, self._fleet.instruments)
        if rows.kind == "quotes":
            return Series(sources, rows, instrument, QUOTES, 0)
        timeframe = self._timeframe or _timeframe_of(rows)
        grid = open_times(rows.bars.open_time_ns, Timeframe.parse(timeframe), self._fleet.calendar_of(instrument))
        return Series(sources, rows, instrument, timeframe, int((grid != rows.bars.open_time_ns).sum()))

    def store(self, series: Series, progress: Callable[[int], None] | None = None) -> Stored:
        """Store what a file held, in parts that are in the store one after the other; may be repeated.

        A bar whose open time is stored takes its place; values that were others are kept as a revision. Quotes take
        the place of those between their first and their last.

        Parameters
        ----------
        progress : callable, optional
            Called with the number of rows stored so far.

        Raises
        ------
        StoreError
            When the store refuses; the parts before stay.
        """
        source = series.sources[0].name
        done = new = revised = 0
        for first, last in parts_of(series):
            if series.rows.kind == "bars":
                bars = series.rows.bars[first:last]
                stored = self._market.import_bars(series.instrument, series.timeframe, source, bars)
            else:
                quotes = series.rows.quotes.part(first, last)
                stored = self._market.import_quotes(series.instrument, source, quotes)
            new, revised, done = new + stored.new, revised + stored.revised, last
            if progress is not None:
                progress(done)
        return Stored(rows=done, new=new, revised=revised)

    def compare(self, series: Series) -> Stored:
        """Say what `store` would do; quotes are not compared one by one."""
        info = next(
            (
                one
                for one in self._market.series()
                if (one.instrument, one.timeframe) == (series.instrument, series.timeframe)
            ),
            None,
        )
        if info is None or series.count == 0:
            return Stored(rows=series.count, new=series.count)
        if series.rows.kind == "quotes":
            first_ns, end_ns = int(series.times[0]), int(series.times[-1]) + 1
            parts = self._market.tick_parts(series.instrument, first_ns, end_ns)
            old = sum(len(quotes.time_ns) for quotes in parts)
            return Stored(rows=series.count, new=max(0, series.count - old))
        first_ns = max(info.first_ns, int(series.times[0]))
        end_ns = min(info.last_ns, int(series.times[-1])) + 1
        # Between the first and the last bar of the series itself nothing is built from finer ones.
        old_bars = Bars.empty()
        if first_ns < end_ns:
            old_bars = self._market.bars(series.instrument, series.timeframe, start_ns=first_ns, end_ns=end_ns)
        length_ns = Timeframe.parse(series.timeframe).seconds * NS_PER_S
        return merged(old_bars, series.rows.bars, length_ns, keep=False).stored


def parts_of(series: Series) -> Iterator[tuple[int, int]]:
    """Yield where to cut what is stored; never between quotes of one time, which are replaced together."""
    times = series.times
    size = BARS_AT_ONCE if series.rows.kind == "bars" else QUOTES_AT_ONCE
    cuts = [0]
    while cuts[-1] < len(times):
        cut = min(cuts[-1] + size, len(times))
        if cut < len(times):
            cut = int(np.searchsorted(times, times[cut], side="left"))
            if cut <= cuts[-1]:
                cut = int(np.searchsorted(times, times[cuts[-1]], side="right"))
        cuts.append(cut)
    yield from pairwise(cuts)


def _timeframe_of(rows: FileRows) -> str:
    if rows.timeframe is not None:
        try:
            return Timeframe.parse(rows.timeframe).name
        except ValueError as error:
            raise ConfigError(f"{rows.file}: {error}; say the timeframe with --timeframe") from error
    named, step = timeframe_in(PurePath(rows.file).name), step_ns(rows.bars) or 0
    if named is not None and step > 0 and step % (Timeframe.parse(named).seconds * NS_PER_S) == 0:
        return named  # a quiet market, or few rows: the distance of bars may be several of them
    try:
        return Timeframe.of_ns(step).name
    except ValueError:
        pass
    if named is None:
        text = f"{rows.file}: the timeframe cannot be told from times or name; say it with --timeframe, e.g. 1m"
        raise ConfigError(text)
    return named


def weights(groups: Sequence[tuple[Source, ...]]) -> list[int]:
    """Return how many bytes on the disk each group stands for; members of one archive share its size."""
    members = Counter(source.path for sources in groups for source in sources)
    return [sum(source.path.stat().st_size // members[source.path] for source in sources) for sources in groups]
