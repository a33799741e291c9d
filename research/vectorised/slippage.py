"""Slippage as the paper account draws it: for each order by its number, which is known when the run is over.

What is drawn for an order changes its price, and nothing of the orders before it. So a run over slips that are those of
its own orders is the run of the paper account: each time another one is right at least one order further. Hardly ever
does a price change which orders there are (sizes and margin come from it, stops do not), so the second run is the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.orders.ids import client_id
from atrader.paper.draws import draw
from atrader.paper.matching import slippage
from research.vector import Decisions, Outcome, Reason
from research.vector.settings import AT_BROKER, AT_ENTRY, AT_EXIT, SLIPS
from research.vectorised.fit import NotVector
from research.vectorised.orders import Wishes
from research.vectorised.stage import Stage

_MOST_RUNS: Final = 20
_FILL, _AT_BROKER = "fill-0", "exit"  # what the paper account draws for
_BROKERS: Final = (Reason.STOP_LOSS, Reason.TRAILING_STOP, Reason.MARGIN_CLOSEOUT)
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
    if not drawn.moves:
        outcome = stage.execution.run(decisions)
        return outcome, wished(outcome)
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
        self._known: dict[str, dict[int, int]] = {_FILL: {}, _AT_BROKER: {}}

    @property
    def moves(self) -> bool:
        """Whether any draw comes to a tick."""
        return self._most > 0.5 - _NEAR_HALF

    def slips(self, outcome: Outcome, wishes: Wishes, count: int) -> Slips:
        """Return the slips of an outcome by decision; 0 for what opened nothing, and for ends that were not so."""
        opened, closed = zip(*wishes.numbers(), strict=True) if len(outcome.trades) else ((), ())
        found, decisions = np.zeros((count, SLIPS), np.int32), outcome.trades["decision"]
        is_broker = np.isin(outcome.trades["reason"], _BROKERS) & (outcome.trades["left"] == 0)
        is_wished = np.array([number is not None for number in closed], bool)
        found[decisions, AT_ENTRY] = self._ticks(opened, _FILL)
        found[decisions[is_broker], AT_BROKER] = self._ticks(
            [number for number, at in zip(opened, is_broker.tolist(), strict=True) if at], _AT_BROKER
        )
        found[decisions[is_wished], AT_EXIT] = self._ticks([one for one in closed if one is not None], _FILL)
        return found

    def _ticks(self, numbers: Sequence[int], purpose: str) -> list[int]:
        known, seed, magic = self._known[purpose], self._paper.seed, self._magic
        for number in numbers:
            if number not in known:
                known[number] = self._rounded(draw(seed, client_id(magic, number), purpose))
        return [known[number] for number in numbers]

    def _rounded(self, share: float) -> int:
        ticks = self._most * share
        if abs(ticks % 1 - 0.5) < _NEAR_HALF:
            return int(slippage(self._paper, self._instrument, share) / self._instrument.price_tick)
        return round(ticks)
