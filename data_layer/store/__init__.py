"""Stores: bars and quotes in one, trade history in another, each behind an interface.

The embedded ones are SQLite files with exactly one writing connection each. That is not only good manners: the SQLite
library of Python 3.11 and Debian 12 can damage a file when two connections write or checkpoint in the same moment.
"""

from data_layer.store.interface import (
    ArchiveFile,
    BackfillRequest,
    Damage,
    HistoryReader,
    HistoryStore,
    MarketBatch,
    MarketReader,
    MarketStore,
    Revision,
)
from data_layer.store.ranges import TimeRange

__all__ = [
    "ArchiveFile",
    "BackfillRequest",
    "Damage",
    "HistoryReader",
    "HistoryStore",
    "MarketBatch",
    "MarketReader",
    "MarketStore",
    "Revision",
    "TimeRange",
]
