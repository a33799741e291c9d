"""Tries sets of a signal strategy with the vector engine: whole arrays, and an execution that lets threads run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from atrader.configuration.account import AccountConfig, PaperSettings
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.limits import AccountLimits, InstanceLimits, TradeLimits
from atrader.errors import ConfigError, StrategyError
from atrader.strategy import SignalStrategy, Strategy
from atrader.timeframes import Timeframe
from research.events import Plan, SeriesKey
from research.events.equity import rate_of
from research.events.history import History
from research.events.market import Market
from research.events.tape import BarTape
from research.optimisation.events import Times
from research.optimisation.pools import Outcome
from research.optimisation.space import Combination
from research.statistics.periods import until_ruin
from research.vector import Decisions, Prices, Rules, Schedule, Terms, rows_of
from research.vector.decisions import RISK_PARTS
from research.vector.engine import Execution
from worker.strategies.entries import EntryStrategy
from worker.strategies.sharing import Shared

Floats = NDArray[np.float64]

_AT_ONCE: Final = 32
"""Sets that are played side by side; what each of them wants is in memory meanwhile."""

_REMEDY: Final = ", and the vector engine asks no risk rules: use --engine events"
_CHANCE: Final = ("partial_fill_share", "reject_share", "latency")
_CHECKED: Final = {"max_risk_frac", "stop_required"}  # here, set by set
_SAFEGUARDS: Final = {"max_price_age", "max_intent_age", "price_band_frac"}  # against what only happens live


def why_not_vector(account: AccountConfig, config: InstanceConfig, strategy: Strategy) -> str | None:
    """Return what the vector engine cannot do of an instance on an account; None when it can do everything.

    It fills as the paper account does and knows margin, swap, commission and spread; slippage is taken at its worst. It
    asks no risk rules but for the stop and the risk of an order, and leaves nothing to chance.
    """
    if not isinstance(strategy, SignalStrategy):
        return "the strategy is no signal strategy"
    paper, usual = account.paper, PaperSettings()
    changed = [f"paper.{name}" for name in _CHANCE if getattr(paper, name) != getattr(usual, name)]
    changed += [f"limits.{name}" for name in _differing(account.limits, AccountLimits())]
    changed += ["prop_firm"] if account.prop_firm is not None else []
    changed += [f"{config.name}: limits.{name}" for name in _differing(config.limits, InstanceLimits())]
    changed += [f"{config.name}: selection"] if config.selection is not None else []
    limits = config.trade or account.trade
    changed += [f"trade.{name}" for name in _differing(limits, TradeLimits()) if name not in _CHECKED | _SAFEGUARDS]
    return f"it knows nothing of {', '.join(changed)} (--without-limits leaves them out)" if changed else None


def without_limits(account: AccountConfig, config: InstanceConfig) -> tuple[AccountConfig, InstanceConfig]:
    """Return both without limits, chance and selection; stops and the risk of an order stay checked.

    A search asks what parameters are worth: a limit that halts the account in the first bad month hides that.
    What the limits make of the recommended set is a question for a backtest.
    """
    usual, kept = TradeLimits(), _CHECKED | _SAFEGUARDS
    chance = {name: getattr(PaperSettings(), name) for name in _CHANCE}

    def freed(limits: TradeLimits) -> TradeLimits:
        return usual.model_copy(update={name: getattr(limits, name) for name in kept})

    return (
        account.model_copy(
            update={
                "paper": account.paper.model_copy(update=chance),
                "limits": AccountLimits(),
                "prop_firm": None,
                "trade": freed(account.trade),
            }
        ),
        config.model_copy(
            update={
                "limits": InstanceLimits(),
                "selection": None,
                "trade": None if config.trade is None else freed(config.trade),
            }
        ),
    )


class VectorTrials:
    """An `Evaluate`; any number of threads.

    Parameters
    ----------
    plan : Plan
        Of one signal strategy, over bars.
    make : callable
        Gives the strategy of a set; called in any thread.
    days_ns : ndarray of int64, shape (days,)
        Ends of the trading days that every set is measured by.
    """

    def __init__(self, plan: Plan, make: Callable[[Combination], Strategy], days_ns: Times) -> None:
        ((config, _),) = plan.instances
        symbol = config.instrument
        self._make = make
        self._instrument = plan.instruments[symbol]
        self._limits = config.trade or plan.account.trade
        self._terms = Terms.of(plan.account, self._instrument)
        self._rules = Rules()
        market = Market(plan.tapes)
        tape = market.reels[symbol].tape
        if not isinstance(tape, BarTape):
            raise ConfigError(f"{symbol}: the vector engine plays bars, not quotes")
        self._prices = Prices.of(tape.bars, self._terms, tape.duration_ns)
        history = History(
            plan.series[SeriesKey(symbol, config.timeframe)],
            Timeframe.parse(config.timeframe),
            plan.calendar_of(symbol),
            market,
        )
        self._bars = history.bars
        self._rows = rows_of(self._prices, history.ends)
        self._rates = self._conversion(market, plan.account.currency)
        schedule = Schedule.of(self._prices, plan.calendar_of(symbol))
        self._execution = Execution(self._prices, self._rules, self._terms, schedule=schedule, rates=self._rates)
        ends = np.searchsorted(self._prices.end_ns, days_ns, side="right") - 1
        self._day_bars = np.maximum(ends, 0).astype(np.int32)
        self._shared = Shared()

    def __call__(self, combinations: Sequence[Combination]) -> list[Outcome]:
        """Try sets; a set that the strategy fails with has its error as outcome."""
        parts = (combinations[first : first + _AT_ONCE] for first in range(0, len(combinations), _AT_ONCE))
        return [outcome for part in parts for outcome in self._outcomes(part)]

    def _outcomes(self, combinations: Sequence[Combination]) -> list[Outcome]:
        wanted = [self._wanted(one) for one in combinations]
        days = self._execution.days([one for one in wanted if isinstance(one, Decisions)], self._day_bars)
        returns = iter(_returns(days.equity, float(self._terms.initial_balance)))
        closed = iter(days.closed.tolist())
        return [one if isinstance(one, Outcome) else Outcome(next(closed), next(returns)) for one in wanted]

    def _wanted(self, combination: Combination) -> Decisions | Outcome:
        """Return what a set wants, or what its failure is told by."""
        strategy = self._make(combination)
        assert isinstance(strategy, SignalStrategy)
        try:
            return self._decisions(strategy)
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001 - boundary: user code may fail in any way; the others go on
            told = error.message if isinstance(error, StrategyError) else f"{type(error).__name__}: {error}"
            return Outcome(0, np.empty(0), told)

    def _decisions(self, strategy: SignalStrategy) -> Decisions:
        first_row, at = max(strategy.warmup_bars, 1) - 1, self._rows
        if isinstance(strategy, EntryStrategy):
            rows, signals = strategy.sparse_signals(self._bars, self._instrument, self._shared)
            first_row, at = int(np.searchsorted(rows, first_row)), at[rows]
        else:
            signals = strategy.signals(self._bars, self._instrument)
        decisions = Decisions.of(signals, self._prices, self._instrument, self._rules, bars=at, first_row=first_row)
        self._check_limits(decisions)
        return decisions

    def _check_limits(self, decisions: Decisions) -> None:
        """Refuse entries that the risk rules would: what the account then holds is another thing.

        Raises
        ------
        ConfigError
            When there are any.
        """
        opens = decisions.entry != 0
        most = self._limits.max_risk_frac
        if self._limits.stop_required and (decisions.stop[opens] == 0).any():
            raise ConfigError(f"trade.stop_required refuses entries without a stop{_REMEDY}")
        if most is not None and (decisions.steps[opens] >= 0).any():
            raise ConfigError(f"trade.max_risk_frac: what a fixed size risks is known while it runs only{_REMEDY}")
        if most is not None and (decisions.risk[opens] > int(most * RISK_PARTS)).any():
            raise ConfigError(f"trade.max_risk_frac = {most} refuses entries that risk more{_REMEDY}")

    def _conversion(self, market: Market, currency: str) -> Floats | None:
        """Return account currency per quote currency in each bar, when neither is of the instrument."""
        if self._terms.rate != "given":
            return None
        rates = rate_of(market, self._instrument.quote, currency)
        assert not isinstance(rates, float)
        return np.ascontiguousarray(rates[market.reels[self._instrument.symbol].steps])


def _returns(equity: Floats, initial: float) -> Floats:
    """Return the return of each day, from the equity at its end, run by run; -1 and then 0 from a ruin on."""
    worth = until_ruin(np.concatenate([np.full((len(equity), 1), initial), equity], axis=1))
    before, found = worth[:, :-1], np.zeros(equity.shape)
    np.divide(worth[:, 1:], before, out=found, where=before > 0)
    found[before > 0] -= 1.0
    return found


def _differing(one: BaseModel, usual: BaseModel) -> list[str]:
    return [name for name in type(one).model_fields if getattr(one, name) != getattr(usual, name)]
