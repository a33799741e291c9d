"""Looking for garbage in cycles seldom, while nearly all that is made is kept."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_MADE_BETWEEN: Final = 50_000
"""Objects made before cycles are looked for: some ten megabytes. Python's own 700 are made by a hundred orders, which
are kept with all that came of them, so that each search went over them again and found nothing."""


@contextmanager
def seldom_sought() -> Iterator[None]:
    """Have Python look for garbage less often; whoever had it look even less often, or never, keeps that."""
    before = gc.get_threshold()
    if not before[0] or before[0] >= _MADE_BETWEEN:
        yield
        return
    gc.set_threshold(_MADE_BETWEEN, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
