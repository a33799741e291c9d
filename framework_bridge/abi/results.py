"""The results array: zeroed before a call, checked and read after a good one."""

from __future__ import annotations

from math import isfinite
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from framework_bridge.abi.codes import LibraryError
from framework_bridge.abi.signals import ALL_BITS, Command, commands_in
from framework_bridge.abi.structures import RESULT

_FIELDS: Final = RESULT.itemsize // 8
_GUARD_ROWS: Final = 8
_GUARD: Final = -7.25e77  # no price, no ticket, and no byte of it is zero
_MAX_INT: Final = 2**31 - 1
ANY_TICKET: Final = -1
"""Ticket of a row about every order of the instance of the kind that its bits name."""


class ResultRow(NamedTuple):
    """One row, as the library wrote it.

    Attributes
    ----------
    ticket : int
        The order it is about; `ANY_TICKET` for all; also that for orders to open.
    bits : int
        What to do: `framework_bridge.abi.signals`.
    lots : float
        Of an order to open.
    entry_price : float
        Of a pending order.
    broker_sl, broker_tp : float
        Distances in price units from the price; 0 none, below 0 as it was.
    internal_sl, internal_tp : float
        Distances that the library itself watches.
    trailing : bool
        Whether the stop of `ticket` follows at `broker_sl`, with no bit set.
    expires_s : int
        When a pending order ends, 0 never.
    """

    ticket: int
    bits: int
    lots: float
    entry_price: float
    broker_sl: float
    broker_tp: float
    internal_sl: float
    internal_tp: float
    trailing: bool
    expires_s: int

    @property
    def commands(self) -> tuple[Command, ...]:
        """What it says, in the order in which it is carried out: closes, updates, opens."""
        return commands_in(self.bits)


class ResultArray:
    """Memory for results, with rows behind it that nobody may write to.

    Parameters
    ----------
    rows : int
        Setting ``MAX_OPEN_ORDERS``.
    """

    def __init__(self, rows: int) -> None:
        memory = np.zeros((rows + _GUARD_ROWS, _FIELDS))
        memory[rows:] = _GUARD
        self._memory = memory
        self._table = memory[:rows]
        self._bits = self._table.reshape(-1).view(np.int64)
        self._guard = memory[rows:]
        self._intact = self._guard.tobytes()
        self.address = int(memory.ctypes.data)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def rows(self) -> NDArray[np.void]:
        """All rows, as the library sees them."""
        return self._table.reshape(-1).view(RESULT)

    def clear(self) -> None:
        """Zero all rows: the library leaves what it does not write, also when it answers 0."""
        self._table[:] = 0.0

    def require_guard(self) -> None:
        """Do nothing when nothing was written behind the last row.

        Raises
        ------
        LibraryError
            Otherwise: memory of this process was damaged, nothing in it can be trusted any more.
        """
        if self._guard.tobytes() != self._intact:
            self._guard[:] = _GUARD
            raise LibraryError(
                f"the library wrote behind the {len(self)} rows of its results: it is no library of this"
                " interface, or its MAX_OPEN_ORDERS is another; memory may be damaged"
            )

    def read(self) -> tuple[ResultRow, ...]:
        """Return the rows that say something, in their order.

        Raises
        ------
        LibraryError
            When one of them cannot be meant: nothing of such an answer may be carried out.
        """
        places = self._bits.astype(bool).nonzero()[0].tolist()  # so they are found four times as fast
        said = dict.fromkeys([place // _FIELDS for place in places])
        return tuple([_row(index, self._table[index].tolist()) for index in said])


def _row(index: int, values: list[float]) -> ResultRow:
    if not isfinite(sum(values)):
        raise _garbage(index, "a value is no number, or too large", values)
    ticket, bits, lots, entry, broker_sl, broker_tp, internal_sl, internal_tp, trailing, expires = values
    if not (ticket.is_integer() and ANY_TICKET <= ticket <= _MAX_INT):
        raise _garbage(index, f"ticket is {ticket:g}", values)
    if not bits.is_integer() or int(bits) & ~ALL_BITS:
        raise _garbage(index, f"signals are {bits:g}", values)
    if not (expires.is_integer() and 0 <= expires <= _MAX_INT):
        raise _garbage(index, f"expiration is {expires:g}", values)
    if trailing not in (0.0, 1.0):
        raise _garbage(index, f"trailing is {trailing:g}", values)
    distances = (broker_sl, broker_tp, internal_sl, internal_tp)
    row = ResultRow(int(ticket), int(bits), lots, entry, *distances, trailing == 1.0, int(expires))
    if not lots:
        return row  # no order, not garbage: a strategy may find its risk too small, and closes in the same row
    for verb, kind in row.commands:
        if verb == "open" and (lots < 0 or (entry <= 0 and kind.order_type != "market")):
            raise _garbage(index, f"it opens {lots:g} lots at {entry:g}", values)
    return row


def _garbage(index: int, why: str, values: list[float]) -> LibraryError:
    return LibraryError(f"row {index} of the library's results cannot be: {why} (row: {values})")
