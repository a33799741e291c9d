"""The instance's own profit: what it made so far, its peak, and how far it fell below it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, cast

from atrader.orders.model import Trade

_STATE: Final = "curve"
_PERCENT: Final = 100.0


class OwnCurve:
    """Balance and equity of one instance as if it had an account of its own, from closed trades and what is open.

    Kept in the strategy's state under ``curve``, so that it goes on after a restart; trades that closed meanwhile are
    counted once, by their closing time and id.

    Parameters
    ----------
    state : dict
        `atrader.strategy.Context.state`.
    begin : Decimal
        What it begins with when it is new, account currency.
    now_ns : int
        When that is, market time: what closed before is not its own.
    """

    def __init__(self, state: dict[str, object], begin: Decimal, now_ns: int) -> None:
        new = {"begin": str(begin), "settled": "0", "until_ns": now_ns, "counted": [], "peak": None, "worst": 0.0}
        self._kept = cast(dict[str, Any], state.setdefault(_STATE, new))

    @property
    def begin(self) -> Decimal:
        """What it began with."""
        return Decimal(self._kept["begin"])

    @property
    def balance(self) -> Decimal:
        """What it began with and what closed trades brought."""
        return self.begin + Decimal(self._kept["settled"])

    @property
    def worst_percent(self) -> float:
        """How far it was below its peak at most, percent of the peak; it never becomes less."""
        return float(self._kept["worst"])

    def settle(self, closed: Sequence[Trade]) -> None:
        """Count trades that closed since the last time.

        Parameters
        ----------
        closed : sequence of Trade
            Newest first; those that were counted are left out.
        """
        kept = self._kept
        until_ns, counted = int(kept["until_ns"]), set(kept["counted"])
        new = [trade for trade in closed if (trade.close_time_ns or 0) >= until_ns and trade.trade_id not in counted]
        if not new:
            return
        kept["settled"] = str(sum((one.profit + one.commission + one.swap for one in new), Decimal(kept["settled"])))
        latest_ns = max(trade.close_time_ns or 0 for trade in new)
        kept["until_ns"] = latest_ns
        kept["counted"] = sorted(trade.trade_id for trade in closed if trade.close_time_ns == latest_ns)

    def see(self, floating: float) -> float:
        """Look at what is open; return the instance's equity.

        Parameters
        ----------
        floating : float
            What open trades would bring now and brought already, account currency.
        """
        equity = self.balance + Decimal(repr(round(floating, 8)))
        before = self._kept["peak"]  # none: what trades taken over had lost by then is no drawdown of its own
        peak = equity if before is None else max(equity, Decimal(before))
        self._kept["peak"] = str(peak)
        if peak > 0:
            self._kept["worst"] = max(self.worst_percent, float((peak - equity) / peak) * _PERCENT)
        return float(equity)
