"""The paper account: a broker of its own behind the adapter protocol, filling from prices it is handed.

Layers, each importing only those above it: ``reasons`` (why it refuses), ``draws`` and ``matching`` (pure decisions),
``state`` (what the broker side holds), ``desk`` (one instrument: quote, orders, tickets, trigger levels), ``money``
(balance, equity, margin, conversion, financing), ``engine`` (orders and quotes in, reports out, in memory), ``book``
(the SQLite file), ``adapter`` (the `PaperAdapter` that ties engine and book together).
"""

from broker_api.paper.adapter import PaperAdapter
from broker_api.paper.reasons import CANCEL_REASONS, REJECT_REASONS

__all__ = ["CANCEL_REASONS", "REJECT_REASONS", "PaperAdapter"]
