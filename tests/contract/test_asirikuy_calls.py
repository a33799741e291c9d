"""What the library sees of what we pass, and what we see of what it answers. In this process: nothing here kills."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framework_bridge.abi.codes import ReturnCode
from framework_bridge.abi.settings import Setting
from tests.support.asirikuy import fresh_library
from tests.support.asirikuy_desk import ACCOUNT, PRICES, Desk, bars_until

ECHO, AVERAGES = 203, 201


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, fresh_library(tmp_path))


def test_the_library_sees_every_array_as_it_was_passed(desk: Desk) -> None:
    passed = [bars_until(desk.now_ns, count, minutes) for count, minutes in zip(range(11, 21), (60,) * 10, strict=True)]
    call = desk.call(mode=ECHO, bars=passed)
    assert desk.run(call) == ReturnCode.SUCCESS
    seen = call.results.rows.view(np.float64).reshape(-1, 10)
    for index, bars in enumerate(passed):
        last = bars.row(-1)
        times = bars.open_time_ns[[0, -1]] / 1e9
        want = [len(bars), 0, *times, *last[1:5], bars.close.sum(), bars.volume.sum()]
        assert seen[index].tolist() == pytest.approx(want)
    assert seen[10].tolist() == [*PRICES, 0, 0, 0, 0]
    assert seen[11].tolist() == list(ACCOUNT)


def test_the_same_bar_again_runs_nothing_and_leaves_no_old_results(desk: Desk) -> None:
    call = desk.call(mode=200, additional={25: 0x1, 26: -1, 27: 0.1})
    assert desk.run(call) == ReturnCode.SUCCESS
    assert [row.bits for row in call.results.read()] == [0x1]
    assert desk.run(call) == ReturnCode.SUCCESS
    assert call.results.read() == ()
    call.set_setting(Setting.RUN_EVERY_TICK, 1)
    assert desk.run(call) == ReturnCode.SUCCESS
    assert [row.bits for row in call.results.read()] == [0x1]
