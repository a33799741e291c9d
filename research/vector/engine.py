"""Runs: prices, decisions and rules in, trades out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from atrader.errors import ConfigError, StrategyError
from research.vector import built, compiled
from research.vector.curve import equity_at, scales
from research.vector.decisions import Decisions
from research.vector.outcome import Days, Outcome
from research.vector.prices import Prices, Ticks
from research.vector.rules import Rules, Terms
from research.vector.schedule import Schedule
from research.vector.settings import MARKET, SLIPS, Settings
from research.vector.workspace import Workspace

Kind = Literal["auto", "compiled", "plain", "reference"]

_LARGEST = 2**60


class Execution:
    """Prices under rules and terms, ready for any decisions. Nothing is changed by a run: threads may share it.

    Parameters
    ----------
    prices : Prices
        What is played.
    rules, terms
        How it fills and what it costs.
    schedule : Schedule, optional
        What the calendar does; without it the market never closes and no financing is booked.
    rates : ndarray of float64, shape (n,), optional
        Account currency per quote currency in each bar; needed when neither currency of the instrument is that of the
        account.
    engine : {"auto", "compiled", "plain", "reference"}
        The compiled execution; the one in Python, in numpy where nothing but decisions ends a trade; or always in
        Python. By default the fastest there is. All give the same to the last bit.

    Raises
    ------
    ConfigError
        When rates are needed and missing, have the wrong shape or are no rates; when ``compiled`` was not built; when
        prices times units could not be counted with.
    """

    def __init__(
        self,
        prices: Prices,
        rules: Rules,
        terms: Terms,
        *,
        schedule: Schedule | None = None,
        rates: NDArray[np.float64] | None = None,
        engine: Kind = "auto",
    ) -> None:
        if engine == "compiled" and not built.is_there:
            raise ConfigError("the compiled execution was not built; 'auto' takes the one in Python then")
        _check_rates(rates, len(prices), terms)
        self._prices = prices
        self._terms = terms
        self._settings = Settings.of(rules, terms)
        self._schedule = schedule or Schedule.none()
        self._rates = None if rates is None else np.ascontiguousarray(rates, np.float64)
        self._is_compiled = engine in ("auto", "compiled") and built.is_there
        self._may_be_plain = engine in ("auto", "plain")
        self._extremes = int(prices.bid_low.min()), int(prices.ask_most.max())
        if self._extremes[1] * self._settings.most_steps * rules.most_trades > _LARGEST:
            raise ConfigError(f"{terms.instrument.symbol}: max_units at these prices is more than can be counted with")

    def run(self, decisions: Decisions, workspace: Workspace | None = None, *, slips: Ticks | None = None) -> Outcome:
        """Carry decisions out; the compiled execution releases the GIL meanwhile.

        Parameters
        ----------
        decisions : Decisions
            What is wanted.
        workspace : Workspace, optional
            Memory to write trades and fills to: they are valid until it is used again. One for each thread.
        slips : ndarray of int32, shape (k, 3), optional
            By decision, ticks by which its entry, an exit at the broker (stop, close-out), and an exit that is decided
            are worse, in place of the slippage of the terms.

        Raises
        ------
        ConfigError
            When there are slips for another number of decisions.
        StrategyError
            When a decision lies outside of the prices, or before the one before it, or an entry has a price and the
            rules say market orders, or the other way round.
        """
        self._check(decisions)
        if slips is not None and (slips.shape != (len(decisions), SLIPS) or slips.dtype != np.int32):
            raise ConfigError(f"slips: expected int32 of {(len(decisions), SLIPS)}, was {slips.dtype} {slips.shape}")
        if self._is_compiled:
            room = workspace or Workspace()
            market = self._settings, self._prices, decisions, self._schedule, self._rates
            return compiled.run(*market, room, self._extremes, None if slips is None else np.ascontiguousarray(slips))
        from research.vector import plain  # and the next: not where it was compiled
        from research.vector.reference import Machine

        is_even = self._may_be_plain and slips is None
        if is_even and plain.is_plain(self._settings, self._prices, decisions, self._schedule):
            return plain.run(self._settings, self._prices, decisions)
        return Machine(self._settings, self._prices, decisions, self._schedule, self._rates, slips).run()

    def days(self, decisions: Sequence[Decisions], ends: Ticks) -> Days:
        """Carry many decisions out over the same prices, and keep what each day came to: nothing of single trades.

        What `run` and then `equity_at` give, at a fraction of the cost: compiled, all runs play one day after the other
        while its prices are in the cache, and the GIL is released meanwhile.

        Parameters
        ----------
        decisions : sequence of Decisions, length m
            Those that share arrays are checked once.
        ends : ndarray of int32, shape (d,)
            Last bar of each day, rising (`day_ends`).

        Raises
        ------
        ConfigError
            When an end lies outside of the prices, or before the one before it.
        StrategyError
            As `run`.
        """
        if len(ends) and (ends[0] < 0 or ends[-1] >= len(self._prices) or (ends[1:] < ends[:-1]).any()):
            raise ConfigError(f"ends of days: bars must rise within 0 to {len(self._prices) - 1}")
        alike = {(id(one.bar), id(one.entry), id(one.price)): one for one in decisions}
        for one in alike.values():
            self._check(one)
        if self._is_compiled:
            shared = self._schedule, self._rates, scales(self._terms), ends
            return compiled.run_days(self._settings, self._prices, decisions, *shared)
        runs = [self.run(one) for one in decisions]
        equity = [equity_at(one, self._prices, self._terms, ends, rates=self._rates) for one in runs]
        return Days(
            equity=np.array(equity).reshape(len(runs), len(ends)),
            opened=np.array([len(one.trades) for one in runs], np.int64),
            closed=np.array([len(one.closed) for one in runs], np.int64),
        )

    def _check(self, decisions: Decisions) -> None:
        bars = decisions.bar
        if len(bars) and (bars[0] < 0 or bars[-1] >= len(self._prices) or (bars[1:] < bars[:-1]).any()):
            raise StrategyError(f"decisions: bars must rise within 0 to {len(self._prices) - 1}")
        is_market = self._settings.order_type == MARKET
        if is_market and not decisions.price.any():
            return
        priced = decisions.price[decisions.entry != 0] != 0
        if priced.any() if is_market else not priced.all():
            raise StrategyError("decisions: they were made for another kind of orders than the rules have")


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
    """Carry decisions out, once; see `Execution` for arguments and errors."""
    return Execution(prices, rules, terms, schedule=schedule, rates=rates, engine=engine).run(decisions)


def _check_rates(rates: NDArray[np.float64] | None, count: int, terms: Terms) -> None:
    what = f"rates: {terms.instrument.symbol} on a {terms.currency} account needs"
    if terms.rate != "given":
        if rates is not None:
            raise ConfigError(f"{what} none")
    elif rates is None or rates.shape != (count,):
        raise ConfigError(f"{what} {terms.currency} per {terms.instrument.quote} for each of the {count} bars")
    elif not (np.isfinite(rates) & (rates > 0)).all():
        raise ConfigError(f"{what} numbers above 0, has {rates[~(np.isfinite(rates) & (rates > 0))][0]}")
