"""What an operation works with: where the stores are, and who may write to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from atrader.configuration.fleet import DataConfig
from atrader.configuration.home import Home
from atrader.errors import ConfigError
from data_layer.store import HistoryStore, MarketStore
from data_layer.store.places import StorePlace

OWNER: Final = "an operation"
_LOCK_WAIT_S: Final = 2.0


class Access(Protocol):
    """The stores of an installation. Methods block; they may raise `StoreError`."""

    home: Home
    config: DataConfig
    place: StorePlace

    def with_market(self, work: Callable[[MarketStore], Any]) -> Any:
        """Let the one writer of the market do something."""
        ...

    def with_history(self, work: Callable[[HistoryStore], Any]) -> Any:
        """Let the one writer of the history do something."""
        ...


class StoredAccess:
    """The stores of an installation that does not run; its methods raise `StoreError` when somebody else writes."""

    def __init__(self, home: Home, config: DataConfig, place: StorePlace) -> None:
        self.home = home
        self.config = config
        self.place = place

    def with_market(self, work: Callable[[MarketStore], Any]) -> Any:
        """Open the market's store for writing and do something."""
        store = self.place.market(OWNER, _LOCK_WAIT_S)
        try:
            return work(store)
        finally:
            store.close()

    def with_history(self, work: Callable[[HistoryStore], Any]) -> Any:
        """Open the history's store for writing and do something."""
        store = self.place.history(OWNER, _LOCK_WAIT_S)
        try:
            return work(store)
        finally:
            store.close()


def require_files(access: Access, what: str) -> None:
    """Refuse an operation on files where the store is a server's.

    Raises
    ------
    ConfigError
        Then.
    """
    if access.place.directory is None:
        raise ConfigError(
            f"{what} is for the embedded store, and data.store is {access.place}: use the server's own tools (pg_dump,"
            " VACUUM)"
        )
