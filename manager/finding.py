"""What ``doctor`` found at one place."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["ok", "warning", "error"]


class Finding(NamedTuple):
    """One thing that was looked at, and what to do about it."""

    level: Level
    what: str
    text: str
    remedy: str = ""
