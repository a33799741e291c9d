"""Slippage as the paper account draws it: for each order by its number, which is known when the run is over."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.orders.ids import client_id
from atrader.paper.draws import draw
from atrader.paper.matching import slippage
from research.vector import Outcome, Reason
from research.vector.settings import AT_BROKER, AT_ENTRY, AT_EXIT, SLIPS
from research.vectorised.numbering import Numbered
from research.vectorised.stage import Stage

_FILL, _AT_BROKER = "fill-0", "exit"  # what the paper account draws for
_BROKERS: Final = (Reason.STOP_LOSS, Reason.TRAILING_STOP, Reason.MARGIN_CLOSEOUT)
_UNKNOWN: Final = -1
_NEAR_HALF: Final = 1e-6  # ticks: where floats may round to the other side

Slips = NDArray[np.int32]


class Drawn:
    """What is drawn for the orders of an account, in ticks; each is worked out once. Any number of threads."""

    def __init__(self, stage: Stage) -> None:
        self._paper, self._instrument, self._magic = stage.paper, stage.instrument, stage.config.magic
        self._most = float(self._paper.slippage_pips * self._instrument.pip / self._instrument.price_tick)
        self._known: dict[str, Slips] = {_FILL: np.empty(0, np.int32), _AT_BROKER: np.empty(0, np.int32)}

    @property
    def moves(self) -> bool:
        """Whether any draw comes to a tick."""
        return self._most > 0.5 - _NEAR_HALF

    def slips(self, outcome: Outcome, orders: Numbered, count: int) -> Slips:
        """Return the slips of an outcome by decision; 0 for what opened nothing, and for ends that were not so."""
        trades = outcome.trades
        found, decisions = np.zeros((count, SLIPS), np.int32), trades["decision"]
        opened, closed = orders.opened(len(trades)), orders.closed(len(trades))
        is_broker = np.isin(trades["reason"], _BROKERS) & (trades["left"] == 0)
        is_wished = closed > 0
        found[decisions, AT_ENTRY] = self._ticks(opened, _FILL)
        found[decisions[is_broker], AT_BROKER] = self._ticks(opened[is_broker], _AT_BROKER)
        found[decisions[is_wished], AT_EXIT] = self._ticks(closed[is_wished], _FILL)
        return found

    def _ticks(self, numbers: NDArray[np.int64], purpose: str) -> Slips:
        known, most = self._known[purpose], int(numbers.max(initial=0))
        if most >= len(known):  # what another thread writes meanwhile is worked out again
            known = np.concatenate([known, np.full(most + 1, _UNKNOWN, np.int32)])
            self._known[purpose] = known
        seed, magic = self._paper.seed, self._magic
        for number in numbers[known[numbers] == _UNKNOWN].tolist():
            known[number] = self._rounded(draw(seed, client_id(magic, number), purpose))
        return known[numbers]

    def _rounded(self, share: float) -> int:
        ticks = self._most * share
        if abs(ticks % 1 - 0.5) < _NEAR_HALF:
            return int(slippage(self._paper, self._instrument, share) / self._instrument.price_tick)
        return round(ticks)
