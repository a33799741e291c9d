"""How long a thread has waited for a processor: what is slow on a machine with too much to do is not stuck."""

from __future__ import annotations

from pathlib import Path

from atrader.clock import NS_PER_S


def waited_s(task: int) -> float | None:
    """Return how long a thread has waited for a processor, seconds since it began; None: unknown.

    Nothing else counts: not being stopped, sleeping, waiting for a disk, or turning in a loop.

    Parameters
    ----------
    task : int
        The thread's native id; a process id means its main thread.
    """
    try:
        return int(Path(f"/proc/{task}/schedstat").read_text().split()[1]) / NS_PER_S
    except (OSError, ValueError, IndexError):  # it has ended, or the kernel does not count
        return None
