"""What a supervised process needs of those around it: somebody who starts it, and a fleet that it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from atrader.runtime.spec import ProcessSpec
from manager.child_handle import ChildHandle
from manager.restart_policy import Exposure
from manager.states import ProcessState

if TYPE_CHECKING:
    from manager.process import Supervised

AlertLevel = Literal["error", "warning"]
"""Something has to be done; somebody should know, as when a trouble is over."""


class Launcher(Protocol):
    """What starts processes."""

    async def start(self, spec: ProcessSpec) -> ChildHandle:
        """Start one; `Retryable` or OSError when no process lives after it."""
        ...


class Surroundings(Protocol):
    """What a process has to know of the fleet, and whom it tells."""

    def missing_needs(self, process: Supervised) -> list[str]:
        """Name the processes that have to be RUNNING before this one starts and are not."""
        ...

    def exposure_of(self, process: Supervised) -> Exposure:
        """Tell what depends on this process."""
        ...

    def transitioned(self, process: Supervised, source: ProcessState, target: ProcessState, reason: str) -> None:
        """Take note of a transition."""
        ...

    def alert(self, process: Supervised, text: str, level: AlertLevel = "error") -> None:
        """Tell a human."""
        ...

    def left_over(self, process: Supervised, pid: int) -> None:
        """Look for what a dead process started and left behind."""
        ...
