"""What a child process may use: the kernel is told of the limits in the configuration."""

import json
import os
import resource
import subprocess
import sys
from typing import Any

import pytest

from atrader.configuration.instance import ProcessLimits
from atrader.runtime.limits import NICE

_CHILD = """
import json, os, resource, sys
from atrader.configuration.instance import ProcessLimits
from atrader.runtime.limits import apply
words = json.loads(sys.argv[1])
refused = apply(ProcessLimits.model_validate(words["limits"]), "worker", in_lockstep=words["in_lockstep"])
print(json.dumps({
    "refused": refused, "nice": os.nice(0), "cpus": sorted(os.sched_getaffinity(0)),
    "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0], "data": resource.getrlimit(resource.RLIMIT_DATA)[0],
}))
"""


def child_with(*, in_lockstep: bool = False, **limits: Any) -> dict[str, Any]:
    words = json.dumps({"limits": limits, "in_lockstep": in_lockstep})
    command = [sys.executable, "-P", "-c", _CHILD, words]
    told: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return told


def test_a_worker_gets_the_descriptors_the_memory_and_the_processor_it_was_given() -> None:
    cpu = max(os.sched_getaffinity(0))
    told = child_with(open_files=100, memory_hard="700MB", cpu_set=[cpu])
    assert told == {
        "refused": [],
        "nice": max(NICE["worker"], os.nice(0)),
        "cpus": [cpu],
        "files": 100,
        "data": 1_400_000_000,
    }


def test_a_worker_for_whose_turn_a_replay_waits_stands_behind_nobody() -> None:
    assert child_with(in_lockstep=True)["nice"] == os.nice(0)


def test_without_settings_a_worker_may_run_on_all_processors() -> None:
    told = child_with()
    assert told["cpus"] == sorted(os.sched_getaffinity(0))
    assert told["files"] == min(ProcessLimits().open_files, resource.getrlimit(resource.RLIMIT_NOFILE)[1])


def test_a_processor_that_is_not_there_is_told_and_nobody_dies_of_it() -> None:
    [text] = child_with(cpu_set=[1023])["refused"]
    assert text.startswith("cpu_set (1023,): ")


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_NOFILE)[1] == resource.RLIM_INFINITY, reason="no limit here")
def test_more_descriptors_than_the_system_allows_are_told() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    told = child_with(open_files=hard + 1)
    assert told["files"] == hard
    assert told["refused"] == [f"limit {resource.RLIMIT_NOFILE}: wanted {hard + 1}, the system allows {hard}"]
