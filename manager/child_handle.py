"""One living child: its pidfd, its true exit status, and the ways to end it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from multiprocessing import forkserver
from multiprocessing.popen_forkserver import Popen
from typing import Final

_STATUS_S: Final = 0.5
"""How long the fork server may take to pass a status on after the exit; it is busy at most for a fork."""

_KILLED_S: Final = 5.0
"""From SIGKILL to the end of a process that the kernel does not hold in a system call."""


class ChildHandle:
    """A spawned process. Its liveness is the pidfd and nothing else.

    When the fork server dies, multiprocessing calls living children dead; a successor started then would be a twin.

    Parameters
    ----------
    popen : multiprocessing Popen of the fork server
        The started process.

    Attributes
    ----------
    pid : int
    exited : asyncio.Future of int or None
        Done when the pidfd reported the exit: the exit status, negative for a signal, None when it was lost.

    Raises
    ------
    OSError
        When the process cannot be watched (no descriptor, no memory); it lives all the same: `kill_unwatched`.
    """

    def __init__(self, popen: Popen) -> None:
        loop = asyncio.get_running_loop()
        self._popen = popen
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self.pid: int = popen.pid
        self.exited: asyncio.Future[int | None] = loop.create_future()
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:  # dead and reaped already
            self._pidfd = -1
            self._read_status()
        else:
            try:
                loop.add_reader(self._pidfd, self._on_exit)
            except OSError:
                os.close(self._pidfd)
                raise

    @property
    def alive(self) -> bool:
        """Whether the exit was not reported yet."""
        return self._pidfd >= 0

    def send(self, *numbers: signal.Signals) -> None:
        """Send signals to the process; nothing happens when it is gone."""
        if self._pidfd < 0:
            return
        with contextlib.suppress(ProcessLookupError):
            for number in numbers:
                signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        """Kill the process and everything in its group, at once."""
        if self._pidfd >= 0:
            _kill_group(self.pid)
            self.send(signal.SIGKILL)

    async def end(self, grace_s: float, *, dump_stacks: bool = False) -> int | None:
        """End the process: SIGTERM, a deadline, SIGKILL of its group; return its exit status.

        Parameters
        ----------
        grace_s : float
            From SIGTERM to SIGKILL.
        dump_stacks : bool
            Let it write all its stacks first. A stopped process is continued for that, with SIGTERM waiting for it.
        """
        if dump_stacks:
            self.send(signal.SIGUSR1, signal.SIGTERM, signal.SIGCONT)
        else:
            self.send(signal.SIGTERM, signal.SIGCONT)
        done, _ = await asyncio.wait({self.exited}, timeout=grace_s)
        if not done:
            if not dump_stacks:
                self.send(signal.SIGUSR1)  # why it does not listen
                await asyncio.wait({self.exited}, timeout=min(grace_s, 0.05))
            self.kill()
        return await asyncio.shield(self.exited)

    def _on_exit(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        _kill_group(self.pid)  # what it started and left behind
        self._read_status()

    def _read_status(self) -> None:
        """Read what the fork server reports, as soon as it does."""
        sentinel = self._popen.sentinel
        poll = select.poll()
        poll.register(sentinel, select.POLLIN | select.POLLHUP)
        if poll.poll(0):
            self._finish()
            return
        self._loop.add_reader(sentinel, self._finish)
        self._timer = self._loop.call_later(_STATUS_S, self._give_up)

    def _finish(self) -> None:
        self._loop.remove_reader(self._popen.sentinel)
        if self._timer is not None:
            self._timer.cancel()
        status: int | None
        try:
            status = forkserver.read_signed(self._popen.sentinel)
        except (OSError, EOFError):  # the fork server died before it could tell
            status = None
        self._report(status)

    def _give_up(self) -> None:
        self._loop.remove_reader(self._popen.sentinel)
        self._report(None)

    def _report(self, status: int | None) -> None:
        self._popen.close()
        if not self.exited.done():
            self.exited.set_result(status)


def kill_unwatched(popen: Popen) -> bool:
    """Kill a process that no `ChildHandle` can be made for; blocks for 5 s at most.

    Parameters
    ----------
    popen : multiprocessing Popen of the fork server
        The started process; it is closed.

    Returns
    -------
    bool
        Whether the fork server reported the end.
    """
    poll = select.poll()
    poll.register(popen.sentinel, select.POLLIN | select.POLLHUP)
    if not poll.poll(0):  # else it is dead and reaped, and its number may be another's
        _kill_group(popen.pid)
        with contextlib.suppress(ProcessLookupError):  # it may have died just now, or lead no group yet
            os.kill(popen.pid, signal.SIGKILL)
    gone = bool(poll.poll(_KILLED_S * 1000))
    popen.close()
    return gone


def _kill_group(pid: int) -> None:
    """Kill what is left of the process group that `pid` leads; its number is not given away while a member lives."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
