"""Filters of entries: components that any strategy may have among its parameters.

A strategy takes them as a parameter (``filters: Filters = ()``) and passes its signals through `filtered`; an event
strategy asks `may_enter` before it opens something. A new filter is a module here and one more name in `Filters`.
"""

from typing import Annotated, TypeAlias

from pydantic import Field

from worker.strategies.filters.entry_filter import (
    Allowed,
    EntryFilter,
    allowed_by,
    filtered,
    may_enter,
    warmup_of,
    without_forbidden,
)
from worker.strategies.filters.momentum import MomentumFilter
from worker.strategies.filters.regime import RegimeFilter

Filter: TypeAlias = Annotated[RegimeFilter | MomentumFilter, Field(discriminator="kind")]
"""Any filter, chosen by its ``kind``."""

Filters: TypeAlias = tuple[Filter, ...]
"""Type of the parameter ``filters`` of a strategy; all of them must allow an entry."""

__all__ = [
    "Allowed",
    "EntryFilter",
    "Filter",
    "Filters",
    "MomentumFilter",
    "RegimeFilter",
    "allowed_by",
    "filtered",
    "may_enter",
    "warmup_of",
    "without_forbidden",
]
