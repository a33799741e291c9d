"""What a store consists of, as plain data: its parts and their versions. Whoever only reads bars needs no more.

The tables themselves are built of SQLAlchemy, which takes longer to import than a million bars to read: they are there
when somebody asks for them, to make them or to bring them to another version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from data_layer.store.tables import Tables


@dataclass(frozen=True, slots=True)
class Schema:
    """One part of a store.

    Attributes
    ----------
    part : str
        ``market`` or ``history``.
    version : int
        Of its tables as they are now. A change of a released table raises it and adds a step.
    tables : callable
        Returns its tables, in that version.
    """

    part: str
    version: int
    tables: Callable[[], Tables]


def _market() -> Tables:
    from data_layer.store.market_schema import TABLES

    return TABLES


def _history() -> Tables:
    from data_layer.store.history_schema import TABLES

    return TABLES


MARKET: Final = Schema("market", 2, _market)
"""Bars and quotes."""

HISTORY: Final = Schema("history", 2, _history)
"""What was traded. Money and units are decimals as text, times ns UTC, free-form values JSON."""

TICK_COLUMNS: Final = ("time_ns", "received_ns", "bid", "ask")
"""Of quotes, as they are stored."""
