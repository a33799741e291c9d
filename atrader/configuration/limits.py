"""Risk limits as configuration; `atrader/risk` holds the rules that read them. A limit left out does not apply."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from atrader.configuration.base import DurationS, Section
from atrader.sessions import Session

Positive = Annotated[Decimal, Field(gt=0)]
Fraction = Annotated[Decimal, Field(gt=0, le=1)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class SessionWindow(Section):
    """A daily window of local time; it may cross midnight."""

    start: str  # local time such as "08:00"
    end: str  # not included; before start: the window crosses midnight
    zone: str = "America/New_York"  # of start and end
    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")  # on which the window begins

    @model_validator(mode="after")
    def _a_session(self) -> Self:
        Session.parse(self.start, self.end, self.zone, self.days)
        return self


class TradeLimits(Section):
    """Limits of a single order."""

    max_units: Positive | None = None  # of one order
    max_risk_frac: Fraction | None = None  # of equity, to the stop
    min_stop_distance: Positive | None = None  # price
    stop_required: bool = False  # no order without a stop, and no stop is removed or moved away
    max_spread: Positive | None = None  # price
    max_price_age: DurationS = 10.0  # refuse to open on a price older than this; exits always go
    max_intent_age: DurationS = 30.0  # an entry that comes later (gateway away) is another one
    price_band_frac: Fraction = Decimal("0.05")  # limit/stop prices and stops farther from the market are typos


class InstanceLimits(Section):
    """Limits of one strategy instance."""

    max_open_trades: Annotated[int, Field(gt=0)] | None = None  # open trades and opening orders
    max_position_units: Positive | None = None  # net position with what is ordered
    max_orders_per_minute: Annotated[int, Field(gt=0)] | None = 60  # a runaway loop shows here first
    session: SessionWindow | None = None  # when it may open
    exit_at_session_end: bool = False  # close what is open when the session ends
    cooldown_after_losses: Annotated[int, Field(gt=0)] | None = None  # so many losing trades in a row
    cooldown: DurationS = 3600.0  # how long it then opens nothing
    daily_loss: Positive | None = None  # account currency; realised + floating since the start of the account's day
    on_daily_loss: Literal["reduce", "flatten"] = "reduce"  # reduce: open no more today; flatten: close as well

    @model_validator(mode="after")
    def _has_a_session_to_end(self) -> Self:
        if self.exit_at_session_end and self.session is None:
            raise ValueError("exit_at_session_end needs a session")
        return self


class CorrelatedCap(Section):
    """One cap for instruments that move together."""

    instruments: Annotated[tuple[str, ...], Field(min_length=2)]  # that move together
    max_exposure_frac: Positive  # value of their net positions over equity


class AccountLimits(Section):
    """Limits of one account. The day starts at the account's ``day_start`` calendar."""

    daily_loss: Positive | None = None  # account currency
    daily_loss_frac: Fraction | None = None  # of the equity at the start of the day
    on_daily_loss: Literal["reduce", "flatten"] = "reduce"  # reduce: open no more today; flatten: close as well
    max_drawdown_frac: Fraction | None = None  # of the reference below
    drawdown_reference: Literal["start", "peak", "day"] = "peak"  # first balance, highest or day-start equity
    on_drawdown: Literal["reduce", "flatten"] = "flatten"  # a breaker that lets the loss run on is none
    max_open_trades: Annotated[int, Field(gt=0)] | None = None  # over all instances
    max_gross_exposure_frac: Positive | None = None  # value of all positions over equity
    max_net_exposure_frac: Positive | None = None  # the same, long and short set off against each other
    max_margin_use_frac: Fraction | None = None  # margin over equity; far from the close-out
    correlated: tuple[CorrelatedCap, ...] = ()


class PropFirmLimits(Section):
    """Rules of funded accounts (TopStepX style: daily loss limit DLL, maximum loss limit MLL)."""

    daily_loss_limit: Positive | None = None  # account currency
    maximum_loss_limit: Positive | None = None  # account currency, trailing the highest end-of-day balance
    floor_stops_at_start: bool = False  # the MLL trails no higher than the starting balance; False is the stricter
    usage_frac: Fraction = Decimal("0.8")  # stop opening at this share of a limit: the firm's figure includes slippage
    flatten_frac: Fraction = Decimal("0.9")  # close everything at this share: the firm ends the account at 1
    consistency_frac: Fraction | None = None  # best day's profit over total profit
    profit_target: Positive | None = None  # account currency; the total of the consistency rule is at least this
    flat_by: SessionWindow | None = None  # no positions outside this window

    @model_validator(mode="after")
    def _flattens_after_it_stopped_opening(self) -> Self:
        if self.flatten_frac < self.usage_frac:
            raise ValueError(f"flatten_frac {self.flatten_frac} must not be below usage_frac {self.usage_frac}")
        return self
