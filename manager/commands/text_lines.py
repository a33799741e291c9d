"""Texts in lines of a terminal: what brokers and strategies say may hold characters that take two places, or none."""

from __future__ import annotations

import textwrap
from typing import Final
from unicodedata import east_asian_width

_WIDE: Final = "WF"
_SECOND: Final = "\0"  # the second place of a wide character while a text is folded


def width_of(text: str) -> int:
    """Return the places that a line of text takes."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(one) in _WIDE else 1 for one in text)


def folded(text: str, space: int | None) -> list[str]:
    """Return a text in lines of so many places (None: as it is), broken between words where that goes.

    What moves the cursor or speaks to the terminal becomes a blank, but for ends of lines.
    """
    if not text.isprintable():
        text = "".join(one if one.isprintable() or one == "\n" else " " for one in text)
    if space is None or (width_of(text) <= space and "\n" not in text):
        return [text]
    if not text.isascii():
        text = "".join(f"{one}{_SECOND}" if east_asian_width(one) in _WIDE else one for one in text)
    lines = [textwrap.wrap(line, max(space, 1), break_on_hyphens=False) or [""] for line in text.splitlines()]
    return [part.replace(_SECOND, "") for parts in lines for part in parts]
