"""A fleet that trades at OANDA's simulator, the session in the gateway and in the worker, killed in between."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.oanda_simulator import HEDGING_ACCOUNT, NETTING_ACCOUNT
from tests.oanda_simulator.hosting import RemoteSimulator, in_process
from tests.support.books import orders_so_far, rows
from tests.support.fleet import BUSY, Fleet, wait_for
from tests.support.oanda_fleet import OandaFleet

ACCOUNTS = {"hedging": HEDGING_ACCOUNT, "netting": NETTING_ACCOUNT}
PLACES = [("gateway", "gateway-oanda"), ("worker", "worker-busy")]


@pytest.fixture
def venue() -> Iterator[RemoteSimulator]:
    with in_process("--loose", "--window", "0", "--every", "0.05") as venue:
        yield venue


def transactions(venue: RemoteSimulator, account_id: str) -> list[dict[str, Any]]:
    """Return the broker's log from its beginning."""
    headers = {"Authorization": f"Bearer {venue.token}"}
    url = f"{venue.rest_url}/v3/accounts/{account_id}/transactions/sinceid"
    found: list[dict[str, Any]] = []
    with httpx.Client(headers=headers, trust_env=False) as client:
        while True:
            last = found[-1]["id"] if found else "1"
            page = client.get(url, params={"id": last}).raise_for_status().json()["transactions"]
            if not page:
                return found
            found += page


def outcome(fleet: OandaFleet) -> set[str]:
    return {state for (state,) in rows(fleet.home.journal("oanda"), "SELECT DISTINCT state FROM orders")}


def open_trades(fleet: OandaFleet) -> int:
    return int(rows(fleet.home.journal("oanda"), "SELECT count(*) FROM trades WHERE is_open = 1")[0][0])


@pytest.mark.parametrize(("session", "holder"), PLACES)
@pytest.mark.parametrize("positions", ["hedging", "netting"])
def test_who_holds_the_session_is_killed_and_no_order_is_lost_or_doubled_at_the_broker(
    tmp_path: Path, venue: RemoteSimulator, positions: str, session: str, holder: str
) -> None:
    account_id = ACCOUNTS[positions]
    fleet = OandaFleet(tmp_path / "home", venue)
    try:
        fleet.write_market(base="1s")
        kind = f"positions = '{positions}'\nsession = '{session}'\nlost_after = '5s'\n"
        fleet.write_oanda(account_id=account_id, account=kind)
        (fleet.home.root / "strategies" / "busy.py").write_text(BUSY)
        fleet.write_instance("busy", 1, account="oanda", text=Fleet.unlimited())
        fleet.start()
        for _ in range(2):
            enough = orders_so_far(fleet, "oanda") + 6
            wait_for(lambda: orders_so_far(fleet, "oanda") > enough, "orders to flow")  # noqa: B023 - asked at once
            fleet.wait_replaced(holder, fleet.kill(holder))
        enough = orders_so_far(fleet, "oanda") + 4
        wait_for(lambda: orders_so_far(fleet, "oanda") > enough, "orders to flow again")
        shown = (session, positions)
        wait_for(lambda: _is_shown_whole(fleet.json("account", "oanda"), *shown), "the whole account", interval_s=0.2)
        assert fleet.command("flatten", "--yes").returncode == 0
        wait_for(lambda: open_trades(fleet) == 0, "everything to be closed")
        wait_for(lambda: outcome(fleet).isdisjoint({"NEW", "SENT", "UNKNOWN", "WORKING", "PARTIAL"}), "all outcomes")
        assert fleet.stop() == 0
    finally:
        fleet.end()
    log = transactions(venue, account_id)
    sent = Counter(_client_id(one) for one in log if one["type"] == "MARKET_ORDER")
    assert set(sent.values()) == {1}, "one intent, one order"
    fills = rows(fleet.home.journal("oanda"), "SELECT fill_id FROM fills")
    assert {_transaction(fill_id) for (fill_id,) in fills} == {one["id"] for one in log if one["type"] == "ORDER_FILL"}


def _client_id(order: dict[str, Any]) -> str:
    """A close of a ticket carries no extensions; the id of its request is the client id as well."""
    extensions: dict[str, str] = order.get("clientExtensions", {})
    return extensions.get("id") or str(order["requestID"])


def _transaction(fill_id: str) -> str:
    """Several parts of one transaction have its id in front."""
    return re.split(r"\D", fill_id)[0]


def _is_shown_whole(row: dict[str, Any], session: str, positions: str) -> bool:
    """Look at the account as `account` shows it; whether it is connected, and its streams were heard just now."""
    assert (row["source"], row["session"], row["positions"]) == ("gateway", session, positions)
    assert row["budget"]["per_second"] == 100
    streams = {stream["name"]: stream for stream in row["health"]["streams"]}
    heard = [stream["connected"] and stream["heard_age_s"] < 10 for stream in streams.values()]
    trip_s = row["health"]["round_trip_s"]
    is_heard = streams.keys() == {"transactions", "prices"} and all(heard) and trip_s is not None and trip_s < 5
    return bool(row["online"] and is_heard and row["watermark"] > 0)
