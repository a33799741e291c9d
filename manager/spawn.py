"""Starts child processes through a preloaded fork server."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import sys
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.popen_forkserver import Popen
from pathlib import Path
from typing import Final

from atrader.errors import Retryable
from atrader.runtime.child import run_child
from atrader.runtime.spec import ProcessSpec
from manager import fork_server
from manager.child_handle import ChildHandle, kill_unwatched

_SERVER_S: Final = 30.0
"""The fork server warms up in half a second; one that is silent for so long is stopped or broken."""

_SPARE_FILES: Final = 12
"""A start takes nine descriptors at its peak; multiprocessing loses some of them when it runs out half-way."""


class Spawner:
    """The fork server and what it starts. One per process, since Python keeps one fork server per process.

    Starting a child blocks while the fork server warms up (0.5 s, once), so it is done in a helper thread and control
    answers meanwhile.

    Parameters
    ----------
    root : Path
        The installation directory.
    preload : str
        Module the fork server imports; children refuse to run without it.
    """

    def __init__(self, root: Path, preload: str = fork_server.PRELOAD) -> None:
        self._root = root
        self._preload = preload
        self._context = multiprocessing.get_context("forkserver")
        # Lives as long as the manager: the kernel takes the end of the thread that forked for the death of the parent.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawn")
        # The thread is made now: when that fails later, its work stays queued and would start a child nobody awaits.
        self._thread.submit(_need_spare_files).result()
        fork_server.begin(root, preload)

    async def start(self, spec: ProcessSpec) -> ChildHandle:
        """Start a child.

        Returns
        -------
        ChildHandle
            As soon as the process exists.

        Raises
        ------
        Retryable
            When the fork server cannot be started, died, or does not answer within 30 s; then it was killed, so that
            the next start gets a new one. When descriptors or memory ran out; a child that was made already and cannot
            be watched was killed.
        """
        popen = await self._spawn(spec)
        try:
            return ChildHandle(popen)
        except OSError as error:
            loop = asyncio.get_running_loop()
            gone = await loop.run_in_executor(self._thread, kill_unwatched, popen)
            fate = "it was killed" if gone else "it was killed, but its end was not reported"
            raise Retryable(f"{spec.name} (pid {popen.pid}) cannot be watched, {fate}: {error!r}") from error

    async def _spawn(self, spec: ProcessSpec) -> Popen:
        try:
            fork_server.begin(self._root, self._preload)
        except OSError as error:
            raise Retryable(f"the fork server cannot be started: {error!r}") from error
        loop = asyncio.get_running_loop()
        starting = loop.run_in_executor(self._thread, self._launch, spec)
        starting.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be left to read it
        try:
            return await asyncio.wait_for(asyncio.shield(starting), _SERVER_S)
        except TimeoutError:
            fork_server.kill()
            raise Retryable("the fork server did not answer; it was killed") from None
        except (OSError, EOFError) as error:
            raise Retryable(f"the fork server could not start {spec.name}: {error!r}") from error

    def close(self) -> None:
        """End the fork server; all children must have ended before."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        fork_server.end()

    def _launch(self, spec: ProcessSpec) -> Popen:
        _need_spare_files()
        process = self._context.Process(target=run_child, args=(spec,), name=spec.name)
        with _without_main():
            # Not process.start(): it would also poll all other children, in this thread.
            return Popen(process)


def _need_spare_files() -> None:
    """Raise OSError when a start would run out of descriptors."""
    with contextlib.ExitStack() as spare:
        for _ in range(_SPARE_FILES):
            spare.callback(os.close, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Hide the main module: a child would import it again, with all that the command line needs."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
