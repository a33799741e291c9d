"""Decisions carried out as the paper account would, slippage and all.

What is drawn for an order changes its price, and nothing of the orders before it. So a run over slips that are those of
its own orders is the run of the paper account: each time another one is right at least one order further. Hardly ever
does a price change which orders there are (sizes and margin come from it, stops do not), so the second run is the last.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from research.vector import Decisions, Outcome, Reason
from research.vector.outcome import AFTER_CLOSE
from research.vector.settings import SLIPS
from research.vector.workspace import Workspace
from research.vectorised.fit import NotVector
from research.vectorised.numbering import Numbered, numbered
from research.vectorised.slippage import Drawn
from research.vectorised.stage import Stage

_MOST_RUNS: Final = 20


def played(
    stage: Stage, decisions: Decisions, drawn: Drawn, workspace: Workspace | None = None
) -> tuple[Outcome, Numbered]:
    """Return what came of decisions, and the orders that they were.

    Parameters
    ----------
    drawn : Drawn
        Of the stage. By other rules than those of the paper account slippage is at its worst.
    workspace : Workspace, optional
        Memory that the outcome may lie in: it is valid until that is used again.

    Raises
    ------
    NotVector
        When an exit falls between two rows, or when the orders depend on what is drawn for them again and again: close
        to what the margin allows.
    """
    if not (stage.is_paper and drawn.moves):
        outcome = stage.execution.run(decisions, workspace)
        return outcome, _orders(stage, decisions, outcome)
    slips = np.zeros((len(decisions), SLIPS), np.int32)
    for _ in range(_MOST_RUNS):
        outcome = stage.execution.run(decisions, workspace, slips=slips)
        orders = _orders(stage, decisions, outcome)
        own = drawn.slips(outcome, orders, len(decisions))
        if np.array_equal(own, slips):
            return outcome, orders
        slips = own
    raise NotVector("which orders there are depends on what is drawn for slippage, time after time")


def _orders(stage: Stage, decisions: Decisions, outcome: Outcome) -> Numbered:
    if stage.is_paper:
        _check_exits(stage, outcome)
    return numbered(stage, decisions, outcome)


def _check_exits(stage: Stage, outcome: Outcome) -> None:
    """Refuse exits between two rows: what is decided as the market closes is wanted again with the next row only."""
    if stage.is_row_by_row:
        return
    trades = outcome.closed
    bars = trades["exit_bar"][(trades["reason"] == Reason.EXIT) & (trades["exit_phase"] == AFTER_CLOSE)]
    if not np.isin(bars, stage.rows).all():
        raise NotVector("an exit was decided as the market closed, and finer bars than the strategy's are played")
