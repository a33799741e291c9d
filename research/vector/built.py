"""What was compiled: all of it and of these sources, or nothing, and then numpy and Python do the same."""

from __future__ import annotations

from atrader.compiled_parts import are_current

try:
    from research.vector import _columns as columns
    from research.vector import _kernel as kernel

    is_there = are_current(columns, kernel)
except ImportError:  # built where there is no compiler
    is_there = False

__all__ = ["columns", "is_there", "kernel"]
