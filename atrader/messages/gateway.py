"""Calls a gateway answers, and the events on its stream."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from atrader.configuration.account import AccountConfig
from atrader.configuration.base import DurationS, Section
from atrader.configuration.fleet import Installation
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.limits import AccountLimits, PropFirmLimits, TradeLimits
from atrader.orders.model import Intent, Order, Trade
from atrader.price_accounts import PriceAccounts
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
    risk_day: str = ""  # what limits of the account are measured from, as JSON; empty: nothing is quoted yet


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
    """Ask for the account, its open trades and working orders; for its money only with ``money_only``."""

    kind: ClassVar[str] = "gateway.account"
    answer: ClassVar[type[Answer]] = AccountAnswer
    money_only: bool = False


class ClosedTrades(Answer):
    """Closed trades of a magic number, newest first."""

    trades: tuple[Trade, ...]


class GetClosedTrades(Request):
    """Ask for the last closed trades of a magic number; a gateway knows 1000 of each."""

    kind: ClassVar[str] = "gateway.closed-trades"
    answer: ClassVar[type[Answer]] = ClosedTrades
    magic: int
    count: int = Field(ge=0)


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


class Assigned(Answer):
    """Trades that have another owner now."""

    trades: tuple[Trade, ...]


class AdoptTrade(Request):
    """Give one trade without a configured owner, foreign or orphaned, to an instance; on disk before the answer."""

    kind: ClassVar[str] = "gateway.adopt-trade"
    answer: ClassVar[type[Answer]] = Assigned
    trade_id: str  # ours, or the broker's number
    instance: str


class HandOn(Request):
    """Give all trades of a magic number that is not configured any more to an instance; on disk before the answer."""

    kind: ClassVar[str] = "gateway.hand-on"
    answer: ClassVar[type[Answer]] = Assigned
    magic: int
    instance: str


class AccountSettings(Section):
    """What a gateway takes over while it runs; everything else of an account needs a new gateway.

    Only what the gateway itself reads can be here: an adapter keeps what it was made with.
    """

    trade: TradeLimits
    limits: AccountLimits
    prop_firm: PropFirmLimits | None
    lookup_delays: tuple[DurationS, ...]
    lost_after: DurationS
    proof_interval: DurationS
    equity_interval: DurationS

    @classmethod
    def of(cls, account: AccountConfig) -> AccountSettings:
        """Take them from an account."""
        return cls.model_construct(**{key: getattr(account, key) for key in cls.model_fields})


LIVE_ACCOUNT_KEYS: Final = frozenset(AccountSettings.model_fields)
"""Keys of an account file whose change does not restart the gateway."""


class Orphan(Answer):
    """An instance that is not configured on the account any more and still has trades or orders there."""

    instance: str  # as its orders and trades have it; the magic number where they were found without a name
    magic: int
    open_trades: int
    live_orders: int


class Reconfigured(Answer):
    """The configuration took effect; what it left without an owner."""

    orphans: tuple[Orphan, ...]


class Reconfigure(Request):
    """Limits and instances of the account from now on: all of them take effect before the answer, or none.

    Nothing is written down: the configuration files stay the only source, and a gateway that starts again gets the
    same from its manager. May be repeated. Refused (`Rejected`) when a running gateway cannot do it.
    """

    kind: ClassVar[str] = "gateway.reconfigure"
    answer: ClassVar[type[Answer]] = Reconfigured
    settings: AccountSettings
    instances: tuple[InstanceConfig, ...]  # all on the account; without their parameters, which no gateway reads
    prices: tuple[str, ...] = ()  # instruments whose prices the account brings

    @field_serializer("instances")
    def _what_the_files_say(self, instances: tuple[InstanceConfig, ...]) -> list[dict[str, object]]:
        """Leave out what no file names: an instance's [trade] table overrides the account's by what it names only."""
        return [item.model_dump(exclude_unset=True) for item in instances]

    @classmethod
    def of(cls, installation: Installation, account: str) -> Self:
        """Take from an installation what concerns an account."""
        return cls(
            settings=AccountSettings.of(installation.accounts[account]),
            instances=tuple(
                item.model_copy(update={"parameters": {}})
                for item in installation.instances.values()
                if item.account == account
            ),
            prices=tuple(sorted(PriceAccounts.of(installation).brought_by(account))),
        )


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


class CandlesAnswer(Answer):
    """Header of a page of bars from the broker; ten column frames follow (order of ``BAR_COLUMNS``, little-endian).

    The broker told everything with ``start_ns <= open_time < answered_until_ns``: a bar that is not there is none.
    """

    count: int
    answered_until_ns: int


class GetCandles(Request):
    """Ask the broker for the complete bars with ``start_ns <= open_time < end_ns``, all of them past.

    Costs one request of the account's budget, after everything else that wants one. The page may end early. May be
    repeated. Refused (`Rejected`) when the broker will never have such bars; `Retryable` when it does not answer now.
    """

    kind: ClassVar[str] = "gateway.candles"
    answer: ClassVar[type[Answer]] = CandlesAnswer
    instrument: str
    timeframe: str
    start_ns: int
    end_ns: int


ORDER_EVENT = stream_schema("order", 1, (("json", str),))
TRADE_EVENT = stream_schema("trade", 1, (("json", str),))


class OutboxRow(BaseModel):
    """One row of a journal's outbox, as it travels to the data layer's history."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    table: Literal["orders", "fills", "trades", "signals", "equity", "alerts", "events"]
    time_ns: int
    body: dict[str, object]
