"""Preload of third-party libraries and the vocabulary, warmed up.

Importing this module ties the importing process (the fork server) to its parent, and freezes what is loaded out of the
garbage collector's sight, so that no collection in a child touches, and so copies, shared pages.
"""

from __future__ import annotations

import os
import sys

from atrader.runtime.parent import die_with_parent
from atrader.runtime.tags import MANAGER_PID_VARIABLE

# First of all: the fork server itself does not notice the death of its manager while a child lives.
die_with_parent(int(os.environ[MANAGER_PID_VARIABLE]))

# A signal to the terminal's group is the manager's business; it would take the whole fleet with the fork server.
os.setpgid(0, 0)

import asyncio  # noqa: E402, F401
import decimal  # noqa: E402, F401
import gc  # noqa: E402
import logging.handlers  # noqa: E402, F401
import sqlite3  # noqa: E402, F401
import zoneinfo  # noqa: E402

import msgpack  # noqa: E402
import numpy as np  # noqa: E402
import structlog  # noqa: E402, F401

import atrader.bus  # noqa: E402
import atrader.messages.data  # noqa: E402
import atrader.messages.gateway  # noqa: E402
import atrader.messages.manager  # noqa: E402
import atrader.runtime.child  # noqa: E402
from atrader.configuration.instance import ProcessLimits  # noqa: E402

SERVER_PID: int = os.getpid()
"""Who forks; children compare it with their parent."""


def warm_up() -> None:
    """Use each library once: what they load or build lazily is then shared as well."""
    square = np.ones((8, 8)) @ np.ones((8, 8))
    atrader.bus.load()
    msgpack.unpackb(msgpack.packb({"sum": float(square.sum())}))
    ProcessLimits.model_validate({"start_grace": "20s"}).model_dump_json()
    zoneinfo.ZoneInfo("America/New_York")


def freeze() -> None:
    """Move everything loaded so far out of the garbage collector's sight."""
    gc.collect()
    gc.freeze()
    sys.stdout.flush()


warm_up()
freeze()
