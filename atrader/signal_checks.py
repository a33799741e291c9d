"""What a signal strategy answered is looked at before anything is made of it; the same live and in every backtest."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.errors import StrategyError
from atrader.strategy import Signals

_COLUMNS: Final = ("entry", "exit", "stop_loss", "take_profit", "trailing_distance", "risk_frac", "units")
_CODES: Final = (("entry", -1, 1), ("exit", -1, 2))


def check_signals(signals: Signals, count: int, *, last_only: bool = False, **more: NDArray[np.float64] | None) -> None:
    """Refuse arrays that are not what `Signals` says.

    Parameters
    ----------
    count : int
        How many bars were given.
    last_only : bool
        Whether only the values of the last row matter: what a worker looks at.
    **more : ndarray, shape (n,), optional
        Columns that belong to the answer besides its own.

    Raises
    ------
    StrategyError
        When it is no `Signals`, a column is no array or has another length, or sides are no whole numbers or others
        than there are; names the column.
    """
    if not isinstance(signals, Signals):
        raise StrategyError(f"signals returned {type(signals).__name__}, expected Signals")
    columns = {name: getattr(signals, name) for name in _COLUMNS} | {
        f"indicators[{name!r}]": column for name, column in (signals.indicators or {}).items()
    }
    for name, column in (columns | more).items():
        if column is not None and not isinstance(column, np.ndarray):
            raise StrategyError(f"signals.{name} is a {type(column).__name__}, expected a numpy array")
        if column is not None and column.shape != (count,):
            raise StrategyError(f"signals.{name} has shape {column.shape}, expected ({count},)")
    for name, low, high in _CODES:
        column = columns[name]
        if column.dtype.kind != "i":
            raise StrategyError(f"signals.{name} holds {column.dtype}, expected int8")
        looked_at = column[-1:] if last_only else column
        if count and (looked_at.min() < low or looked_at.max() > high):
            found = f"{looked_at.min()} to {looked_at.max()}"
            raise StrategyError(f"signals.{name} holds values from {found}, may hold {low} to {high}")
