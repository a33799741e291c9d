"""[sources.NAME] in etc/atrader.toml: services that are asked for bars over HTTP."""

import string
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from atrader.configuration.base import DurationS, Section, TimeframeName
from atrader.configuration.secrets import SecretRef
from atrader.configuration.web_url import checked_web_url

TimeFormat = Literal["iso", "s", "ms", "us", "ns"]

_ALL_TIMEFRAMES: dict[str, str] = {}


class LoginConfig(Section):
    """Credentials that are exchanged for a token; the token is renewed when it is refused."""

    path: str = "/api/v1/auth/login"  # POST with user and password as JSON
    user: str  # who logs in
    password: SecretRef  # reference to the password
    user_field: str = "username"  # name of the user in the request
    password_field: str = "password"  # name of the password in the request
    token: str = "access_token"  # where the token is in the answer, e.g. "data.token"
    refresh_path: str | None = None  # POST with the refresh token; not set: log in again
    refresh_token: str = "refresh_token"  # where the refresh token is in the answer, and its name in the request


class HttpAuth(Section):
    """How a source knows us."""

    kind: Literal["none", "bearer", "api-key", "login"] = "none"  # login exchanges a password for a bearer token
    token: SecretRef | None = None  # reference to the bearer token or API key
    header: str = "X-API-Key"  # of an API key
    login: LoginConfig | None = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.kind in ("bearer", "api-key") and self.token is None:
            raise ValueError(f"kind {self.kind!r} needs 'token'")
        if self.kind == "login" and self.login is None:
            raise ValueError("kind 'login' needs a table [sources.NAME.auth.login]")
        return self


class HttpCandles(Section):
    """How candles are asked for, and what an answer looks like."""

    path: str = "/api/v1/candles/{instrument_key}/{timeframe}"  # GET
    start: str = "from"  # parameter for the first time; empty: not sent
    end: str = "to"  # parameter for the time after the last; empty: not sent
    limit: str = "limit"  # parameter for the number of candles; empty: not sent
    time_sent: TimeFormat = "iso"  # how times are written in parameters
    items: str = ""  # where the list is in the answer, e.g. "data.candles"; empty: the answer is the list
    cursor: str = ""  # where the answer has the cursor of the next page; empty: pages by time
    cursor_sent: str = "cursor"  # parameter for the cursor
    time: str = "time"  # open time in a candle; a number is a place in a list
    time_format: TimeFormat = "iso"  # how it is written
    open: str = "open"  # bid, or the only price
    high: str = "high"  # the same
    low: str = "low"  # the same
    close: str = "close"  # the same
    ask_open: str = ""  # empty: as open
    ask_high: str = ""  # empty: as high
    ask_low: str = ""  # empty: as low
    ask_close: str = ""  # empty: as close
    volume: str = "volume"  # empty: there is none
    complete: str = ""  # true for a candle that is over; empty: judged by its time

    @field_validator("path")
    @classmethod
    def _names_the_instrument(cls, value: str) -> str:
        return _template(value, {"instrument_key", "timeframe"}, {"instrument_key"})


class HttpScreener(Section):
    """How a list of instruments is asked for."""

    path: str = "/api/v1/filter-pipeline/run"  # POST
    body: dict[str, Any] = {}  # sent as JSON
    items: str = "instruments"  # where the list is in the answer
    key: str = "instrument_key"  # of an item that is a table; items may also be the keys themselves
    refresh: Annotated[DurationS, Field(ge=1)] = 300.0  # how often it is asked again


class HttpSource(Section):
    """A service that is asked for bars over HTTP."""

    url: str  # such as "https://candles.example.com"
    allow_http: bool = False  # true: credentials may travel unencrypted to another host
    auth: HttpAuth = HttpAuth()
    timeout: DurationS = 20.0  # of one request, its answer included
    requests_per_second: Annotated[float, Field(gt=0)] = 2.0  # at most, on average
    burst: Annotated[int, Field(gt=0)] = 2  # requests at once after a pause
    page_bars: Annotated[int, Field(gt=0, le=100_000)] = 1000  # asked for at once; never more than the service gives
    settle: DurationS = 2.0  # how long after its end a candle is final
    live: bool = False  # true: its new candles are the live bars, in place of bars built from quotes
    instruments: dict[str, str] = {}  # instrument keys of the service by symbol, e.g. "EUR/USD" = "eurusd"
    instrument_key: str | None = None  # of all other instruments, e.g. "{base}-{quote}"; not set: there are no others
    timeframes: dict[TimeframeName, str] = _ALL_TIMEFRAMES  # names there by ours; empty: all, with our names
    candles: HttpCandles = HttpCandles()
    screener: HttpScreener | None = None

    @field_validator("instrument_key")
    @classmethod
    def _is_a_template(cls, value: str | None) -> str | None:
        return None if value is None else _template(value, {"base", "quote"}, {"base", "quote"})

    @model_validator(mode="after")
    def _guards_credentials(self) -> Self:
        try:
            checked_web_url(self.url, allow_http=self.allow_http or self.auth.kind == "none")
        except ValueError as error:
            hint = ", or write allow_http = true" if "unencrypted" in str(error) else ""
            raise ValueError(f"{error}{hint}") from error
        return self


class BackfillConfig(Section):
    """What history is fetched from sources by itself."""

    check: Annotated[DurationS, Field(ge=0.1)] = 30.0  # how often it is looked for missing bars
    live_window: DurationS = 172_800.0  # how far back bars that strategies should have got are looked for
    history: DurationS | None = None  # how much history each kept instrument should have; not set: what is asked for
    keep: tuple[str, ...] = ()  # instruments kept up to date beside those of strategies and of the market feed
    screener: str | None = None  # name of a source whose screener names more instruments to keep


def _template(value: str, allowed: set[str], needed: set[str]) -> str:
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(value) if name is not None}
    except ValueError as error:
        raise ValueError(f"{error}, was {value!r}") from error
    if not needed <= names <= allowed:
        raise ValueError(f"expected {' and '.join(sorted(f'{{{name}}}' for name in needed))} in it, was {value!r}")
    return value
