"""Calls the data layer answers."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from atrader.messages.series import SeriesInfo, Stored
from atrader.wire import Answer, Request


class Price(BaseModel):
    """The last price of an instrument and how old it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: str
    time_ns: int
    received_ns: int
    bid: float
    ask: float
    age_s: float


class PricesAnswer(Answer):
    """Last prices; instruments without one are missing."""

    prices: tuple[Price, ...]


class GetPrices(Request):
    """Ask for the last prices (empty: of every instrument)."""

    kind: ClassVar[str] = "data.prices"
    answer: ClassVar[type[Answer]] = PricesAnswer
    instruments: tuple[str, ...] = ()


class SharedPrices(Answer):
    """Where processes of the same user on this host find the last prices in memory; descriptor -1: nowhere."""

    pid: int
    descriptor: int
    epoch: int  # of the data stream


class FindSharedPrices(Request):
    """Ask where the last prices can be mapped."""

    kind: ClassVar[str] = "data.shared-prices"
    answer: ClassVar[type[Answer]] = SharedPrices


class SharedBars(BaseModel):
    """Where processes of the same user on this host map the bars of a series."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    table: int  # descriptor of the table of series
    slot: int  # of this series
    descriptor: int  # of its columns
    number: int  # of these columns; others take their place when they are full or a bar was revised
    from_ns: int  # all bars are in it that open here or later


class BarsAnswer(Answer):
    """Header of a bars answer; ten column frames follow (order of ``BAR_COLUMNS``, little-endian), unless shared."""

    instrument: str
    timeframe: str
    count: int
    epoch: int  # of the data stream
    seq: int  # of topic bar|INSTRUMENT|TIMEFRAME: bars up to here are included
    shared: SharedBars | None = None


class GetBars(Request):
    """Ask ``data.bulk`` for complete bars with ``start_ns <= open_time < end_ns``, the last ``count`` of them.

    ``shared``: the asker can map bars; it gets frames all the same when they are not shared.
    """

    kind: ClassVar[str] = "data.bars"
    answer: ClassVar[type[Answer]] = BarsAnswer
    instrument: str
    timeframe: str
    start_ns: int | None = None
    end_ns: int | None = None
    count: int | None = None
    shared: bool = False


class FormingBar(Answer):
    """The bar of an instrument that forms now; without values none does."""

    timeframe: str
    open_time_ns: int = 0
    values: tuple[float, ...] = ()  # in the order of ``BAR_COLUMNS`` after the time


class GetForming(Request):
    """Ask for the bar that forms now: of the base timeframe, or of a longer one, which is built from here on."""

    kind: ClassVar[str] = "data.forming"
    answer: ClassVar[type[Answer]] = FormingBar
    instrument: str
    timeframe: str | None = None


class TicksAnswer(Answer):
    """Header of stored quotes; four column frames follow (time_ns, received_ns, bid, ask; little-endian).

    ``next_ns``: others follow from there on, they are asked for by another call; None: these were the last.
    """

    instrument: str
    count: int
    next_ns: int | None = None


class GetTicks(Request):
    """Ask ``data.bulk`` for the first stored quotes with ``start_ns <= time < end_ns``: 100,000 or a little more."""

    kind: ClassVar[str] = "data.ticks"
    answer: ClassVar[type[Answer]] = TicksAnswer
    instrument: str
    start_ns: int | None = None
    end_ns: int | None = None


class Subscribed(Answer):
    """The bars of this timeframe are now built and published."""

    epoch: int


class SubscribeBars(Request):
    """Ask that bars of a timeframe be built and published as they complete."""

    kind: ClassVar[str] = "data.subscribe-bars"
    answer: ClassVar[type[Answer]] = Subscribed
    instrument: str
    timeframe: str


class SeriesAnswer(Answer):
    """Stored series."""

    series: tuple[SeriesInfo, ...]


class ListSeries(Request):
    """Ask what is stored."""

    kind: ClassVar[str] = "data.series"
    answer: ClassVar[type[Answer]] = SeriesAnswer


BackfillPriority = Literal["live", "warm-up", "requested", "history"]


class BackfillJob(BaseModel):
    """A range of bars that is being fetched, or was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    instrument: str
    timeframe: str
    start_ns: int
    end_ns: int
    source: str
    priority: BackfillPriority
    replace: bool
    state: Literal["waiting", "fetching", "done", "failed"]
    done_frac: float
    pages: int
    bars: int
    reason: str


class BackfillAnswer(Answer):
    """Jobs: those that are open, the next one first, then the last ones that ended."""

    jobs: tuple[BackfillJob, ...]


class GetBackfill(Request):
    """Ask what history is being fetched."""

    kind: ClassVar[str] = "data.backfill"
    answer: ClassVar[type[Answer]] = BackfillAnswer


class RequestBars(Request):
    """Ask that missing bars be fetched from a source; with ``replace`` also those that are stored.

    Answered with the one job that does it, when a ``requested`` one is on disk. May be repeated.
    """

    kind: ClassVar[str] = "data.request-bars"
    answer: ClassVar[type[Answer]] = BackfillAnswer
    instrument: str
    timeframe: str | None = None  # None: the base timeframe
    start_ns: int
    end_ns: int
    priority: BackfillPriority = "requested"
    replace: bool = False
    source: str | None = None


class Watched(BaseModel):
    """An instrument whose bars are kept up to date, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: str
    reason: Literal["feed", "strategy", "configured", "screener", "open-trade"]


class WatchedAnswer(Answer):
    """Instruments, by symbol."""

    instruments: tuple[Watched, ...]


class GetWatched(Request):
    """Ask which instruments are kept up to date."""

    kind: ClassVar[str] = "data.watched"
    answer: ClassVar[type[Answer]] = WatchedAnswer


class ImportBars(Request):
    """Store bars that follow as ten column frames; existing ones of the same open time are replaced."""

    kind: ClassVar[str] = "data.import-bars"
    answer: ClassVar[type[Answer]]
    instrument: str
    timeframe: str
    source: str


ImportBars.answer = Stored


class ImportTicks(Request):
    """Store quotes that follow as four frames (time_ns, received_ns, bid, ask), in place of those of their period."""

    kind: ClassVar[str] = "data.import-ticks"
    answer: ClassVar[type[Answer]] = Stored
    instrument: str
    source: str


class ReplayAnswer(Answer):
    """Where the replay stands."""

    state: Literal["none", "waiting", "running", "finished"]
    market_ns: int
    done: int
    total: int
    waiting_for: tuple[str, ...]


class GetReplay(Request):
    """Ask where the replay stands."""

    kind: ClassVar[str] = "data.replay"
    answer: ClassVar[type[Answer]] = ReplayAnswer
