"""Memory of a process that works on long arrays and then ends: what it let go of is kept for the next ones."""

from __future__ import annotations

import ctypes
import os
from typing import Final

_TRIM_THRESHOLD: Final = -1  # of glibc's malloc.h, as the two below
_TOP_PAD: Final = -2
_MMAP_THRESHOLD: Final = -3
_LARGEST: Final = 32 * 2**20  # the most that glibc takes for it
_AT_ONCE: Final = 16 * 2**20
_NEVER: Final = 2**31 - 1


def keep_memory() -> None:
    """Let arrays of megabytes be made from memory that others were let go of, instead of asking the system each time.

    The system clears what it hands out, page by page: of a run over a million bars that was a fifth of the time. Huge
    pages are left out for the same reason: those must be found first. To be called before numpy is imported; without
    glibc nothing changes but that.
    """
    os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # another C library
    for what, size in ((_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _AT_ONCE)):
        mallopt(what, size)
