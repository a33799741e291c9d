"""What the rules see and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Literal, NamedTuple, Self

from atrader.clock import NS_PER_S
from atrader.configuration.account import AccountConfig
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.limits import AccountLimits, InstanceLimits, PropFirmLimits, TradeLimits
from atrader.instruments import Instrument
from atrader.market import Tick, decimal_price
from atrader.orders.model import SIGN, Intent, Order, Side, Trade
from atrader.orders.states import TERMINAL
from atrader.risk.day import RiskDay
from atrader.trading_state import TradingState, strictest

_ZERO = Decimal(0)


class Scope(StrEnum):
    """What a rule protects, from the smallest to the largest."""

    TRADE = "trade"
    INSTANCE = "instance"
    ACCOUNT = "account"
    PROP_FIRM = "prop-firm"
    FLEET = "fleet"


class Quote(NamedTuple):
    """A quote as money, with its age."""

    bid: Decimal
    ask: Decimal
    age_s: float

    @classmethod
    def from_tick(cls, tick: Tick, instrument: Instrument, now_ns: int) -> Self:
        """Turn market data into money; a tick from the future (clocks differ) has age 0."""
        bid, ask = decimal_price(tick.bid, instrument.price_tick), decimal_price(tick.ask, instrument.price_tick)
        return cls(bid, ask, max(0, now_ns - tick.time_ns) / NS_PER_S)

    @property
    def mid(self) -> Decimal:
        """Middle of bid and ask."""
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """The limits that apply to one instance on its account."""

    trade: TradeLimits = field(default_factory=TradeLimits)
    instance: InstanceLimits = field(default_factory=InstanceLimits)
    account: AccountLimits = field(default_factory=AccountLimits)
    prop_firm: PropFirmLimits | None = None
    asked: dict[str, tuple[Rule, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The gate's: rules that look at each kind of proposal and have a limit here."""

    @classmethod
    def of(cls, account: AccountConfig, instance: InstanceConfig | None = None) -> Self:
        """Join the limits of an account and of one instance on it.

        What the instance's ``[trade]`` table names wins over the account's; what it leaves out stays the account's.
        """
        trade = account.trade
        if instance is not None and instance.trade is not None:
            own = {name: getattr(instance.trade, name) for name in instance.trade.model_fields_set}
            trade = trade.model_copy(update=own)
        return cls(
            trade=trade,
            instance=InstanceLimits() if instance is None else instance.limits,
            account=account.limits,
            prop_firm=account.prop_firm,
        )


@dataclass(slots=True, kw_only=True)  # made for each intent, and not frozen: that takes four times as long
class RiskState:
    """Everything the rules need to know of an account at one moment; money in account currency. Nobody changes it.

    Attributes
    ----------
    now_ns : int
        Market time, UTC.
    trading_state : TradingState
        The strictest of fleet and account.
    instance_states : Mapping of str to TradingState
        By instance name; one that is missing is ACTIVE.
    selected_out : Collection of str
        Instances that a selection keeps from opening; ``instance_states`` has them as REDUCING at least.
    instruments, quotes, home_rates : Mapping by instrument
        Definition (with the margin rate of this account), last quote, account currency per quote currency. Needed
        for the intent's instrument and for every instrument with a trade or order.
    trades : tuple of Trade
        Open trades of the account, foreign ones included.
    orders : tuple of Order
        Orders without an outcome and working ones. The order of the intent in question may be among them.
    floating : Mapping of int to Decimal
        Profit of the open trades by magic number.
    unvalued : tuple of str
        Instruments of own trades without a quote or a rate: equity and floating profit do not count them.
    recent_intents : Mapping of int to int
        Intents of the last 60 s by magic number, without the one in question.
    locked : Mapping of str to str
        Instruments that may not be opened now, and why (a break of the proof, an order of unknown outcome).
    day : RiskDay
        Reference points.
    """

    now_ns: int
    balance: Decimal
    equity: Decimal
    margin_used: Decimal
    day: RiskDay
    instruments: Mapping[str, Instrument]
    quotes: Mapping[str, Quote] = field(default_factory=dict)
    home_rates: Mapping[str, Decimal] = field(default_factory=dict)
    trades: tuple[Trade, ...] = ()
    orders: tuple[Order, ...] = ()
    floating: Mapping[int, Decimal] = field(default_factory=dict)
    unvalued: tuple[str, ...] = ()
    recent_intents: Mapping[int, int] = field(default_factory=dict)
    locked: Mapping[str, str] = field(default_factory=dict)
    trading_state: TradingState = TradingState.ACTIVE
    instance_states: Mapping[str, TradingState] = field(default_factory=dict)
    selected_out: Collection[str] = ()

    def trading_state_of(self, instance: str) -> TradingState:
        """Return the strictest of the account's and the instance's trading state."""
        own = self.instance_states.get(instance)
        return self.trading_state if own is None else strictest((self.trading_state, own))

    def trade(self, trade_id: str | None) -> Trade | None:
        """Return an open trade by id."""
        return next((trade for trade in self.trades if trade.trade_id == trade_id), None)

    def order(self, client_id: str | None) -> Order | None:
        """Return an order by client id."""
        return next((order for order in self.orders if order.client_id == client_id), None)

    def pending_opens(self, but: str = "", magic: int | None = None) -> Iterator[tuple[Order, Decimal]]:
        """Yield the orders that may still open something, with the units they may still open.

        Parameters
        ----------
        but : str
            Client id of an order to leave out.
        magic : int, optional
            Only those of one instance.
        """
        for order in self.orders:
            rest = (order.units or order.intent.units or _ZERO) - order.filled_units
            wanted = order.intent.action == "open" and order.state not in TERMINAL and order.client_id != but
            if wanted and rest > 0 and magic in (None, order.intent.magic):
                yield order, rest


ProposalKind = Literal["open", "reprice", "loosen"]


@dataclass(slots=True)  # not frozen, as `RiskState`
class Proposal:
    """The risk an intent would add, in plain values. Exits and cancels add none and are no proposals.

    ``kind`` is "open" (a new order), "reprice" (a working opening order changes) or "loosen" (a trade's stop is
    removed or moved away from the market).
    """

    kind: ProposalKind
    intent: Intent
    instrument: Instrument
    side: Side
    units: Decimal
    entry_price: Decimal | None  # limit or stop price, else the quote's; None without a quote
    stop_price: Decimal | None  # where the loss ends; None = nowhere
    quote: Quote | None

    @property
    def client_id(self) -> str:
        """Client id of the order that is, or would be, at the broker."""
        return self.intent.order_id if self.kind == "reprice" and self.intent.order_id else self.intent.client_id

    @property
    def signed_units(self) -> Decimal:
        """Units, long positive."""
        return self.units * SIGN[self.side]


class Breach(NamedTuple):
    """A rule's no: the value it saw and the limit it broke, for people and programs.

    Attributes
    ----------
    setting : str
        What to change, where that is not the setting of the rule.
    """

    reason: str
    value: object
    limit: object
    setting: str = ""


@dataclass(frozen=True, slots=True)
class Allow:
    """The gate is open."""


@dataclass(frozen=True, slots=True)
class Deny:
    """The gate is shut: which rule, why, the values, and the setting that changes it.

    ``values`` holds texts only, so that it can travel and be stored.
    """

    rule: str
    reason: str
    values: Mapping[str, str]
    setting: str
    scope: Scope

    def __str__(self) -> str:
        return f"{self.rule}: {self.reason} (setting: {self.setting})"


_TABLES = {
    "account or strategy: trade": "trade",
    "strategy: limits": "instance",
    "account: limits": "account",
    "account: prop_firm": "prop_firm",
}
"""Fields of `RiskLimits` by the beginning of a rule's setting; other rules have no limit that could be left out."""

Check = Callable[[RiskLimits, RiskState, Proposal], Breach | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the gate.

    Attributes
    ----------
    name : str
        Stable code; it stands in denied orders and in metrics.
    scope : Scope
        What it protects.
    protects_from : str
        The accident it prevents.
    setting : str
        The key that changes it, after the kind of file it stands in: fleet (etc/atrader.toml), account
        (etc/accounts/NAME.toml) or strategy (etc/strategies/NAME.toml).
    check : callable
        The rule itself; None = nothing to object.
    kinds : frozenset of str
        Kinds of proposal it looks at.
    """

    name: str
    scope: Scope
    protects_from: str
    setting: str
    check: Check
    kinds: frozenset[str] = frozenset({"open", "reprice"})

    def applies(self, limits: RiskLimits) -> bool:
        """Tell whether it may object at all: a limit that is not set objects to nothing."""
        table, _, key = self.setting.rpartition(".")
        name = _TABLES.get(table)
        found = None if name is None else getattr(limits, name)
        return name is None or bool(found and getattr(found, key))
