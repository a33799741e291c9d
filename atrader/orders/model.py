"""Intent, order, fill and trade: the values that travel from a strategy's wish to its closed trade."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from atrader.fast_models import PlainlyRead
from atrader.orders.ids import MAX_MAGIC, IntentId, client_id
from atrader.orders.states import OrderState

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop"]
Action = Literal["open", "close", "modify", "cancel"]
FillReason = Literal[
    "order",
    "stop-loss",
    "take-profit",
    "trailing-stop",
    "margin-closeout",
    "manual-close",  # a person closed what we hold, at the broker
    "foreign",  # a person's own order
]

PROTECTION = "protection"
"""Reason of the gateway's own intents that keep a stop of a trade at the broker (netting accounts)."""

SIGN: dict[str, int] = {"buy": 1, "sell": -1}
# Beyond what anybody trades, and within what 28 digits of decimal arithmetic can round to a tick or a step. A decimal
# made from a float64 has up to 55 places: rounding to the instrument is the gateway's work, not a reason to refuse.
Amount = Annotated[Decimal, Field(lt=10**15, decimal_places=60, allow_inf_nan=False)]

OPPOSITE: dict[str, Side] = {"buy": "sell", "sell": "buy"}
_ZERO = Decimal(0)


class Value(PlainlyRead):
    """Base of the immutable values: unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Intent(Value):
    """What a strategy wants, complete enough to be written down before anything is sent.

    ``decision`` names the decision that made it (bar open time and leg); the gateway refuses a second intent of
    one magic number with the same decision and answers with the first one's order, so that a restarted worker
    that decides again cannot trade twice.

    Amounts are finite, below 10**15, with at most 60 decimal places; anything else is a ``ValidationError``.
    """

    magic: int = Field(gt=0, le=MAX_MAGIC)
    n: int
    instance: str
    instrument: str
    action: Action
    time_ns: int  # when it was decided, UTC
    decision: str | None = None
    reason: str = ""
    # open
    side: Side | None = None
    order_type: OrderType = "market"
    units: Amount | None = Field(default=None, gt=0)  # open: exact size; close: part of the trade, None = all
    risk_frac: Amount | None = Field(default=None, gt=0, le=1)  # open: size from equity at risk and stop distance
    price: Amount | None = Field(default=None, gt=0)  # limit and stop orders; modify: new price of a working order
    stop_loss: Amount | None = Field(default=None, ge=0)  # price; on modify 0 removes it, None keeps it
    take_profit: Amount | None = Field(default=None, ge=0)
    trailing_distance: Amount | None = Field(default=None, ge=0)  # price distance the stop follows at
    expires_ns: int | None = None
    # close, modify, cancel
    trade_id: str | None = None  # the trade to close or modify
    order_id: str | None = None  # client id of the working order to modify or cancel

    @property
    def intent_id(self) -> IntentId:
        """Identity of this intent."""
        return IntentId(self.magic, self.n)

    @property
    def client_id(self) -> str:
        """Client order id derived from the identity."""
        return client_id(self.magic, self.n)

    @property
    def is_net_stop(self) -> bool:
        """Whether its order waits at the broker to close a trade at its stop."""
        return self.action == "close" and self.order_type == "stop"

    @property
    def keeps_protection(self) -> bool:
        """Whether the gateway made it to place, move or take back such an order; its worker is not told of it."""
        return self.n < 0 and self.reason == PROTECTION

    @model_validator(mode="after")
    def _complete(self) -> Self:
        action, is_market, risk_frac = self.action, self.order_type == "market", self.risk_frac
        if self.n == 0:
            raise ValueError("n must not be 0")
        if action == "open":
            if self.side is None or (self.units is None) == (risk_frac is None):
                raise ValueError("an open intent needs side and exactly one of units, risk_frac")
            if is_market != (self.price is None):
                raise ValueError("limit and stop orders need a price, market orders have none")
            if risk_frac is not None and not self.stop_loss:
                raise ValueError("risk_frac needs stop_loss: the risk is the distance to it")
        elif action == "close":
            if not is_market and (self.n > 0 or self.price is None):
                raise ValueError("a close is a market order; a stop waits with its trade: modify that")
            if self.trade_id is None:
                raise ValueError("a close intent needs trade_id")
        elif action == "modify" and (self.trade_id is None) == (self.order_id is None):
            raise ValueError("a modify intent needs one of trade_id, order_id")
        elif action == "cancel" and self.order_id is None:
            raise ValueError("a cancel intent needs order_id")
        return self


class Order(Value):
    """An intent on its way, as the gateway's journal holds it; ``version`` grows with each change."""

    client_id: str
    intent: Intent
    state: OrderState
    broker_id: str | None = None
    units: Decimal | None = None  # resolved size (after sizing and rounding)
    filled_units: Decimal = Decimal(0)
    average_price: Decimal | None = None
    reason: str = ""
    created_ns: int
    updated_ns: int
    version: int = 1

    @property
    def intent_id(self) -> IntentId:
        """Identity of the intent behind it."""
        return self.intent.intent_id


class Fill(Value):
    """One execution, attributed to one magic number (0 = foreign)."""

    fill_id: str  # unique at the broker
    account: str
    magic: int
    instance: str
    instrument: str
    side: Side
    units: Decimal
    price: Decimal
    time_ns: int
    reason: FillReason = "order"
    client_id: str | None = None
    trade_id: str | None = None
    commission: Decimal = Decimal(0)  # account currency, negative = paid
    profit: Decimal = Decimal(0)  # realised by this fill, account currency, without commission
    home_rate: Decimal = Decimal(1)  # account currency per quote currency at the fill


class Trade(Value):
    """A position of one instance from open to close. ``trade_id`` is the client id of the order that opened it."""

    trade_id: str
    account: str
    magic: int
    instance: str
    instrument: str
    side: Side
    units_opened: Decimal
    units: Decimal  # still open; 0 when closed
    open_time_ns: int
    open_price: Decimal  # average over partial fills
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_distance: Decimal | None = None
    initial_stop: Decimal | None = None  # the stop it was opened with; later moves do not change it
    initial_risk: Decimal | None = None  # account currency: what that stop would have lost, summed over opening fills
    broker_trade_id: str | None = None
    close_time_ns: int | None = None
    close_price: Decimal | None = None  # average over partial closes
    units_closed: Decimal = Decimal(0)
    profit: Decimal = Decimal(0)  # realised, account currency, without commission and swap
    commission: Decimal = Decimal(0)
    swap: Decimal = Decimal(0)
    close_reason: str = ""
    version: int = 1

    @property
    def is_open(self) -> bool:
        """Whether units are still held."""
        return self.units > _ZERO
