"""What the gateway's core needs of a broker. Adapters return reports; only the core turns them into events.

Errors of the acting calls (`submit`, `cancel`, `modify`):

- `atrader.errors.Rejected`: the broker finally refused;
- `atrader.errors.Retryable`: certainly not executed (connection refused before a byte was sent, rate limit);
- `atrader.errors.UnknownOutcome`: anything else. The core looks the client id up; it never sends again blindly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, runtime_checkable

from atrader.instruments import Instrument
from atrader.market import Tick
from atrader.orders.model import FillReason, OrderType, Side, Value
from atrader.orders.states import OrderState


class Capabilities(Value):
    """What an account can do by itself; the core does the rest."""

    hedging: bool  # long and short trades live together, each with its own ticket
    native_protection: bool  # stop-loss, take-profit and trailing stop live at the broker
    lookups_prove_absence: bool = False  # what `Adapter.find` does not know now was never accepted
    reduce_only_stops: bool = False  # takes stop orders that can only reduce the net position (netting accounts)
    price_driven: bool = False  # fills from prices handed to it (`PriceDriven`), not from a venue


class BrokerOrder(Value):
    """An order ready to be sent. ``close_broker_trade_id`` is set when it closes a ticket (hedging accounts only)."""

    client_id: str
    magic: int
    instance: str
    instrument: str
    side: Side
    order_type: OrderType
    units: Decimal
    price: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_distance: Decimal | None = None
    expires_ns: int | None = None
    close_broker_trade_id: str | None = None
    exit: bool = False  # reduces a position: goes before opens in the request budget
    reduce_only: bool = False  # must never open or turn the net position: what would is left out by the broker


class Modification(Value):
    """A change of a ticket's protection or of a working order, at once. None keeps a value, 0 removes it."""

    client_id: str  # of the intent that wants it
    broker_trade_id: str | None = None
    order_client_id: str | None = None
    price: Decimal | None = None
    units: Decimal | None = None  # new size of a working order; only for reduce-only stops, together with the price
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_distance: Decimal | None = None


class Report(Value):
    """Base of everything a broker tells.

    ``transaction_id`` never falls within an account; several reports may come of one transaction. ``raw`` is the
    broker's own text of it, kept once in the journal: the first report of a transaction carries it, the others need
    not.
    """

    transaction_id: int
    time_ns: int
    raw: str = ""


class OrderReport(Report):
    """An order's state at the broker: WORKING, DONE, CANCELLED, REJECTED or EXPIRED (fills come as `FillReport`)."""

    client_id: str
    broker_id: str
    state: OrderState
    reason: str = ""
    terms: BrokerOrder | None = None  # in snapshots, where the broker shows them: what works there


class FillReport(Report):
    """One execution. ``client_id`` is None for what no order of ours caused (stops at the broker, margin closeout)."""

    fill_id: str
    client_id: str | None
    broker_id: str | None
    broker_trade_id: str | None  # the ticket opened or closed; None on netting accounts
    instrument: str
    side: Side
    units: Decimal
    price: Decimal
    reason: FillReason
    commission: Decimal = Decimal(0)
    home_rate: Decimal = Decimal(1)  # account currency per quote currency
    profit: Decimal | None = None  # realised by the broker, account currency; None when it does not say
    magic: int | None = None  # as the broker carries it; without client_id: whose ticket a person closed


class SwapReport(Report):
    """Financing or a dividend booked on a ticket (hedging) or an instrument (netting); negative = paid."""

    instrument: str
    broker_trade_id: str | None
    amount: Decimal
    part: int = 0  # number within its transaction, which may book many


class NoticeReport(Report):
    """Something that changes no order, fill or financing of ours: only kept, and told to a person if that is due."""

    kind: str  # the broker's word for it
    text: str = ""  # for a person; empty: nobody needs to know


class BrokerTrade(Value):
    """An open ticket as the broker shows it."""

    broker_trade_id: str
    client_id: str | None
    magic: int | None
    instrument: str
    side: Side
    units: Decimal
    open_price: Decimal
    open_time_ns: int
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_distance: Decimal | None = None


class BrokerAccount(Value):
    """Money as the broker shows it, in account currency."""

    currency: str
    balance: Decimal
    equity: Decimal
    margin_used: Decimal
    time_ns: int


class Snapshot(Value):
    """The broker's whole truth at one transaction id."""

    watermark: int
    account: BrokerAccount
    orders: tuple[OrderReport, ...]  # working ones
    trades: tuple[BrokerTrade, ...]  # open tickets (hedging accounts)
    net_units: Mapping[str, Decimal]  # real position per instrument, long positive; flat ones left out


AnyReport = OrderReport | FillReport | SwapReport | NoticeReport


class Adapter(Protocol):
    """One account at one broker. All calls are made from one asyncio task at a time per method."""

    capabilities: Capabilities

    async def connect(self) -> None:
        """Log in. Raises ConfigError (credentials), BrokerUnavailable (maintenance: wait)."""

    async def close(self) -> None:
        """Hang up; leaves orders and trades at the broker alone."""

    async def instruments(self) -> Mapping[str, Instrument]:
        """Return the instruments of this account by symbol."""

    async def submit(self, order: BrokerOrder) -> Sequence[AnyReport]:
        """Send one order, once. What is not in the answer comes through `reports`."""

    async def cancel(self, client_id: str, order_client_id: str) -> Sequence[AnyReport]:
        """Cancel a working order; ``client_id`` names the cancelling intent and is reported DONE."""

    async def modify(self, change: Modification) -> Sequence[AnyReport]:
        """Change protection or price; the intent's client id is reported DONE."""

    async def find(self, client_id: str, watermark: int) -> Sequence[AnyReport] | None:
        """Look an order up by client id, from the watermark noted before it was sent; None = not known (yet)."""

    async def reports_since(self, watermark: int) -> Sequence[AnyReport]:
        """Return everything after a transaction id, oldest first."""

    async def snapshot(self) -> Snapshot:
        """Return the whole truth."""

    async def account(self) -> BrokerAccount:
        """Return the money."""

    def reports(self) -> AsyncIterator[Sequence[AnyReport]]:
        """Yield what happens from now on; ends when the connection breaks (the core then reconciles)."""


@runtime_checkable
class Identified(Protocol):
    """An adapter whose account at the broker has a name: a journal belongs to one such account for ever."""

    @property
    def identity(self) -> str:
        """Name of the account at its broker, such as ``oanda live 001-004-1234567-001``."""


@runtime_checkable
class MarksTrades(Protocol):
    """An adapter whose broker carries a magic number on open tickets that can be changed."""

    async def mark_trade(self, broker_trade_id: str, magic: int) -> None:
        """Write a magic number on a ticket; the gateway's journal stays the truth, so failing is not fatal."""


@runtime_checkable
class PriceDriven(Protocol):
    """An adapter that fills from prices the gateway hands to it (the paper account).

    Attributes
    ----------
    worked_ns : int
        Time of the newest quote that an earlier life had worked in when it last wrote; 0 when there is none.
    """

    worked_ns: int

    def on_ticks(self, ticks: Sequence[Tick]) -> Sequence[AnyReport]:
        """Work the quotes in, oldest first, and return what they caused; on disk before it returns."""
