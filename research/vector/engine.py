"""One run: prices, decisions and rules in, trades out."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from atrader.errors import ConfigError, StrategyError
from research.vector import compiled
from research.vector.decisions import Decisions
from research.vector.outcome import Outcome
from research.vector.prices import Prices
from research.vector.reference import Machine
from research.vector.rules import Rules, Terms
from research.vector.schedule import Schedule
from research.vector.settings import Settings

Kind = Literal["auto", "compiled", "reference"]


def simulate(
    prices: Prices,
    decisions: Decisions,
    rules: Rules,
    terms: Terms,
    *,
    schedule: Schedule | None = None,
    rates: NDArray[np.float64] | None = None,
    engine: Kind = "auto",
) -> Outcome:
    """Carry decisions out.

    Parameters
    ----------
    prices, decisions
        What is played and what is wanted. Neither is changed; threads may share them.
    rules, terms
        How it fills and what it costs.
    schedule : Schedule, optional
        What the calendar does; without it the market never closes and no financing is booked.
    rates : ndarray of float64, shape (n,), optional
        Account currency per quote currency in each bar; needed when neither currency of the instrument is that of the
        account.
    engine : {"auto", "compiled", "reference"}
        The compiled execution, the one in Python, or the first where it was built. Both give the same to the last bit.

    Returns
    -------
    Outcome
        Trades and fills.

    Raises
    ------
    ConfigError
        When rates are needed and missing, have the wrong shape or are no rates; when ``compiled`` was not built.
    StrategyError
        When a decision lies outside of the prices, or before the one before it.
    """
    _check(prices, decisions, terms, rates)
    if engine == "compiled" and not compiled.is_there:
        raise ConfigError("the compiled execution was not built; 'auto' takes the one in Python then")
    settings, schedule = Settings.of(rules, terms), schedule or Schedule.none()
    if engine == "reference" or not compiled.is_there:
        return Machine(settings, prices, decisions, schedule, rates).run()
    return compiled.run(settings, prices, decisions, schedule, rates)


def _check(prices: Prices, decisions: Decisions, terms: Terms, rates: NDArray[np.float64] | None) -> None:
    bars = decisions.bar
    if len(bars) and (bars[0] < 0 or bars[-1] >= len(prices) or (np.diff(bars) < 0).any()):
        raise StrategyError(f"decisions: bars must rise within 0 to {len(prices) - 1}")
    if terms.rate == "given":
        if rates is None or rates.shape != (len(prices),):
            raise ConfigError(
                f"rates: {terms.instrument.symbol} on a {terms.currency} account needs {terms.currency} per"
                f" {terms.instrument.quote} for each of the {len(prices)} bars"
            )
        if not (np.isfinite(rates) & (rates > 0)).all():
            raise ConfigError("rates: every one must be a number above 0")
    elif rates is not None:
        raise ConfigError(f"rates: {terms.instrument.symbol} on a {terms.currency} account needs none")
