"""The data layer process."""

from __future__ import annotations

import sqlite3
from typing import Final

from atrader.runtime.child import Child
from data_layer.layer import DataLayer
from data_layer.open_stores import OpenStores
from data_layer.store.places import place_of

_SAFE_SQLITE: Final = (3, 51, 3)  # earlier ones may damage a file with two writers; there is only one here


def main(child: Child) -> None:
    """Serve prices, bars and history until told to stop.

    Raises
    ------
    StoreError
        When a store is damaged, newer than this program or in use.
    ConfigError
        When the market feed cannot work with the configuration.
    """
    child.log.info(
        "sqlite", version=sqlite3.sqlite_version, safe_with_several_writers=sqlite3.sqlite_version_info >= _SAFE_SQLITE
    )

    async def serve() -> None:
        with OpenStores(place_of(child.home, child.installation.fleet.data)) as stores:
            layer = DataLayer(child.home, child.installation, stores, child.log)
            await layer.run(child.beat, child.stop_requested)

    child.run(serve)
