"""Slippage as the paper account draws it: for each order by its number, which is known when the run is over.

What is drawn for an order changes its price, and nothing of the orders before it. So a run over slips that are those of
its own orders is the run of the paper account: each time another one is right at least one order further. Hardly ever
does a price change which orders there are (sizes and margin come from it, stops do not), so the second run is the last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.orders.ids import IntentId, client_id_of
from atrader.paper.draws import draw
from atrader.paper.matching import slippage
from research.vector import Decisions, Outcome
from research.vector.settings import AT_BROKER, AT_ENTRY, AT_EXIT, SLIPS
from research.vectorised.fit import NotVector
from research.vectorised.orders import Wishes
from research.vectorised.stage import Stage

_MOST_RUNS: Final = 20
_FILL, _AT_BROKER = "fill-0", "exit"  # what the paper account draws for
_NEAR_HALF: Final = 1e-6  # ticks: where floats may round to the other side

Slips = NDArray[np.int32]


def slipped(stage: Stage, decisions: Decisions, wished: Callable[[Outcome], Wishes]) -> tuple[Outcome, Wishes]:
    """Carry decisions out with the slippage that the paper account would draw for their orders.

    Parameters
    ----------
    wished : callable
        Gives the orders of an outcome.

    Raises
    ------
    NotVector
        When the orders depend on what is drawn for them again and again: close to what the margin allows.
    """
    drawn = _Drawn(stage)
    slips = np.zeros((len(decisions), SLIPS), np.int32)
    for _ in range(_MOST_RUNS):
        outcome = stage.execution.run(decisions, slips=slips)
        wishes = wished(outcome)
        own = drawn.slips(outcome, wishes, len(decisions))
        if np.array_equal(own, slips):
            return outcome, wishes
        slips = own
    raise NotVector("which orders there are depends on what is drawn for slippage, time after time")


class _Drawn:
    """What is drawn for the orders of a run, in ticks; each is worked out once."""

    def __init__(self, stage: Stage) -> None:
        self._paper, self._instrument, self._magic = stage.paper, stage.instrument, stage.config.magic
        self._most = float(self._paper.slippage_pips * self._instrument.pip / self._instrument.price_tick)
        self._known: dict[tuple[int, str], int] = {}

    def slips(self, outcome: Outcome, wishes: Wishes, count: int) -> Slips:
        """Return the slips of an outcome by decision; 0 for what opened nothing."""
        found = np.zeros((count, SLIPS), np.int32)
        for decision, (opened, closed) in zip(outcome.trades["decision"].tolist(), wishes.numbers(), strict=True):
            row = found[decision]
            row[AT_ENTRY] = self._ticks(opened, _FILL)
            row[AT_BROKER] = self._ticks(opened, _AT_BROKER)
            row[AT_EXIT] = 0 if closed is None else self._ticks(closed, _FILL)
        return found

    def _ticks(self, number: int, purpose: str) -> int:
        key = number, purpose
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._rounded(
                draw(self._paper.seed, client_id_of(IntentId(self._magic, number)), purpose)
            )
        return known

    def _rounded(self, share: float) -> int:
        ticks = self._most * share
        if abs(ticks % 1 - 0.5) < _NEAR_HALF:
            return int(slippage(self._paper, self._instrument, share) / self._instrument.price_tick)
        return round(ticks)
