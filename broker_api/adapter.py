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
from atrader.orders.broker import (
    AnyReport,
    BrokerOrder,
    Capabilities,
    FillReport,
    Modification,
    NoticeReport,
    OrderReport,
    Report,
    SwapReport,
)
from atrader.orders.model import Side, Value

__all__ = [
    "Adapter",
    "AnyReport",
    "BrokerAccount",
    "BrokerOrder",
    "BrokerTrade",
    "Capabilities",
    "FillReport",
    "Identified",
    "MarksTrades",
    "Modification",
    "NoticeReport",
    "OrderReport",
    "PriceDriven",
    "Report",
    "Snapshot",
    "SwapReport",
]


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
