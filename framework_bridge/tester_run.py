"""An instance of the C library in the tester library: the same preset, bars and account, the tester's own fills."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from atrader.market import Bars
from atrader.strategy import Placement
from framework_bridge.abi.account import AccountInfo
from framework_bridge.abi.settings import Setting
from framework_bridge.abi.tester import CTesterLibrary
from framework_bridge.abi.tester_values import CTesterEvent, CTesterOutcome, CTesterSystem, EventKind
from framework_bridge.aside import NAME
from framework_bridge.conversion import library_symbol
from framework_bridge.parameters import AsirikuyParameters
from framework_bridge.setup import Setup, read_setup

CONFIG = Path("config") / NAME
"""Where the tester looks for its configuration, from the working directory."""


class TesterTrade(NamedTuple):
    """A trade of the tester; times are seconds of the broker's wall clock read as UTC."""

    side: Literal["buy", "sell"]
    lots: float
    open_s: int
    open_price: float
    close_s: int | None
    close_price: float | None
    profit: float
    reason: str


class TesterAnswer(NamedTuple):
    """What the tester says."""

    version: str
    trades: list[TesterTrade]
    final_balance: float
    spread: float


def run_tester(
    library: Path,
    parameters: AsirikuyParameters,
    placement: Placement,
    bars: Mapping[tuple[str, str], Bars],
    period_ns: tuple[int, int],
    balance: Decimal,
    leverage: Decimal,
) -> TesterAnswer:
    """Run one instance in the tester; the working directory holds its `CONFIG`.

    Blocks until the test ends. A crash of the library ends the process.

    Parameters
    ----------
    library : Path
        ``libCTesterFrameworkAPI.so`` of the user.
    bars : Mapping of (symbol, timeframe) to Bars
        Complete ones, history included, for each rates index.
    period_ns : tuple of int
        First and last moment that is traded, UTC ns.
    balance, leverage : Decimal
        Of the account at the begin.

    Raises
    ------
    ConfigError
        When the library is none, or the bars of the indices have not the same times: the tester wants that.
    """
    setup = read_setup(parameters, placement)
    tester = CTesterLibrary(library)
    system = _system(setup, parameters, placement, bars, period_ns, balance, leverage)
    outcome = tester.run_portfolio(
        [system],
        currency=placement.currency,
        broker=setup.clock.broker,
        reference=setup.reference.broker,
        clock=setup.clock.wall(),
        smallest_lot=float(parameters.min_lots or placement.instrument.min_units / parameters.contract_size),
    )
    return TesterAnswer(str(tester.version), trades_of(outcome), outcome.final_balance, system.spread)


def trades_of(outcome: CTesterOutcome) -> list[TesterTrade]:
    """Return the trades that the events of a test make, in the order they were opened."""
    trades: dict[int, TesterTrade] = {}
    for event in outcome.events:
        if event.kind in (EventKind.BUY, EventKind.SELL):
            side: Literal["buy", "sell"] = "buy" if event.kind is EventKind.BUY else "sell"
            trades[event.order_id] = TesterTrade(side, event.lots, event.time_s, event.price, None, None, 0.0, "")
        elif event.kind is not EventKind.MODIFY and event.order_id in trades:
            trades[event.order_id] = _closed(trades[event.order_id], event)
    return list(trades.values())


def _closed(trade: TesterTrade, event: CTesterEvent) -> TesterTrade:
    reason = event.kind.name.lower().replace("_", "-")
    return trade._replace(close_s=event.time_s, close_price=event.price, profit=event.profit, reason=reason)


def _system(
    setup: Setup,
    parameters: AsirikuyParameters,
    placement: Placement,
    bars: Mapping[tuple[str, str], Bars],
    period_ns: tuple[int, int],
    balance: Decimal,
    leverage: Decimal,
) -> CTesterSystem:
    wall = setup.clock.wall()
    settings = setup.settings.copy()
    settings[Setting.ORIGINAL_EQUITY] = float(setup.own_balance or balance)
    account = AccountInfo(
        number=float(parameters.account_number),
        balance=float(balance),
        equity=float(balance),
        margin=0.0,
        leverage=float(leverage),
        contract_size=float(parameters.contract_size),
        minimum_stop=float(parameters.minimum_stop_pips * placement.instrument.pip),
        stopout_percent=float(parameters.stopout_percent),
        open_risk_percent=0.0,
        largest_drawdown_percent=0.0,
    )
    own = bars[placement.instrument.symbol, placement.timeframe]
    return CTesterSystem(
        settings=settings,
        symbol=parameters.symbol or library_symbol(placement.instrument.symbol),
        account=account,
        spread=float(np.median(own.ask_close - own.close)),
        from_s=wall.second(period_ns[0]),
        to_s=wall.second(period_ns[1]),
        plans=[None if plan is None else plan.rates for plan in setup.plans],
        bars=[None if plan is None else bars[plan.symbol, plan.timeframe] for plan in setup.plans],
    )
