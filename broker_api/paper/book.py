"""The file of a paper account: what a broker would keep on its own machines.

One SQLite database of its own, apart from the gateway's journal, because it plays the other side: it must know orders
that the gateway has forgotten. Each step of the engine is one transaction.

What survives
-------------
The journal mode is WAL with ``synchronous=NORMAL``. A commit puts its pages into the operating system's cache before
it returns, so ``kill -9`` at any moment loses nothing that was answered. Only a power loss or a crash of the kernel can
take the last commits away (all since the last checkpoint, never one in the middle). That is the honest loss here:
``FULL`` would make each paper order wait for the disk a second time (measured on the development machine, one market
order, medians: 0.2 ms with NORMAL; with FULL 0.7 ms while the disk was quiet and 4 ms in its bad minutes), would take
group commit away from the gateway, and would protect play money only. After a power loss the gateway's
journal, which is FULL, can know more than the book; it then shows a break and locks the instrument instead of trading
on. So that a lost transaction id is never given out twice, the ids jump ahead when the machine was restarted without
the book having been closed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from atrader.errors import StoreError
from atrader.orders.states import OrderState
from atrader.paper.state import BookState, Changes, Quote, Ticket, WorkingOrder
from atrader.runtime.sqlite_schema import bring_to_version
from broker_api.adapter import AnyReport, FillReport, OrderReport, SwapReport

SCHEMA_VERSION = 1
JUMP = 1_000_000  # transaction ids skipped after a power loss: more than any checkpoint interval holds

_SCHEMA = """
CREATE TABLE account (
    id INTEGER PRIMARY KEY CHECK (id = 1), currency TEXT NOT NULL, positions TEXT NOT NULL, balance TEXT NOT NULL,
    transaction_id INTEGER NOT NULL, swap_ns INTEGER NOT NULL, pruned_id INTEGER NOT NULL,
    boot_id TEXT NOT NULL, closed INTEGER NOT NULL
);
CREATE TABLE orders (client_id TEXT PRIMARY KEY, broker_id INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tickets (ticket_id TEXT PRIMARY KEY, number INTEGER NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE reports (
    transaction_id INTEGER PRIMARY KEY, kind TEXT NOT NULL, client_id TEXT, ticket_id TEXT, body TEXT NOT NULL
);
CREATE INDEX reports_by_client ON reports (client_id, transaction_id) WHERE client_id IS NOT NULL;
CREATE TABLE clients (
    client_id TEXT PRIMARY KEY, seen INTEGER NOT NULL, pruned_id INTEGER, broker_id TEXT, time_ns INTEGER, state TEXT
) WITHOUT ROWID;
CREATE TABLE quotes (instrument TEXT PRIMARY KEY, time_ns INTEGER, bid REAL, ask REAL) WITHOUT ROWID;
"""

_KINDS: dict[str, type[OrderReport] | type[FillReport] | type[SwapReport]] = {
    "order": OrderReport,
    "fill": FillReport,
    "swap": SwapReport,
}
_KIND_OF: dict[type[AnyReport], str] = {kind: name for name, kind in _KINDS.items()}
_ORDERS: Final = TypeAdapter(WorkingOrder)
_TICKETS: Final = TypeAdapter(Ticket)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Book:
    """An open book. One connection, one thread.

    Parameters
    ----------
    path : Path
        The database; its directory exists.
    currency, positions : str
        Of the account. A book made for another currency or kind of account is refused.
    initial_balance : Decimal
        Of a new book.
    synchronous : {"NORMAL", "FULL"}, default "NORMAL"
        See the module's text; FULL is there to be measured.
    boot_id : str, optional
        Identity of the running kernel's boot; tests pretend another one.

    Raises
    ------
    StoreError
        When the file cannot be opened or read, is newer than this program, or belongs to another kind of account.
    """

    def __init__(
        self,
        path: Path,
        currency: str,
        positions: str,
        initial_balance: Decimal,
        *,
        synchronous: Literal["NORMAL", "FULL"] = "NORMAL",
        boot_id: str | None = None,
    ) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None
        self._working: set[str] = set()  # client ids with a row in ``orders``: most are filled before they get one
        try:
            # Transactions are begun by hand: isolation_level None keeps the module from doing it.
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={synchronous}")
            self._db.execute("PRAGMA journal_size_limit=16000000")
            self._prepare(currency, positions, initial_balance, boot_id or _BOOT_ID.read_text().strip())
        except sqlite3.Error as error:
            self.close(clean=False)
            raise StoreError(f"paper book {path}: {error}", details={"path": str(path)}) from error
        except StoreError:
            self.close(clean=False)
            raise

    def close(self, *, clean: bool = True) -> None:
        """Close the file. May be repeated."""
        db, self._db = self._db, None
        if db is None:
            return
        try:
            if clean:
                db.execute("UPDATE account SET closed = 1")
        except sqlite3.Error:
            pass  # not closed cleanly then: the ids may jump at the next start, nothing else
        finally:
            db.close()

    def load(self) -> BookState:
        """Read everything that is open."""
        balance, number, swap_ns = self._one("SELECT balance, transaction_id, swap_ns FROM account")
        orders = [_ORDERS.validate_json(body) for (body,) in self._all("orders", "broker_id")]
        tickets = [_TICKETS.validate_json(body) for (body,) in self._all("tickets", "number")]
        self._working = {working.order.client_id for working in orders}  # also after a write that failed
        quotes = self._connection.execute("SELECT instrument, time_ns, bid, ask FROM quotes").fetchall()
        return BookState(
            balance=Decimal(balance),
            transaction_id=number,
            swap_ns=swap_ns,
            orders={working.order.client_id: working for working in orders},
            tickets={ticket.ticket_id: ticket for ticket in tickets},
            quotes={symbol: Quote(time_ns, bid, ask) for symbol, time_ns, bid, ask in quotes},
        )

    def write(self, state: BookState, changes: Changes, quotes: Iterable[tuple[str, int, float, float]]) -> None:
        """Write one step in one transaction; when it returns, ``kill -9`` cannot lose it.

        Raises
        ------
        sqlite3.Error
            When nothing of it was written (disk full, input or output error).
        """
        db = self._connection
        db.execute("BEGIN IMMEDIATE")
        try:
            self._write_rows(db, state, changes, quotes)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def reports_since(self, watermark: int) -> list[AnyReport]:
        """Read the reports after a transaction id, oldest first.

        Raises
        ------
        StoreError
            When reports after the watermark were pruned: an answer with a hole would pass for the whole truth.
        """
        (pruned_id,) = self._one("SELECT pruned_id FROM account")
        if watermark < pruned_id:
            raise StoreError(
                f"paper book {self.path}: reports up to {pruned_id} are pruned, asked for those since {watermark};"
                " take the snapshot instead",
                details={"watermark": watermark, "pruned_id": pruned_id},
            )
        query = "SELECT kind, body FROM reports WHERE transaction_id > ? ORDER BY transaction_id"
        return [_report(kind, body) for kind, body in self._connection.execute(query, (watermark,))]

    def reports_of(self, client_id: str, watermark: int) -> list[AnyReport]:
        """Read the reports of one client id after a transaction id.

        For a client id whose reports are pruned it is one report with the final state and the reason ``pruned``.
        """
        query = "SELECT kind, body FROM reports WHERE client_id = ? AND transaction_id > ? ORDER BY transaction_id"
        found = [_report(kind, body) for kind, body in self._connection.execute(query, (client_id, watermark))]
        if found:
            return found
        query = "SELECT pruned_id, time_ns, broker_id, state FROM clients WHERE client_id = ? AND pruned_id > ?"
        row = self._connection.execute(query, (client_id, watermark)).fetchone()
        if row is None:
            return []
        number, time_ns, broker_id, state = row
        condensed = OrderReport(
            transaction_id=number,
            time_ns=time_ns,
            client_id=client_id,
            broker_id=broker_id,
            state=OrderState(state),
            reason="pruned",
        )
        return [condensed]

    def seen(self, client_id: str) -> int:
        """Return how many requests with this client id arrived, whatever became of them."""
        query = "SELECT seen FROM clients WHERE client_id = ?"
        row = self._connection.execute(query, (client_id,)).fetchone()
        return 0 if row is None else int(row[0])

    def prune(self, keep: int) -> int:
        """Delete all but the newest reports; those of working orders and open tickets stay. Return how many went.

        Of every client id a short row stays, so that `reports_of` knows it for ever.
        """
        db = self._connection
        (newest,) = self._one("SELECT transaction_id FROM account")
        limit = newest - keep
        old = "transaction_id <= :limit AND coalesce(client_id, '') NOT IN (SELECT client_id FROM orders)" + (
            " AND coalesce(ticket_id, '') NOT IN (SELECT ticket_id FROM tickets)"
        )
        db.execute("BEGIN IMMEDIATE")
        try:
            query = f"SELECT client_id, kind, body FROM reports WHERE {old} AND client_id > '' ORDER BY transaction_id"
            last = {client_id: (kind, body) for client_id, kind, body in db.execute(query, {"limit": limit})}
            rows = [(*_condensed(kind, body), client_id) for client_id, (kind, body) in last.items()]
            db.executemany(
                "UPDATE clients SET pruned_id = ?, broker_id = ?, time_ns = ?, state = ? WHERE client_id = ?", rows
            )
            count = db.execute(f"DELETE FROM reports WHERE {old}", {"limit": limit}).rowcount
            if count:
                db.execute("UPDATE account SET pruned_id = max(pruned_id, ?)", (limit,))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return int(count)

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreError(f"paper book {self.path} is closed", details={"path": str(self.path)})
        return self._db

    def _one(self, query: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] = self._connection.execute(query).fetchone()
        return row

    def _all(self, table: str, order: str) -> list[tuple[str]]:
        return self._connection.execute(f"SELECT body FROM {table} ORDER BY {order}").fetchall()

    def _prepare(self, currency: str, positions: str, initial_balance: Decimal, boot_id: str) -> None:
        db = self._connection
        bring_to_version(db, self.path, _SCHEMA, SCHEMA_VERSION)
        insert = "INSERT OR IGNORE INTO account VALUES (1, ?, ?, ?, 0, 0, 0, ?, 0)"
        db.execute(insert, (currency, positions, str(initial_balance), boot_id))
        kept = db.execute("SELECT currency, positions, boot_id, closed FROM account").fetchone()
        if kept[:2] != (currency, positions):
            raise StoreError(
                f"paper book {self.path} is of a {kept[1]} account in {kept[0]}, the configuration says {positions} in"
                f" {currency}: move the file away to begin anew, or give the account another name",
                details={"path": str(self.path)},
            )
        jump = 0 if kept[3] or kept[2] == boot_id else JUMP
        db.execute("UPDATE account SET boot_id = ?, closed = 0, transaction_id = transaction_id + ?", (boot_id, jump))
        self._working = {client_id for (client_id,) in db.execute("SELECT client_id FROM orders")}

    def _write_rows(
        self,
        db: sqlite3.Connection,
        state: BookState,
        changes: Changes,
        quotes: Iterable[tuple[str, int, float, float]],
    ) -> None:
        db.execute(
            "UPDATE account SET balance = ?, transaction_id = ?, swap_ns = ?",
            (str(state.balance), state.transaction_id, state.swap_ns),
        )
        db.executemany("INSERT INTO reports VALUES (?, ?, ?, ?, ?)", map(_report_row, changes.reports))
        for client_id, working in changes.orders.items():
            if working is None:
                if client_id in self._working:
                    db.execute("DELETE FROM orders WHERE client_id = ?", (client_id,))
                    self._working.discard(client_id)
            else:
                self._working.add(client_id)
                row = (client_id, int(working.broker_id), _ORDERS.dump_json(working).decode())
                db.execute("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", row)
        for ticket_id, ticket in changes.tickets.items():
            if ticket is None:
                db.execute("DELETE FROM tickets WHERE ticket_id = ?", (ticket_id,))
            else:
                number = int(ticket_id) if ticket_id.isdigit() else ticket.open_time_ns
                row = (ticket_id, number, _TICKETS.dump_json(ticket).decode())
                db.execute("INSERT OR REPLACE INTO tickets VALUES (?, ?, ?)", row)
        count = "INSERT INTO clients VALUES (?, 1, NULL, NULL, NULL, NULL) ON CONFLICT DO UPDATE SET seen = seen + 1"
        db.executemany(count, [(client_id,) for client_id in changes.seen])
        db.executemany("INSERT OR REPLACE INTO quotes VALUES (?, ?, ?, ?)", quotes)


def _report(kind: str, body: str) -> AnyReport:
    return _KINDS[kind].model_validate_json(body)


def _report_row(report: AnyReport) -> Sequence[object]:
    client_id = report.client_id if isinstance(report, OrderReport | FillReport) else None
    ticket_id = report.broker_trade_id if isinstance(report, FillReport | SwapReport) else None
    return (report.transaction_id, _KIND_OF[type(report)], client_id, ticket_id, report.model_dump_json())


def _condensed(kind: str, body: str) -> tuple[int, str | None, int, str]:
    report = _report(kind, body)
    if isinstance(report, OrderReport):
        return (report.transaction_id, report.broker_id, report.time_ns, report.state.value)
    broker_id = report.broker_id if isinstance(report, FillReport) else None
    return (report.transaction_id, broker_id, report.time_ns, OrderState.FILLED.value)
