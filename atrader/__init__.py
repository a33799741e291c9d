"""The vocabulary that all parts share, pure and without I/O.

Instruments, bars, orders, fills and positions; the position ledger; risk rules; sizing; sessions and calendars; the
strategy contract; indicators; statistics of trades; configuration models; wire messages; the bus (the one place that
knows ZeroMQ); clock; errors; exit codes. Imports nothing of ours.
"""

# The import names here are common ones: at start each process checks with this that the modules it got are ours.
__distribution__ = "atrader-platform"
__version__ = "0.1.0"
