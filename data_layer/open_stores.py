"""The stores of one data layer, opened together and closed together."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final, Self

from atrader.configuration.home import Home
from data_layer.store import HistoryReader, HistoryStore, MarketReader, MarketStore
from data_layer.store.history_sqlite import SqliteHistoryReader, SqliteHistoryStore
from data_layer.store.market_sqlite import SqliteMarketReader, SqliteMarketStore

_LOCK_WAIT_S: Final = 2.0  # a predecessor that was killed is gone by then, and a command that looks at a file too


class OpenStores:
    """A writer for each file, and a reader for each thread that reads.

    Raises
    ------
    StoreError
        When a file is damaged, newer than this program, cannot be written, or is in use by another process.
    """

    def __init__(self, home: Home) -> None:
        home.data.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            self.market: MarketStore = SqliteMarketStore(home.market_store, "data-layer", _LOCK_WAIT_S)
            stack.callback(self.market.close)
            self.history: HistoryStore = SqliteHistoryStore(home.history_store, "data-layer", _LOCK_WAIT_S)
            stack.callback(self.history.close)
            self.market_reader: MarketReader = SqliteMarketReader(home.market_store)
            stack.callback(self.market_reader.close)
            self.query_market: MarketReader = SqliteMarketReader(home.market_store)
            stack.callback(self.query_market.close)
            self.query_history: HistoryReader = SqliteHistoryReader(home.history_store)
            stack.callback(self.query_history.close)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Close everything and release the locks; may be called twice."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
