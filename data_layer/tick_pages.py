"""Stored quotes in pages: there may be more of them than fit into an answer, or into the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from atrader.market import Quotes

PAGE_ROWS: Final = 100_000
"""Quotes of a page: 3 MB."""


class QuotePage(NamedTuple):
    """The first quotes of a period.

    Attributes
    ----------
    quotes : Quotes
        Oldest first; may be none although others follow (they are damaged).
    next_ns : int, optional
        From when to ask for the others; None: there are none.
    """

    quotes: Quotes
    next_ns: int | None


def tick_pages(
    page: Callable[[str, int | None, int | None], QuotePage],
    instrument: str,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> Iterator[Quotes]:
    """Yield the quotes of a period in parts of bearable size, oldest first; `page` gives them (`tick_page`)."""
    at_ns = start_ns
    while True:
        quotes, at_ns = page(instrument, at_ns, end_ns)
        if len(quotes.time_ns):
            yield quotes
        if at_ns is None:
            return
