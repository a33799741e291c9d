"""Made-up bars of several characters, for the tests of indicators."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Prices(NamedTuple):
    """High, low and close of bars, float64."""

    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]


KINDS = ("random", "rising", "falling", "flat", "steps", "bursts", "dear", "tiny")


def make_prices(kind: str, seed: int, length: int) -> Prices:
    """Return bars of a kind: see `KINDS`; the same arguments give the same bars."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=length)
    moves = {
        "random": noise,
        "rising": np.abs(noise) + 0.1,  # no bar falls
        "falling": -np.abs(noise) - 0.1,
        "flat": np.zeros(length),
        "steps": np.round(noise) * (random.random(length) < 0.3),  # closes repeat, as in quiet hours
        "bursts": noise * (np.arange(length) // 50 % 2),  # long flat stretches between
        "dear": noise,
        "tiny": noise,
    }[kind]
    scale, base = {"dear": (5.0, 60_000.0), "tiny": (1e-8, 1e-5)}.get(kind, (1e-4, 1.1))
    close = base + np.cumsum(moves) * scale
    wick = 0.0 if kind == "flat" else scale
    wicks = wick * np.abs(random.normal(size=(2, length))) * (moves != 0.0)
    before = np.concatenate((close[:1], close[:-1]))
    return Prices(np.maximum(close, before) + wicks[0], np.minimum(close, before) - wicks[1], close)
