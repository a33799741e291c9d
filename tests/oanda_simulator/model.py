"""What an account holds: orders and trades, as plain data, and how the venue shows each."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from tests.oanda_simulator.values import Fields, Time

OrderState = Literal["PENDING", "FILLED", "TRIGGERED", "CANCELLED"]
TradeState = Literal["OPEN", "CLOSED", "CLOSE_WHEN_TRADEABLE"]

ENTRY: Final = frozenset({"LIMIT", "STOP", "MARKET_IF_TOUCHED"})
DEPENDENT: Final = {
    "TAKE_PROFIT": "takeProfit",
    "STOP_LOSS": "stopLoss",
    "TRAILING_STOP_LOSS": "trailingStopLoss",
    "GUARANTEED_STOP_LOSS": "guaranteedStopLoss",
}
"""Kinds of order that belong to a trade, and the name under which requests and trades carry them."""
KINDS: Final = {"MARKET", *ENTRY, *DEPENDENT}


@dataclass
class Order:
    """An order.

    ``request`` is what the client asked, with defaults filled in, as create transactions echo it; ``instrument`` is set
    for dependent orders too, though the venue does not tell it.
    """

    id: int
    type: str
    created: Time
    request: Fields
    instrument: str
    units: Decimal = Decimal(0)
    price: Decimal | None = None
    gtd: Time | None = None
    trade_id: int | None = None
    client_id: str | None = None
    state: OrderState = "PENDING"
    ended: Fields = field(default_factory=dict)  # what filled, cancelled or replaced it
    rises: bool | None = None  # MARKET_IF_TOUCHED: whether the price has to rise to touch it
    trailing_value: Decimal | None = None
    triggered: bool = False  # its trigger price was seen, though it could not fill yet

    @property
    def pending(self) -> bool:
        """Whether it still works."""
        return self.state == "PENDING"

    @property
    def buys(self) -> bool:
        """Whether filling it buys (entry orders; a dependent order's direction is its trade's)."""
        return self.units > 0

    def fields(self) -> Fields:
        """Return the order as the venue tells it."""
        return {
            "id": str(self.id),
            "createTime": self.created,
            "type": self.type,
            **self.request,
            "replacesOrderID": self.request.get("replacesOrderID"),
            "trailingStopValue": self.trailing_value,
            "state": self.state,
            **self.ended,
        }


@dataclass
class Trade:
    """A position that one fill opened. ``units`` shrink as it is closed; negative is short."""

    id: int
    instrument: str
    opened: Time
    price: Decimal
    initial_units: Decimal
    initial_margin: Decimal
    units: Decimal
    extensions: Fields | None = None
    state: TradeState = "OPEN"
    realized: Decimal = Decimal("0.0000")
    financing: Decimal = Decimal("0.0000")
    dividends: Decimal = Decimal("0.0000")
    closing_ids: list[str] = field(default_factory=list)
    closed_units: Decimal = Decimal(0)
    closed_value: Decimal = Decimal(0)  # sum of units times price of what was closed
    closed: Time | None = None
    orders: dict[str, int] = field(default_factory=dict)  # dependent orders by kind
    guaranteed_fee: Decimal = Decimal(0)
    delayed_by: str | None = None  # the transaction that wants it closed when tradeable

    @property
    def open(self) -> bool:
        """Whether any of it is left."""
        return self.state != "CLOSED"

    @property
    def long(self) -> bool:
        """Whether it gains as the price rises."""
        return self.initial_units > 0

    @property
    def client_id(self) -> str | None:
        """The client's id of the trade."""
        return self.extensions.get("id") if self.extensions else None

    def average_close(self) -> Decimal | None:
        """Return the mean price of what was closed."""
        return self.closed_value / self.closed_units if self.closed_units else None
