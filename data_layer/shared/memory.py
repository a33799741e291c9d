"""Memory without a name: it cannot shrink under a reader, and the kernel frees it with its last user.

A reader opens it through the descriptors of its owner in ``/proc``, which the kernel allows to the same user only.
Nothing is left behind however owner and readers die.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import stat
from typing import Final

_PREFIX: Final = "atrader-"
_SEAL_FUTURE_WRITE: Final = 0x10  # <linux/fcntl.h>; Python 3.11 has no name for it
_FIXED: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def create(name: str, size: int) -> int:
    """Make memory of a fixed size, all zero, and return its descriptor. Pages are taken when they are written.

    Raises
    ------
    OSError
        When the system has no descriptors left, or does not know such memory.
    """
    descriptor = os.memfd_create(_PREFIX + name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _FIXED)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def create_mapped(name: str, size: int) -> tuple[int, mmap.mmap]:
    """Make memory that only the mapping returned can write, with all its pages: writing never fails later.

    Raises
    ------
    OSError
        When the system has no memory or descriptors left, or does not know such memory.
    """
    descriptor = os.memfd_create(_PREFIX + name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.posix_fallocate(descriptor, 0, size)
        mapping = mmap.mmap(descriptor, size)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _FIXED | _SEAL_FUTURE_WRITE)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor, mapping


def map_of(pid: int, number: int) -> mmap.mmap:
    """Map the memory behind a descriptor of another process, read only.

    The mapping keeps a shared lock on the memory as long as it is used, so that `is_used` tells it.

    Raises
    ------
    OSError
        When there is no such memory, or not for this user.
    """
    path = f"/proc/{pid}/fd/{number}"
    if not _is_ours(path):
        raise FileNotFoundError(f"{path}: no memory of a data layer")
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        # The number may have been given to another file between the two looks.
        if not _is_ours(f"/proc/self/fd/{descriptor}") or not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(f"{path}: no memory of a data layer")
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # mmap of an empty file
        raise OSError(f"{path}: {error}") from error
    finally:
        os.close(descriptor)  # the mapping has its own


def is_used(descriptor: int) -> bool:
    """Tell whether anybody maps this memory."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _is_ours(link: str) -> bool:
    return os.readlink(link).startswith(f"/memfd:{_PREFIX}")
