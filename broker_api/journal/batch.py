"""Rows that belong together: all of them reach the disk or none."""

from __future__ import annotations

import json
from typing import Literal

from atrader.orders.model import Fill, Trade
from broker_api.journal.entry import Entry

BatchKind = Literal["open", "exit", "fact"]
"""What a batch is about: a wish to open, a wish to exit or cancel, or something that happened."""

_ORDER = """
INSERT INTO orders (client_id, magic, n, decision, state, version, created_ns, updated_ns, watermark, digest, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (magic, n) DO UPDATE SET
    state = excluded.state, version = excluded.version, updated_ns = excluded.updated_ns,
    watermark = excluded.watermark, body = excluded.body
"""
_FILL = "INSERT INTO fills (fill_id, magic, client_id, trade_id, time_ns, body) VALUES (?, ?, ?, ?, ?, ?)"
_SWAP = "INSERT INTO swaps (transaction_id, part, body) VALUES (?, ?, ?)"
_ANSWER = "INSERT OR IGNORE INTO broker_answers (transaction_id, time_ns, body) VALUES (?, ?, ?)"
_TRADE = """
INSERT INTO trades (trade_id, magic, is_open, version, close_time_ns, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (trade_id) DO UPDATE SET
    magic = excluded.magic, is_open = excluded.is_open, version = excluded.version,
    close_time_ns = excluded.close_time_ns, body = excluded.body
"""
_OUTBOX = "INSERT INTO outbox (destination, time_ns, body) VALUES (?, ?, ?)"
_META = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
# The last row stays: the next one is numbered after it.
_PRUNE = "DELETE FROM outbox WHERE seq <= ? AND seq < (SELECT MAX(seq) FROM outbox)"
_RAISE = "UPDATE outbox SET seq = seq + ?"
_FIRST = "INSERT INTO outbox SELECT 0, '', 0, '' WHERE NOT EXISTS (SELECT 1 FROM outbox)"  # for nobody

Statement = tuple[str, tuple[object, ...]]


class Batch:
    """Collects statements for one transaction; orders, fills and trades also go to the outbox.

    Parameters
    ----------
    account : str
        Name of the account; history rows of orders carry it.
    kind : {"open", "exit", "fact"}
        Decides what happens when the disk is full, see `Journal`.
    """

    __slots__ = ("_prefix", "kind", "statements")

    def __init__(self, account: str, kind: BatchKind = "fact") -> None:
        self.kind: BatchKind = kind
        self.statements: list[Statement] = []
        self._prefix = f'{{"account":{json.dumps(account)},'

    def order(self, entry: Entry) -> str:
        """Write the newest version of an order; returns it as JSON, as it also goes to the worker."""
        order = entry.order
        intent, body = order.intent, order.model_dump_json()
        self.statements.append(
            (
                _ORDER,
                (
                    order.client_id, intent.magic, intent.n, intent.decision, order.state.value, order.version,
                    order.created_ns, order.updated_ns, entry.watermark, entry.digest, body,
                ),
            )
        )  # fmt: skip
        self.history("orders", order.updated_ns, self._prefix + body[1:])
        return body

    def fill(self, fill: Fill) -> None:
        """Write a fill; a second one with the same id is an error of the whole batch."""
        body = fill.model_dump_json()
        row = (fill.fill_id, fill.magic, fill.client_id, fill.trade_id, fill.time_ns, body)
        self.statements.append((_FILL, row))
        self.history("fills", fill.time_ns, body)

    def swap(self, transaction_id: int, part: int, body: str) -> None:
        """Remember that a booking of financing was worked in."""
        self.statements.append((_SWAP, (transaction_id, part, body)))

    def broker_answer(self, transaction_id: int, time_ns: int, body: str) -> None:
        """Keep what the broker said in its own words; a transaction that is kept already stays as it is."""
        self.statements.append((_ANSWER, (transaction_id, time_ns, body)))

    def trade(self, trade: Trade, time_ns: int) -> str:
        """Write the newest version of a trade; returns it as JSON, as it also goes to the worker."""
        body = trade.model_dump_json()
        row = (trade.trade_id, trade.magic, int(trade.is_open), trade.version, trade.close_time_ns, body)
        self.statements.append((_TRADE, row))
        self.history("trades", time_ns, body)
        return body

    def history(self, destination: str, time_ns: int, body: str) -> None:
        """Add a row (JSON map) to the outbox only."""
        self.statements.append((_OUTBOX, (destination, time_ns, body)))

    def meta(self, key: str, value: str) -> None:
        """Write a named value."""
        self.statements = [item for item in self.statements if item[0] is not _META or item[1][0] != key]
        self.statements.append((_META, (key, value)))

    def prune_outbox(self, upto_seq: int) -> None:
        """Forget outbox rows that the data layer has on disk."""
        self.statements.append((_PRUNE, (upto_seq,)))

    def raise_outbox(self, by: int) -> None:
        """Raise the numbers of the outbox, by at least its highest: the data layer knows those numbers already."""
        self.statements += [(_FIRST, ()), (_RAISE, (by,))]
