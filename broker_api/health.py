"""How well an adapter gets on with its broker: what only it can measure, for those who look after the account."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from atrader.orders.model import Value


class StreamHealth(Value):
    """One stream of a broker."""

    name: str  # "transactions", "prices"
    connected: bool
    heard_age_s: float | None = None  # since the last line of any kind, heartbeats included; None: nothing came yet
    reconnects: int = 0  # since the gateway started; the first connection does not count


class BrokerHealth(Value):
    """What an adapter measured so far; None where it has nothing yet."""

    clock_skew_s: float | None = None  # the broker's clock minus the host's
    clock_skew_age_s: float | None = None  # since that was measured
    round_trip_s: float | None = None  # of the newest request that was answered
    streams: tuple[StreamHealth, ...] = ()


@runtime_checkable
class Health(Protocol):
    """An adapter that measures how it gets on with its broker."""

    def health(self) -> BrokerHealth:
        """Return what was measured so far; asks nobody and never fails."""
