"""What an adapter may tell of how it gets on with its broker."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from atrader.broker_health import BrokerHealth, StreamHealth

__all__ = ["BrokerHealth", "Health", "StreamHealth"]


@runtime_checkable
class Health(Protocol):
    """An adapter that measures how it gets on with its broker."""

    def health(self) -> BrokerHealth:
        """Return what was measured so far; asks nobody and never fails."""
