"""A broker whose clock is another than ours: prices seem too old, or too new, and people must hear why."""

from __future__ import annotations

from typing import Final

from broker_api.gateway.alerts import Alerts
from broker_api.health import BrokerHealth

_MUCH_S: Final = 2.0  # more than a heartbeat is on its way
_PATIENCE_S: Final = 30.0  # some heartbeats: one alone may have been held up


class SkewWatch:
    """Alerts once about a clock that stays away from the broker's; again after it was right."""

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts
        self._since_s: float | None = None
        self._alerted = False

    def look(self, health: BrokerHealth | None, now_s: float) -> None:
        """Look again; ``now_s`` is monotonic."""
        skew_s = None if health is None else health.clock_skew_s
        if skew_s is None or abs(skew_s) < _MUCH_S:
            self._since_s, self._alerted = None, False
        elif self._since_s is None:
            self._since_s = now_s
        elif now_s - self._since_s >= _PATIENCE_S and not self._alerted:
            self._alerted = True
            text = (
                f"the broker's clock is {skew_s:+.1f} s from ours: prices seem that much older or newer than they are"
                " (rule 'price-age' of opens). Let an NTP client keep this machine's clock; 'atrader-manager doctor'"
                " measures it"
            )
            self._alerts.alert("clock-skew", text)
