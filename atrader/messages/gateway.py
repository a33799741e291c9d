"""Calls a gateway answers, and the events on its stream."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from atrader.orders.model import Intent, Order, Trade
from atrader.trading_state import TradingState
from atrader.wire import Answer, Request, stream_schema


class OrderAnswer(Answer):
    """The order as the journal holds it now; ``duplicate`` when the intent or its decision was known before."""

    order: Order
    duplicate: bool = False


class Submit(Request):
    """Hand an intent over. May be repeated: the same intent is answered with the same order, nothing is sent twice."""

    kind: ClassVar[str] = "gateway.submit"
    answer: ClassVar[type[Answer]] = OrderAnswer
    intent: Intent


class InstanceSnapshot(Answer):
    """Everything an instance owns, and the stream position it is true at."""

    last_n: int  # highest worker counter the journal has seen for this magic number
    epoch: int
    order_seq: int  # of topic order|INSTANCE
    trade_seq: int  # of topic trade|INSTANCE
    orders: tuple[Order, ...]  # not terminal, and those that ended since ``since_ns``
    trades: tuple[Trade, ...]  # open, and those that closed since ``since_ns``
    trading_state: TradingState
    equity: Decimal


class Attach(Request):
    """A worker introduces itself, at start and after every gap of the stream."""

    kind: ClassVar[str] = "gateway.attach"
    answer: ClassVar[type[Answer]] = InstanceSnapshot
    instance: str
    magic: int
    since_ns: int


class AccountAnswer(Answer):
    """The account as the gateway sees it."""

    name: str
    currency: str
    balance: Decimal
    equity: Decimal
    margin_used: Decimal
    proof: Literal["holds", "broken"]
    breaks: tuple[str, ...]
    trading_state: TradingState
    open_trades: tuple[Trade, ...]
    live_orders: tuple[Order, ...]


class GetAccount(Request):
    """Ask for the account, its open trades and working orders."""

    kind: ClassVar[str] = "gateway.account"
    answer: ClassVar[type[Answer]] = AccountAnswer


class Acknowledged(Answer):
    """The request took effect."""

    done: int = 0  # how many things it touched


class RefreshTradingState(Request):
    """The trading-state file changed: read it now, and start flattening where it says so."""

    kind: ClassVar[str] = "gateway.refresh-trading-state"
    answer: ClassVar[type[Answer]] = Acknowledged


class CloseAll(Request):
    """Close every trade and cancel every working order of a magic number (None: of all instances of the account)."""

    kind: ClassVar[str] = "gateway.close-all"
    answer: ClassVar[type[Answer]] = Acknowledged
    magic: int | None = None
    reason: str = "close all"


class InstanceDown(Request):
    """The manager reports that an instance's worker is down for longer than its ``on_down_after``."""

    kind: ClassVar[str] = "gateway.instance-down"
    answer: ClassVar[type[Answer]] = Acknowledged
    instance: str
    magic: int
    policy: Literal["keep", "reduce", "flatten"]


class Synchronised(Answer):
    """Stream positions of one instance after everything before was worked in."""

    epoch: int
    order_seq: int  # of topic order|INSTANCE
    trade_seq: int  # of topic trade|INSTANCE
    equity: Decimal


class Synchronise(Request):
    """Replay only: a worker asks how far the events reach that it must have seen; see docs/replay.md."""

    kind: ClassVar[str] = "gateway.synchronise"
    answer: ClassVar[type[Answer]] = Synchronised
    instance: str
    market_ns: int


ORDER_EVENT = stream_schema("order", 1, (("json", str),))
TRADE_EVENT = stream_schema("trade", 1, (("json", str),))


class OutboxRow(BaseModel):
    """One row of a journal's outbox, as it travels to the data layer's history."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    table: Literal["orders", "fills", "trades", "signals", "equity", "alerts", "events"]
    time_ns: int
    body: dict[str, object]
