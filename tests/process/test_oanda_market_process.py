"""A fleet on OANDA's prices: real manager, data layer, gateway and worker, and a venue in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atrader.clock import NS_PER_S, SystemClock
from atrader.errors import DeadlineExceeded
from atrader.messages.data import RequestBars
from data_layer.client import DataClient
from tests.oanda_simulator.hosting import RemoteSimulator, in_process
from tests.support.fleet import wait_for
from tests.support.oanda_fleet import OandaFleet

PAIR = "EUR/USD"
WATCHERS = ("real", "paper")
CLOCK = SystemClock()
HOUR_NS = 3600 * NS_PER_S


@pytest.fixture
def venue() -> Iterator[RemoteSimulator]:
    with in_process("--loose", "--window", "0", "--history-days", "1", "--every", "0.1") as venue:
        yield venue


@pytest.fixture
def fleet(tmp_path: Path, venue: RemoteSimulator) -> Iterator[OandaFleet]:
    fleet = OandaFleet(tmp_path / "home", venue)
    fleet.write_market()
    fleet.write_oanda(more="stream_silence = '400ms'\n")
    fleet.write_account()
    fleet.write_watcher("real", 1, "oanda")
    fleet.write_watcher("paper", 2, "paper")
    yield fleet
    fleet.end()


def sees_quotes_after(fleet: OandaFleet, time_ns: int) -> None:
    """Wait until strategies on both accounts saw a quote that is newer."""
    for name in WATCHERS:
        wait_for(
            lambda name=name: fleet.newest_ns(name) > time_ns,  # type: ignore[misc]
            f"a quote in {name}\n{fleet.output()[-3000:]}",
        )


def age_s(client: DataClient) -> float:
    """Return how old the last price is; very old when there is none or nobody answers."""
    try:
        price = client.last_price(PAIR)
    except DeadlineExceeded:
        return 1e9
    return 1e9 if price is None else price.age_s


def test_quotes_go_on_after_a_silent_stream_after_kills_and_a_reload_and_bars_come_by_backfill(
    fleet: OandaFleet, venue: RemoteSimulator
) -> None:
    fleet.start()
    sees_quotes_after(fleet, 0)
    # The newest bar may come after the workers, and is only theirs with the one after it.
    wait_for(lambda: all(fleet.bars(name) >= 49 for name in WATCHERS), "warm-ups")
    with DataClient(fleet.home) as client:
        wait_for(lambda: not client.coverage(PAIR, "1m", count=50).missing, "whole warm-ups")
        [series] = [one for one in client.series() if (one.instrument, one.timeframe) == (PAIR, "1m")]
        assert "gateway-oanda" in series.source
        period: Any = {"start_ns": CLOCK.now_ns() - 20 * HOUR_NS, "end_ns": CLOCK.now_ns() - 10 * HOUR_NS}
        job = client.request_bars(RequestBars(instrument=PAIR, **period))
        assert job.source == "gateway-oanda"
        wait_for(lambda: not client.coverage(PAIR, "1m", **period).missing, "deep history")

        venue.do("disturb", stream="pricing", kind="stall")
        wait_for(lambda: age_s(client) > 0.3, "a price that grows old")
        sees_quotes_after(fleet, CLOCK.now_ns())

        for name in ("data-layer", "gateway-oanda"):
            fleet.kill(name)
            sees_quotes_after(fleet, CLOCK.now_ns())
            assert wait_for(lambda: age_s(client) < 1.0, "a fresh last price")
    gateway = fleet.pid("gateway-oanda")
    fleet.write_watcher("yen", 3, "oanda", warm_up=0, instrument="USD/JPY")
    done = fleet.command("reload")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: fleet.newest_ns("yen"), "a quote of an instrument that a reload brought")
    assert fleet.pid("gateway-oanda") == gateway
    assert fleet.stop() == 0
