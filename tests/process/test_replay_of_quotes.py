"""A replay of quotes that is killed goes on with the bars it would have had anyway."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atrader.clock import NS_PER_S
from atrader.configuration.fleet import FleetConfig
from atrader.market import Quotes
from data_layer.client import DataClient
from data_layer.offline import open_market
from tests.support.data_layer import DataLayerProcess, wait_until

pytestmark = pytest.mark.usefixtures("closed_context")

PAIR = "EUR/USD"
START_NS = 1_370_260_800 * NS_PER_S  # a Monday, 12:00 UTC
STEPS = 16_000
FLEET = {
    "market": {
        "feed": "replay",
        "instruments": [PAIR],
        "replay": {"source": "ticks", "speed": "4000", "start": "2013-06-03T13:00Z"},
    },
    "data": {"base_timeframe": "1m"},
}


def test_a_replay_of_quotes_that_is_killed_goes_on_with_every_bar_and_stores_none(tmp_path: Path) -> None:
    times = START_NS + np.arange(STEPS * 3, dtype=np.int64) * NS_PER_S // 3
    bids = 1.1 + np.sin(np.arange(len(times)) / 700.0) / 100
    layer = DataLayerProcess(tmp_path, FLEET)
    with open_market(layer.home, FleetConfig()) as market:
        market.import_quotes(PAIR, "made.csv", Quotes(times, times, bids, bids + 1e-4))
    with layer, DataClient(layer.home) as client:
        wait_until(lambda: client.replay().done >= STEPS // 4, "the middle of the replay")
        layer.kill()
        layer.start()
        assert STEPS // 4 <= client.replay().done < client.replay().total == STEPS - 3_600
        wait_until(lambda: client.replay().state == "finished", "the end of the replay")
        bars = client.bars(PAIR, "1m", mapped=False)[0]
        assert layer.stop() == 0
    assert len(bars) == STEPS // 60, "those before the start are there too"
    assert set(np.diff(bars.open_time_ns)) == {60 * NS_PER_S}
    assert set(bars.volume.tolist()) == {180.0}
    assert bars.open.tolist() == bids[::180].tolist()[: len(bars)]
    assert bars.ask_close.tolist() == (bids + 1e-4)[179::180].tolist()
    with open_market(layer.home, FleetConfig()) as market:
        assert [one.timeframe for one in market.series()] == ["ticks"], "a replay stores nothing"
