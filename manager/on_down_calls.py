"""Tells gateways to carry out the ``on_down`` policy of instances whose worker stays away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from atrader.errors import AtraderError
from atrader.messages.gateway import InstanceDown
from atrader.runtime.spec import worker_name
from manager.gateways import Gateways
from manager.on_down import Down, DownWatch

if TYPE_CHECKING:
    from manager.supervisor import Supervisor


class OnDownCalls:
    """Makes one call for each instance that is due; one that fails is made again by the next sweep.

    Parameters
    ----------
    fleet : Supervisor
        Whose instances they are.
    gateways : Gateways
        Who carries the policies out.
    watch : DownWatch
        Knows who is down, and for how long.
    """

    def __init__(self, fleet: Supervisor, gateways: Gateways, watch: DownWatch, log: FilteringBoundLogger) -> None:
        self._fleet = fleet
        self._gateways = gateways
        self._watch = watch
        self._log = log
        self._running: set[str] = set()

    def look(self, now_s: float) -> None:
        """Begin the calls that are due; never waits."""
        for down in self._watch.due(self._fleet.installation.instances.values(), now_s):
            name, account = down.config.name, down.config.account
            if name not in self._running and not self._fleet.stopping and self._fleet.holder_runs(account):
                self._running.add(name)
                self._fleet.task(self._tell(down))

    async def _tell(self, down: Down) -> None:
        config, fleet = down.config, self._fleet
        request = InstanceDown(instance=config.name, magic=config.magic, policy=config.on_down)
        try:
            await self._gateways.call(config.account, request)
        except AtraderError as error:
            self._log.warning("on-down-not-taken", instance=config.name, reason=str(error))
        else:
            self._watch.told(config.name)
            text = f"its worker is down for more than {config.on_down_after:g} s: on_down = {config.on_down}"
            if (process := fleet.processes.get(worker_name(config.name))) is not None:
                fleet.alert(process, text)
            else:
                fleet.note(f"{config.name} is not enabled: {text}")
        finally:
            self._running.discard(config.name)
