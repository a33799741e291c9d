"""The other instances of the account: they want what they wanted then, as far as it was not refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.configuration.instance import InstanceConfig
from atrader.orders.model import Intent
from atrader.runtime.session_file import read_sessions
from atrader.strategy import Strategy
from atrader.timeframes import Timeframe
from manager.rerun.intents import intent_of
from manager.rerun.setup import Setup, as_recorded
from manager.rerun.working import REFUSED
from research.rerun import Puppet
from research.rerun.record import number_of

Row = dict[str, Any]


def others_of(setup: Setup) -> list[tuple[InstanceConfig, Strategy]]:
    """Return the other instances as they were then, each with who plays it."""
    recorded, name = setup.recorded, setup.config.name
    refused = {row["client_id"] for row in recorded.orders if row["state"] in REFUSED}
    sized = {row["client_id"]: row["units"] for row in recorded.orders if row["units"] is not None}
    wanted: dict[str, list[Row]] = {}
    for row in recorded.intents:
        # What was wanted in the very moment in which the life began had come about: it is carried.
        is_wanted = row["client_id"] not in refused and row["time_ns"] > recorded.life.market_ns
        if row["instance"] != name and is_wanted and number_of(row) > 0:
            is_sized = row["action"] == "open" and row["client_id"] in sized
            size = {"units": sized[row["client_id"]], "risk_frac": None} if is_sized else {}
            wanted.setdefault(row["instance"], []).append({**row, **size})
    found = [
        (_as_of(other, setup.installation, recorded.life.market_ns), wanted[name])
        for name, other in setup.installation.instances.items()
        if name in wanted and other.account == setup.config.account
    ]
    return [(other, _puppet(other, rows)) for other, rows in found]


def _as_of(config: InstanceConfig, installation: Installation, time_ns: int) -> InstanceConfig:
    """Return an instance as it was configured at a time: its limits closed its trades."""
    sessions = read_sessions(Home(Path(installation.home)).session(config.name))
    lives = [one.life for one in sessions if one.life.market_ns <= time_ns]
    return as_recorded(config, lives[-1]) if lives else config


def _puppet(config: InstanceConfig, rows: Iterable[Row]) -> Puppet:
    intents = sorted((intent_of(row) for row in rows), key=lambda intent: intent.n)
    return Puppet(intents, at_quotes=not _only_at_bars(intents, Timeframe.parse(config.timeframe)))


def _only_at_bars(intents: Sequence[Intent], frame: Timeframe) -> bool:
    return frame.is_fixed and all(intent.time_ns % frame.ns == 0 for intent in intents)
