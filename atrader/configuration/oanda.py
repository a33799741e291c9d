"""[oanda] in etc/accounts/NAME.toml: which account at OANDA, and how we speak to it."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from atrader.configuration.base import DurationS, Section
from atrader.configuration.limits import Positive
from atrader.configuration.secrets import SecretRef
from atrader.configuration.web_url import checked_web_url

_REST: Final = {"practice": "https://api-fxpractice.oanda.com", "live": "https://api-fxtrade.oanda.com"}
_STREAM: Final = {"practice": "https://stream-fxpractice.oanda.com", "live": "https://stream-fxtrade.oanda.com"}


class OandaSettings(Section):
    """An account at OANDA (v20). Kind of positions and currency are the broker's: a file that differs is refused."""

    environment: Literal["practice", "live"] = "practice"  # a token of one is refused by the other
    account_id: str = Field(pattern=r"^\d+-\d+-\d+-\d+$")  # four numbers, such as "101-004-1234567-001"
    token: SecretRef  # reference to the personal access token
    rest_url: str | None = None  # not set: that of the environment; http:// only on this host (the simulator)
    stream_url: str | None = None  # the same for the streams
    market_bound_pips: Positive | None = None  # a market order that opens fills no farther off, or not at all
    connect_timeout: Annotated[DurationS, Field(gt=0)] = 5.0  # of a new connection; nothing was sent by then
    read_timeout: Annotated[DurationS, Field(gt=0)] = 10.0  # of an answer; an order's outcome is then unknown
    stream_silence: Annotated[DurationS, Field(gt=0)] = 12.0  # without a line: dead; it sends one each 5 s
    new_connections_per_s: Annotated[float, Field(gt=0)] = 2.0  # the broker refuses more

    @property
    def rest_base(self) -> str:
        """Where requests go, without a slash at the end."""
        return (self.rest_url or _REST[self.environment]).rstrip("/")

    @property
    def stream_base(self) -> str:
        """Where streams come from, without a slash at the end."""
        return (self.stream_url or _STREAM[self.environment]).rstrip("/")

    @model_validator(mode="after")
    def _guards_the_token(self) -> Self:
        for name in ("rest_url", "stream_url"):
            url = getattr(self, name)
            if url is not None:
                checked_web_url(url, allow_http=False, name=name)
        return self
