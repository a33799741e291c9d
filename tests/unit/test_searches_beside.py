"""What other searches tried is counted without reading all of them each time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from manager.searches.beside import beside
from research.optimisation.trials import Trial, TrialFile
from research.reports.search_notes import Beside

DAYS_NS = np.arange(30, dtype=np.int64)


def search(place: Path, *fast: int, **instance: str) -> tuple[Path, dict[str, Any]]:
    place.mkdir()
    own = {"strategy": "cross", "instrument": "EUR/USD", "timeframe": "1h", **instance}
    study = {"instance": own, "fixed": {"slow": 8}}
    with TrialFile(place / "trials.sqlite", study, DAYS_NS) as file:
        file.append([Trial(number, {"fast": one}, 5, np.zeros(30)) for number, one in enumerate(fast)])
    return place / "trials.sqlite", study


def test_each_set_that_neighbours_tried_is_counted_once_and_they_are_read_again_only_when_they_changed(
    tmp_path: Path,
) -> None:
    path, study = search(tmp_path / "one", 1, 2)
    other, its = search(tmp_path / "two", 2, 3, 4)
    search(tmp_path / "three", 3, 5)
    search(tmp_path / "another", 9, timeframe="1d")
    tried: list[dict[str, Any]] = [{"fast": 1}, {"fast": 2}]
    assert beside(path, study, tried) == Beside(2, 3)
    with TrialFile(other) as file:
        file.append([Trial(3, {"fast": 6}, 5, np.zeros(30))])
    assert beside(path, study, tried) == Beside(2, 4)
    before = other.stat()
    os.truncate(other, 0)  # who reads it now finds nothing
    os.truncate(other, before.st_size)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert beside(path, study, tried) == Beside(2, 4)
    (other.parent / ".tried").write_bytes(b"cut")
    assert beside(path, study, tried) == Beside(1, 2)
    assert its == study


def test_a_folder_in_which_nothing_may_be_written_is_counted_all_the_same(tmp_path: Path) -> None:
    path, study = search(tmp_path / "one", 1)
    other, _ = search(tmp_path / "two", 2)
    (other.parent / ".tried.new").mkdir()  # in the way of what would be kept
    assert beside(path, study, [{"fast": 1}]) == beside(path, study, [{"fast": 1}]) == Beside(1, 1)
    assert not (other.parent / ".tried").exists()
