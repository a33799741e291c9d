"""Backtests that are over, saved as ``atrader backtest`` saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from atrader.market import Bars
from manager.backtests.files import save
from manager.backtests.request import Request
from research.events import EventEngine
from research.reports import Saved
from tests.support.event_runs import account_of, instance_of, plan_of
from worker.strategies.sma_cross import SmaCross, SmaCrossParameters


def save_cross(folder: Path, bars: Bars, *, name: str = "cross", paper: Any = None, **parameters: Any) -> Saved:
    """Run a cross of averages over minutes of EUR/USD and save what came of it."""
    account = account_of(trade={"max_price_age": "2d"}, paper=paper or {})
    config = instance_of(name, strategy="sma-cross", parameters=parameters)
    strategy = SmaCross(SmaCrossParameters.model_validate({"fast": 3, "slow": 9, **parameters}))
    plan = plan_of(account, [(config, strategy)], {("EUR/USD", "1m"): bars})
    request = Request(root="/", account=account, instances=(config,), start_ns=None, end_ns=None, quotes=None)
    return save(folder, request, plan, EventEngine(plan).run(), took_s=0.5)
