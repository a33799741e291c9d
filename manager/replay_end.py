"""When a replay is over and everybody has worked in what it brought. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from manager.liveness import Vitals


def settled(
    now_s: float,
    finished_s: float,
    interval_s: float,
    workers: Iterable[Vitals],
    gateways: Iterable[tuple[Vitals, int]],
) -> bool:
    """Tell whether the fleet may stop.

    Parameters
    ----------
    now_s, finished_s : float
        Monotonic seconds; when the data layer first said that the replay is finished.
    interval_s : float
        Between two beats.
    workers, gateways
        What is known of those that run; gateways with the rows in their outbox.
    """
    quiet_since_s = now_s - 2 * interval_s
    if finished_s > quiet_since_s:
        return False
    return all(_heard(vitals, finished_s) and vitals.progress_s <= quiet_since_s for vitals in workers) and all(
        _heard(vitals, finished_s) and waiting == 0 for vitals, waiting in gateways
    )


def _heard(vitals: Vitals, finished_s: float) -> bool:
    return vitals.beat_s is not None and vitals.beat_s > finished_s
