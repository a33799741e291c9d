"""What instances and accounts hold, as their gateways' beats tell. Not to know counts as exposed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manager.restart_policy import Exposure


class Exposures:
    """The latest word of each gateway. Pure: the time comes from the caller.

    Parameters
    ----------
    max_age_s : float
        Older words count as unknown.
    """

    def __init__(self, max_age_s: float) -> None:
        self.max_age_s = max_age_s
        self._beats: dict[str, tuple[float, Mapping[str, Any] | None]] = {}

    def record(self, now_s: float, account: str, exposure: Mapping[str, Any]) -> None:
        """Take in what an account's gateway said."""
        self._beats[account] = (now_s, exposure)

    def of_instance(self, now_s: float, account: str, instance: str) -> Exposure:
        """Tell what an instance holds; one that its gateway does not name holds nothing."""
        return self._held(self._fresh(now_s, account), instance)

    def last_of_instance(self, account: str, instance: str) -> Exposure:
        """Tell what an instance held at the last word, however old: for one whose own process said it.

        While that is down nothing of it can open.
        """
        return self._held(self._beats.get(account, (0.0, None))[1], instance)

    @staticmethod
    def _held(known: Mapping[str, Any] | None, instance: str) -> Exposure:
        return Exposure.UNKNOWN if known is None else _exposure(known.get(instance, {}))

    def of_account(self, now_s: float, account: str) -> Exposure:
        """Tell what all instances of an account hold."""
        known = self._fresh(now_s, account)
        if known is None:
            return Exposure.UNKNOWN
        return Exposure.EXPOSED if Exposure.EXPOSED in map(_exposure, known.values()) else Exposure.FLAT

    def _fresh(self, now_s: float, account: str) -> Mapping[str, Any] | None:
        since_s, exposure = self._beats.get(account, (None, {}))
        return exposure if since_s is not None and now_s - since_s <= self.max_age_s else None


def _exposure(held: Mapping[str, Any]) -> Exposure:
    return Exposure.EXPOSED if held.get("open_trades") or held.get("live_orders") else Exposure.FLAT
