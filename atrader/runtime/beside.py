"""One piece of work in a thread beside this one, for what lets go of the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Beside(Generic[T]):
    """Work that begins now; without the executors of the library, which a short command would wait for longer.

    The thread ends with the process if nobody waits for it: for work that leaves nothing behind.

    Parameters
    ----------
    work : callable
        Returns what is wanted.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> T:
        """Wait for it, and return what came of it or raise what it raised; may be asked again."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._found[0]

    def _run(self) -> None:
        try:
            self._found.append(self._work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            self._error = error
