"""Who waits for a processor is not silent by its own fault."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

import pytest

from atrader.configuration.instance import ProcessLimits
from atrader.runtime.processor import waited_s
from manager.liveness import Vitals, judge
from manager.starvation import Starvation
from tests.support.data_layer import wait_until

LIMITS = ProcessLimits.model_validate({"start_grace": "20s", "beat_timeout": "3s", "progress_timeout": "10s"})
PID = 4711


def judged_at(vitals: Vitals, share: float, seconds: int, step_s: float = 0.25) -> float | None:
    """Return when a rule fires on a process that waits for a processor during this share of the time."""
    now_s = 0.0
    starvation = Starvation(lambda _: now_s * share)
    while now_s < seconds:
        now_s += step_s
        starvation.look(PID, vitals, LIMITS, now_s)
        if judge(vitals, LIMITS, now_s) is not None:
            return now_s
    return None


@pytest.mark.parametrize("vitals", [Vitals(0.0), Vitals(0.0, ready_s=0.0), Vitals(0.0, ready_s=0.0, beat_s=0.0)])
def test_a_process_that_only_waits_for_a_processor_is_not_stalled(vitals: Vitals) -> None:
    assert judged_at(vitals, share=1.0, seconds=300) is None


def test_one_that_had_the_processor_and_is_silent_is_stalled_as_ever() -> None:
    assert judged_at(Vitals(0.0, ready_s=0.0), share=0.0, seconds=300) == 3.25


def test_one_that_turns_in_a_loop_on_a_busy_machine_is_found_all_the_same() -> None:
    found_s = judged_at(Vitals(0.0, ready_s=0.0), share=0.9, seconds=300)
    assert found_s is not None
    assert found_s > 10


def test_where_the_kernel_does_not_count_nobody_is_excused() -> None:
    vitals, starvation = Vitals(0.0, ready_s=0.0), Starvation(lambda _: None)
    assert [starvation.look(PID, vitals, LIMITS, now_s) for now_s in (2.0, 2.5, 3.1)] == [0.0] * 3
    assert judge(vitals, LIMITS, 3.1) is not None


def waits(pid: int) -> bool:
    """Tell whether a process has waited for a processor."""
    return (waited_s(pid) or 0.0) > 0.05


def test_two_that_turn_on_one_processor_wait_for_each_other_and_a_dead_one_is_unknown() -> None:
    processor = min(os.sched_getaffinity(0))
    turn = f"import os; os.sched_setaffinity(0, {{{processor}}})\nwhile True: pass"
    both = [subprocess.Popen([sys.executable, "-S", "-c", turn]) for _ in range(2)]
    try:
        for child in both:
            wait_until(partial(waits, child.pid), "a wait for the processor", 60.0)
    finally:
        for child in both:
            child.kill()
            child.wait()
    assert waited_s(both[0].pid) is None
