"""Processes of a pool, when the one they work for is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil

from tests.support.fleet import wait_for

OWNER = """
import os, time
from research.optimisation.pools import processes

def name_them(sets):
    time.sleep(0.2)  # so that both processes get work
    return [os.getpid()]

def make():
    return name_them

if __name__ == "__main__":
    pool = processes(make, 2)
    asked = [pool.submit([]) for _ in range(4)]
    print(*{one.result()[0] for one in asked}, flush=True)
    time.sleep(600)
"""


def test_processes_that_try_sets_end_with_the_one_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    with subprocess.Popen([sys.executable, "-P", str(script)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert pids
        workers = [psutil.Process(pid) for pid in pids]
        owner.kill()
    wait_for(lambda: not any(worker.is_running() for worker in workers), "the end of the pool's processes")
