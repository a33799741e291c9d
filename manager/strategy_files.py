"""What a worker runs is also the content of its strategy's file: a reload has to notice a change of it."""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(home: Path, strategy: str) -> str:
    """Return a hash of the file that a strategy comes from.

    Parameters
    ----------
    home : Path
        The installation directory.
    strategy : str
        As in the configuration. Only ``strategies/file.py:Class`` names a file of the installation.

    Returns
    -------
    str
        Hexadecimal; empty for a built-in or installed strategy, and for a file that cannot be read.
    """
    place = strategy.partition(":")[0]
    if not place.endswith(".py"):
        return ""
    try:
        return hashlib.sha256((home / place).read_bytes()).hexdigest()
    except OSError:  # its worker says what is wrong with it
        return ""
