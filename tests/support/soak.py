"""Which seeds the long tests draw with: always the same unless a run says otherwise, so that a failure comes back."""

from __future__ import annotations

import os
from typing import Final

_FIRST: Final = int(os.environ.get("SOAK_FIRST", "1000"))


def soak_seeds(tests: int, each: int = 1) -> range:
    """Return the first seed of each of so many tests that use so many seeds each."""
    return range(_FIRST, _FIRST + tests * each, each)
