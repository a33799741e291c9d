"""What was compiled: all of it, or nothing, and then numpy and Python do the same."""

from __future__ import annotations

try:
    from research.vector import _columns as columns
    from research.vector import _kernel as kernel

    is_there = True
except ImportError:  # built where there is no compiler
    is_there = False

__all__ = ["columns", "is_there", "kernel"]
