"""Names and magic numbers of what is imported: made from the old ones, the same each time, each only once."""

from __future__ import annotations

import re
import zlib
from typing import Final

from atrader.orders.ids import MAX_MAGIC

_LONGEST: Final = 40
_FIRST_MAGIC: Final = 1_000_000_000  # far from what people number by hand


def slug(text: str) -> str:
    """Return what a file of accounts or strategies may be called for an old name; ``unnamed`` when nothing is left."""
    name = re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")
    return name[:_LONGEST].rstrip("-_") or "unnamed"


class Names:
    """Gives each name out once; a second one gets a number."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, text: str) -> str:
        """Return a free name for an old one."""
        first = name = slug(text)
        number = 2
        while name in self._taken:
            tail = f"-{number}"
            name = first[: _LONGEST - len(tail)] + tail
            number += 1
        self._taken.add(name)
        return name


class Magics:
    """Gives each magic number out once."""

    def __init__(self) -> None:
        self._owners: dict[int, str] = {}

    def owner(self, magic: int) -> str | None:
        """Return who has a number."""
        return self._owners.get(magic)

    def take(self, magic: int, owner: str) -> None:
        """Note who has a number."""
        self._owners[magic] = owner

    def make(self, owner: str) -> int:
        """Return a free number for a name, the same for the same name; and note it."""
        magic = _FIRST_MAGIC + zlib.crc32(owner.encode()) % (MAX_MAGIC - _FIRST_MAGIC)
        while magic in self._owners:
            magic = magic + 1 if magic < MAX_MAGIC else _FIRST_MAGIC
        self.take(magic, owner)
        return magic
