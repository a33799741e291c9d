"""What ``atrader select`` does."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from atrader.clock import iso_from_ns
from atrader.conditions import PHASES, VOLATILITIES, conditions
from atrader.configuration.cross_checks import instance_file
from atrader.configuration.home import Home
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.loader import load_installation
from atrader.configuration.selection import SelectionConfig
from atrader.errors import ConfigError
from atrader.market import Bars
from atrader.selection.file import Selections
from atrader.selection.rule import condition_text, timeline, why
from atrader.trading_state import TradingState
from data_layer.offline import open_market
from manager.commands.output import print_json
from manager.commands.tables import Column, print_rows, time_cell

_DIGITS = 6
_SHOWN = 30  # switches: as many as fit on a screen


def show(home: Home, names: tuple[str, ...], start_ns: int | None, end_ns: int | None, *, as_json: bool) -> None:
    """Judge stored bars and show what comes of it.

    Raises
    ------
    ConfigError
        When an instance is not known or selects nothing.
    """
    installation = load_installation(home.root)
    chosen = _selecting(installation.instances, names)
    selections = Selections.load(home.selection)
    found = []
    with open_market(home, installation.fleet) as market:
        for config, selection in chosen:
            timeframe = selection.timeframe or config.timeframe
            bars = market.bars(config.instrument, timeframe, end_ns=end_ns)
            now = selections.instances.get(config.name)
            about = {
                "instance": config.name,
                "instrument": config.instrument,
                "timeframe": timeframe,
                "state": now and now.state.value,
                "since": iso_from_ns(now.since_ns) if now and now.since_ns else None,
                "reason": now and now.reason,
            }
            found.append({**about, **_judged(selection, bars, start_ns)})
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("no instance has a table [selection]")
    for number, row in enumerate(found):
        if number:
            click.echo()
        _print(row)


def _selecting(
    configured: dict[str, InstanceConfig], names: tuple[str, ...]
) -> list[tuple[InstanceConfig, SelectionConfig]]:
    for name in names:
        if name not in configured:
            raise ConfigError(f"no instance {name!r}; there are: {', '.join(configured)}")
        if configured[name].selection is None:
            raise ConfigError(
                f"{instance_file(name)}: has no table [selection], which names the markets it is made for"
            )
    wanted = [configured[name] for name in names or configured]
    return [(config, config.selection) for config in wanted if config.selection is not None]


def _judged(selection: SelectionConfig, bars: Bars, start_ns: int | None) -> dict[str, Any]:
    """Return what the rule makes of bars; those before the start count as history only."""
    first = 0 if start_ns is None else int(np.searchsorted(bars.open_time_ns, start_ns))
    found = conditions(bars.high, bars.low, bars.close, selection.detector)
    active = timeline(selection, bars)
    changes = np.flatnonzero(np.diff(active, prepend=False))
    switches = [
        {
            "time": iso_from_ns(int(bars.open_time_ns[place])),
            "state": (TradingState.ACTIVE if active[place] else TradingState.REDUCING).value,
            "reason": why(selection, found.at(place)),
        }
        for place in changes[changes >= first].tolist()
    ]
    missing = selection.detector.warmup_bars - len(bars)
    return {
        "market": condition_text(found, missing),
        "bar": iso_from_ns(int(bars.open_time_ns[-1])) if len(bars) else None,
        "bars": len(bars) - first,
        "active_frac": _share(active[first:]),
        "phases": {phase.value: _share(found.phase[first:] == code) for code, phase in enumerate(PHASES)},
        "volatility": {one.value: _share(found.volatility[first:] == code) for code, one in enumerate(VOLATILITIES)},
        "switches": switches,
    }


def _share(where: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    return round(float(where.mean()), _DIGITS) if len(where) else 0.0


def _print(row: dict[str, Any]) -> None:
    live = "not running yet" if row["state"] is None else f"{row['state']}: {row['reason']}"
    click.secho(f"{row['instance']} ({row['instrument']} {row['timeframe']}): {live}", bold=True)
    click.echo(f"  at {row['bar'] or 'no bar'}: {row['market']}")
    for key in ("phases", "volatility"):
        shares = ", ".join(f"{name} {share:.0%}" for name, share in row[key].items() if share)
        click.echo(f"  {key:<10} {shares or '-'}")
    click.echo(f"  over {row['bars']} stored bars {row['active_frac']:.0%} ACTIVE, {len(row['switches'])} switches")
    columns = (
        Column("time", "bar", cell=time_cell),
        Column("state", "state"),
        Column("reason", "reason", prose=True),
    )
    if row["switches"]:
        print_rows(columns, row["switches"][-_SHOWN:], empty="")
    if len(row["switches"]) > _SHOWN:
        click.echo(f"the latest {_SHOWN} switches; --json has all, --start and --end choose others")
