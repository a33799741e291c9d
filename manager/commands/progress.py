"""Progress bars of commands: on a terminal only, on standard error, and gone when the work is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class CountColumn(MofNCompleteColumn):
    """So many of so many; nothing while nobody knows of how many."""

    def render(self, task: Task) -> Text:
        """Return what is shown of a task."""
        return Text() if task.total is None else super().render(task)


def progress_bar(*columns: ProgressColumn, silent: bool, **options: Any) -> Progress:
    """Return a bar, to be used in a ``with`` statement; its tasks are the caller's.

    Parameters
    ----------
    columns : ProgressColumn
        What stands between the bar and the time left.
    silent : bool
        Shows nothing, as it does without a terminal.
    **options
        Of `rich.progress.Progress`.
    """
    shown = (TextColumn("{task.description}"), BarColumn(), *columns, TimeRemainingColumn())
    hidden = silent or not sys.stderr.isatty()
    return Progress(*shown, console=Console(stderr=True), disable=hidden, transient=True, **options)


@contextmanager
def counting(what: str, *columns: ProgressColumn, silent: bool) -> Iterator[Callable[[int, int], None]]:
    """Show one piece of work; gives what takes the parts that are done, and all parts as soon as they are known."""
    with progress_bar(*columns, silent=silent) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
