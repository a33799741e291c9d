"""Orders in a broker's terms, and what a broker reports: the words that the gateway, its adapters and the paper share.

Brokers return reports; only who keeps the account's books (the gateway's core, the event engine) makes facts of them.
"""

from __future__ import annotations

from decimal import Decimal

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
    ends_order: bool = False  # nothing follows of the order, wholly filled or not


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


AnyReport = OrderReport | FillReport | SwapReport | NoticeReport
