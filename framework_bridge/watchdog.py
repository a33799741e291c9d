"""Ends the process when a call into the C library does not return."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NoReturn

from atrader.exit_codes import ExitCode
from atrader.runtime.logs import close_logs, process_logger
from atrader.runtime.processor import waited_s

_NOTHING_S: Final = 0.01  # every thread waits that long for a processor now and then


def end_process(name: str, reason: str) -> NoReturn:
    """End this process at once with `ExitCode.LIBRARY`; log and standard error say why, with the stacks of all threads.

    Parameters
    ----------
    name : str
        Of the process, for the log.
    reason : str
        The last words that the manager shows.
    """
    process_logger(name).error("failed", pid=os.getpid(), exit_code=ExitCode.LIBRARY.name, reason=reason)
    with contextlib.suppress(OSError, RuntimeError):  # no usable stderr: then without stacks
        faulthandler.dump_traceback(all_threads=True)
    close_logs()
    os._exit(ExitCode.LIBRARY)


class Watchdog:
    """A thread that waits while a call lasts. The library gives the interpreter away meanwhile, so it gets its turn.

    The thread is not the one that beats: a call that lasts stops the beats as well, and the manager is the second to
    notice. As there, what a call waits for a processor does not count, from half of the deadline on.

    Parameters
    ----------
    deadline_s : float
        How long a call may last.
    end : callable
        What is done at the deadline, given the reason; ends the process.
    waited : callable
        As `atrader.runtime.processor.waited_s`.
    """

    def __init__(
        self, deadline_s: float, end: Callable[[str], object], waited: Callable[[int], float | None] = waited_s
    ) -> None:
        self._deadline_s = deadline_s
        self._end = end
        self._waited = waited
        self._caller = 0
        self._condition = threading.Condition()
        self._call = ""
        self._number = 0
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="library-watchdog", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def guard(self, call: str) -> Iterator[None]:
        """Watch one call; a second one at a time is not possible."""
        with self._condition:
            self._call, self._number, self._caller = call, self._number + 1, threading.get_native_id()
            self._condition.notify()
        try:
            yield
        finally:
            with self._condition:
                self._call = ""
                self._condition.notify()

    def close(self) -> None:
        """End the thread."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join()

    def _watch(self) -> None:
        with self._condition:
            while not self._closed:
                self._condition.wait_for(lambda: self._call or self._closed)
                call, number = self._call, self._number
                if self._lasts_too_long(number):
                    self._end(
                        f"{call} of the C library did not return within call_deadline ="
                        f" {self._deadline_s:g} s; this process ends, and is started again"
                    )
                    self._call = ""

    def _lasts_too_long(self, number: int) -> bool:
        """Wait until a call has ended or is over its time."""
        has_ended, left_s = partial(self._has_ended, number), self._deadline_s / 2
        if self._condition.wait_for(has_ended, left_s):
            return False
        before_s = self._waited(self._caller)
        while left_s > _NOTHING_S:
            if self._condition.wait_for(has_ended, left_s):
                return False
            now_s = self._waited(self._caller)
            left_s = 0.0 if now_s is None or before_s is None else now_s - before_s  # unknown: no excuse
            before_s = now_s
        return True

    def _has_ended(self, number: int) -> bool:
        return not self._call or self._number != number or self._closed
