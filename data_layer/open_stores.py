"""The stores of one data layer, opened together and closed together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, Self

from data_layer.store import Damage, HistoryReader, HistoryStore, MarketReader, MarketStore
from data_layer.store.damage import say_damage
from data_layer.store.places import DATA_LAYER, StorePlace

_WAIT_S: Final = 5.0  # a predecessor that was killed is gone by then, and a server that restarts is back


class OpenStores:
    """A writer for each store, and a reader for each thread that reads.

    Parameters
    ----------
    place : StorePlace
        Where they are.

    Attributes
    ----------
    on_damage : callable
        Gets what a reader or the writer found damaged, in its thread.

    Raises
    ------
    StoreError
        When a store is damaged, newer than this program, away, cannot be written, or is in use by another process.
    """

    def __init__(self, place: StorePlace) -> None:
        self.place = place
        self.on_damage: Callable[[Damage], None] = say_damage
        with ExitStack() as stack:
            self.market: MarketStore = place.market(DATA_LAYER, _WAIT_S)
            stack.callback(self.market.close)
            self.market.on_damage = self._found
            self.history: HistoryStore = place.history(DATA_LAYER, _WAIT_S)
            stack.callback(self.history.close)
            self.market_reader: MarketReader = self.market_again()
            stack.callback(self.market_reader.close)
            self.query_market: MarketReader = self.market_again()
            stack.callback(self.query_market.close)
            self.query_history: HistoryReader = place.history_reader(DATA_LAYER)
            stack.callback(self.query_history.close)
            self.view_history: HistoryReader = place.history_reader(DATA_LAYER)
            stack.callback(self.view_history.close)
            self._stack = stack.pop_all()

    def market_again(self) -> MarketReader:
        """Open the market for one more thread, which closes it."""
        reader = self.place.market_reader(DATA_LAYER)
        reader.on_damage = self._found
        return reader

    def _found(self, damage: Damage) -> None:
        self.on_damage(damage)

    def close(self) -> None:
        """Close everything and release the locks; may be called twice."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
