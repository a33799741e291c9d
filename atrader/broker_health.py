"""How a gateway gets on with its broker: figures for those who look after an account."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StreamHealth(_Figures):
    """One stream of a broker."""

    name: str  # "transactions", "prices"
    connected: bool
    heard_age_s: float | None = None  # since the last line of any kind, heartbeats included; None: nothing came yet
    reconnects: int = 0  # since the gateway started; the first connection does not count


class BrokerHealth(_Figures):
    """What an adapter measured so far; None where it has nothing yet."""

    clock_skew_s: float | None = None  # the broker's clock minus the host's
    clock_skew_age_s: float | None = None  # since that was measured
    round_trip_s: float | None = None  # of the newest request that was answered
    streams: tuple[StreamHealth, ...] = ()


class BudgetState(_Figures):
    """A request budget at one moment."""

    per_second: float
    burst: int
    tokens: float  # requests that could be made at once
    waiting: dict[str, int]  # by priority: exit, cancel, query, open, history
