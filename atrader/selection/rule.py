"""When an instance is switched between ACTIVE and REDUCING because of the market. Pure: bars in, state out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from atrader.conditions import PHASES, VOLATILITIES, Condition, Conditions, Phase, Volatility, conditions
from atrader.configuration.selection import SelectionConfig
from atrader.indicators.memory import adx_memory
from atrader.market import Bars
from atrader.selection.model import Selected
from atrader.trading_state import TradingState
from atrader.wording import count_text

_SUITS, _SUITS_NOT, _UNKNOWN = 1, 0, -1


class Switches:
    """Counts bars; says when the state changes.

    A switch needs `SelectionConfig.confirm_bars` bars in a row that want it, and `min_dwell_bars` since the last one.
    Before the first bar nothing may open, and the first switch waits for its confirmation only.

    Attributes
    ----------
    is_active : bool
        Whether the instance may open.
    held : int
        Bars since the last switch.
    pending : int
        Bars in a row that wanted the other state.
    """

    def __init__(
        self, config: SelectionConfig, *, is_active: bool = False, held: int | None = None, pending: int = 0
    ) -> None:
        self._confirm, self._dwell = config.confirm_bars, config.min_dwell_bars
        self.is_active = is_active
        self.held = self._dwell if held is None else held
        self.pending = pending

    def run(self, suited: Iterable[int]) -> list[int]:
        """Take bars (1: suits, 0: does not, -1: not known, which changes nothing); return the places of switches."""
        found = []
        for place, suits in enumerate(suited):
            self.held += 1
            if suits == _UNKNOWN or bool(suits) == self.is_active:
                self.pending = 0
                continue
            self.pending += 1
            if self.pending >= self._confirm and self.held >= self._dwell:
                self.is_active, self.held, self.pending = not self.is_active, 0, 0
                found.append(place)
        return found


def suits(config: SelectionConfig, found: Conditions) -> NDArray[np.int8]:
    """Tell for each bar whether an instance is made for its market: 1, 0, or -1 where that is not known.

    Returns
    -------
    ndarray of int8, shape (n,)
    """
    phases, volatilities = np.array(_phase_codes(config)), np.array(_volatility_codes(config))
    known = (found.phase != PHASES.index(Phase.UNKNOWN)) & (found.volatility != VOLATILITIES.index(Volatility.UNKNOWN))
    wanted = phases[found.phase] & volatilities[found.volatility]
    return np.where(known, np.where(wanted, _SUITS, _SUITS_NOT), _UNKNOWN).astype(np.int8)


def window_bars(config: SelectionConfig) -> int:
    """Return how many bars are looked at live: the ADX is then that of the whole history but for one part in 10**8."""
    return max(config.detector.warmup_bars, adx_memory(config.detector.adx_period))


def judge(config: SelectionConfig, before: Selected, bars: Bars) -> Selected:
    """Work bars in that came since.

    Parameters
    ----------
    before : Selected
        What was decided so far; of the bars only later ones count, so this may be repeated.
    bars : Bars
        Complete bars, oldest first: `window_bars` of them, or all there are.

    Returns
    -------
    Selected
        `before` itself when there is no later bar.
    """
    new = int(np.searchsorted(bars.open_time_ns, before.bar_ns, side="right"))
    if new == len(bars):
        return before
    found = conditions(bars.high, bars.low, bars.close, config.detector)
    counts = Switches(config, is_active=before.state is TradingState.ACTIVE, held=before.held, pending=before.pending)
    switches = [new + place for place in counts.run(suits(config, found)[new:].tolist())]
    missing = config.detector.warmup_bars - len(bars)
    since_ns, reason = before.since_ns, before.reason
    if switches:
        since_ns, reason = int(bars.open_time_ns[switches[-1]]), why(config, found.at(switches[-1]))
    elif not since_ns and missing <= 0:  # it is as it began: the market of the last bar is why
        reason = why(config, found.at(-1))
    return Selected(
        TradingState.ACTIVE if counts.is_active else TradingState.REDUCING,
        since_ns,
        int(bars.open_time_ns[-1]),
        counts.held,
        counts.pending,
        before.told_ns,
        reason,
        condition_text(found, missing),
        before.basis,
    )


def condition_text(found: Conditions, missing: int) -> str:
    """Say what the market of the last bar is, or how many bars are missing to know it."""
    if missing > 0:
        return f"unknown: {count_text(missing, 'bar')} {'is' if missing == 1 else 'are'} missing to judge it"
    return str(found.at(-1))


def timeline(config: SelectionConfig, bars: Bars) -> NDArray[np.bool_]:
    """Tell for each bar of a whole history whether the instance may open once the bar is complete.

    Returns
    -------
    ndarray of bool, shape (n,)
        What the rule would have made of it live, from the first bar on.
    """
    found = conditions(bars.high, bars.low, bars.close, config.detector)
    active = np.zeros(len(bars), bool)
    for place in Switches(config).run(suits(config, found).tolist()):
        active[place:] = ~active[place]
    return active


def why(config: SelectionConfig, at: Condition) -> str:
    """Say for people why an instance suits a market, or does not."""
    wants = [f"made for {' or '.join(words)}" for words in (config.phases, config.volatility) if words]
    return f"market is {at}; {' and '.join(wants)}"


def _phase_codes(config: SelectionConfig) -> list[bool]:
    """Return for each place in `PHASES` whether it is wanted; ``trend`` stands for both of its directions."""
    wishes = set(config.phases)
    return [not wishes or phase in wishes or phase.value.partition("-")[0] in wishes for phase in PHASES]


def _volatility_codes(config: SelectionConfig) -> list[bool]:
    return [not config.volatility or one in config.volatility for one in VOLATILITIES]
