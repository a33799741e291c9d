"""Why a question to the history found nothing: names that nobody has here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from atrader.configuration.loader import load_installation
from atrader.configuration.problems import did_you_mean
from atrader.errors import ConfigError
from atrader.instruments import KNOWN


def unknown_names(root: Path, chosen: Mapping[str, Any]) -> list[str]:
    """Say which of the names that were asked for are not configured; what they did before may still be there."""
    try:
        installation = load_installation(root)
    except ConfigError:
        return []  # the history is looked at without one, too
    traded = (instance.instrument for instance in installation.instances.values())
    known: dict[str, Iterable[str]] = {
        "instance": installation.instances,
        "account": installation.accounts,
        "instrument": {*KNOWN, *installation.fleet.instruments, *traded},
    }
    return [
        f"--{option}: {name!r} is not configured{did_you_mean(name, names)}"
        for option, names in known.items()
        if (name := chosen.get(option)) and name not in names
    ]
