"""The compiled recurrences, where they were built: the same bits as those in Python, fifty times as fast."""

from atrader.compiled_parts import are_current

try:
    from atrader.indicators import _recurrences as recurrences

    is_there = are_current(recurrences)
except ImportError:  # built where there is no compiler
    is_there = False

__all__ = ["is_there", "recurrences"]
