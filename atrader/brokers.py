"""What is known of brokers without asking them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class BrokerTraits(NamedTuple):
    """One kind of broker.

    Attributes
    ----------
    has_prices : bool
        Whether its gateway brings prices; else its accounts live on those of a feed or of other accounts.
    timeframes : frozenset of str
        Of the bars that it can be asked for; empty: of none.
    """

    has_prices: bool = True
    timeframes: frozenset[str] = frozenset()


_OANDA: Final = (
    "5s 10s 15s 30s 1m 2m 4m 5m 10m 15m 30m 1h 2h 3h 4h 6h 8h 12h 1d 1w"  # its months begin elsewhere: built from days
)

BROKERS: Final[Mapping[str, BrokerTraits]] = {
    "paper": BrokerTraits(has_prices=False),
    "oanda": BrokerTraits(timeframes=frozenset(_OANDA.split())),
}
"""By the ``broker`` of an account file."""
