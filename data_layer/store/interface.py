"""What a store is, so that the embedded files and a database server are two implementations of one thing.

Every method may raise `StoreError`; ``details["read_only"]`` is true when reading still works (the disk is full). A
`StoreUnavailable` says that nothing works for a while (a server is away). Everything may be repeated afterwards.
Writers are for one thread; readers see what was committed when the call began.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from atrader.errors import StoreError, StoreUnavailable
from atrader.market import Bar, Bars, Quotes, Tick
from atrader.messages.series import SeriesInfo, Stored
from data_layer.store.ranges import TimeRange
from data_layer.tick_pages import PAGE_ROWS, QuotePage

if TYPE_CHECKING:  # only said what history takes: who reads bars need not build the messages of gateways
    from atrader.messages.gateway import OutboxRow
    from atrader.messages.history import QueryHistory

StoreState = Literal["ok", "read-only", "away"]
"""How a store is: it can be read and written, only read (its disk is full), or neither (its server is away)."""


def worst(*states: StoreState) -> StoreState:
    """Return the state that allows least."""
    return next((state for state in ("away", "read-only") if state in states), "ok")


def state_after(error: StoreError) -> StoreState | None:
    """Return the state that an error tells of; None when it will not pass by itself."""
    if isinstance(error, StoreUnavailable):
        return "away"
    return "read-only" if error.details.get("read_only") else None


class MarketBatch(NamedTuple):
    """What a live market brings between two commits.

    Attributes
    ----------
    timeframe : str
        Of all bars in it.
    source : str
        Who brought them.
    bars : sequence of (str, Bar)
        Complete bars by instrument; older or equal open times replace what is stored.
    ticks : sequence of Tick
        Quotes to keep, oldest first for each instrument.
    forming : mapping of str to Bar
        The bars that form now, to go on from after a restart.
    id : str
        Tells its quotes from others: those of the batch that was stored last are not stored a second time, so a write
        whose outcome is not known may be repeated. Empty: they are.
    """

    timeframe: str
    source: str
    bars: Sequence[tuple[str, Bar]]
    ticks: Sequence[Tick]
    forming: Mapping[str, Bar]
    id: str = ""


class Revision(NamedTuple):
    """Stored bars that others took the place of.

    Attributes
    ----------
    recorded_ns : int
        When, ns UTC.
    source : str
        Who brought the others.
    replaced : Bars
        The bars as they were before.
    """

    recorded_ns: int
    source: str
    replaced: Bars


class BackfillRequest(NamedTuple):
    """A range of bars that somebody asked for, and how far it is.

    Attributes
    ----------
    id : str
        Given by who asked; the same id is the same request.
    start_ns, end_ns : int
        What was asked for.
    left_ns : int
        Everything from there on is done: the newest bars come first. At `start_ns` the request is done.
    replace : bool
        Whether bars that are stored are fetched again.
    """

    id: str
    instrument: str
    timeframe: str
    start_ns: int
    end_ns: int
    left_ns: int
    replace: bool
    requested_ns: int


class Damage(NamedTuple):
    """Stored bars or quotes that are lost: what their place holds is not what was written.

    Attributes
    ----------
    instrument, timeframe : str
        Of the series; ``ticks`` for quotes.
    first_ns, last_ns : int
        Times of the first and the last row that was there.
    rows : int
        How many.
    reason : str
        How it was found out.
    """

    instrument: str
    timeframe: str
    first_ns: int
    last_ns: int
    rows: int
    reason: str


class MarketReader(Protocol):
    """Reads bars and quotes. What is damaged is left out, told to `on_damage`, and everything else is served.

    Attributes
    ----------
    on_damage : callable
        Gets each damaged part that a reading came across, once.
    """

    on_damage: Callable[[Damage], None]

    def damages(self) -> Iterator[tuple[SeriesInfo, list[Damage]]]:
        """Read everything there is, series by series; yield what is damaged of each, also when nothing is."""
        ...

    def series(self, instrument: str | None = None) -> list[SeriesInfo]:
        """List the series (of one instrument), by length of the timeframe; quotes have the timeframe ``ticks``."""
        ...

    def bars(self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        """Return the stored bars of exactly this timeframe with ``start_ns <= open_time < end_ns``."""
        ...

    def last_bar(self, instrument: str, timeframe: str) -> Bar | None:
        """Return the newest stored bar."""
        ...

    def forming(self, timeframe: str) -> dict[str, Bar]:
        """Return the bars that were forming at the last commit, by instrument."""
        ...

    def origins(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[TimeRange]:
        """Return who brought the bars, as ranges that overlap ``[start_ns, end_ns)``, oldest first.

        A bar belongs to the range that holds its open time; a range may have holes.
        """
        ...

    def answered(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[TimeRange]:
        """Return the ranges that a source has told everything about, oldest first: what is missing there is no gap."""
        ...

    def revisions(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[Revision]:
        """Return what was replaced with open times in ``[start_ns, end_ns)``, in the order it happened.

        The revision of a bar is how often it is in there: 0 for one that is as it came.
        """
        ...

    def backfills(self) -> list[BackfillRequest]:
        """Return the requests for history that are not done, oldest first."""
        ...

    def tick_page(
        self, instrument: str, start_ns: int | None = None, end_ns: int | None = None, rows: int = PAGE_ROWS
    ) -> QuotePage:
        """Return the first quotes with ``start_ns <= time < end_ns``, oldest first: about `rows`, or all that are left.

        Quotes of one time are never on two pages. `tick_pages` asks for one page after the other.
        """
        ...

    def close(self) -> None:
        """Close; may be called twice."""
        ...


class MarketStore(MarketReader, Protocol):
    """Reads and writes bars and quotes. Survives the death of the process; a power failure costs the last commits."""

    def write(self, batch: MarketBatch) -> None:
        """Store a batch in one transaction."""
        ...

    def put_bars(
        self,
        instrument: str,
        timeframe: str,
        source: str,
        bars: Bars,
        *,
        keep: bool = False,
        answered: tuple[int, int] | None = None,
        progress: BackfillRequest | None = None,
    ) -> Stored:
        """Store bars in one transaction; may be repeated. Values that are replaced by others are kept as a revision.

        Parameters
        ----------
        keep : bool
            Whether a stored bar stays when one of the same open time comes; else the new one takes its place.
        answered : (int, int), optional
            The source has told everything in this range: bars that are missing there do not exist.
        progress : BackfillRequest, optional
            How far a request is now, saved together with the bars.

        Raises
        ------
        ValueError
            When open times do not strictly increase.
        """
        ...

    def save_backfill(self, request: BackfillRequest) -> None:
        """Keep a request for history, or how far it is; one that is done is forgotten."""
        ...

    def mend(self, instrument: str, timeframe: str) -> list[Damage]:
        """Forget the damaged parts of a series in one transaction, and that their time was answered: they are gaps."""
        ...

    def put_quotes(self, instrument: str, source: str, quotes: Quotes) -> Stored:
        """Store quotes (oldest first) in one transaction, in place of all that are stored between first and last.

        May be repeated. Raises ValueError when times go backwards.
        """
        ...

    def tidy(self) -> None:
        """Do the housekeeping that is due; called when there is nothing else to do."""
        ...


class ArchiveFile(NamedTuple):
    """A file that rows of a history table were moved to.

    Attributes
    ----------
    file : str
        Path below the archive directory.
    table_name : str
        Table of the rows.
    rows : int
        How many.
    first_ns, last_ns : int
        Their first and last time.
    crc32 : int
        Checksum of the file's bytes.
    """

    file: str
    table_name: str
    rows: int
    first_ns: int
    last_ns: int
    crc32: int


class HistoryReader(Protocol):
    """Reads the history."""

    def query(self, query: QueryHistory) -> list[dict[str, object]]:
        """Return rows, oldest first; with a limit the newest so many. Money is text, times are ns UTC."""
        ...

    def last_seq(self, source: str) -> int:
        """Return the highest number of a source that is on disk, 0 for none."""
        ...

    def old_rows(self, table: str, before_ns: int, limit: int) -> list[dict[str, Any]]:
        """Return the oldest rows of a table that may be archived, with every column, oldest first.

        Older than `before_ns`, and of what is over: a trade that is open or closed after `before_ns` stays, with its
        intents, orders, fills and signals.
        """
        ...

    def archives(self) -> list[ArchiveFile]:
        """List the files that rows were moved to, oldest first."""
        ...

    def close(self) -> None:
        """Close; may be called twice."""
        ...


class HistoryStore(HistoryReader, Protocol):
    """Reads and writes the history. What a write returned for survives a power failure."""

    def append(self, batches: Sequence[tuple[str, Sequence[OutboxRow]]]) -> list[int]:
        """Append rows of outboxes, all in one transaction that is on disk before this returns.

        Rows with a number up to the source's last one are skipped, so a batch may be repeated. A version of an order
        or trade that is older than the stored one changes nothing.

        Parameters
        ----------
        batches : sequence of (source, rows)
            Rows in the order of their numbers.

        Returns
        -------
        list of int
            The last number of each batch's source.
        """
        ...

    def archive(self, file: ArchiveFile, rows: Sequence[Mapping[str, object]]) -> None:
        """Delete rows (as `old_rows` gave them) that a file holds, and list the file; both or nothing.

        Raises
        ------
        StoreError
            When not every one of the rows is there as it was; then nothing was deleted.
        """
        ...

    def tidy(self) -> None:
        """Do the housekeeping that is due; called when there is nothing else to do."""
        ...
