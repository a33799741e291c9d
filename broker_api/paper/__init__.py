"""The paper account: a broker of its own behind the adapter protocol, filling from prices it is handed.

How it fills is `atrader.paper`, which backtests share. Here is what makes a broker of it: ``book`` (the SQLite file)
and ``adapter`` (the `PaperAdapter` that ties engine and book together).
"""

from broker_api.paper.adapter import PaperAdapter

__all__ = ["PaperAdapter"]
