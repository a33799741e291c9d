"""Stops the fleet when a replay is over, everybody has worked in what it brought, and the configuration says so."""

from __future__ import annotations

from collections.abc import Callable

from atrader.clock import Clock
from manager.plan import DATA_LAYER
from manager.replay_end import settled
from manager.supervisor import Supervisor


class ReplayWatch:
    """Looks at what beats tell of the replay."""

    def __init__(self, fleet: Supervisor, clock: Clock, request_stop: Callable[[str], None]) -> None:
        self._fleet = fleet
        self._clock = clock
        self._request_stop = request_stop
        self._asked = False
        self._finished_s: float | None = None

    def look(self) -> None:
        """Look again; called after every beat."""
        market = self._fleet.installation.fleet.market  # a restart of the fleet may have changed it
        if self._asked or market.feed != "replay" or not market.replay.stop_at_end:
            return
        now_s = self._clock.monotonic_s()
        beat = self._fleet.processes[DATA_LAYER].last_beat
        if beat is None or beat.replay is None or beat.replay.get("state") != "finished":
            self._finished_s = None
            return
        if self._finished_s is None:
            self._finished_s = now_s
        running = [process for process in self._fleet.all() if process.vitals is not None]
        workers = [p.vitals for p in running if p.kind == "worker" and p.vitals is not None]
        gateways = [
            (p.vitals, p.last_beat.outbox_lag if p.last_beat else 0)
            for p in running
            if self._fleet.account_held(p) is not None and p.vitals is not None
        ]
        interval_s = self._fleet.installation.fleet.beat_interval
        if settled(now_s, self._finished_s, interval_s, workers, gateways):
            self._asked = True
            self._request_stop("the replay is over")
