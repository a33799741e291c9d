"""A bar for work that is most often over before anybody wonders: what draws it is imported when it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE_S: Final = 0.5


class LateBar:
    """Progress on a terminal, on standard error; methods may be called from any thread.

    Parameters
    ----------
    what : str
        What is worked on.
    """

    def __init__(self, what: str) -> None:
        self._what, self._done = what, 0
        self._total: int | None = None
        self._lock = Lock()
        self._is_over = False
        self._drawn: tuple[Progress, TaskID] | None = None

    def show(self, done: int, total: int | None, what: str | None = None) -> None:
        """Tell how much is done, of how much (None: nobody knows), and what was worked on last."""
        with self._lock:
            self._done, self._total, self._what = done, total, what or self._what
            if self._drawn is not None:
                progress, task = self._drawn
                progress.update(task, completed=done, total=total, description=self._what)

    def begin(self) -> None:
        """Draw it, unless the work is over."""
        from manager.commands.progress import CountColumn, progress_bar

        with self._lock:
            if self._is_over:
                return
            progress = progress_bar(CountColumn(), silent=False)
            self._drawn = progress, progress.add_task(self._what, total=self._total, completed=self._done)
            progress.start()

    def gone(self) -> None:
        """Clear the line: something is printed."""
        with self._lock:
            self._is_over = True
            if self._drawn is not None:
                self._drawn[0].stop()


@contextmanager
def late_bar(what: str, *, silent: bool) -> Iterator[LateBar]:
    """Show one piece of work once it has taken half a second; not where it is silent, or nobody looks."""
    bar = LateBar(what)
    if silent or not sys.stderr.isatty():
        yield bar
        return
    timer = Timer(_PATIENCE_S, bar.begin)
    timer.daemon = True
    timer.start()
    try:
        yield bar
    finally:
        timer.cancel()
        bar.gone()
