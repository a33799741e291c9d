"""An order as the journal holds it, with what only the gateway needs to know of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from atrader.orders.model import Intent, Order

_DIGEST_BYTES = 16


@dataclass(slots=True)
class Entry:
    """One journaled order.

    Attributes
    ----------
    order : Order
        Its newest version; replaced, never changed.
    watermark : int
        Highest transaction id certainly worked in before it was sent: look-ups begin there.
    digest : bytes
        Of the intent as it was handed over; the order's own intent follows later modifications.
    """

    order: Order
    watermark: int
    digest: bytes


def digest_of(intent: Intent) -> bytes:
    """Return what tells two different intents with the same id apart."""
    return hashlib.blake2b(intent.model_dump_json().encode(), digest_size=_DIGEST_BYTES).digest()
