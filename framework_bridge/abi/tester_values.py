"""What goes into a run of the tester, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.market import Bars
from framework_bridge.abi.account import AccountInfo
from framework_bridge.abi.rates import RatesPlan


class EventKind(IntEnum):
    """What happened to an order of a test."""

    BUY = 0
    SELL = 1
    MODIFY = 2
    CLOSE = 3
    STOP_LOSS = 4
    TAKE_PROFIT = 5


class CTesterEvent(NamedTuple):
    """One thing that happened to an order.

    Attributes
    ----------
    kind : EventKind
        What.
    time_s : int
        When: seconds of the broker's wall clock read as UTC.
    order_id : int
        To which order of the test.
    lots, price, stop_loss, take_profit : float
        As it is then; 0 none.
    profit, balance : float
        Of this event, and after it; account currency.
    """

    kind: EventKind
    time_s: int
    order_id: int
    lots: float
    price: float
    stop_loss: float
    take_profit: float
    profit: float
    balance: float


class CTesterOutcome(NamedTuple):
    """What a test came to.

    Attributes
    ----------
    trades, longs, shorts : int
        Closed ones.
    final_balance : float
        Account currency.
    statistics : dict of str to float
        All that the tester computes, by its own names.
    events : tuple of CTesterEvent
        In the order in which they happened.
    """

    trades: int
    longs: int
    shorts: int
    final_balance: float
    statistics: dict[str, float]
    events: tuple[CTesterEvent, ...]


@dataclass(frozen=True, slots=True)
class CTesterSystem:
    """One system of a portfolio.

    Attributes
    ----------
    settings : ndarray of float64, shape (64,)
        With ``IS_BACKTESTING`` 1.
    symbol : str
        As the library writes it.
    account : AccountInfo
        At the start.
    spread : float
        Price units, the same all the time.
    from_s, to_s : int
        Period that is traded: seconds of the broker's wall clock read as UTC.
    plans : sequence of RatesPlan or None
        What each rates index holds.
    bars : sequence of Bars or None
        History for each index with a plan, all with the same times: the tester cuts its own windows.
    """

    settings: NDArray[np.float64]
    symbol: str
    account: AccountInfo
    spread: float
    from_s: int
    to_s: int
    plans: Sequence[RatesPlan | None]
    bars: Sequence[Bars | None]
