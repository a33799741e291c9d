"""Calls of the data layer about the history of trading."""

from __future__ import annotations

from typing import ClassVar

from atrader.history_tables import HistoryTable, TradeGroup
from atrader.wire import Answer, Request


class AppendHistory(Request):
    """Rows of an outbox, in sequence order. Answered after they are on disk; rows seen before are skipped."""

    kind: ClassVar[str] = "data.append-history"
    answer: ClassVar[type[Answer]]
    source: str  # "gateway:NAME", "worker:NAME", "manager"
    rows: tuple[dict[str, object], ...]  # OutboxRow maps (atrader/messages/gateway.py)


class Appended(Answer):
    """Highest sequence number of this source on disk."""

    last_seq: int


AppendHistory.answer = Appended


class HistoryAnswer(Answer):
    """Rows of a history table, oldest first."""

    rows: tuple[dict[str, object], ...]


class QueryHistory(Request):
    """Ask for history; money comes as strings, times as ns UTC."""

    kind: ClassVar[str] = "data.history"
    answer: ClassVar[type[Answer]] = HistoryAnswer
    table: HistoryTable
    magic: int | None = None
    instance: str | None = None
    account: str | None = None
    instrument: str | None = None
    state: str | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    limit: int | None = None
    archived: bool = False  # read the archive's files too


class StatisticsAnswer(Answer):
    """Statistics of groups of trades, see ``docs/statistics.md``."""

    rows: tuple[dict[str, object], ...]


class GetStatistics(Request):
    """Ask for statistics of trades that were opened with ``start_ns <= open_time < end_ns``."""

    kind: ClassVar[str] = "data.statistics"
    answer: ClassVar[type[Answer]] = StatisticsAnswer
    by: TradeGroup = "instance"
    magic: int | None = None
    instance: str | None = None
    account: str | None = None
    instrument: str | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    archived: bool = False  # read the archive's files too


class LastSeq(Request):
    """Ask how far the history of a source is on disk."""

    kind: ClassVar[str] = "data.last-seq"
    answer: ClassVar[type[Answer]] = Appended
    source: str
