"""What a worker tells the history: signals with the indicator values behind them, and incidents."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from structlog.typing import FilteringBoundLogger

from atrader.clock import Clock
from atrader.configuration.instance import InstanceConfig
from atrader.runtime.outbox_file import OutboxFile
from worker.strategy_call import Incident


class Recorder:
    """Writes rows to the worker's outbox; never waits for anybody.

    A row is in the outbox's file before a method returns, so the death of worker or data layer loses none. Signals of a
    bar are identified by the bar, their name and their number there: a bar decided again after a restart gives the
    same ones.
    """

    def __init__(self, config: InstanceConfig, clock: Clock, outbox: OutboxFile, log: FilteringBoundLogger) -> None:
        self._config = config
        self._clock = clock
        self._outbox = outbox
        self._log = log

    def signal(
        self, name: str, value: float, indicators: Mapping[str, float], bar: str | None = None, number: int = 1
    ) -> None:
        """Record one signal of the strategy: the `number`-th of its name that was made on a bar (None: on none)."""
        self._log.info("signal", signal=name, value=value, **indicators)
        figures = {key: _finite(figure) for key, figure in indicators.items()}
        self._row(
            "signals", {"name": name, "value": _finite(value), "indicators": figures, "bar": bar, "number": number}
        )

    def incident(self, incident: Incident) -> None:
        """Log and record something people should know about the strategy."""
        self.alert(incident.kind, incident.text)

    def alert(self, kind: str, text: str) -> None:
        """Log and record something people should know, in the words of the strategy itself."""
        self._log.error(kind, text=text)
        self._row("alerts", {"level": "error", "kind": kind, "text": text})

    def _row(self, table: Literal["signals", "alerts"], body: dict[str, object]) -> None:
        whose = {
            "instance": self._config.name,
            "magic": self._config.magic,
            "account": self._config.account,
            "instrument": self._config.instrument,
            "timeframe": self._config.timeframe,
        }
        self._outbox.append(table, self._clock.now_ns(), {**whose, **body})


def _finite(value: float) -> float | None:
    """Return a number that every database can store: of an indicator that is not ready there is none."""
    return float(value) if math.isfinite(value) else None
