"""What both clients share besides their questions."""

from __future__ import annotations

from typing import Final

from atrader.messages.data import Price
from data_layer.shared import LastPrice

TIMEOUT_S: Final = 5.0
"""How long a call may take by default."""

BULK_TIMEOUT_S: Final = 30.0
"""How long a large answer, or an import, may take by default."""


def last_price_of(price: Price) -> LastPrice:
    """Return a price that came by call in the form of one that was read from memory."""
    return LastPrice(price.instrument, price.time_ns, price.received_ns, price.bid, price.ask, price.age_s)
