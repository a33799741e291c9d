"""A fleet on OANDA's prices: real manager, data layer, gateway and worker, and a venue in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atrader.clock import NS_PER_S, SystemClock
from atrader.messages.data import RequestBars
from data_layer.client import DataClient
from tests.oanda_simulator.hosting import RemoteSimulator, in_process
from tests.support.fleet import wait_for
from tests.support.oanda_fleet import OandaFleet

PAIR = "EUR/USD"
CLOCK = SystemClock()
HOUR_NS = 3600 * NS_PER_S


@pytest.fixture(scope="module")
def venue() -> Iterator[RemoteSimulator]:
    with in_process("--loose", "--window", "0", "--history-days", "1", "--every", "0.1") as venue:
        yield venue


@pytest.fixture
def fleet(tmp_path: Path, venue: RemoteSimulator) -> Iterator[OandaFleet]:
    fleet = OandaFleet(tmp_path / "home", venue)
    fleet.write_market()
    fleet.write_oanda()
    fleet.write_watcher()
    yield fleet
    fleet.end()


def newest_ns(fleet: OandaFleet) -> int:
    """Return the time of the newest quote that the strategy saw."""
    return max((row["time_ns"] for row in fleet.seen("tick")), default=0)


def sees_quotes_after(fleet: OandaFleet, time_ns: int) -> None:
    wait_for(lambda: newest_ns(fleet) > time_ns, f"a quote; {fleet.seen()[-3:]}\n{fleet.output()[-3000:]}")


def test_bars_come_by_backfill_and_quotes_by_stream_and_whoever_is_killed_is_missed_for_a_moment(
    fleet: OandaFleet,
) -> None:
    fleet.start()
    sees_quotes_after(fleet, 0)
    wait_for(lambda: fleet.seen()[-1]["whole"] and fleet.seen()[-1]["bars"] == 50, "a whole warm-up")
    with DataClient(fleet.home) as client:
        [series] = [one for one in client.series() if (one.instrument, one.timeframe) == (PAIR, "1m")]
        assert series.source == "gateway-oanda"
        period: Any = {"start_ns": CLOCK.now_ns() - 20 * HOUR_NS, "end_ns": CLOCK.now_ns() - 10 * HOUR_NS}
        job = client.request_bars(RequestBars(instrument=PAIR, **period))
        assert job.source == "gateway-oanda"
        wait_for(lambda: not client.coverage(PAIR, "1m", **period).missing, "deep history")
        for name in ("data-layer", "gateway-oanda"):
            fleet.kill(name)
            fleet.wait_running()
            sees_quotes_after(fleet, CLOCK.now_ns())
            price = wait_for(lambda: client.last_price(PAIR), "a last price")
            assert price.age_s < 5.0
    assert fleet.stop() == 0


def test_a_stream_that_falls_silent_is_noticed_and_the_age_of_prices_grows_meanwhile(
    fleet: OandaFleet, venue: RemoteSimulator
) -> None:
    account = (fleet.home.etc / "accounts" / "oanda.toml").read_text()
    (fleet.home.etc / "accounts" / "oanda.toml").write_text(f"{account}stream_silence = '400ms'\n")
    fleet.start()
    sees_quotes_after(fleet, 0)
    venue.do("disturb", stream="pricing", kind="stall")
    with DataClient(fleet.home) as client:
        wait_for(lambda: (price := client.last_price(PAIR)) and price.age_s > 0.3, "an old price")
        sees_quotes_after(fleet, CLOCK.now_ns())
        price = client.last_price(PAIR)
        assert price is not None
        assert price.age_s < 1.0
    assert fleet.stop() == 0


def test_a_paper_account_trades_on_the_prices_of_a_brokers_account(fleet: OandaFleet) -> None:
    fleet.write_account()
    fleet.write_watcher("paper", 0)
    fleet.start()
    sees_quotes_after(fleet, 0)
    assert fleet.stop() == 0
