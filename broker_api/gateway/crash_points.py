"""Places where a gateway can be told to die, for the tests of recovery.

The environment variable ``ATRADER_CRASH_POINT`` holds ``NAME@MARKER``, or several of them with commas between: at the
place of that name the process makes the marker file and kills itself with SIGKILL; when the marker exists already,
nothing happens, so that its successor lives.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "ATRADER_CRASH_POINT"

CRASH_POINTS: Final[Mapping[str, str]] = {
    "before-journal": "an intent arrived and nothing of it is written",
    "after-journal-before-send": "the order is SENT in the journal, the broker never heard of it",
    "after-send-before-answer": "the broker has worked the order in, the journal knows nothing of the answer",
    "after-answer-before-publish": "the answer is in the journal, nobody was told",
}
"""Every place, and what is where at that moment."""

_ASKED: Final = dict(item.split("@", 1) for item in os.environ.get(VARIABLE, "").split(",") if item)


def reached(name: str) -> None:
    """Die here if this is the place; the marker is on disk before that."""
    if name not in _ASKED:
        return
    try:
        marker = os.open(_ASKED[name], os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    os.fsync(marker)
    os.kill(os.getpid(), signal.SIGKILL)
