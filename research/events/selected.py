"""When its market lets an instance open, on the time line of a backtest."""

from __future__ import annotations

from atrader.configuration.selection import SelectionConfig
from atrader.selection.rule import timeline
from atrader.trading_state import TradingState
from research.events.history import History


class SelectedSteps:
    """What the manager would have selected at each step.

    Parameters
    ----------
    config : SelectionConfig
        Of the instance.
    history : History
        The bars that are judged.
    """

    def __init__(self, config: SelectionConfig, history: History) -> None:
        self._history = history
        self._active = timeline(config, history.bars)

    def state_at(self, step: int) -> TradingState:
        """Return what decisions of a step go by: the bars that were complete before it.

        Live the manager judges a bar after workers have decided it.
        """
        rows = self._history.rows_until(step - 1)
        return TradingState.ACTIVE if rows and self._active[rows - 1] else TradingState.REDUCING
