"""The orders of a run in the order they were wanted: the place of each is the number that an account knows it by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from research.vector import Decisions, Outcome, Reason
from research.vector.outcome import AFTER_CLOSE
from research.vectorised.stage import Stage

Whole = NDArray[np.int64]
Truths = NDArray[np.bool_]

_WISHED: Final = (Reason.EXIT, Reason.TIME)  # other ends of a trade happen at the broker


class Numbered(NamedTuple):
    """The orders of a run; the first one has the number 1. Arrays have shape (orders,).

    Attributes
    ----------
    row : ndarray of int64
        Of the signals, at which it was wanted.
    is_open : ndarray of bool
        False: it closes a trade.
    number : ndarray of int64
        Of the trade in the outcome; of the decision where an entry was refused.
    is_refused : ndarray of bool
        Nothing came of it.
    """

    row: Whole
    is_open: Truths
    number: Whole
    is_refused: Truths

    def opened(self, trades: int) -> Whole:
        """Return the number of the order that opened each trade, shape (trades,)."""
        return self._of(self.is_open, trades)

    def closed(self, trades: int) -> Whole:
        """Return the number of the order that closed each trade, shape (trades,); 0 where none did."""
        return self._of(~self.is_open, trades)

    def _of(self, kind: Truths, trades: int) -> Whole:
        found, places = np.zeros(trades, np.int64), np.flatnonzero(kind & ~self.is_refused)
        found[self.number[places]] = places + 1
        return found


def numbered(stage: Stage, decisions: Decisions, outcome: Outcome) -> Numbered:
    """Return the orders of a run, as the signal driver would have handed them in: of a bar exits first.

    Entries that were refused are known where it went by the rules of the paper account, with one trade on a side:
    elsewhere what an entry finds is another thing.
    """
    trades = outcome.trades
    wished, last = _wished_closes(stage, outcome)
    halted = np.array(list(_halted_closes(stage, decisions, outcome)), np.int64).reshape(-1, 2)
    refused = _refused(decisions, trades) if sum(outcome.refused) and stage.is_paper else np.empty(0, np.int64)
    row = np.concatenate(
        [decisions.row[trades["decision"]], last[wished], halted[:, 0], decisions.row[refused]], dtype=np.int64
    )
    number = np.concatenate([np.arange(len(trades)), wished, halted[:, 1], refused], dtype=np.int64)
    lengths = (len(trades), len(wished), len(halted), len(refused))
    is_open = np.repeat([True, False, False, True], lengths)
    is_refused = np.repeat([False, False, True, True], lengths)
    order = np.lexsort((is_open, row))
    return Numbered(row[order], is_open[order], number[order], is_refused[order])


def _wished_closes(stage: Stage, outcome: Outcome) -> tuple[Whole, Whole]:
    """Return the trades that an order closed, and of every trade the last row that could have wanted that."""
    trades = outcome.trades
    is_over = trades["left"] == 0
    ended = np.where(is_over, trades["exit_bar"], len(stage.prices))
    is_wished = is_over & np.isin(trades["reason"], _WISHED)
    at_close = is_wished & (trades["exit_phase"] == AFTER_CLOSE)  # else it was wished a bar before, or never
    if stage.is_row_by_row:
        return np.flatnonzero(is_wished), ended - 1 + at_close
    until, before = (stage.rows.searchsorted(ended, side) for side in ("right", "left"))
    return np.flatnonzero(is_wished), np.where(at_close, until, before) - 1


def _halted_closes(stage: Stage, decisions: Decisions, outcome: Outcome) -> Iterator[tuple[int, int]]:
    """Yield row and trade of closes that were refused as the market closed: the next row wants them again."""
    trades = outcome.trades
    if not len(stage.schedule.halted):
        return
    wished, last = _wished_closes(stage, outcome)
    ended = np.where(trades["left"] == 0, trades["exit_bar"], len(stage.prices))
    first_halt, end_halt = (stage.schedule.halted.searchsorted(bars) for bars in (trades["entry_bar"], ended))
    is_wished = np.zeros(len(trades), np.bool_)
    is_wished[wished] = True
    for number in np.flatnonzero(first_halt < end_halt).tolist():
        first = _first_leave(decisions, trades[number], len(stage.rows))
        for row in range(first, int(last[number]) + (not is_wished[number])):
            if stage.rows[row] in stage.halted:
                yield row, number


def _first_leave(decisions: Decisions, trade: np.void, rows: int) -> int:
    """Return the first row after a trade was opened that wants it closed."""
    side, after = trade["side"], int(trade["decision"]) + 1
    leave, entry = decisions.leave[after:], decisions.entry[after:]
    found = np.flatnonzero((leave == side) | (leave == 2) | (entry == -side))
    return int(decisions.row[after + found[0]]) if len(found) else rows


def _refused(decisions: Decisions, trades: NDArray[np.void]) -> Whole:
    """Return the decisions whose entries came to nothing, though no trade on their side was open."""
    numbers = np.flatnonzero(decisions.entry != 0)
    numbers = numbers[~np.isin(numbers, trades["decision"])]
    if not len(trades):
        return numbers
    before = np.searchsorted(trades["decision"], numbers) - 1
    bar, held = decisions.bar[numbers], trades[np.maximum(before, 0)]
    at_its_close = (held["exit_bar"] == bar) & (held["exit_phase"] == AFTER_CLOSE)
    is_held = (held["left"] > 0) | (held["exit_bar"] > bar) | at_its_close
    is_held &= (before >= 0) & (held["side"] == decisions.entry[numbers])
    refused: Whole = numbers[~is_held]
    return refused
