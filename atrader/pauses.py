"""Pauses between attempts that fail: longer each time, never in step with others."""

from __future__ import annotations

import random

_MOST_DOUBLINGS = 20  # more would only make the number larger than any limit


def pause_after(failures: int, rng: random.Random, *, first_s: float, longest_s: float, jitter_frac: float) -> float:
    """Return how long to wait after so many failures in a row, seconds.

    Parameters
    ----------
    failures : int
        From 1 on; each doubles the pause, from `first_s` to `longest_s`.
    rng : random.Random
        Of the jitter.
    jitter_frac : float
        The pause is shortened by up to this share of it.
    """
    pause_s = min(longest_s, first_s * 2.0 ** (min(failures, _MOST_DOUBLINGS) - 1))
    return pause_s * (1.0 - jitter_frac * rng.random())
