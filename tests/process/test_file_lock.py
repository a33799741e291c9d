"""One owner at a time, also when owners are killed, fork and start at the same moment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from atrader.errors import StoreError
from atrader.runtime.file_lock import FileLock, LockHeld, owner_of

_TAKE = "import os, sys, time; from pathlib import Path; from atrader.runtime.file_lock import FileLock, LockHeld\n"


@contextlib.contextmanager
def owner(path: Path, then: str) -> Iterator[subprocess.Popen[str]]:
    """Start a process that takes the lock, prints "held" and goes on with `then`."""
    script = f"{_TAKE}lock = FileLock(Path({str(path)!r}), 'an owner')\nprint('held', flush=True)\n{then}"
    with subprocess.Popen([sys.executable, "-P", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_second_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    first = FileLock(path, "the first")
    with pytest.raises(LockHeld, match=rf"the account is in use by the first \(pid {os.getpid()}, since 20") as refused:
        FileLock(path, "the second", "the account")
    assert refused.value.details["exit_code"] == "LOCKED"
    assert refused.value.details["owner_pid"] == os.getpid()
    first.release()
    first.release()
    FileLock(path, "the second").release()


def test_asking_for_the_owner_takes_nothing_and_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    assert owner_of(path) is None
    assert not path.exists()
    lock = FileLock(path, "me")
    assert [found.name for found in (owner_of(path), owner_of(path)) if found] == ["me", "me"]
    lock.release()
    assert owner_of(path) is None


def test_a_lock_in_a_directory_that_is_missing_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"missing/x\.lock: cannot be opened: No such file"):
        FileLock(tmp_path / "missing" / "x.lock", "me")


def test_a_killed_owner_loses_the_lock_and_its_name_is_not_shown_again(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with owner(path, "time.sleep(600)") as process:
        found = owner_of(path)
        assert found is not None
        assert found.pid == process.pid
        process.kill()
        lock = FileLock(path, "the next", wait_s=60)
    assert str(owner_of(path)).startswith("the next (pid ")
    lock.release()


def test_a_forked_child_does_not_keep_the_lock_of_its_dead_parent(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    then = "child = os.fork()\nif child: print(child, flush=True)\ntime.sleep(600)"
    with owner(path, then) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            assert owner_of(path) is not None
            process.kill()
            FileLock(path, "the next", wait_s=60).release()
            os.kill(child, 0)  # it lives
        finally:
            os.kill(child, signal.SIGKILL)


def test_a_forked_child_that_releases_leaves_the_lock_with_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    then = (
        "child = os.fork()\nif not child: lock.release(); os._exit(0)\nos.waitpid(child, 0); print('done', flush=True)"
    )
    with owner(path, f"{then}\ntime.sleep(600)") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        found = owner_of(path)
        assert found is not None
        assert found.pid == process.pid


def test_of_many_that_start_at_once_on_no_file_one_gets_the_lock(tmp_path: Path) -> None:
    path, gate = tmp_path / "x.lock", tmp_path / "gate"
    script = (
        f"{_TAKE}gate = Path({str(gate)!r})\nprint('ready', flush=True)\nwhile not gate.exists(): pass\n"
        f"try: lock = FileLock(Path({str(path)!r}), 'a racer')\nexcept LockHeld: print('refused', flush=True)\n"
        "else: print('held', flush=True); sys.stdin.read()\n"
    )
    racers = [
        subprocess.Popen([sys.executable, "-P", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    try:
        assert [racer.stdout.readline() for racer in racers if racer.stdout] == ["ready\n"] * 6
        gate.touch()
        said = [racer.stdout.readline() for racer in racers if racer.stdout]
        assert sorted(said) == ["held\n", *["refused\n"] * 5]
    finally:
        for racer in racers:
            racer.communicate(input="", timeout=60)
    assert owner_of(path) is None
