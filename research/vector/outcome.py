"""What came of a run, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray


class Reason(IntEnum):
    """Why something was executed."""

    OPEN = 0
    EXIT = 1  # a decision
    STOP_LOSS = 2
    TAKE_PROFIT = 3
    TRAILING_STOP = 4
    TARGET = 5  # a part, at a multiple of the risk
    TIME = 6
    MARGIN_CLOSEOUT = 7
    SWAP = 8  # nothing was executed: financing was booked


class Refusal(IntEnum):
    """Why an entry was not made; places in `Outcome.refused`."""

    WRONG_SIDE = 0  # its stop or target would have fired at once
    SIZE = 1  # fewer units than the least, or more than the most
    MARGIN = 2
    HALTED = 3  # decided as the market closed


AFTER_CLOSE: Final = 4
"""Phase of what is executed with the decision of a bar; 0 to 3 are its quotes."""

FILLS: Final = np.dtype(
    [
        ("trade", np.int32),  # place in the trades
        ("bar", np.int32),
        ("price", np.int32),  # ticks
        ("phase", np.int8),  # 0 open, 1 and 2 inside, 3 close, 4 after it
        ("reason", np.int8),
        ("unused", np.int16),
        ("steps", np.int64),  # added, negative = taken off; 0 for financing
        ("profit", np.int64),  # cents, without commission; the amount of financing
        ("commission", np.int64),  # cents, negative = paid
        ("balance", np.int64),  # cents, after it
    ]
)
"""Executions, in the order they happened."""

TRADES: Final = np.dtype(
    [
        ("decision", np.int32),  # place in the decisions
        ("entry_bar", np.int32),
        ("exit_bar", np.int32),  # -1 while open
        ("entry_price", np.int32),  # ticks, as the next two; 0 = none
        ("stop", np.int32),  # the first one
        ("target", np.int32),
        ("side", np.int8),  # +1, -1
        ("entry_phase", np.int8),
        ("exit_phase", np.int8),
        ("reason", np.int8),  # of the last exit
        ("unused", np.int32),
        ("steps", np.int64),  # opened
        ("left", np.int64),  # still open
        ("closed_value", np.int64),  # sum of price times steps over the exits
        ("profit", np.int64),  # cents, without commission and swap
        ("commission", np.int64),
        ("swap", np.int64),
    ]
)
"""Trades, in the order they were opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """What many runs came to, day by day.

    Attributes
    ----------
    equity : ndarray of float64, shape (m, d)
        Of each run at the close of each day's last bar; account currency.
    opened, closed : ndarray of int64, shape (m,)
        Trades of each run, over the whole period.
    """

    equity: NDArray[np.float64]
    opened: NDArray[np.int64]
    closed: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run.

    Attributes
    ----------
    trades : ndarray of `TRADES`, shape (t,)
        Trades that are open at the end stay open.
    fills : ndarray of `FILLS`, shape (f,)
        Everything that moved units or money.
    balance : int
        At the end, cents.
    refused : tuple of int
        Entries that were not made, by `Refusal`.
    """

    trades: NDArray[np.void]
    fills: NDArray[np.void]
    balance: int
    refused: tuple[int, ...]

    @property
    def closed(self) -> NDArray[np.void]:
        """Trades that are over, in the order they were opened."""
        closed: NDArray[np.void] = self.trades[self.trades["left"] == 0]
        return closed
