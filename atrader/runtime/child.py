"""The first and last code of every child process: limits, logs, signals, then its main, then a named exit code."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

from structlog.typing import FilteringBoundLogger

from atrader.bus import close_context
from atrader.clock import SystemClock
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.configuration.instance import ProcessLimits
from atrader.errors import (
    AtraderError,
    ConfigError,
    InvariantBroken,
    StoreError,
    StrategyError,
)
from atrader.exit_codes import ExitCode
from atrader.runtime import limits as kernel_limits
from atrader.runtime.beats import BeatCompanion, Beats, BeatSink
from atrader.runtime.logs import close_logs, configure_logs, process_logger
from atrader.runtime.ownership import check_ownership
from atrader.runtime.parent import die_with_parent
from atrader.runtime.spec import ProcessSpec
from atrader.runtime.stop_signal import StopNotice, StopSignal
from atrader.runtime.tags import OWNER_VARIABLE

EXIT_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (ConfigError, ExitCode.CONFIG),
    (InvariantBroken, ExitCode.INVARIANT),
    (StrategyError, ExitCode.STRATEGY),
    (StoreError, ExitCode.STORE),
    (MemoryError, ExitCode.MEMORY),
)
"""What an error that ends a process tells the manager; all others are FAILURE."""


class Child:
    """What a process knows of itself and its manager.

    Attributes
    ----------
    spec : ProcessSpec
        What the manager told us.
    home : Home
        Paths of the installation.
    installation : Installation
        The whole configuration, as it was when the process started.
    limits : ProcessLimits
        What this process may use.
    log : structlog logger
        Bound to the process name.
    wakeup_fd : int
        Readable when a signal arrived; for the poller of a plain loop.
    """

    def __init__(
        self, spec: ProcessSpec, stop_signal: StopNotice, log: FilteringBoundLogger, beats: BeatSink | None = None
    ) -> None:
        self.spec = spec
        self.home: Home = spec.home
        self.installation: Installation = spec.installation
        self.limits: ProcessLimits = spec.limits
        self.log = log
        self._stop_signal = stop_signal
        self._beats: BeatSink = Beats(spec, SystemClock()) if beats is None else beats

    @property
    def wakeup_fd(self) -> int:
        """Descriptor that is readable when a signal arrived."""
        return self._stop_signal.fd

    @property
    def stopping(self) -> bool:
        """Whether the process was told to stop (SIGTERM, SIGINT)."""
        return self._stop_signal.received

    async def stop_requested(self) -> None:
        """Wait until the process is told to stop."""
        await self._stop_signal.wait()

    def stop(self) -> None:
        """Have the process stop as a signal would; for a thread in which it cannot go on."""
        self._stop_signal.tell()

    def accompany(self, guest: BeatCompanion) -> None:
        """Beat from now on only while a guest's loop turns as well, and tell what it tells."""
        assert isinstance(self._beats, Beats), "a guest has no guests"
        self._beats.companion = guest

    def beat(self, phase: str, progress: int, **body: object) -> None:
        """Tell the manager how far the main loop is; call it in every turn of that loop, never from a helper thread.

        Parameters
        ----------
        phase : {"starting", "ready", "draining"}
            The first "ready" makes the process RUNNING.
        progress : int
            Grows whenever something was done.
        **body
            What this kind of process tells besides; plain MessagePack values.
        """
        self._beats.beat(phase, progress, body)

    def beat_is_due(self, phase: str) -> bool:
        """Tell whether `beat` would do anything now: for a loop that turns often, and makes much of what it tells."""
        return self._beats.is_due(phase)

    def exit(self, code: ExitCode) -> NoReturn:
        """End the process with a code once the main function is unwound.

        Raises
        ------
        SystemExit
            Always; in an asyncio task as well.
        """
        raise SystemExit(int(code))

    def run(self, async_main: Callable[[], Coroutine[Any, Any, None]] | Coroutine[Any, Any, None]) -> None:
        """Run an asyncio main function until it returns."""
        asyncio.run(async_main() if callable(async_main) else async_main)

    def close(self) -> None:
        """Close the beats' socket."""
        self._beats.close()


def run_child(spec: ProcessSpec) -> NoReturn:
    """Be the child process that `spec` describes, in a process just forked. Never returns.

    Uses no more than the limits allow, ends with its parent, answers SIGUSR1 with all stacks in
    ``log/NAME.stacks``, and ends with a code of `ExitCode`.
    """
    with contextlib.suppress(PermissionError):  # we lead a session already
        os.setsid()
    preloaded = sys.modules.get(spec.preload) if spec.preload else None
    if preloaded is not None or not spec.preload:
        try:
            die_with_parent(getattr(preloaded, "SERVER_PID", None) or _parent_pid())
        except InvariantBroken:
            os._exit(ExitCode.PARENT_DIED)
    os.environ[OWNER_VARIABLE] = str(os.getpid())
    _capture_output(spec)
    in_lockstep = spec.installation.fleet.market.in_lockstep
    refused = kernel_limits.apply(spec.limits, spec.kind, in_lockstep=in_lockstep)
    configure_logs(spec.home.log / f"{spec.name}.log", spec.installation.fleet.log)
    log = process_logger(spec.name)
    for line in refused:
        log.warning("limit-not-applied", reason=line)
    if spec.preload and preloaded is None:
        log.error("not-preloaded", module=spec.preload, reason=_why_not_importable(spec.preload))
        _end(ExitCode.INVARIANT)
    _end(_run(spec, log))


def _run(spec: ProcessSpec, log: FilteringBoundLogger) -> int:
    stop_signal = StopSignal.install()
    child = Child(spec, stop_signal, log)
    try:
        child.beat("starting", 0)
        main = entry_of(spec)
        check_ownership(sys.modules)
        log.info("started", pid=os.getpid(), restarts=spec.restarts)
        if not child.stopping:
            main(child)
        log.info("ended")
        return ExitCode.OK
    except SystemExit as request:
        code = request.code if isinstance(request.code, int) else ExitCode.FAILURE
        log.info("ended", exit_code=code)
        return code
    except BaseException as error:
        code = exit_code_of(error)
        reason = str(error) if isinstance(error, AtraderError) else f"{type(error).__name__}: {error}"
        exc_info = not isinstance(error, ConfigError)
        log.error("failed", pid=os.getpid(), exit_code=code.name, reason=reason, exc_info=exc_info)  # its last words
        return code
    finally:
        child.close()


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the code of an error that ends a process.

    An error of ours may carry ``details["exit_code"]``, the name of a more exact code (AUTH, LOCKED, ...).
    """
    if isinstance(error, AtraderError):
        named = error.details.get("exit_code")
        if isinstance(named, str) and named in ExitCode.__members__:
            return ExitCode[named]
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), ExitCode.FAILURE)


def _why_not_importable(module: str) -> str:
    """Import again what the fork server could not, because it does not say why (Python before 3.12 swallows it)."""
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - boundary: whatever a module raises is the reason
        return f"it cannot be imported: {type(error).__name__}: {error}"
    return "the fork server did not import it, although it can be imported now"


def entry_of(spec: ProcessSpec) -> Callable[[Child], None]:
    """Return the main function of a process; its module is imported now at the latest."""
    module, _, function = spec.entry_point.partition(":")
    found: Callable[[Child], None] = getattr(importlib.import_module(module), function)
    return found


def _parent_pid() -> int:
    """Return who started us: without a fork server in between that is the manager itself."""
    parent = multiprocessing.parent_process()
    return parent.pid if parent is not None and parent.pid is not None else os.getppid()


def _capture_output(spec: ProcessSpec) -> None:
    """Send what anybody prints (C libraries do) and the stacks of a crash to files; nothing reads them as data."""
    limit = spec.installation.fleet.log.max_file
    output = _open_log(spec.home.log / f"{spec.name}.out", limit)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)
    stacks = _open_log(spec.home.log / f"{spec.name}.stacks", limit)  # stays open: it is written by signal handlers
    faulthandler.enable(stacks)
    faulthandler.register(signal.SIGUSR1, stacks, all_threads=True, chain=False)


def _open_log(path: Path, limit_bytes: int) -> int:
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > limit_bytes:
            path.replace(path.with_name(f"{path.name}.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _end(code: int) -> NoReturn:
    """End at once, with everything flushed: no exit handler of a library may hang a process that should be gone."""
    close_context()
    close_logs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
