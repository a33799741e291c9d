"""How long journal and broker were not compared: then nobody knows whether they agree, and people hear of it."""

from __future__ import annotations

from typing import Final

from atrader.clock import Clock
from broker_api.gateway.alerts import Alerts

_FRESH_S: Final = 15.0  # beside the interval: a request may wait ten seconds for its answer
_PATIENCE_S: Final = 60.0  # an hour's maintenance is worth a word, a connection made anew is not


class ProofWatch:
    """Sees when a proof was made last; alerts once when that is long ago, and once when there is one again.

    Parameters
    ----------
    clock : Clock
        Of the pauses between two attempts: the host's.
    """

    def __init__(self, alerts: Alerts, clock: Clock) -> None:
        self._alerts = alerts
        self._clock = clock
        self._since_s = clock.monotonic_s()  # of the last proof; before the first one, of the start
        self._alerted = False

    @property
    def age_s(self) -> float:
        """Seconds since the last proof, or since the start."""
        return self._clock.monotonic_s() - self._since_s

    def is_fresh(self, interval_s: float) -> bool:
        """Tell whether what the last proof found counts, where one is due so often."""
        return self.age_s < _FRESH_S + interval_s

    def note(self, *, proved: bool) -> None:
        """Note an attempt, or that none could be made."""
        if proved:
            self._since_s = self._clock.monotonic_s()
            if self._alerted:
                self._alerted = False
                self._alerts.alert("broker-back", "journal and broker are compared again")
        elif self.age_s >= _PATIENCE_S:
            self.tell(f"for {self.age_s:.0f} s the broker has not told what it holds")

    def tell(self, message: str) -> None:
        """Tell people, unless they know, that the broker is away."""
        if not self._alerted:
            self._alerted = True
            text = f"{message}; it is asked again and again, its stops go on, and orders wait for it"
            self._alerts.alert("broker-away", text)
