"""Normal random numbers as R draws them: its default generators, Mersenne-Twister and inversion, from a seed."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_WORDS = 624
_UNIT = 2.328306437080797e-10  # 1 / (2**32 - 1)
_FINE = 134_217_728  # 2**27: two draws make one uniform number, the first gives its upper digits


def r_normal(seed: int, count: int) -> NDArray[np.float64]:
    """Return what ``set.seed(seed); rnorm(count)`` gives in R 3.6 and later, to about 1e-15."""
    state = _scrambled(seed)
    source = np.random.MT19937()
    source.state = {"bit_generator": "MT19937", "state": {"key": state, "pos": _WORDS}}
    # R multiplies by slightly less than _UNIT: 2**-32 rounded.
    uniform = source.random_raw(2 * count).astype(np.float64) * 2.3283064365386963e-10
    uniform = np.clip(uniform, 0.5 * _UNIT, 1 - 0.5 * _UNIT)
    fine = np.floor(_FINE * uniform[::2]) + uniform[1::2]
    inverse = NormalDist().inv_cdf  # Wichura's AS 241, as R's qnorm
    return np.array([inverse(value) for value in (fine / _FINE).tolist()])


def _scrambled(seed: int) -> NDArray[np.uint32]:
    """Return the words that R's linear congruence makes of a seed."""
    values = []
    for _ in range(50):
        seed = (69_069 * seed + 1) % 2**32
    for _ in range(_WORDS + 1):
        seed = (69_069 * seed + 1) % 2**32
        values.append(seed)
    return np.array(values[1:], np.uint32)  # the first one would be the position
