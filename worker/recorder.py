"""What a worker tells the history: signals with the indicator values behind them, and incidents."""

from __future__ import annotations

from atrader.bus import BeatSender
from atrader.clock import Clock
from atrader.configuration.instance import InstanceConfig
from atrader.runtime.child import Child
from worker.strategy_call import Incident


class Recorder:
    """Sends rows one way to the data layer; never blocks the strategy.

    A row is identified by instance, time, name and a running number within the time, so that a row that is sent
    again after a restart is stored once.
    """

    def __init__(self, child: Child, config: InstanceConfig, clock: Clock, push: BeatSender) -> None:
        self._child = child
        self._config = config
        self._clock = clock
        self._push = push
        self._last_ns = 0
        self._number = 0

    def signal(self, name: str, value: float, indicators: dict[str, float]) -> None:
        """Record one signal of the strategy."""
        self._child.log.info("signal", signal=name, value=value, **indicators)
        self._row("signals", {"name": name, "value": value, "indicators": indicators})

    def incident(self, incident: Incident) -> None:
        """Log and record something people should know about the strategy."""
        self._child.log.error(incident.kind, text=incident.text)
        self._row("alerts", {"level": "error", "kind": incident.kind, "text": incident.text})

    def _row(self, table: str, body: dict[str, object]) -> None:
        now_ns = self._clock.now_ns()
        self._number = self._number + 1 if now_ns == self._last_ns else 0
        self._last_ns = now_ns
        row = {
            "table": table,
            "time_ns": now_ns,
            "number": self._number,
            "instance": self._config.name,
            "magic": self._config.magic,
            "account": self._config.account,
            "instrument": self._config.instrument,
            "timeframe": self._config.timeframe,
            **body,
        }
        self._push.send("rows", {"source": self._child.spec.name, "rows": [row]})
