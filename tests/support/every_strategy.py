"""Every built-in strategy through worker, gateway and paper account, and through the event engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit

from atrader.clock import NS_PER_S, iso_from_ns, parse_time
from atrader.configuration.loader import load_installation
from atrader.orders.model import Order
from data_layer.offline import open_market
from research.events.result import Result
from research.events.tape import BarTape
from research.optimisation.windows import WalkForward
from tests.support.event_runs import plan_of, run
from tests.support.fleet import Fleet
from tests.support.learned import write_trained
from tests.support.replays import finish, write_replay
from worker.loading import load_strategy, make_strategy
from worker.placing import place
from worker.strategies import BUILT_IN

NAMES = sorted(BUILT_IN.keys() - {"asirikuy"})  # which needs a library, and has tests of its own
STORED, PLAYED = "2012-12-03", "2013-02-06T12:00:00Z"  # warm-ups before, half hours of two days and a half after
CROSS = {"fast": 4, "slow": 12}
QUICK: dict[str, dict[str, Any]] = {  # where the usual parameters would hardly trade in two days
    "atr-cross": CROSS,
    "ema-cross": {**CROSS, "trailing_atr": 1.5},
    "morning-range": {"flat_at": "15:30", "trend_bars": 5},
    "overnight-range": {"flat_at": "15:30", "mode": "fade", "zones": True, "atr_days": 5, "max_range_atr": 9.0},
    "rsi": {"rsi_period": 6, "trailing_atr": 2.0},
    "scikit-learn": {"model": "models/yen.model", "enter_frac": 0.505},
    "sma-cross": CROSS,
    "trend": {"trend_period": 20, "slope_bars": 3, "band_atr": 0.5},
}

COSTS = (
    "[paper]\nslippage_pips = 0.5\ncommission_per_million = 30\nextra_spread_pips = 0.3\n"
    "swap_long_frac = -0.02\nswap_short_frac = 0.01\npartial_fill_share = 0.3\n"
)


def instance_text(name: str, magic: int, **parameters: Any) -> str:
    """Return the configuration of a built-in strategy, or of one in a file with its own parameters only."""
    usual = {"risk_frac": "0.0005", **QUICK.get(name, {})} if name in BUILT_IN else {}
    values = {
        "strategy": name, "account": "paper", "magic": magic, "instrument": "USD/JPY", "timeframe": "30m",
        "parameters": {key: value for key, value in {**usual, **parameters}.items() if value is not None},
    }  # fmt: skip
    return tomlkit.dumps(values)


def play_all(
    fleet: Fleet,
    texts: Mapping[str, str],
    bars: Path,
    *,
    costs: str = COSTS,
    positions: str = "hedging",
    start: str = PLAYED,
    files: Mapping[str, str] | None = None,
) -> None:
    """Replay bars through a fleet to their end.

    Parameters
    ----------
    texts : mapping of str to str
        Configurations of instances by name.
    bars : Path
        Half hours, CSV.
    costs, positions : str
        Of the account.
    start : str
        From when on they are played.
    files : mapping of str to str
        Sources of strategies by name.
    """
    write_replay(fleet, texts, files=[bars], settings=f"start = '{start}'\n", positions=positions)
    account = fleet.home.etc / "accounts" / "paper.toml"
    account.write_text(account.read_text().replace("[paper]\n", costs))
    for name, source in (files or {}).items():
        (fleet.home.root / name).write_text(source)
    with open_market(fleet.home) as stored:
        half_hours = stored.bars("USD/JPY", "30m")
    days = WalkForward(train_days=40, test_days=7)
    write_trained(fleet.home.root / "models/yen.model", half_hours, "USD/JPY", "30m", days)
    fleet.launch()
    finish(fleet)


def again_of(fleet: Fleet, start: str = PLAYED) -> Result:
    """Return what the event engine makes of the same bars."""
    installation = load_installation(fleet.home.root)
    with open_market(fleet.home) as stored:
        series = {("USD/JPY", timeframe): stored.bars("USD/JPY", timeframe) for timeframe in ("30m", "1d")}
        played = BarTape("USD/JPY", stored.bars("USD/JPY", "30m", start_ns=parse_time(start)), 1800 * NS_PER_S)
    chosen = [
        (config, make_strategy(load_strategy(config.strategy, fleet.home.root), config.parameters, name))
        for name, config in installation.instances.items()
    ]
    for config, strategy in chosen:
        place(strategy, installation, config)
    return run(plan_of(installation.accounts["paper"], chosen, series, tapes=[played]))


def orders_of(result: Result) -> list[tuple[str, ...]]:
    """Return of each order what became of it, oldest first."""
    return sorted(_order(one) for one in result.orders)


def orders_of_rows(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return of ``history orders`` what `orders_of` returns of a run."""
    names = ("created", "client_id", "state", "updated", "units", "filled_units", "average_price", "reason")
    return sorted(tuple(_text(row[name]) for name in names) for row in rows)


def fills_of(result: Result) -> list[tuple[str, ...]]:
    """Return every execution, in the order the broker made them."""
    rows = [
        (iso_from_ns(one.time_ns), one.fill_id, one.instance, one.client_id, one.units, one.price, one.reason)
        for one in result.fills
    ]
    return sorted(tuple(map(_text, row)) for row in rows)


def fills_of_rows(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return of ``history fills`` what `fills_of` returns of a run."""
    names = ("time", "fill_id", "instance", "client_id", "units", "price", "reason")
    return sorted(tuple(_text(row[name]) for name in names) for row in rows)


def _order(one: Order) -> tuple[str, ...]:
    units = one.intent.units if one.units is None else one.units  # the history: before it is sized, what was wanted
    values = (
        iso_from_ns(one.created_ns), one.client_id, one.state.value, iso_from_ns(one.updated_ns), units,
        one.filled_units, one.average_price, one.reason,
    )  # fmt: skip
    return tuple(map(_text, values))


def _text(value: object) -> str:
    return "" if value is None else str(value)
