"""etc/accounts/NAME.toml: one broker account."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from atrader.calendars import Calendar
from atrader.configuration.base import DurationS, Name, Section
from atrader.configuration.limits import AccountLimits, Positive, PropFirmLimits, TradeLimits
from atrader.configuration.oanda import OandaSettings

NonNegative = Annotated[Decimal, Field(ge=0)]
Balance = Annotated[Decimal, Field(gt=0, le=10**12)]  # curves of it are floats, exact to the cent
Share = Annotated[float, Field(ge=0, le=1)]


class PaperSettings(Section):
    """How the built-in paper account fills. The defaults are those of a cheap retail account, not of a dream."""

    initial_balance: Balance = Decimal(10_000)  # account currency
    seed: int = 1  # same seed, same prices, same orders: same fills
    extra_spread_pips: NonNegative = Decimal(0)  # added to the spread of the prices
    slippage_pips: NonNegative = Decimal("0.2")  # worst case; drawn uniformly between 0 and this, against the order
    commission_per_million: NonNegative = Decimal(0)  # account currency per million of base value, each side
    swap_long_frac: Decimal = Decimal(0)  # of the position's value a year; negative = paid
    swap_short_frac: Decimal = Decimal(0)  # the same for short positions
    partial_fill_share: Share = 0.0  # share of orders that fill in two or three parts
    reject_share: Share = 0.0  # share of orders refused for no reason: strategies must cope
    latency: DurationS = 0.0  # between acceptance and fill, market time
    leverage: Positive | None = None  # overrides the instruments' margin rates
    margin_closeout_frac: Positive = Decimal("0.5")  # equity / margin used at which positions are closed


class RequestBudget(Section):
    """Token bucket of broker requests; exits go first, then cancels, queries, opens, history."""

    per_second: Positive = Decimal(100)  # tokens that come back
    burst: Annotated[int, Field(gt=0)] = 20  # tokens saved at most


class AccountConfig(Section):
    """One broker account and its gateway."""

    name: Name
    broker: Literal["paper", "oanda"]  # the adapter
    enabled: bool = True  # false: no gateway is started for it
    session: Literal["gateway", "worker"] = "gateway"  # worker: inside that of the only strategy that uses the account
    positions: Literal["hedging", "netting"] = "hedging"  # a ticket for each trade, or one net position per instrument
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3,5}$")  # of balance, profit and limits
    currency_digits: Annotated[int, Field(ge=0, le=8)] = 2  # profit is rounded to it, fill by fill; at OANDA 4
    day_start: str = "fx"  # calendar whose day boundary starts the risk day
    order_timeout: DurationS = 10.0  # no answer after this: UNKNOWN, look up, never re-send
    lookup_delays: tuple[DurationS, ...] = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)  # a broker may need 0.5 s to know it
    lost_after: DurationS = 60.0  # absent this long at a healthy broker = LOST
    proof_interval: DurationS = 1.0  # how often virtual and real positions are compared
    equity_interval: DurationS = 60.0  # how often the equity goes into the history
    trade: TradeLimits = TradeLimits()
    limits: AccountLimits = AccountLimits()
    prop_firm: PropFirmLimits | None = None
    budget: RequestBudget = RequestBudget()
    paper: PaperSettings = PaperSettings()
    oanda: OandaSettings | None = None

    @model_validator(mode="before")
    @classmethod
    def _digits_of_its_broker(cls, values: object) -> object:
        return (
            {"currency_digits": 4, **values} if isinstance(values, dict) and values.get("broker") == "oanda" else values
        )

    @field_validator("day_start")
    @classmethod
    def _known_calendar(cls, value: str) -> str:
        return Calendar.get(value).name

    @model_validator(mode="after")
    def _knows_its_broker(self) -> Self:
        if self.broker == "oanda" and self.oanda is None:
            raise ValueError("broker 'oanda' needs a table [oanda] with account_id and token")
        return self
