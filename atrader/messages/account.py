"""An account as its gateway sees it, or as its journal had it: for people and for monitoring."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from atrader.broker_health import BrokerHealth, BudgetState
from atrader.messages.gateway import Orphan
from atrader.orders.model import Order, Trade
from atrader.trading_state import TradingState
from atrader.wire import Answer, Request


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Exposure(_Row):
    """What is open in one instrument, foreign trades included."""

    instrument: str
    long_units: Decimal
    short_units: Decimal
    value: Decimal | None  # of the net position at the middle price, account currency; None: nobody quotes it
    floating: Decimal | None  # profit if all of it were closed now, account currency

    @property
    def net_units(self) -> Decimal:
        """Long positive."""
        return self.long_units - self.short_units


class TradeView(_Row):
    """An open trade, and what it would bring now."""

    trade: Trade
    floating: Decimal | None  # account currency; None: nobody quotes it


class BrokerMoney(_Row):
    """The account's money as the broker itself reckons it, account currency."""

    balance: Decimal
    equity: Decimal
    margin_used: Decimal
    age_s: float  # since it was told


class AccountView(Answer):
    """Everything about an account at one moment.

    What only a running gateway knows is None, or empty, in what a journal says.
    """

    name: str
    source: Literal["gateway", "journal"]
    time_ns: int  # when it was so, UTC; of a journal: its last entry
    broker: str
    session: Literal["gateway", "worker"]
    currency: str
    trading_state: TradingState
    positions: Literal["hedging", "netting"] | None = None
    online: bool = False  # connected, journal and broker reconciled
    balance: Decimal | None = None
    equity: Decimal | None = None
    margin_used: Decimal | None = None
    margin_free: Decimal | None = None
    broker_says: BrokerMoney | None = None  # by its own prices and margins; equity and margin above are by ours
    unvalued: tuple[str, ...] = ()  # instruments of own trades that nobody quotes: equity is not the whole truth
    proof: Literal["holds", "broken"] | None = None
    breaks: tuple[str, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    trades: tuple[TradeView, ...] = ()  # of our instances, oldest first
    foreign: tuple[TradeView, ...] = ()  # of nobody of us
    orders: tuple[Order, ...] = ()  # without an outcome
    orphans: tuple[Orphan, ...] = ()
    watermark: int = 0  # transaction id up to which all of the broker's word is worked in
    outbox: int = 0  # rows that the history does not have yet
    budget: BudgetState | None = None  # None: nothing is rationed
    health: BrokerHealth | None = None  # None: the adapter measures nothing


class GetAccountView(Request):
    """Ask for everything about the account."""

    kind: ClassVar[str] = "gateway.account-view"
    answer: ClassVar[type[Answer]] = AccountView
