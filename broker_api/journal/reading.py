"""What can be asked of the journal; reads see what is committed, not what waits to be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from atrader.orders.ids import intent_id_of
from atrader.orders.model import Order, Trade
from broker_api.journal.entry import Entry

_ENTRY = "SELECT body, watermark, digest FROM orders"
_OPEN_STATES = "('NEW', 'SENT', 'UNKNOWN', 'WORKING', 'PARTIAL')"


class OutboxLine(NamedTuple):
    """One row of the outbox; ``body`` is JSON."""

    seq: int
    destination: str
    time_ns: int
    body: str


class Reading:
    """Queries over the journal's connection. For the thread that writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def open_orders(self) -> list[Entry]:
        """Return the orders without an outcome, in the order they were accepted."""
        rows = self._connection.execute(f"{_ENTRY} WHERE state IN {_OPEN_STATES} ORDER BY rowid")
        return [_entry(row) for row in rows]

    def order(self, client_id: str) -> Entry | None:
        """Return an order by client id; None as well when the id is none of ours."""
        intent_id = intent_id_of(client_id)
        if intent_id is None:
            return None
        row = self._connection.execute(f"{_ENTRY} WHERE magic = ? AND n = ?", intent_id).fetchone()
        return None if row is None else _entry(row)

    def order_of_decision(self, magic: int, decision: str) -> Entry | None:
        """Return the order that a decision already has."""
        row = self._connection.execute(f"{_ENTRY} WHERE magic = ? AND decision = ?", (magic, decision)).fetchone()
        return None if row is None else _entry(row)

    def orders_since(self, magic: int, since_ns: int, limit: int) -> list[Order]:
        """Return the newest orders of a magic number that changed at or after a time, oldest change first.

        The newest are those with the highest counters, the worker's and the gateway's own apart: an index by time would
        be written with every change of every order.
        """
        found: list[Order] = []
        for newest in ("n > 0 ORDER BY n DESC", "n < 0 ORDER BY n"):
            rows = self._connection.execute(
                f"SELECT body, updated_ns FROM orders WHERE magic = ? AND {newest} LIMIT ?", (magic, limit)
            )
            found += [Order.model_validate_json(body) for body, updated_ns in rows if updated_ns >= since_ns]
        return sorted(found, key=lambda order: order.updated_ns)[-limit:]

    def counters(self, magic: int) -> tuple[int, int]:
        """Return the highest worker counter and the lowest gateway counter of a magic number; 0 = none."""
        row = self._connection.execute("SELECT MAX(n), MIN(n) FROM orders WHERE magic = ?", (magic,)).fetchone()
        return max(row[0] or 0, 0), min(row[1] or 0, 0)

    def recent_intents(self, since_ns: int, limit: int) -> list[tuple[int, int]]:
        """Return magic number and creation time of the newest worker intents, oldest first."""
        rows = self._connection.execute(
            "SELECT magic, created_ns FROM (SELECT rowid AS place, magic, n, created_ns FROM orders"
            " ORDER BY rowid DESC LIMIT ?) WHERE n > 0 AND created_ns >= ? ORDER BY place",
            (limit, since_ns),
        )
        return [(magic, created_ns) for magic, created_ns in rows]

    def open_trades(self) -> list[Trade]:
        """Return the open trades, oldest first."""
        rows = self._connection.execute("SELECT body FROM trades WHERE is_open = 1 ORDER BY rowid")
        return [Trade.model_validate_json(body) for (body,) in rows]

    def trades_closed_since(self, magic: int, since_ns: int, limit: int) -> list[Trade]:
        """Return the newest closed trades of a magic number, oldest first."""
        rows = self._connection.execute(
            "SELECT body FROM trades WHERE is_open = 0 AND magic = ? AND close_time_ns >= ?"
            " ORDER BY close_time_ns DESC, rowid DESC LIMIT ?",
            (magic, since_ns, limit),
        )
        return [Trade.model_validate_json(body) for (body,) in rows][::-1]

    def has_fill(self, fill_id: str) -> bool:
        """Tell whether a fill was worked in; one that was split counts by its first part."""
        sql = "SELECT 1 FROM fills WHERE fill_id IN (?, ? || '/1')"
        return self._connection.execute(sql, (fill_id, fill_id)).fetchone() is not None

    def has_swap(self, transaction_id: int, part: int) -> bool:
        """Tell whether a booking of financing was worked in."""
        sql = "SELECT 1 FROM swaps WHERE transaction_id = ? AND part = ?"
        return self._connection.execute(sql, (transaction_id, part)).fetchone() is not None

    def broker_answer(self, transaction_id: int) -> str | None:
        """Return what the broker said of a transaction, in its own words."""
        sql = "SELECT body FROM broker_answers WHERE transaction_id = ?"
        row = self._connection.execute(sql, (transaction_id,)).fetchone()
        return None if row is None else str(row[0])

    def identity(self) -> str:
        """Return what tells this journal from another of the same account; empty for one from before there was any."""
        return self.meta("identity") or ""

    def meta(self, key: str) -> str | None:
        """Return a named value."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def meta_under(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield the named values whose key begins with a prefix: the rest of the key, and the value."""
        rows = self._connection.execute(
            "SELECT key, value FROM meta WHERE substr(key, 1, ?) = ?", (len(prefix), prefix)
        )
        for key, value in rows.fetchall():
            yield key[len(prefix) :], value

    def outbox_after(self, seq: int, limit: int) -> list[OutboxLine]:
        """Return outbox rows after a sequence number, in order."""
        rows = self._connection.execute(
            "SELECT seq, destination, time_ns, body FROM outbox WHERE seq > ? AND destination <> ''"
            " ORDER BY seq LIMIT ?",
            (seq, limit),
        )
        return [OutboxLine(*row) for row in rows]

    def newest_ns(self) -> int:
        """Return the time of the newest outbox row, of which one always stays; 0 = nothing was ever told."""
        row = self._connection.execute("SELECT time_ns FROM outbox ORDER BY seq DESC LIMIT 1").fetchone()
        return 0 if row is None else int(row[0])

    def outbox_last(self) -> int:
        """Return the highest sequence number ever given to an outbox row; 0 = none."""
        return int(self._connection.execute("SELECT MAX(seq) FROM outbox").fetchone()[0] or 0)


def _entry(row: tuple[str, int, bytes]) -> Entry:
    body, watermark, digest = row
    return Entry(Order.model_validate_json(body), watermark, digest)
