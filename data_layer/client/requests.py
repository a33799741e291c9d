"""What both clients ask, and how they read the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from atrader.market import Bars
from atrader.messages.data import AppendHistory, BarsAnswer, Price
from atrader.messages.gateway import OutboxRow
from data_layer.frames import bars_of_frames
from data_layer.shared import LastPrice

TIMEOUT_S: Final = 5.0
"""How long a call may take by default."""

BULK_TIMEOUT_S: Final = 30.0
"""How long a large answer, or an import, may take by default."""


def append_request(source: str, rows: Sequence[OutboxRow]) -> AppendHistory:
    """Make the request that appends rows of an outbox."""
    return AppendHistory(source=source, rows=tuple(row.model_dump(mode="json") for row in rows))


def bars_of(answer: BarsAnswer, frames: list[memoryview]) -> tuple[Bars, int, int]:
    """Return bars (read-only, not copied), epoch and number in the stream."""
    return bars_of_frames(frames), answer.epoch, answer.seq


def last_price_of(price: Price) -> LastPrice:
    """Return a price that came by call in the form of one that was read from memory."""
    return LastPrice(price.instrument, price.time_ns, price.received_ns, price.bid, price.ask, price.age_s)
