"""What the broker side of a paper account holds, and what one step changed in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from atrader.orders.broker import AnyReport, BrokerOrder
from atrader.orders.model import Side


@dataclass(slots=True)
class WorkingOrder:
    """An accepted order that still works."""

    order: BrokerOrder
    broker_id: str  # the transaction id of its acceptance
    accepted_ns: int
    ready_ns: int  # accepted + latency: quotes from then on may fill it
    quote_ns: int  # time of the newest quote when it was accepted
    parts: tuple[Decimal, ...]  # sizes of its fills
    filled_parts: int = 0
    filled_units: Decimal = Decimal(0)
    last_quote_ns: int | None = None  # time of the quote of its last fill: each part needs another one
    resting: bool = False  # has seen a quote that did not fill it
    ticket_id: str | None = None  # the ticket that its fills opened


@dataclass(slots=True)
class Ticket:
    """An open ticket (hedging accounts), or the net position of an instrument (netting accounts)."""

    ticket_id: str  # transaction id of the fill that opened it; the symbol on netting accounts
    client_id: str | None
    magic: int | None
    instrument: str
    side: Side
    units: Decimal
    open_price: Decimal
    open_time_ns: int
    home_rate: Decimal  # at the opening: used if no price converts later
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_distance: Decimal | None = None


@dataclass(slots=True)
class Quote:
    """The newest prices of an instrument as they are kept in the book."""

    time_ns: int
    bid: float
    ask: float


@dataclass(slots=True)
class BookState:
    """Everything that must survive: loaded from the book, changed by the engine."""

    balance: Decimal
    transaction_id: int = 0
    swap_ns: int = 0  # financing is booked up to here
    orders: dict[str, WorkingOrder] = field(default_factory=dict)  # by client id, oldest first
    tickets: dict[str, Ticket] = field(default_factory=dict)  # by ticket id, oldest first
    quotes: dict[str, Quote] = field(default_factory=dict)


@dataclass(slots=True)
class Changes:
    """What one step changed, to be written in one transaction."""

    reports: list[AnyReport] = field(default_factory=list)
    orders: dict[str, WorkingOrder | None] = field(default_factory=dict)  # None: ended
    tickets: dict[str, Ticket | None] = field(default_factory=dict)  # None: closed
    seen: list[str] = field(default_factory=list)  # client ids of requests that arrived
    account: bool = False  # balance, transaction id or financing time moved

    def __bool__(self) -> bool:
        return self.account or bool(self.reports or self.orders or self.tickets or self.seen)
