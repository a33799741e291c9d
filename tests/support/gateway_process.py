"""Runs one gateway as the manager would. Arguments: installation, account."""

import importlib
import sys
from pathlib import Path

from atrader.configuration.loader import load_installation
from atrader.runtime.child import run_child
from atrader.runtime.spec import ProcessSpec
from broker_api.gateway import crash_points


def main() -> None:
    """Be the gateway; never returns."""
    importlib.reload(crash_points)  # it was imported before the environment was this process's own
    installation = load_installation(Path(sys.argv[1]))
    run_child(
        ProcessSpec(
            name=f"gateway-{sys.argv[2]}",
            kind="gateway",
            subject=sys.argv[2],
            installation=installation,
            limits=installation.fleet.process,
            tag=sys.argv[1],
        )
    )
