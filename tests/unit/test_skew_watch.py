"""A clock that is not the broker's: told once it stays away, and not for one late heartbeat."""

from pathlib import Path

import pytest
import structlog

from atrader.broker_health import BrokerHealth
from atrader.clock import MarketClock
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.skew_watch import SkewWatch
from broker_api.journal import Journal
from tests.support.loops import in_loop


@pytest.mark.parametrize("skew_s", [-45.0, 2.0])
@in_loop
async def test_a_clock_that_stays_away_is_an_alert_and_a_late_heartbeat_is_none(tmp_path: Path, skew_s: float) -> None:
    journal = Journal(tmp_path / "journal.db")
    alerts = Alerts("demo", journal, MarketClock(1), structlog.get_logger())
    watch, told = SkewWatch(alerts), []
    for now_s, seen_s in enumerate([None, 0.3, skew_s, 0.3, skew_s, skew_s, skew_s, 0.3, skew_s, skew_s]):
        watch.look(None if seen_s is None else BrokerHealth(clock_skew_s=seen_s), now_s * 30.0)
        told.append(alerts.counters["clock-skew"])
    watch.look(None, 1000.0)
    assert told == [0, 0, 0, 0, 0, 1, 1, 1, 1, 2]
    await journal.settle()
    journal.close()
