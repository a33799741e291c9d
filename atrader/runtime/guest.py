"""Another process' main function as a guest: in a thread of this process, otherwise as it would be in its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import replace
from types import TracebackType
from typing import Self

from atrader.runtime.child import Child, entry_of
from atrader.runtime.spec import ProcessKind


class GuestStop:
    """The stop signal of a guest: what SIGTERM is to a process; told by its host's thread, heard in its own."""

    fd = -1  # a guest lives in asyncio and polls no descriptors

    def __init__(self) -> None:
        self.received = False
        self._lock = threading.Lock()
        self._told: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    async def wait(self) -> None:
        """Wait until the guest is told to stop; several tasks of one loop may."""
        with self._lock:
            if self._told is None:
                self._told = asyncio.get_running_loop(), asyncio.Event()
            event = self._told[1]
            if self.received:
                event.set()
        await event.wait()

    def tell(self) -> None:
        """Tell the guest to stop, from any thread."""
        with self._lock:
            self.received = True
            if self._told is not None:
                loop, event = self._told
                with contextlib.suppress(RuntimeError):  # its loop has ended already
                    loop.call_soon_threadsafe(event.set)


class GuestBeats:
    """Beats that a guest's main loop makes; they travel with those of its host, which is the process.

    Written by the guest's thread, read by the host's.
    """

    def __init__(self) -> None:
        self._latest: tuple[int, dict[str, object]] = (0, {})
        self._taken = 0

    def is_due(self, _phase: str) -> bool:
        """Each one is: it tells that the loop turns."""
        return True

    def beat(self, phase: str, progress: int, body: dict[str, object]) -> None:
        """Take a beat of the guest in; the newest counts."""
        self._latest = (self._latest[0] + 1, body)

    @property
    def moved(self) -> bool:
        """Whether the guest's main loop has turned since `take`."""
        return self._latest[0] != self._taken

    def take(self) -> dict[str, object]:
        """Return what the guest told last."""
        self._taken, body = self._latest
        return body

    def close(self) -> None:
        """Close nothing: the socket is the host's."""


class Guest:
    """Runs the main function of a kind of process in a thread, from ``with`` to its end.

    The guest sees a `Child` of its own: its name in the log lines, its own word to stop, and beats that go out with
    the host's. The host beats only as long as the guest's main loop turns too, so that a guest that hangs counts as a
    process that hangs. When the guest fails, the host is told to stop, and leaving the ``with`` raises its error: the
    process ends as that of its kind would have ended.

    Leaving waits for the guest to end in order, without a limit: who does not end in time is killed by the manager.

    Parameters
    ----------
    host : Child
        The process.
    kind : ProcessKind
        What runs in the thread.
    name, subject : str
        As the process of its own would have them, see `ProcessSpec`.
    """

    def __init__(self, host: Child, kind: ProcessKind, name: str, subject: str) -> None:
        spec = replace(host.spec, kind=kind, name=name, subject=subject, standby=False, entry=None)
        self._host = host
        self._stop = GuestStop()
        self._beats = GuestBeats()
        self._child = Child(spec, self._stop, host.log.bind(process=name), self._beats)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name)

    def __enter__(self) -> Self:
        """Start the guest; returns at once."""
        self._host.accompany(self._beats)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Have the guest end, wait for that, and raise what it failed with."""
        self._stop.tell()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            entry_of(self._child.spec)(self._child)
        except BaseException as failure:  # noqa: BLE001 - boundary of the thread: the main thread raises it again
            self._failure = failure
        self._host.stop()
