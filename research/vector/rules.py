"""What a run of the vector engine assumes: how orders fill, how trades are protected, what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Final, Literal

from atrader.errors import ConfigError
from atrader.instruments import Instrument

if TYPE_CHECKING:  # half the time that importing this package takes
    from atrader.configuration.account import AccountConfig
    from atrader.orders.model import OrderType

MOST_TARGETS: Final = 4
MOST_R: Final = 1000  # farther away than any price gets; NaN is not in the range either
WHOLE_AT: Final = 1 - 1e-9
"""Fractions from here on come to the whole trade: ten times 0.1 is a little less than 1."""

Fill = Literal["close", "next-open"]
Inside = Literal["quotes", "range"]
Rate = Literal["home", "own", "given"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """When orders fill, and in which order things happen inside a bar.

    Attributes
    ----------
    fill : {"close", "next-open"}
        Market orders fill with the last quote of the bar that was decided, as on the paper account, or with the first
        one of the next bar.
    inside : {"quotes", "range"}
        ``quotes``: a bar is the four quotes of `atrader.bar_quotes`, and the paper account's rules see each of them: a
        stop fills at the quote that reached it. ``range``: the open is a quote, then the whole range is passed, the bad
        side first: a stop fills at its own price and before any target; then the close is a quote.
    protected_from : {"entry", "next-bar"}
        Whether stops and targets work in the bar of the entry.
    stop_before_open : bool
        Whether the stop is looked at before the orders that fill with the open of the same bar. No market can do that,
        as the open comes before the low; vectorbt counts so.
    """

    fill: Fill = "close"
    inside: Inside = "quotes"
    protected_from: Literal["entry", "next-bar"] = "entry"
    stop_before_open: bool = False

    def __post_init__(self) -> None:
        if self.stop_before_open and (self.fill, self.inside) != ("next-open", "range"):
            raise ConfigError("stop_before_open: only with fill = 'next-open' and inside = 'range'")


CONVENTIONS: Final[Mapping[str, Convention]] = {
    "paper": Convention(),
    "next-open": Convention(fill="next-open", inside="range"),
    "backtesting.py": Convention(fill="next-open", inside="range", protected_from="next-bar"),
    "vectorbt": Convention(fill="next-open", inside="range", protected_from="next-bar", stop_before_open=True),
    "nautilus": Convention(fill="close", inside="range", protected_from="next-bar"),
}
"""By name: ours (trades as on the paper account), the physically ordered next open, and those of other engines."""


@dataclass(frozen=True, slots=True)
class Target:
    """A part of a trade that is closed at a multiple of its risk.

    Attributes
    ----------
    r : float
        Multiple of the distance between entry and first stop.
    fraction : float
        Of the units opened, rounded down to the unit step; the last target takes what is left, when all come to 1.
    """

    r: float
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How entries and exits work, besides what each decision carries.

    Attributes
    ----------
    convention : Convention
        Default: the paper account's.
    order_type : {"market", "limit", "stop"}
        Of entries; limit and stop orders fill inside the bars after the decision, or at once when they can.
    away_pips : Decimal, optional
        How far from the quote of the decided bar limit and stop orders wait; None: each decision has a price.
    order_bars : int, optional
        Decisions (rows of the signals) after which a limit or stop order ends unfilled; None: when another entry or an
        exit is decided.
    hold_bars : int, optional
        Decisions after which a trade is closed.
    distances : bool
        Stop and target of the decisions are distances from the fill instead of prices.
    targets : tuple of Target
        At most four, rising, of 1 at most together; they need a stop.
    break_even_after : int
        After so many targets the stop moves to the entry price; 0: never.
    most_trades : int
        Trades on one side at once (pyramiding); 1 is what the signal driver of live workers does.
    """

    convention: Convention = field(default_factory=Convention)
    order_type: OrderType = "market"
    away_pips: Decimal | None = None
    order_bars: int | None = None
    hold_bars: int | None = None
    distances: bool = False
    targets: tuple[Target, ...] = ()
    break_even_after: int = 0
    most_trades: int = 1

    def __post_init__(self) -> None:
        if len(self.targets) > MOST_TARGETS:
            raise ConfigError(f"targets: at most {MOST_TARGETS} are possible, were {len(self.targets)}")
        if [one.r for one in self.targets] != sorted(one.r for one in self.targets):
            raise ConfigError("targets: their multiples of the risk must rise")
        if any(not 0 < one.r <= MOST_R or not 0 < one.fraction <= 1 for one in self.targets):
            raise ConfigError(f"targets: each needs r above 0, at most {MOST_R}, and a fraction above 0, at most 1")
        if sum(one.fraction for one in self.targets) > 2 - WHOLE_AT:
            raise ConfigError("targets: their fractions come to more than 1, the whole trade")
        if not 1 <= self.most_trades <= 64:
            raise ConfigError(f"most_trades: expected 1 to 64, was {self.most_trades}")
        if not 0 <= self.break_even_after <= len(self.targets):
            raise ConfigError(f"break_even_after: expected 0 to {len(self.targets)}, was {self.break_even_after}")
        for name in ("order_bars", "hold_bars"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name}: expected at least 1, was {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The account and what trading on it costs; money in its currency.

    Attributes
    ----------
    instrument : Instrument
        What is traded.
    currency, currency_digits : str, int
        Of the account; every booked amount is rounded half to even to these digits.
    initial_balance : Decimal
        At the begin.
    extra_spread_pips : Decimal
        Added to the spread of the bars, half on each side.
    slippage_ticks : int
        By which every market and stop fill is worse. The paper account draws between nothing and its setting.
    commission_per_million : Decimal
        Per million of value, each side: 1000 is 0.1 percent.
    swap_long_frac, swap_short_frac : Decimal
        Of the position's value a year; negative = paid.
    margin_frac : Decimal, optional
        Margin per value held; None: margin is not looked at.
    margin_closeout_frac : Decimal
        Equity per margin at which the worst trades are closed.
    """

    instrument: Instrument
    currency: str = "USD"
    currency_digits: int = 2
    initial_balance: Decimal = Decimal(10_000)
    extra_spread_pips: Decimal = Decimal(0)
    slippage_ticks: int = 0
    commission_per_million: Decimal = Decimal(0)
    swap_long_frac: Decimal = Decimal(0)
    swap_short_frac: Decimal = Decimal(0)
    margin_frac: Decimal | None = None
    margin_closeout_frac: Decimal = Decimal("0.5")

    @classmethod
    def of(cls, account: AccountConfig, instrument: Instrument) -> Terms:
        """Return the terms of a configured account; slippage is taken at its worst, as a whole number of ticks."""
        paper = account.paper
        slippage = paper.slippage_pips * instrument.pip / instrument.price_tick
        return cls(
            instrument=instrument,
            currency=account.currency,
            currency_digits=account.currency_digits,
            initial_balance=paper.initial_balance,
            extra_spread_pips=paper.extra_spread_pips,
            slippage_ticks=int(instrument.round_price(slippage * instrument.price_tick) / instrument.price_tick),
            commission_per_million=paper.commission_per_million,
            swap_long_frac=paper.swap_long_frac,
            swap_short_frac=paper.swap_short_frac,
            margin_frac=instrument.margin_rate_frac if paper.leverage is None else 1 / paper.leverage,
            margin_closeout_frac=paper.margin_closeout_frac,
        )

    @property
    def rate(self) -> Rate:
        """Where account currency per quote currency comes from: it is 1, the own price, or given bar by bar."""
        if self.instrument.quote == self.currency:
            return "home"
        return "own" if self.instrument.base == self.currency else "given"

    @property
    def is_financed(self) -> bool:
        """Whether holding a trade over the end of a day costs or brings anything."""
        return bool(self.swap_long_frac or self.swap_short_frac)

    @property
    def extra_ticks(self) -> tuple[int, int]:
        """By how many ticks the bid falls and the ask rises (`atrader.paper.desk`)."""
        tick = self.instrument.price_tick
        extra = self.instrument.round_price(self.extra_spread_pips * self.instrument.pip) / tick
        bid = int((extra / 2).to_integral_value(ROUND_FLOOR))
        return bid, int(extra) - bid
