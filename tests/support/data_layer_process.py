"""Runs one data layer as the manager would. Argument: a file with the whole configuration as JSON."""

import json
import sys
from pathlib import Path

from atrader.configuration.fleet import Installation
from atrader.runtime.child import run_child
from atrader.runtime.spec import ProcessSpec


def main() -> None:
    """Be the data layer; never returns."""
    installation = Installation.model_validate(json.loads(Path(sys.argv[1]).read_text()))
    run_child(ProcessSpec("data-layer", "data-layer", "data-layer", installation, installation.fleet.process, "test"))
