"""What can be asked of the data layer: one definition for both clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from atrader.bus.questions import Question
from atrader.frames import frames_of_bars, frames_of_quotes, quotes_of_frames
from atrader.market import Bars, Quotes
from atrader.messages.data import (
    BackfillJob,
    BarsAnswer,
    FindSharedPrices,
    FormingBar,
    GetBackfill,
    GetBars,
    GetForming,
    GetPrices,
    GetReplay,
    GetTicks,
    GetWatched,
    ImportBars,
    ImportTicks,
    ListSeries,
    Price,
    ReplayAnswer,
    RequestBars,
    SharedPrices,
    SubscribeBars,
    Watched,
)
from atrader.messages.gateway import OutboxRow
from atrader.messages.history import AppendHistory, GetStatistics, LastSeq, QueryHistory
from atrader.messages.operations import GetOperation, OperationAnswer, StartOperation
from atrader.messages.series import CoverageAnswer, GetCoverage, SeriesInfo, Stored
from data_layer.tick_pages import QuotePage


def prices(instruments: Sequence[str] = ()) -> Question[tuple[Price, ...]]:
    """Return the last prices with their age (none named: of all instruments); those without one are missing."""
    return Question(GetPrices(instruments=tuple(instruments)), lambda answer, _: answer.prices)


def shared_prices() -> Question[SharedPrices]:
    """Return where the last prices can be mapped."""
    return Question(FindSharedPrices(), _whole_answer)


def forming_bar(instrument: str, timeframe: str | None = None) -> Question[FormingBar]:
    """Return the bar that forms now, of the base timeframe or of a longer one."""
    return Question(GetForming(instrument=instrument, timeframe=timeframe), _whole_answer)


def bars(request: GetBars) -> Question[tuple[BarsAnswer, list[memoryview]]]:
    """Return the header of an answer with bars, and their columns."""
    return Question(request, lambda answer, frames: (answer, frames), is_slow=True, is_large=True)


def ticks(instrument: str, start_ns: int | None = None, end_ns: int | None = None) -> Question[QuotePage]:
    """Return the first stored quotes with ``start_ns <= time < end_ns``, oldest first: 100,000 or a little more.

    ``next_ns`` of the page says from when to ask for the others; `tick_pages` asks for all.
    """
    request = GetTicks(instrument=instrument, start_ns=start_ns, end_ns=end_ns)
    return Question(request, _quote_page, is_slow=True, is_large=True)


def coverage(
    instrument: str,
    timeframe: str,
    *,
    start_ns: int | None = None,
    end_ns: int | None = None,
    count: int | None = None,
) -> Question[CoverageAnswer]:
    """Return what is missing of what the bars of a period, or the last `count` bars, are built from."""
    request = GetCoverage(instrument=instrument, timeframe=timeframe, start_ns=start_ns, end_ns=end_ns, count=count)
    return Question(request, _whole_answer, is_slow=True, is_large=True)


def request_bars(request: RequestBars) -> Question[BackfillJob]:
    """Ask that missing bars be fetched from a source; return the job that does it. One of a person is on disk then.

    Raises `Rejected` when no source has such bars, or nothing of the range is past.
    """
    return Question(request, lambda answer, _: answer.jobs[0])


def backfill() -> Question[tuple[BackfillJob, ...]]:
    """Return what history is being fetched, the next first, and what was fetched last."""
    return Question(GetBackfill(), lambda answer, _: answer.jobs)


def watched() -> Question[tuple[Watched, ...]]:
    """Return the instruments whose bars are kept up to date, and why."""
    return Question(GetWatched(), lambda answer, _: answer.instruments)


def subscribe_bars(instrument: str, timeframe: str) -> Question[int]:
    """Ask that bars of a timeframe be built and published; return the epoch of the stream."""
    return Question(SubscribeBars(instrument=instrument, timeframe=timeframe), lambda answer, _: int(answer.epoch))


def series() -> Question[tuple[SeriesInfo, ...]]:
    """Return what is stored."""
    return Question(ListSeries(), lambda answer, _: answer.series)


def import_bars(instrument: str, timeframe: str, source: str, bars: Bars) -> Question[Stored]:
    """Store bars; those with the same open time are replaced. In the store when this returns."""
    request = ImportBars(instrument=instrument, timeframe=timeframe, source=source)
    return Question(request, _whole_answer, frames_of_bars(bars), is_slow=True)


def import_quotes(instrument: str, source: str, quotes: Quotes) -> Question[Stored]:
    """Store quotes of one instrument, in place of those of their period. In the store when this returns."""
    request = ImportTicks(instrument=instrument, source=source)
    return Question(request, _whole_answer, frames_of_quotes(quotes), is_slow=True)


def append_history(source: str, rows: Sequence[OutboxRow]) -> Question[int]:
    """Append rows of an outbox; return the last number of the source that is on disk (synced)."""
    request = AppendHistory(source=source, rows=tuple(row.model_dump(mode="json") for row in rows))
    return Question(request, lambda answer, _: int(answer.last_seq))


def history(query: QueryHistory) -> Question[list[dict[str, Any]]]:
    """Return rows of the history, oldest first; money as text, times ns UTC."""
    return Question(query, lambda answer, _: list(answer.rows), is_slow=True)


def statistics(request: GetStatistics) -> Question[list[dict[str, Any]]]:
    """Return statistics of trades, a map for each group."""
    return Question(request, lambda answer, _: list(answer.rows), is_slow=True)


def start_operation(request: StartOperation) -> Question[OperationAnswer]:
    """Begin an operation on the stores; refused while another one works."""
    return Question(request, _whole_answer)


def operation(number: int) -> Question[OperationAnswer]:
    """Return how far an operation is; raises what it raised when it failed."""
    return Question(GetOperation(id=number), _whole_answer)


def last_seq(source: str) -> Question[int]:
    """Return how far an outbox is in the history."""
    return Question(LastSeq(source=source), lambda answer, _: int(answer.last_seq))


def replay() -> Question[ReplayAnswer]:
    """Return where the replay stands."""
    return Question(GetReplay(), _whole_answer)


def _quote_page(answer: Any, frames: list[memoryview]) -> QuotePage:
    return QuotePage(quotes_of_frames(frames), answer.next_ns)


def _whole_answer(answer: Any, frames: list[memoryview]) -> Any:
    return answer
