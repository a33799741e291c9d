"""The paper account as an adapter: the engine, its book, and the rule that nothing is answered before it is written."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from atrader.calendars import Calendar
from atrader.clock import Clock
from atrader.configuration.account import AccountConfig
from atrader.configuration.home import Home
from atrader.errors import BrokerUnavailable, Rejected
from atrader.instruments import Instrument
from atrader.market import Tick
from atrader.orders.states import OrderState
from atrader.paper.engine import Engine
from atrader.paper.money import signed_units
from atrader.paper.reasons import REJECT_REASONS
from atrader.runtime.file_lock import FileLock, LockHeld
from broker_api.adapter import (
    AnyReport,
    BrokerAccount,
    BrokerOrder,
    BrokerTrade,
    Capabilities,
    Modification,
    OrderReport,
    Snapshot,
)
from broker_api.paper.book import Book

KEPT_REPORTS = 200_000  # about 80 MB of file; a gateway that was away for longer takes the snapshot


class PaperAdapter:
    """A paper account. Implements `Adapter` and `PriceDriven`; use it from one thread.

    The acting calls and `on_ticks` work in memory, write one transaction, and only then return: what they returned
    survives ``kill -9`` (see `broker_api.paper.book` for power loss). They block for that write, about 0.1 ms, and do
    not otherwise wait; there is no time-out and no unknown outcome. When the book cannot be written (disk full) they
    raise `BrokerUnavailable`, nothing has happened, and the call may be repeated.

    After `connect` feed the last known prices with `on_ticks`: until an instrument is quoted its market orders are
    refused (``market-halted``), because the prices in the book may be hours old. Feeding the same quotes again is
    harmless.

    Parameters
    ----------
    account : AccountConfig
        Kind of account, currency, ``paper`` settings.
    home : Home
        Where the book lies.
    instruments : Mapping of str to Instrument
        What may be traded, and what converts currencies.
    clock : Clock
        Market time: of acceptance, latency and expiry.
    calendar_of : callable, optional
        Gives the calendar of a symbol; by default the one that its instrument names.
    """

    def __init__(
        self,
        account: AccountConfig,
        home: Home,
        instruments: Mapping[str, Instrument],
        clock: Clock,
        calendar_of: Callable[[str], Calendar] | None = None,
    ) -> None:
        hedging = account.positions == "hedging"
        self.capabilities = Capabilities(
            hedging=hedging, native_protection=hedging, lookups_prove_absence=True, price_driven=True
        )
        self._config = account
        self._path = home.paper(account.name)
        self._instruments = dict(instruments)
        self._calendar_of = calendar_of or (lambda symbol: Calendar.get(instruments[symbol].calendar))
        self._clock = clock
        self._lock: FileLock | None = None
        self._book: Book | None = None
        self._engine: Engine | None = None
        self._closed = asyncio.Event()
        self.worked_ns = 0

    async def connect(self) -> None:
        """Open the book and keep everybody else out of it.

        Raises
        ------
        BrokerUnavailable
            When another process holds the book: it has to end first.
        StoreError
            When the book cannot be read, or was made for another currency or kind of account.
        """
        if self._book is not None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock = FileLock(self._path.with_name(f"{self._path.name}.lock"), "a gateway", self._path)
        except LockHeld as error:
            raise BrokerUnavailable(f"paper book {error.message}", details=error.details) from error
        try:
            book = Book(self._path, self._config.currency, self._config.positions, self._config.paper.initial_balance)
        except BaseException:
            self._drop_lock()
            raise
        self._book = book
        book.prune(KEPT_REPORTS)
        state = book.load()
        self.worked_ns = max((quote.time_ns for quote in state.quotes.values()), default=0)
        self._engine = Engine(self._config, self._instruments, self._calendar_of, state)
        self._closed.clear()

    async def close(self) -> None:
        """Close the book; orders and tickets stay in it. May be repeated."""
        self._closed.set()
        book, self._book, self._engine = self._book, None, None
        if book is not None:
            book.close()
        self._drop_lock()

    async def instruments(self) -> Mapping[str, Instrument]:
        """Return what the account trades."""
        return self._instruments

    async def submit(self, order: BrokerOrder) -> Sequence[AnyReport]:
        """Send an order. A client id of a working order is refused, one of an ended order is taken as a new order.

        Raises
        ------
        Rejected
            ``details["reason"]`` is a key of `REJECT_REASONS`.
        BrokerUnavailable
            The book could not be written; the order does not exist.
        """
        return self._act(lambda engine: engine.submit(order, self._clock.now_ns()))

    async def cancel(self, client_id: str, order_client_id: str) -> Sequence[AnyReport]:
        """Cancel a working order; raises as `submit` does."""
        return self._act(lambda engine: engine.cancel(client_id, order_client_id, self._clock.now_ns()))

    async def modify(self, change: Modification) -> Sequence[AnyReport]:
        """Change protection or price; raises as `submit` does."""
        return self._act(lambda engine: engine.modify(change, self._clock.now_ns()))

    def on_ticks(self, ticks: Sequence[Tick]) -> Sequence[AnyReport]:
        """Work quotes in, oldest first, and return what they caused; on disk before it returns.

        Writes nothing when nothing happened. Raises `BrokerUnavailable` when it could not write: then only the quotes
        are kept, and what they should have caused happens with the next ones.
        """
        engine = self._connected[0]
        engine.on_ticks(ticks)
        return self._write() if engine.changes else ()

    async def find(self, client_id: str, watermark: int) -> Sequence[AnyReport] | None:
        """Return the reports of a client id after a watermark; None when there are none."""
        return self._connected[1].reports_of(client_id, watermark) or None

    async def reports_since(self, watermark: int) -> Sequence[AnyReport]:
        """Return everything after a transaction id; StoreError when part of it is pruned."""
        return self._connected[1].reports_since(watermark)

    async def snapshot(self) -> Snapshot:
        """Return the whole truth."""
        engine = self._connected[0]
        state = engine.state
        hedging = self.capabilities.hedging
        net_units = {ticket.instrument: 0 * ticket.units for ticket in state.tickets.values()}
        for ticket in state.tickets.values():
            net_units[ticket.instrument] += signed_units(ticket)
        orders = (
            OrderReport(
                transaction_id=int(working.broker_id),
                time_ns=working.accepted_ns,
                client_id=client_id,
                broker_id=working.broker_id,
                state=OrderState.WORKING,
            )
            for client_id, working in state.orders.items()
        )
        trades = (
            BrokerTrade(
                broker_trade_id=ticket.ticket_id,
                client_id=ticket.client_id,
                magic=ticket.magic,
                instrument=ticket.instrument,
                side=ticket.side,
                units=ticket.units,
                open_price=ticket.open_price,
                open_time_ns=ticket.open_time_ns,
                stop_loss=ticket.stop_loss,
                take_profit=ticket.take_profit,
                trailing_distance=ticket.trailing_distance,
            )
            for ticket in state.tickets.values()
        )
        return Snapshot(
            watermark=state.transaction_id,
            account=await self.account(),
            orders=tuple(orders),
            trades=tuple(trades) if hedging else (),
            net_units={symbol: units for symbol, units in net_units.items() if units},
        )

    async def account(self) -> BrokerAccount:
        """Return the money, valued at the last quotes."""
        engine = self._connected[0]
        return BrokerAccount(
            currency=self._config.currency,
            balance=engine.state.balance,
            equity=engine.money.equity(engine.state),
            margin_used=engine.money.margin_used(engine.state),
            time_ns=self._clock.now_ns(),
        )

    def reports(self) -> AsyncIterator[Sequence[AnyReport]]:
        """Yield nothing and end with `close`: this broker tells everything in its answers and in `on_ticks`."""
        return _Silence(self._closed)

    def orders_seen(self, client_id: str) -> int:
        """Return how many requests with a client id arrived, refused ones too; tests look for duplicates with it."""
        return self._connected[1].seen(client_id)

    @property
    def _connected(self) -> tuple[Engine, Book]:
        if self._engine is None or self._book is None:
            raise BrokerUnavailable(f"paper account {self._config.name} is not connected")
        return self._engine, self._book

    def _act(self, action: Callable[[Engine], str | None]) -> Sequence[AnyReport]:
        refusal = action(self._connected[0])
        reports = self._write()
        if refusal is not None:
            raise Rejected(f"{refusal}: {REJECT_REASONS[refusal]}", details={"reason": refusal})
        return reports

    def _write(self) -> Sequence[AnyReport]:
        engine, book = self._connected
        changes = engine.take_changes()
        dirty = [desk for desk in engine.desks.values() if desk.dirty]
        quotes = [(desk.instrument.symbol, desk.time_ns, desk.bid, desk.ask) for desk in dirty]
        try:
            book.write(engine.state, changes, quotes)
        except sqlite3.Error as error:
            self._go_back(engine, book)
            raise BrokerUnavailable(f"paper book {self._path}: {error}; nothing was done") from error
        for desk in dirty:
            desk.dirty = False
        return changes.reports

    def _go_back(self, engine: Engine, book: Book) -> None:
        """Make the memory what the disk says; without that the account must not go on."""
        try:
            engine.restore(book.load())
        except sqlite3.Error:
            self._engine = None

    def _drop_lock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()


class _Silence(AsyncIterator[Sequence[AnyReport]]):
    def __init__(self, end: asyncio.Event) -> None:
        self._end = end

    async def __anext__(self) -> Sequence[AnyReport]:
        await self._end.wait()
        raise StopAsyncIteration
