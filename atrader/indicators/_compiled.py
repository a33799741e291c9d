"""The compiled recurrences, where they were built: the same bits as those in Python, fifty times as fast."""

try:
    from atrader.indicators import _recurrences as recurrences

    is_there = True
except ImportError:  # built where there is no compiler
    is_there = False

__all__ = ["is_there", "recurrences"]
