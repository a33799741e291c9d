"""What people are told of damaged parts of a store."""

from __future__ import annotations

import sys

from atrader.clock import iso_from_ns
from data_layer.store.interface import Damage


def say_damage(damage: Damage) -> None:
    """Tell people on stderr: whoever reads without listening to damage is a command."""
    sys.stderr.write(f"{sentence_of(damage)}\n")


def sentence_of(damage: Damage) -> str:
    """Say what is lost."""
    times = f"{iso_from_ns(damage.first_ns)} to {iso_from_ns(damage.last_ns)}"
    what = f"{damage.rows} rows of {damage.instrument} {damage.timeframe}, {times}"
    return f"{what}, are damaged and left out ({damage.reason}); 'atrader data check --repair' makes them a gap"
