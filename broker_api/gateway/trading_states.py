"""What may be traded now: the kill switch, what was selected for its market, the gate that closes at the end."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from atrader.configuration.home import Home
from atrader.selection.file import Selections
from atrader.trading_state import TradingState, strictest
from atrader.trading_state_file import TradingStates
from broker_api.gateway.alerts import Alerts


class _Damageable(Protocol):
    @property
    def damage(self) -> str: ...


_Content = TypeVar("_Content", bound=_Damageable)


class _Watched(Generic[_Content]):
    """The content of a file, read whenever that changed; one ``stat`` per question (1 µs)."""

    def __init__(self, path: Path, load: Callable[[Path], _Content], on_damage: Callable[[str], None]) -> None:
        self._path = path
        self._load = load
        self._on_damage = on_damage
        self._stamp: tuple[int, int, int] | None = None
        self._content: _Content | None = None

    def current(self) -> _Content:
        """Return the content as it is now."""
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        except OSError:
            stamp = (0, 0, 0)
        if self._content is None or stamp != self._stamp:
            self._content = self._load(self._path)
            self._stamp = stamp
            if self._content.damage:
                self._on_damage(self._content.damage)
        return self._content


class TradingStateReader:
    """Reads the files whenever they changed.

    Parameters
    ----------
    home : Home
        Where the trading states that people set are, and what the manager selected.
    account : str
        Whose states are asked for.
    alerts : Alerts
        Told when a file is damaged (everything is HALTED then, or every instance REDUCING).
    selecting : callable
        Gives the instances of the account that are configured to be selected: before the manager could write what it
        judged, on a full disk for instance, they open nothing.
    """

    def __init__(
        self, home: Home, account: str, alerts: Alerts, selecting: Callable[[], Collection[str]] = tuple
    ) -> None:
        self._account = account
        self._selecting = selecting
        self._set = _Watched(
            home.trading_states, TradingStates.load, lambda damage: alerts.alert("trading-states-damaged", damage)
        )
        self._selected = _Watched(
            home.selection, Selections.load, lambda damage: alerts.alert("selection-damaged", damage)
        )
        self.closing = False  # this gateway is being stopped: nothing opens any more

    def current(self) -> TradingStates:
        """Return the states that people set, as the file has them now."""
        return self._set.current()

    def of_account(self) -> TradingState:
        """Return what holds for the account as a whole."""
        state = self.current().effective(self._account)
        return strictest((state, TradingState.REDUCING)) if self.closing else state

    def of_instances(self, names: Iterable[str]) -> Mapping[str, TradingState]:
        """Return what was set or selected for instances by themselves, without fleet and account.

        Parameters
        ----------
        names : iterable of str
            All of the account's. One that is missing in the result is ACTIVE; others may be in it.
        """
        states, selected = self.current().instances, self._selected_states(names)
        own = {name: strictest((states.get(name, TradingState.ACTIVE), state)) for name, state in selected.items()}
        return {**states, **own} if own else states

    def selected_out(self, names: Iterable[str]) -> Collection[str]:
        """Return those of the account's instances that their selection, not people, lets open nothing."""
        states = self._selected_states(names)
        return [name for name, state in states.items() if state is not TradingState.ACTIVE]

    def _selected_states(self, names: Iterable[str]) -> Mapping[str, TradingState]:
        selected, selecting = self._selected.current(), self._selecting()
        judged = names if selected.damage else {*selected.instances, *selecting}
        return {name: selected.state_of(name, selects=name in selecting) for name in judged}

    def flattening(self, instance: str | None = None) -> bool:
        """Tell whether the account, alone or with the fleet, or an instance is to be closed; HALTED or not."""
        return self.current().flattens(self._account, instance)

    def of_instance(self, instance: str) -> TradingState:
        """Return what holds for an instance: the strictest of fleet, account, its own, and what was selected."""
        own = self.current().effective(self._account, instance)
        selected = self._selected.current().state_of(instance, selects=instance in self._selecting())
        return strictest((self.of_account(), own, selected))
