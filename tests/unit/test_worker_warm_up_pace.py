"""How often a worker looks again whether its warm-up is whole."""

import pytest

from atrader.timeframes import Timeframe
from worker.warm_up import again_s


@pytest.mark.parametrize(
    ("timeframe", "count", "seconds"),
    [("1s", 20, 20.0), ("1s", 2, 5.0), ("1m", 50, 60.0), ("1d", 200, 60.0), ("1w", 1, 60.0)],
)
def test_a_short_window_is_looked_at_again_when_all_its_bars_are_others(
    timeframe: str, count: int, seconds: float
) -> None:
    assert again_s(Timeframe.parse(timeframe), count) == seconds
