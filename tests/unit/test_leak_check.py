"""The leak check that guards the process tests finds what it promises to find."""

import contextlib
import os
import subprocess
import sys
import threading
from multiprocessing import shared_memory
from pathlib import Path

import psutil
import pytest

from tests.support.data_layer import wait_until
from tests.support.leaks import Baseline, end_leaked_processes


@pytest.fixture
def baseline(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Baseline:
    monkeypatch.setenv("ATRADER_TEST", "")  # put back afterwards; set by take()
    return Baseline.take(request.node.nodeid)


def texts(baseline: Baseline) -> list[str]:
    return [leak.text for leak in baseline.wait_for_leaks_to_go(within_s=0.1)]


def test_a_test_that_leaves_nothing_behind_passes(baseline: Baseline) -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    assert texts(baseline) == []


def test_a_child_left_behind_is_named_and_ended(baseline: Baseline) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    leaks = baseline.wait_for_leaks_to_go(within_s=0.1)
    [process] = [leak.process for leak in leaks if leak.process]
    assert process.pid == child.pid
    assert "time.sleep(60)" in leaks[0].text
    end_leaked_processes(leaks)
    assert not process.is_running()
    child.wait(timeout=60)


def test_a_process_that_lost_its_parent_is_found_by_its_tag(baseline: Baseline) -> None:
    start = "Popen(['sleep', '60'], start_new_session=True, stdout=DEVNULL)"
    code = f"from subprocess import DEVNULL, Popen; print({start}.pid, flush=True)"
    command = [sys.executable, "-W", "ignore::ResourceWarning", "-c", code]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=60).stdout
    orphan = psutil.Process(int(out))
    wait_until(orphan.environ, "its environment, which is there a moment after it was started")
    leaks = baseline.wait_for_leaks_to_go(within_s=0.1)
    assert [leak.process for leak in leaks] == [orphan]
    end_leaked_processes(leaks)
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE


def test_a_thread_left_running_is_named(baseline: Baseline) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="forgotten")
    thread.start()
    assert texts(baseline) == ["thread forgotten"]
    assert baseline.leaks(threads=1, reason="started on purpose") == []
    stop.set()
    thread.join()


def test_an_open_file_is_named_and_can_be_allowed(baseline: Baseline, tmp_path: Path) -> None:
    number = os.open(tmp_path / "forgotten", os.O_CREAT | os.O_RDWR)
    try:
        assert texts(baseline) == [f"descriptor {number} -> {tmp_path / 'forgotten'}"]
        assert baseline.leaks(descriptors=1, reason="opened on purpose") == []
    finally:
        os.close(number)


def test_a_shared_memory_segment_is_named_until_it_is_unlinked(baseline: Baseline) -> None:
    segment = shared_memory.SharedMemory(create=True, size=4096)
    try:
        assert f"shared memory {segment.name}" in texts(baseline)
    finally:
        segment.close()
        with contextlib.suppress(FileNotFoundError):
            segment.unlink()
    assert texts(baseline) == []
