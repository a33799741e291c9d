"""The patience with which what was refused is tried again."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0  # a closed market refuses for a whole weekend


class Patience:
    """Pauses between two attempts at a trade or order, twice as long each time, from 1 s to 60 s."""

    def __init__(self) -> None:
        self._pauses: dict[str, tuple[float, float]] = {}  # trade or order id -> not before, pause

    def may_try(self, subject: str, now_s: float) -> bool:
        """Tell whether a subject's pause is over; if so the next one begins."""
        not_before_s, pause_s = self._pauses.get(subject, (now_s, _FIRST_PAUSE_S))
        if now_s < not_before_s:
            return False
        self._pauses[subject] = (now_s + pause_s, min(2 * pause_s, _LONGEST_PAUSE_S))
        return True

    def relax(self, subject: str) -> None:
        """Forget the pause of a subject: it went well."""
        self._pauses.pop(subject, None)

    def keep(self, live: Container[str]) -> None:
        """Forget the pauses of what is over: the last word of a subject is its trade or order."""
        self._pauses = {subject: pause for subject, pause in self._pauses.items() if subject.rpartition(" ")[2] in live}
