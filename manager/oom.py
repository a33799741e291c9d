"""Did the kernel's out-of-memory killer strike? The counter of our control group tells, where there is one."""

from __future__ import annotations

from pathlib import Path


def _events_file() -> Path | None:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    unified = next((line.partition("::")[2] for line in lines if line.startswith("0::")), None)
    if unified is None:
        return None
    path = Path("/sys/fs/cgroup") / unified.lstrip("/") / "memory.events"
    return path if path.is_file() else None


def _kills(path: Path | None) -> int:
    if path is None:
        return 0
    try:
        fields = dict(line.split() for line in path.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(fields.get("oom_kill", 0))


class OomWatch:
    """Compares the number of kills at the beginning and the end of a process' life.

    It cannot tell which process of the control group was killed: a hint for the log, right when one died by SIGKILL.
    """

    def __init__(self) -> None:
        self._path = _events_file()
        self._before = 0

    def begin(self) -> None:
        """Note the number of kills so far."""
        self._before = _kills(self._path)

    def killed(self) -> bool:
        """Tell whether there was a kill since `begin`."""
        return _kills(self._path) > self._before
