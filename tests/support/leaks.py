"""Finds what a test left behind: processes, threads, descriptors and shared-memory segments."""

import contextlib
import gc
import os
import threading
import time
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Self

import psutil

# Processes started by a test inherit this variable, so those that lost their parent are found as well.
TAG = "ATRADER_TEST"
SHARED_MEMORY = Path("/dev/shm")
_LARGEST = 1 << 20


@dataclass(frozen=True)
class Leak:
    """One thing left behind; ``process`` is set when it is one that can be ended."""

    text: str
    process: psutil.Process | None = None


@dataclass(frozen=True)
class Baseline:
    """What was there before the test."""

    tag: str
    processes: frozenset[psutil.Process]
    threads: frozenset[threading.Thread]
    descriptors: dict[int, str]
    segments: frozenset[str]

    @classmethod
    def take(cls, name: str) -> Self:
        """Note what is there now, and tag all processes started from here on."""
        resource_tracker.ensure_running()  # one process and one descriptor that Python keeps for good
        tag = f"{name}@{os.getpid()}"
        os.environ[TAG] = tag
        return cls(tag, frozenset(_processes(tag)), frozenset(_threads()), _descriptors(), frozenset(_segments()))

    def leaks(self, *, descriptors: int = 0, threads: int = 0, reason: str = "") -> list[Leak]:
        """Return what is there now and was not before; the arguments say how much of it is allowed, and why."""
        del reason  # for the reader of the test
        found = [Leak(f"process {_describe(p)}", p) for p in sorted(_processes(self.tag) - self.processes, key=_pid)]
        new_threads = [f"thread {thread.name}" for thread in _threads() - self.threads]
        if len(new_threads) > threads:
            found += map(Leak, sorted(new_threads))
        open_now = _descriptors()
        if len(open_now) > len(self.descriptors) + descriptors:
            new = {number: target for number, target in open_now.items() if self.descriptors.get(number) != target}
            found += [Leak(f"descriptor {number} -> {target}") for number, target in sorted(new.items())]
        found += [Leak(f"shared memory {name}") for name in sorted(_segments() - self.segments) if _is_ours(name)]
        return found

    def wait_for_leaks_to_go(
        self, *, within_s: float = 60.0, descriptors: int = 0, threads: int = 0, reason: str = ""
    ) -> list[Leak]:
        """Return what is still left behind after ``within_s`` seconds; at once when nothing is."""
        deadline = time.monotonic() + within_s
        while leaks := self.leaks(descriptors=descriptors, threads=threads, reason=reason):
            if time.monotonic() >= deadline:
                break
            gc.collect()  # a descriptor of a dead object is a ResourceWarning, not a leak
            time.sleep(0.02)
        return leaks


def end_leaked_processes(leaks: list[Leak]) -> None:
    """Kill the processes among the leaks, so that one bad test does not spoil the next."""
    processes = [leak.process for leak in leaks if leak.process]
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=60)


def _pid(process: psutil.Process) -> int:
    return process.pid


def _processes(tag: str) -> set[psutil.Process]:
    """Return our descendants, and whatever carries the tag without being one any more."""
    wanted = f"{TAG}={tag}".encode()
    numbers = {int(name) for name in os.listdir("/proc") if name.isdecimal()}
    tagged = {number for number in numbers if wanted in _read(f"/proc/{number}/environ").split(b"\0")}
    found = set()
    for number in (tagged | _descendants(os.getpid())) - {os.getpid()}:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.add(psutil.Process(number))
    return found


def _descendants(ancestor: int) -> set[int]:
    """Return the children of a process, and theirs.

    The kernel's own lists: psutil would read of every process of the machine who its parent is, twice in each test.
    """
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):  # a kernel without such lists
        return {child.pid for child in psutil.Process(ancestor).children(recursive=True)}
    found: set[int] = set()
    unseen = [ancestor]
    while unseen:
        number = unseen.pop()
        with contextlib.suppress(OSError):  # it has ended
            for thread in os.listdir(f"/proc/{number}/task"):
                new = set(map(int, _read(f"/proc/{number}/task/{thread}/children").split()))
                unseen += new - found
                found |= new
    return found


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # it has ended, or belongs to somebody else
        return b""
    try:
        return os.read(descriptor, _LARGEST)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _describe(process: psutil.Process) -> str:
    try:
        with process.oneshot():
            return f"{process.pid} ({process.status()}) {' '.join(process.cmdline())[:120] or process.name()}"
    except psutil.Error:
        return str(process.pid)


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if not thread.daemon}


def _descriptors() -> dict[int, str]:
    found = {}
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that lists the directory is gone by now
            found[int(number)] = os.readlink(f"/proc/self/fd/{number}")
    return found


def _segments() -> set[str]:
    """Return the segments there are; folders there are scratch of other tests, and none."""
    if not SHARED_MEMORY.is_dir():
        return set()
    with os.scandir(SHARED_MEMORY) as entries:
        return {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}


def _is_ours(segment: str) -> bool:
    """Tell whether no living process but this one maps a segment: another test session's are in use by its own.

    A PostgreSQL server that another session starts probes with segments of its own, for a moment. Semaphores of a
    killed process that used `multiprocessing` are removed by Python's resource tracker some time later; nothing here
    makes any but pools of processes, whose ends are tested.
    """
    if segment.startswith(("PostgreSQL.", "sem.mp-")):
        return False
    path = str(SHARED_MEMORY / segment)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and path in Path(f"/proc/{process.pid}/maps").read_text():
                return False
    return os.path.exists(path)
