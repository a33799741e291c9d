"""Market feeds that need no broker: a synthetic market, and the replay of what is stored.

`data_layer.feeds.choice` chooses by configuration; see `data_layer.feeds.feed` for what a feed is.
"""

from data_layer.feeds.feed import Feed, MarketSink, MarketSource, ReplayState

__all__ = ["Feed", "MarketSink", "MarketSource", "ReplayState"]
