"""The Asirikuy C library as a strategy.

Its binary interface, loading and conversion through ctypes, and its ``.set`` and XML files. Imports only ``atrader``.
"""

# The import names here are common ones: at start each process checks with this that the modules it got are ours.
__distribution__ = "atrader-platform"
