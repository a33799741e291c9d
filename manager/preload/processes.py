"""Preload of the fleet: the libraries, and the modules of every kind of process."""

from __future__ import annotations

import importlib

from atrader.runtime.spec import ENTRIES
from manager.preload.libraries import SERVER_PID, freeze

__all__ = ["SERVER_PID"]

for _entry in ENTRIES.values():
    importlib.import_module(_entry.partition(":")[0])
freeze()
