"""From an old installation with open virtual trades to a fleet that owns them, at a broker that knows only the net."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from manager.commands.tools import cli
from tests.oanda_simulator import NETTING_ACCOUNT
from tests.oanda_simulator.hosting import RemoteSimulator, in_process
from tests.support.asirikuy import standin_library
from tests.support.asirikuy_fleet import time_server
from tests.support.fleet import Fleet, wait_for
from tests.support.oanda_fleet import ALWAYS_OPEN
from tests.support.old_trader import CONFIG, OPEN, tiny_db, write_old_trader

pytestmark = pytest.mark.process
OLD_ID = "101-004-1234567-001"


@pytest.fixture
def venue() -> Iterator[RemoteSimulator]:
    with in_process("--loose", "--window", "0", "--every", "0.05") as venue:
        yield venue


class Desk:
    """A person at the broker."""

    def __init__(self, venue: RemoteSimulator) -> None:
        self._url = f"{venue.rest_url}/v3/accounts/{NETTING_ACCOUNT}"
        self._client = httpx.Client(headers={"Authorization": f"Bearer {venue.token}"}, trust_env=False)

    def trade(self, units: float, instrument: str = "EUR_USD") -> None:
        body = {"order": {"type": "MARKET", "instrument": instrument, "units": str(units)}}
        self._client.post(f"{self._url}/orders", json=body).raise_for_status()

    def orders_after(self, transaction: int) -> list[str]:
        found = self._client.get(f"{self._url}/transactions/sinceid", params={"id": transaction}).raise_for_status()
        return [item["type"] for item in found.json()["transactions"] if item["type"].endswith("_ORDER")]

    def last(self) -> int:
        return int(self._client.get(f"{self._url}/summary").raise_for_status().json()["lastTransactionID"])

    def long_units(self, instrument: str) -> float:
        found = self._client.get(f"{self._url}/positions/{instrument}").raise_for_status()
        return float(found.json()["position"]["long"]["units"])

    def waiting_units(self) -> list[float]:
        found = self._client.get(f"{self._url}/pendingOrders").raise_for_status()
        return [float(order["units"]) for order in found.json()["orders"]]

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def desk(venue: RemoteSimulator) -> Iterator[Desk]:
    desk = Desk(venue)
    yield desk
    desk.close()


def imported(tmp_path: Path, venue: RemoteSimulator) -> Fleet:
    """Import an installation with EUR/USD trades of +3000 and +2000, and point its account at the simulator."""
    old = write_old_trader(tmp_path / "old", CONFIG.replace(OLD_ID, NETTING_ACCOUNT))
    (old.parent.parent / "data" / f"{NETTING_ACCOUNT}_openOrders.json").write_text(tiny_db([OPEN[0], OPEN[3]]))
    return imported_from(old, tmp_path / "new", venue)


def imported_from(old: Path, out: Path, venue: RemoteSimulator, *options: str) -> Fleet:
    """Import an installation, and point its account at the simulator."""
    result = CliRunner().invoke(cli, ["import-legacy", str(old), "--out", str(out), *options], catch_exceptions=False)
    assert result.exit_code == 0
    account = out / "etc/accounts/oanda-demo.toml"
    account.write_text(
        account.read_text()
        + f"rest_url = '{venue.rest_url}'\nstream_url = '{venue.stream_url}'\nnew_connections_per_s = 1000\n"
    )
    fleet_file = out / "etc/atrader.toml"
    fleet_file.write_text(fleet_file.read_text() + ALWAYS_OPEN)
    return Fleet(out, {"ATRADER_OANDA_DEMO_TOKEN": venue.token})


CLOSE_BUY, NEWEST = 2, -2
BITCOIN = CONFIG[: CONFIG.index("[evening]")]
for _line, _other in (
    ("strategies=morning, evening", "strategies=morning"),
    ("pair=EURUSD", "pair=BTCUSD"),  # which the library trades at weekends, too
    ("passedTimeFrame=60", "passedTimeFrame=1"),
    ("rateRequirements=300,200,0,100", "rateRequirements=10"),
    ("symbolRequirements=D,D,N,GBPUSD", "symbolRequirements=D"),
    ("timeframeRequirements=0,1440,0,60", "timeframeRequirements=0"),
):
    BITCOIN = BITCOIN.replace(_line, _other)
CLOSES_NEWEST = (
    f"OPERATIONAL_MODE=1\nSTRATEGY_INSTANCE_ID=2001\nSTRATEGY_TIMEFRAME=1\nMAX_OPEN_ORDERS=20\nRUN_EVERY_TICK=1\n"
    f"AUTOBBS_TREND_MODE=200\nADDITIONAL_PARAM_26={CLOSE_BUY}\nADDITIONAL_PARAM_27={NEWEST}\n"
)


def account_of(fleet: Fleet) -> dict[str, Any]:
    return dict(fleet.json("account", "oanda-demo"))


def closed_in_history(fleet: Fleet, *trade_ids: str) -> list[dict[str, Any]]:
    """Return trades by their ids once the history has all of them closed; nothing before."""
    rows = {row["trade_id"]: row for row in fleet.history("trades") if row["state"] == "closed"}
    return [rows[name] for name in trade_ids] if rows.keys() >= {*trade_ids} else []


def test_virtual_trades_wait_until_they_add_up_and_belong_to_their_strategies_from_then_on(
    tmp_path: Path, venue: RemoteSimulator, desk: Desk
) -> None:
    desk.trade(4000)
    before = desk.last()
    fleet = imported(tmp_path, venue)
    try:
        assert desk.last() == before  # the import asked for nothing
        fleet.start()
        breaks = wait_for(lambda: account_of(fleet)["breaks"], "the break", interval_s=0.2)
        assert "add up to 5000, the broker holds 4000" in str(breaks)
        assert account_of(fleet)["trades"] == []
        desk.trade(1000)
        before = desk.last()
        wait_for(lambda: account_of(fleet)["proof"] == "holds", "the proof", interval_s=0.2)
        trades = account_of(fleet)["trades"]
        assert [(one["trade_id"], one["magic"], one["units"], one["open_price"]) for one in trades] == [
            ("old-11-1451988000", 2001, "3000", "1.08"),
            ("old-14-1451988000", 999, "2000", "1.09"),
        ]
        owned = {one["trade_id"] for one in trades}
        wait_for(lambda: owned <= {one["trade_id"] for one in fleet.history("trades")}, "the history", interval_s=0.2)
        ids = [one["trade_id"] for one in fleet.history("trades") if one["trade_id"].startswith("old-")]
        assert len(ids) == len({*ids}) == 4  # two were closed long ago
        wait_for(lambda: desk.orders_after(before) == ["STOP_ORDER"], "the stop of the trade that has one, alone")
    finally:
        fleet.end()


def test_the_library_closes_the_trades_that_the_old_trader_left_it_newest_first_and_no_others(
    tmp_path: Path, venue: RemoteSimulator, desk: Desk
) -> None:
    held = {**OPEN[0], "Symbol": "BTCUSD", "OpenPrice": 58000, "StopLoss": 50000, "Volume": 3e-6}
    newer = {**held, "Ticket": 15, "OpenTime": 1451990000, "Volume": 1e-6}
    others = {**held, "Ticket": 14, "InstanceID": 999, "Volume": 2e-6}
    old = write_old_trader(tmp_path / "old", BITCOIN.replace(OLD_ID, NETTING_ACCOUNT))
    (tmp_path / "old/sets/morning.set").write_text(CLOSES_NEWEST)
    (tmp_path / f"old/data/{NETTING_ACCOUNT}_openOrders.json").write_text(tiny_db([held, others, newer]))
    desk.trade(0.6, "BTC_USD")
    fleet = imported_from(old, tmp_path / "new", venue, "--library", str(standin_library()))
    with time_server() as server:
        strategy = fleet.home.etc / "strategies/morning.toml"
        strategy.write_text(strategy.read_text().replace("[parameters]", f"[parameters]\nntp_servers = ['{server}']"))
        try:
            fleet.start()
            wait_for(
                lambda: [one["magic"] for one in account_of(fleet)["trades"]] == [999], "the exits", interval_s=0.2
            )
            wait_for(lambda: account_of(fleet)["proof"] == "holds", "the proof", interval_s=0.2)
            assert desk.long_units("BTC_USD") == 0.2
            # The stops of the closed trades were taken back; that of the other one is there in a moment.
            wait_for(lambda: desk.waiting_units() == [-0.2], "the stop of the other trade, alone")
            ids = "old-15-1451990000", "old-11-1451988000"
            newest, oldest = wait_for(lambda: closed_in_history(fleet, *ids), "the history of both", interval_s=0.2)
            assert newest["close_time"] < oldest["close_time"]
            assert float(newest["profit"]) > 0  # from the old trader's price on
            breaks = {row["text"] for row in fleet.history("alerts") if row["kind"] == "break"}
            assert breaks <= {"trades that were taken over have no price yet, so the equity is not known"}
        finally:
            fleet.end()
