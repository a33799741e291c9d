"""Alerts that are worth a person's time: once when something begins, again when it changes, and when it is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from atrader.clock import SystemClock

_AGAIN_S: Final = 3_600.0


class Complaints:
    """Passes alerts on, but not the same one at each call.

    Parameters
    ----------
    alert : callable
        Takes kind and text.
    """

    def __init__(self, alert: Callable[[str, str], None]) -> None:
        self._alert = alert
        self._clock = SystemClock()
        self._open: dict[str, tuple[str, float]] = {}

    def about(self, kind: str, text: str, *, same: str | None = None) -> None:
        """Complain, unless that was said less than an hour ago.

        Parameters
        ----------
        same : str, optional
            What makes two complaints of a kind the same one; default: any two are.
        """
        key, now_s = same or "", self._clock.monotonic_s()
        before = self._open.get(kind)
        if before is None or before[0] != key or now_s - before[1] > _AGAIN_S:
            self._open[kind] = (key, now_s)
            self._alert(kind, text)

    def over(self, kind: str) -> None:
        """Say that it is over, if it was there."""
        if self._open.pop(kind, None) is not None:
            self._alert(kind, "that is over")
