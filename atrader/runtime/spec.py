"""What the manager tells a child process before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.configuration.instance import ProcessLimits

ProcessKind = Literal["data-layer", "gateway", "worker"]

ENTRIES: Final = MappingProxyType(
    {
        "data-layer": "data_layer.process:main",
        "gateway": "broker_api.gateway.process:main",
        "worker": "worker.process:main",
    }
)
"""What a process of a kind runs, as text: nothing here may import it."""


def gateway_name(account: str) -> str:
    """Process name of an account's gateway."""
    return f"gateway-{account}"


def worker_name(instance: str) -> str:
    """Process name of an instance's worker."""
    return f"worker-{instance}"


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One child process of the fleet.

    ``name`` is ``data-layer``, the account's name or the instance's name with a prefix: ``gateway-NAME``,
    ``worker-NAME``; ``subject`` is the bare account or instance name.

    Attributes
    ----------
    tag : str
        Marks the processes of this run directory.
    restarts : int
        How often this process was started again since the manager runs.
    standby : bool
        A worker that waits for its predecessor to go (reload).
    entry : str, optional
        ``module:function`` to run instead of the one of its kind.
    preload : str, optional
        Module that the fork server must have imported; the child refuses to run without it, because a child that has
        to import everything itself is twenty times slower and four times larger, and nobody would notice.
    """

    name: str
    kind: ProcessKind
    subject: str
    installation: Installation
    limits: ProcessLimits
    tag: str
    restarts: int = 0
    standby: bool = False
    entry: str | None = None
    preload: str | None = None

    @property
    def home(self) -> Home:
        """Paths of the installation."""
        return Home(Path(self.installation.home))

    @property
    def entry_point(self) -> str:
        """What to run, as ``module:function``."""
        return self.entry or ENTRIES[self.kind]
