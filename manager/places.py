"""Where results go: looked at before long work, which would be lost otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from atrader.errors import ConfigError

TRIALS: Final = "trials.sqlite"
"""Name of the file of trials in the folder of a search."""


def require_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made, or in which nothing can be written.

    Raises
    ------
    ConfigError
        Naming what is in the way.
    """
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder}: nothing can be written in {there}: give another place")
