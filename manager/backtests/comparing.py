"""A backtest beside what the tester library makes of the same instance, and the first trade that differs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from atrader.broker_clock import WallClock
from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet
from atrader.errors import ConfigError
from atrader.strategy import Strategy
from data_layer.offline import open_market
from framework_bridge.aside import write_aside
from framework_bridge.parameters import AsirikuyParameters
from framework_bridge.setup import read_setup
from framework_bridge.tester_run import CONFIG, TesterAnswer, TesterTrade, run_tester
from manager.backtests.loading import load_plan
from manager.backtests.request import ONE_PROCESS_EACH, Request
from manager.backtests.starting import placed, placement_of
from research.events.market import Market
from research.reports.trades import Row

_SAME_S: Final = 1  # trades are the same when they were opened and closed in the same second


class Comparison(NamedTuple):
    """Both results.

    Attributes
    ----------
    ours, theirs : dict
        ``trades``, ``net`` (sum of the profits) and ``final_balance`` of each.
    same : int
        Trades from the first on that agree in side, size and times. Prices may differ: the tester fills at a bar's open
        with one spread for all bars, we fill at the last quote before it.
    first_different : tuple or None
        Of each the first trade that does not; None where one has no more; None when all agree.
    """

    version: str
    spread: float
    ours: dict[str, Any]
    theirs: dict[str, Any]
    same: int
    first_different: tuple[dict[str, Any] | None, dict[str, Any] | None] | None

    def as_json(self) -> dict[str, Any]:
        """Return it as it is shown to programs."""
        return self._asdict()


def check_comparable(requests: Sequence[Request]) -> None:
    """Refuse what the tester cannot run.

    Raises
    ------
    ConfigError
        When not every run is one instance of the C library.
    """
    for request in requests:
        if len(request.instances) != 1 or request.instances[0].strategy != ONE_PROCESS_EACH:
            raise ConfigError(f"{request.name}: --ctester compares instances of {ONE_PROCESS_EACH!r} only")


def ask_tester(request: Request, library: Path) -> TesterAnswer:
    """Run the instance of a request in the tester. To be called in a process of its own: it changes the directory.

    Raises
    ------
    ConfigError
        As `load_plan` and `run_tester`.
    """
    (config,) = request.instances
    home = Home(Path(request.root))
    fleet = load_fleet(home.root)
    strategy: Strategy = placed(config, request, fleet)
    with open_market(home, fleet) as market:
        plan = load_plan(request, [(config, strategy)], fleet, market)
    ends = Market(plan.tapes).ends
    placement = placement_of(config, request, fleet)
    parameters = AsirikuyParameters.model_validate(dict(config.parameters))
    leverage = request.account.paper.leverage or 1 / placement.instrument.margin_rate_frac
    with tempfile.TemporaryDirectory(prefix="atrader-tester-") as folder:
        place = Path(folder) / CONFIG
        place.parent.mkdir()
        write_aside(home.root / parameters.framework_config, home.root, place.parent)
        os.chdir(folder)
        try:
            return run_tester(
                library,
                parameters,
                placement,
                {(key.instrument, key.timeframe): bars for key, bars in plan.series.items()},
                (int(ends[0]), int(ends[-1])),
                request.account.paper.initial_balance,
                Decimal(leverage),
            )
        finally:
            os.chdir(home.root)


def compare(request: Request, trades: Sequence[Row], final_balance: float, answer: TesterAnswer) -> Comparison:
    """Lay both results side by side."""
    (config,) = request.instances
    parameters = AsirikuyParameters.model_validate(dict(config.parameters))
    setup = read_setup(parameters, placement_of(config, request, load_fleet(Path(request.root))))
    wall = setup.clock.wall()
    ours = [_ours(trade, wall, parameters.contract_size) for trade in trades]
    theirs = [_theirs(trade) for trade in answer.trades]
    return side_by_side(ours, theirs, (final_balance, answer.final_balance), answer.version, answer.spread)


def side_by_side(
    ours: Sequence[dict[str, Any]],
    theirs: Sequence[dict[str, Any]],
    balances: tuple[float, float],
    version: str,
    spread: float,
) -> Comparison:
    """Find the first trade that differs.

    Parameters
    ----------
    ours, theirs : sequence of dict
        Trades in the order they were opened, as `_theirs` returns them.
    balances : tuple of float
        Final ones.
    """
    same = 0
    while same < min(len(ours), len(theirs)) and _agree(ours[same], theirs[same]):
        same += 1
    first = None
    if same < max(len(ours), len(theirs)):
        first = (ours[same] if same < len(ours) else None, theirs[same] if same < len(theirs) else None)
    figures = [
        {"trades": len(side), "net": round(sum(one["profit"] for one in side), 2), "final_balance": balance}
        for side, balance in zip((ours, theirs), balances, strict=True)
    ]
    return Comparison(version, spread, figures[0], figures[1], same, first)


def _agree(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if one["side"] != other["side"] or abs(one["lots"] - other["lots"]) > 1e-9:
        return False
    return all(_same_time(one[key], other[key]) for key in ("open_s", "close_s"))


def _same_time(one: int | None, other: int | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) <= _SAME_S)


def _ours(trade: Row, wall: WallClock, contract_size: Decimal) -> dict[str, Any]:
    close_ns = trade["close_time_ns"]
    return _theirs(
        TesterTrade(
            trade["side"],
            float(Decimal(trade["units"]) / contract_size),
            wall.second(trade["open_time_ns"]),
            float(trade["open_price"]),
            None if close_ns is None else wall.second(close_ns),
            None if trade["close_price"] is None else float(trade["close_price"]),
            float(trade["profit"]),
            trade["close_reason"],
        )
    )


def _theirs(trade: TesterTrade) -> dict[str, Any]:
    return trade._asdict()
