"""What the manager tells a child process before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.configuration.instance import ProcessLimits

ProcessKind = Literal["data-layer", "gateway", "worker"]

TAG_VARIABLE = "ATRADER_PROCESS_TAG"
"""Environment variable that marks every process of one run directory; survivors are found by it."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One child process of the fleet.

    ``name`` is ``data-layer``, the account's name or the instance's name with a prefix: ``gateway-NAME``,
    ``worker-NAME``; ``subject`` is the bare account or instance name.
    """

    name: str
    kind: ProcessKind
    subject: str
    installation: Installation
    limits: ProcessLimits
    tag: str
    restarts: int = 0
    standby: bool = False  # a worker that waits for its predecessor to hand over (reload)

    @property
    def home(self) -> Home:
        """Paths of the installation."""
        return Home(Path(self.installation.home))
