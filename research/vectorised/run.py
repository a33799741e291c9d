"""A plan through the vector engine: the findings that the event engine would give, to the digit where both can."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.errors import StrategyError
from atrader.fast_models import changed
from atrader.ledger import profit_of
from atrader.orders.model import Trade
from atrader.runtime.beside import Beside
from atrader.strategy import Signals, SignalStrategy
from research.events.equity import Changes, equity_curve
from research.events.findings import Findings
from research.events.history import check_decides
from research.events.plan import Plan
from research.events.told import Signal
from research.events.whole import signals_once
from research.later import Later
from research.vector import Decisions, Outcome, Reason, Refusal, Rules
from research.vector.rows import times_of, trades_of
from research.vectorised.financed import due_times
from research.vectorised.fit import NotVector, check_band, check_risk, check_targets
from research.vectorised.orders import Wishes
from research.vectorised.played import played
from research.vectorised.refusals import BY_KIND
from research.vectorised.risked import check_fixed_risk
from research.vectorised.slippage import Drawn
from research.vectorised.stage import Seen, Stage
from research.vectorised.traded import floats_of, traded_of

_RATE: Final = Context(prec=12)  # of a rate, as the paper account takes it


def run_vector(plan: Plan, rules: Rules | None = None) -> Findings:
    """Run a plan with one signal strategy, which must fit (`why_not_vector`).

    Parameters
    ----------
    rules : Rules, optional
        By default those of the paper account: the findings are then those of the event engine, where `why_not_same`
        knows nothing against it.

    Raises
    ------
    NotVector
        When the event engine would do something else: risk rules refuse entries, the signals over all bars are others
        than over the warm-up of each bar, the strategy fails.
    ConfigError
        When there are too few bars.
    """
    ((config, strategy),) = plan.instances
    assert isinstance(strategy, SignalStrategy)
    seen = Seen.of(plan)
    check_decides(config, seen.history, strategy.warmup_bars)
    staged = Beside(lambda: Stage(plan, rules, seen))  # on another processor: most of both lets go of the lock
    strategy.load()
    signals, difference = signals_once(strategy, seen.history, plan.instruments[config.instrument])
    stage = staged.result()
    if signals is None:
        raise NotVector(f"signals over all bars are not those over the warm-up of each bar: {difference}")
    first_row = max(strategy.warmup_bars, 1) - 1
    try:
        decisions = Decisions.of(
            signals, stage.prices, stage.instrument, stage.rules, bars=stage.rows, first_row=first_row
        )
    except StrategyError as error:  # an alert or an exception at that bar, and the bars after it go on
        raise NotVector(error.message) from error
    check_risk(decisions, stage.limits)
    check_targets(decisions, stage.rules)
    check_band(decisions, stage.prices, stage.limits)
    outcome, orders = played(stage, decisions, Drawn(stage))
    wishes = Wishes(stage, decisions, outcome, orders, signals)
    check_fixed_risk(stage, decisions, outcome)
    trades = Later(lambda: _trades(stage, outcome, wishes))
    ended = np.lexsort((outcome.trades["exit_phase"], outcome.trades["exit_bar"]))
    is_open = outcome.trades["left"] > 0
    return Findings(
        closed=Later(lambda: _picked(trades, ended[~is_open[ended]])),
        open_trades=Later(lambda: _picked(trades, np.flatnonzero(is_open))),
        orders=Later(wishes.orders),
        signals=Later(partial(_signals, stage, strategy, signals)),
        alerts=(),
        curve=equity_curve(
            stage.market,
            _booked(stage, outcome),
            float(plan.account.paper.initial_balance),
            plan.account.currency,
            plan.instruments,
        ),
        bars={stage.config.name: len(stage.history.bars) - stage.history.first},
        errors={stage.config.name: 0},
        more_refused={} if stage.is_paper else _counted(outcome),
        counted_refused=wishes.refused(),
        traded=traded_of(stage, outcome),
    )


def _picked(trades: Iterable[Trade], numbers: NDArray[np.intp]) -> list[Trade]:
    every = list(trades)
    return [every[number] for number in numbers.tolist()]


def _trades(stage: Stage, outcome: Outcome, wishes: Wishes) -> list[Trade]:
    return [
        changed(
            trade,
            trade_id=wishes.trade_id(number),
            initial_risk=_risk(stage, outcome.trades[number], trade),
            profit=trade.profit
            if trade.units_closed
            else Decimal(0),  # in files "0" as of the event engine, not "0.00"
            commission=trade.commission if stage.terms.commission_per_million else Decimal(0),
            swap=trade.swap or Decimal(0),
        )
        for number, trade in enumerate(trades_of(outcome, stage.prices, stage.terms, stage.config))
    ]


def _counted(outcome: Outcome) -> dict[str, int]:
    return {BY_KIND[Refusal(kind)]: count for kind, count in enumerate(outcome.refused) if count}


def _risk(stage: Stage, row: np.void, trade: Trade) -> Decimal | None:
    """Return what the first stop would have lost, account currency; None without one on the losing side."""
    if trade.initial_stop is None:
        return None
    bar, rate = int(row["entry_bar"]), Decimal(1)
    if stage.terms.rate == "own":
        is_open = row["entry_phase"] == 0
        bids, asks = (
            (stage.prices.bid_open, stage.prices.ask_open)
            if is_open
            else (stage.prices.bid_close, stage.prices.ask_close)
        )
        rate = _RATE.divide(2, (int(bids[bar]) + int(asks[bar])) * stage.instrument.price_tick)
    elif stage.rates is not None:
        rate = Decimal(repr(float(stage.rates[bar])))
    digits = stage.terms.currency_digits
    risk = -profit_of(trade.side, trade.units_opened, trade.open_price, trade.initial_stop, rate, digits)
    return risk if risk > 0 else None


def _signals(stage: Stage, strategy: SignalStrategy, signals: Signals) -> list[Signal]:
    """Return what the driver records: each row in the period at which something is said."""
    history, first = stage.history, max(stage.history.first, max(strategy.exit_bars, 1) - 1)
    entry = np.where(np.arange(len(signals.entry)) >= max(strategy.warmup_bars, 1) - 1, signals.entry, 0)
    rows = first + np.flatnonzero((entry[first:] != 0) | (signals.exit[first:] != 0))
    columns = {name: column[rows].tolist() for name, column in (signals.indicators or {}).items()}
    times = stage.market.ends[history.steps[rows]].tolist()
    found = []
    for at, (row, time_ns) in enumerate(zip(rows.tolist(), times, strict=True)):
        opens, leave = int(entry[row]), int(signals.exit[row])
        values = {name: float(column[at]) for name, column in columns.items()}
        bar = f"{stage.config.timeframe}|{history.bars.open_time_ns[row]}"
        kind = "entry" if opens else "exit"
        found.append(Signal(time_ns, stage.config.name, kind, float(opens or leave), values, bar))
    return found


def _booked(stage: Stage, outcome: Outcome) -> Changes:
    """Return what changed what was held, for the equity."""
    fills, item = outcome.fills, stage.instrument
    times = times_of(stage.prices, fills["bar"], fills["phase"])
    is_swap = fills["reason"] == Reason.SWAP
    if is_swap.any():
        times[is_swap] = due_times(stage, fills[is_swap])
    steps, trades = fills["steps"], outcome.trades[fills["trade"]]
    sides = (("buy", trades["side"] > 0), ("sell", trades["side"] < 0))
    return Changes(
        times,
        floats_of(fills["balance"], Decimal(1).scaleb(-stage.terms.currency_digits)),
        floats_of(steps, item.unit_step),
        floats_of(steps * trades["entry_price"], item.unit_step * item.price_tick),
        {(item.symbol, side): np.flatnonzero(mine) for side, mine in sides if mine.any()},
    )
