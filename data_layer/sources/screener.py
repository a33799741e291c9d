"""What a screener is: something that picks instruments."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Picked(NamedTuple):
    """What a screener picked.

    Attributes
    ----------
    instruments : tuple of str
        Symbols, in the order of the answer.
    unknown : tuple of str
        Keys that belong to no instrument.
    """

    instruments: tuple[str, ...]
    unknown: tuple[str, ...]


class Screener(Protocol):
    """Picks instruments by filters of its own."""

    async def pick(self) -> Picked:
        """Return what passes now; may be repeated.

        Raises
        ------
        SourceBusy
            When it cannot answer now, or its answer has no list.
        SourceRefused
            When it refuses the request.
        ConfigError
            When it does not let us in.
        """
        ...
