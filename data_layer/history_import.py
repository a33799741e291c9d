"""Trades of another program into the history: each once, also when the import is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Final

from atrader.configuration.fleet import FleetConfig
from atrader.configuration.home import Home
from atrader.messages.gateway import OutboxRow
from atrader.messages.history import QueryHistory
from atrader.orders.model import Trade
from data_layer.client import DataClient
from data_layer.offline import open_history
from data_layer.store.places import data_layer_runs, place_of

_AT_ONCE: Final = 500
_LOCK_WAIT_S: Final = 2.0


def missing_trades(home: Home, account: str, trades: Sequence[Trade]) -> list[Trade]:
    """Return those of an account's trades that its history does not have, the archive included.

    Raises
    ------
    StoreError, DeadlineExceeded
        When the history cannot be read.
    """
    if not trades:
        return []
    with open_history(home) as history:
        known = {row["trade_id"] for row in history.query(QueryHistory(table="trades", account=account, archived=True))}
    return [trade for trade in trades if trade.trade_id not in known]


def import_trades(home: Home, fleet: FleetConfig, account: str, trades: Sequence[Trade]) -> int:
    """Write the trades that the history does not have yet; return how many. On disk when this returns; may be repeated.

    Through the data layer when it runs, else into the store, whose lock is held meanwhile.

    Raises
    ------
    StoreError, DeadlineExceeded
        When they cannot be written; whole parts of them may have been.
    """
    fresh = missing_trades(home, account, trades)
    if not fresh:
        return 0
    source = f"import:{account}"
    if data_layer_runs(home.history_store):
        with DataClient(home) as client:
            for rows in _parts(fresh, client.last_seq(source)):
                client.append_history(source, rows)
    else:
        with closing(place_of(home, fleet.data).history("an import", _LOCK_WAIT_S)) as store:
            for rows in _parts(fresh, store.last_seq(source)):
                store.append([(source, rows)])
    return len(fresh)


def _parts(trades: Sequence[Trade], last_seq: int) -> list[list[OutboxRow]]:
    rows = [
        OutboxRow(seq=last_seq + number, table="trades", time_ns=trade.open_time_ns, body=trade.model_dump(mode="json"))
        for number, trade in enumerate(trades, start=1)
    ]
    return [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]
