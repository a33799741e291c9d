"""Tickets: the 32-bit numbers by which the C library knows orders and trades."""

from __future__ import annotations

from typing import Final, cast

from atrader.orders.ids import intent_id_of

FIRST_FOREIGN: Final = 2**30
"""Tickets from here on belong to trades that this instance did not open itself."""

_MAX: Final = 2**31 - 1
_STATE: Final = "tickets"


class Tickets:
    """The map between our ids and tickets; a ticket is never used for another order.

    An order of the instance's own has the number of its intent, which is on disk before the order is sent and never
    comes again. Everything else (a trade taken over, or moved from an old installation) gets the next number of a
    range of its own, kept in the strategy's state.

    Parameters
    ----------
    state : dict
        The strategy's state (`atrader.strategy.Context.state`); kept under ``tickets``.
    magic : int
        Of the instance.
    """

    def __init__(self, state: dict[str, object], magic: int) -> None:
        self._magic = magic
        self._foreign = cast(dict[str, int], state.setdefault(_STATE, {}))

    def of(self, client_id: str) -> int:
        """Return the ticket of a trade or order; it has one from now on.

        Raises
        ------
        OverflowError
            When the numbers are used up, after a thousand million orders.
        """
        own = intent_id_of(client_id)
        if own is not None and own.magic == self._magic and 0 < own.n < FIRST_FOREIGN:
            return own.n
        if client_id not in self._foreign:
            ticket = FIRST_FOREIGN + len(self._foreign)
            if ticket > _MAX:
                raise OverflowError(f"no ticket is left for {client_id}")
            self._foreign[client_id] = ticket
        return self._foreign[client_id]
