"""Telling the owner of a server what went wrong, without flooding a log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeAlias

from atrader.clock import SystemClock

OnError: TypeAlias = Callable[[BaseException, str], None]
"""Takes an exception (with its traceback) and what was being done."""

_PAUSE_S: Final = 60.0
_MAX_KINDS: Final = 1000
_log = logging.getLogger("atrader.bus")


def log_error(error: BaseException, doing: str) -> None:
    """Write an error to the log; what servers do when their owner gives no `OnError`."""
    _log.error("%s: %s", doing, error, exc_info=error)


class Notices:
    """Passes errors on; those of hostile or outdated peers once a minute and kind only."""

    def __init__(self, on_error: OnError | None) -> None:
        self._on_error = on_error or log_error
        self._clock = SystemClock()
        self._told_s: dict[tuple[type, str], float] = {}

    def tell(self, error: BaseException, doing: str) -> None:
        """Pass an error on."""
        self._on_error(error, doing)

    def tell_seldom(self, error: BaseException, doing: str) -> None:
        """Pass an error on unless one of its type was told in the same place less than a minute ago."""
        key, now_s = (type(error), doing), self._clock.monotonic_s()
        if now_s - self._told_s.get(key, -_PAUSE_S) < _PAUSE_S:
            return
        if len(self._told_s) >= _MAX_KINDS:
            self._told_s.clear()
        self._told_s[key] = now_s
        self.tell(error, doing)
