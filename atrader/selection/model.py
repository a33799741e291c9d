"""What was decided for one instance because of its market."""

from __future__ import annotations

from typing import Final, NamedTuple, Self

from atrader.configuration.selection import SelectionConfig
from atrader.trading_state import TradingState

NOT_JUDGED: Final = "the market was not judged yet"


class Selected(NamedTuple):
    """What the rule decided for an instance, and all it needs to go on after a restart.

    Attributes
    ----------
    state : TradingState
        ACTIVE or REDUCING.
    since_ns : int
        Open time of the bar of the last switch, UTC; 0 before the first.
    bar_ns : int
        Open time of the last bar that was judged, UTC; 0 before the first.
    held, pending : int
        Bars since the last switch, and bars in a row that wanted the other state.
    told_ns : int
        `since_ns` of the last switch that the history knows of: whoever dies in between tells it later.
    reason : str
        Why the last switch was made, for people; before the first why there was none.
    condition : str
        What the market was like at the last bar, for people.
    basis : str
        Of which series and by which preferences it was decided: with others it begins anew.
    """

    state: TradingState
    since_ns: int
    bar_ns: int
    held: int
    pending: int
    told_ns: int
    reason: str
    condition: str
    basis: str

    @classmethod
    def before_any_bar(cls, config: SelectionConfig, basis: str = "") -> Self:
        """Return the state of an instance nothing is known of: it opens nothing."""
        return cls(TradingState.REDUCING, 0, 0, config.min_dwell_bars, 0, 0, NOT_JUDGED, NOT_JUDGED, basis)
