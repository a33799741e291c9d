"""When a living process is killed, and why."""

import pytest

from atrader.configuration.instance import ProcessLimits
from manager.liveness import Vitals, absence_s, judge, wants_recycling
from manager.restart_policy import Cause

LIMITS = ProcessLimits.model_validate(
    {
        "start_grace": "20s",
        "beat_timeout": "3s",
        "progress_timeout": "10s",
        "memory_soft": "200MB",
        "memory_hard": "400MB",
    }
)
SERIES = "EUR/USD|1m"


def running(ready_s: float = 0.0, **changes: object) -> Vitals:
    vitals = Vitals(started_s=ready_s, ready_s=ready_s, beat_s=ready_s)
    for name, value in changes.items():
        setattr(vitals, name, value)
    return vitals


@pytest.mark.parametrize(
    ("vitals", "now_s", "rule", "cause", "setting"),
    [
        (Vitals(started_s=0.0), 20.0, None, None, None),
        (Vitals(started_s=0.0), 20.1, "start-grace", Cause.STALLED, "process.start_grace"),
        (Vitals(started_s=0.0, beat_s=20.0), 20.1, "start-grace", Cause.STALLED, "process.start_grace"),
        (running(), 3.0, None, None, None),
        (running(), 3.1, "beat-timeout", Cause.STALLED, "process.beat_timeout"),
        (Vitals(started_s=0.0, ready_s=1.0), 4.1, "beat-timeout", Cause.STALLED, "process.beat_timeout"),
        (running(beat_s=11.0, behind_s={SERIES: 1.0}), 11.0, None, None, None),
        (
            running(beat_s=11.0, behind_s={SERIES: 0.9}),
            11.0,
            "progress-timeout",
            Cause.STALLED,
            "process.progress_timeout",
        ),
        (running(rss_bytes=400_000_000), 0.0, None, None, None),
        (running(rss_bytes=400_000_001), 0.0, "memory-hard", Cause.MEMORY, "process.memory_hard"),
        (Vitals(started_s=0.0, rss_bytes=400_000_001), 0.0, "memory-hard", Cause.MEMORY, "process.memory_hard"),
    ],
)
def test_each_rule_fires_past_its_limit_and_names_its_setting(
    vitals: Vitals, now_s: float, rule: str | None, cause: Cause | None, setting: str | None
) -> None:
    verdict = judge(vitals, LIMITS, now_s)
    assert (verdict and (verdict.rule, verdict.cause, verdict.setting)) == (rule and (rule, cause, setting))
    if verdict is not None:
        assert verdict.value > verdict.limit


def test_a_worker_is_behind_only_by_bars_that_came_while_it_ran() -> None:
    vitals = running()
    vitals.record_latest(1.0, SERIES, 100)  # was there before
    assert not vitals.behind_s
    vitals.record_latest(2.0, SERIES, 200)
    vitals.record_latest(5.0, SERIES, 300)
    assert vitals.behind_s == {SERIES: 2.0}


def test_a_worker_that_handles_bars_is_not_stalled_however_far_behind() -> None:
    vitals = running()
    vitals.record_latest(0.0, SERIES, 0)
    for second in range(1, 60):
        vitals.record_latest(second, SERIES, 1000 * second)
        vitals.record_beat(second, second, 0, {SERIES: second})
    assert judge(vitals, LIMITS, 59.5) is None


def test_a_worker_that_caught_up_is_not_behind() -> None:
    vitals = running()
    vitals.record_latest(0.0, SERIES, 100)
    vitals.record_latest(1.0, SERIES, 200)
    vitals.record_beat(2.0, 1, 0, {SERIES: 200})
    vitals.record_latest(3.0, SERIES, 200)
    assert not vitals.behind_s


def test_repeated_beats_without_news_do_not_count_as_progress() -> None:
    vitals = running()
    vitals.record_beat(1.0, 7, 0, {})
    vitals.record_beat(5.0, 7, 0, {})
    assert vitals.progress_s == 1.0


def test_a_manager_that_was_away_excuses_everybody() -> None:
    vitals = running(behind_s={SERIES: 0.0})
    vitals.excuse(3600.0)
    assert judge(vitals, LIMITS, 3602.0) is None
    assert judge(vitals, LIMITS, 3604.0) is not None


@pytest.mark.parametrize(("now_s", "expected_s"), [(10.2, 0.0), (11.1, 0.0), (11.3, 1.1), (3610.2, 3600.0)])
def test_only_a_loop_that_was_not_scheduled_counts_as_absent(now_s: float, expected_s: float) -> None:
    assert absence_s(now_s, 10.0, 0.2) == pytest.approx(expected_s)


def test_a_large_but_legal_worker_is_recycled_not_killed() -> None:
    vitals = running(rss_bytes=300_000_000)
    assert judge(vitals, LIMITS, 0.0) is None
    verdict = wants_recycling(vitals, LIMITS)
    assert verdict is not None
    assert verdict.cause is Cause.RECYCLE
    assert wants_recycling(vitals, LIMITS.model_copy(update={"memory_soft": None})) is None
