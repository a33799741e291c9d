"""What may be traded now: the file of the kill switch, the gate that closes at the end, nothing cached for long."""

from __future__ import annotations

from pathlib import Path

from atrader.trading_state import TradingState, strictest
from atrader.trading_state_file import TradingStates
from broker_api.gateway.alerts import Alerts


class TradingStateReader:
    """Reads the trading-state file whenever it changed; one ``stat`` per question (1 µs).

    Parameters
    ----------
    path : Path
        The file that the manager writes.
    account : str
        Whose states are asked for.
    alerts : Alerts
        Told when the file is damaged (everything is HALTED then).
    """

    def __init__(self, path: Path, account: str, alerts: Alerts) -> None:
        self._path = path
        self._account = account
        self._alerts = alerts
        self._stamp: tuple[int, int, int] | None = None
        self._states = TradingStates()
        self.closing = False  # this gateway is being stopped: nothing opens any more

    def current(self) -> TradingStates:
        """Return the states as the file has them now."""
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        except OSError:
            stamp = (0, 0, 0)
        if stamp != self._stamp:
            self._states = TradingStates.load(self._path)
            self._stamp = stamp
            if self._states.damage:
                self._alerts.alert("trading-states-damaged", self._states.damage)
        return self._states

    def of_account(self) -> TradingState:
        """Return what holds for the account as a whole."""
        state = self.current().effective(self._account)
        return strictest((state, TradingState.REDUCING)) if self.closing else state

    def flattening(self, instance: str | None = None) -> bool:
        """Tell whether the account, alone or with the fleet, or an instance is to be closed; HALTED or not."""
        return self.current().flattens(self._account, instance)

    def of_instance(self, instance: str) -> TradingState:
        """Return what holds for an instance: the strictest of fleet, account and its own."""
        return strictest((self.of_account(), self.current().effective(self._account, instance)))
