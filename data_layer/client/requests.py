"""What both clients ask, and how they read the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from atrader.market import Bars
from atrader.messages.data import AppendHistory, BarsAnswer
from atrader.messages.gateway import OutboxRow
from data_layer.frames import bars_of_frames

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
