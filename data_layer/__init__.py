"""The data layer: prices, bars and trade history of everything, in memory and on disk.

Holds the data layer process, its stores and importers, and the client through which all other parts reach it.
Imports only ``atrader``.
"""

# The import names here are common ones: at start each process checks with this that the modules it got are ours.
__distribution__ = "atrader-platform"
