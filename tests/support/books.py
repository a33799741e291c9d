"""The books of a stopped fleet, read with nothing but SQLite, and what must hold between them.

Three books tell of the same trading: the paper broker's own, the gateway's journal, and the history.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from tests.support.fleet import Fleet, wait_for

_WITH_OUTCOME = {"DENIED", "FILLED", "DONE", "CANCELLED", "REJECTED", "EXPIRED", "LOST"}
_WORKING = {"WORKING", "PARTIAL"}
_START = Decimal(1_000_000)  # what Fleet.write_account gives


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Read rows of a database without writing to it."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def history_rows(fleet: Fleet, query: str) -> list[tuple[Any, ...]]:
    """Read rows of the history, wherever the fleet keeps it."""
    if fleet.store_url is None:
        return rows(fleet.home.history_store, query)
    with psycopg.connect(fleet.store_url) as connection:
        connection.execute("SET search_path = atrader")
        return connection.execute(query.encode()).fetchall()


def orders_so_far(fleet: Fleet, account: str = "paper") -> int:
    """Count the orders in the journal; works while the fleet runs."""
    path = fleet.home.journal(account)
    if not path.exists():
        return 0
    try:
        return int(rows(path, "SELECT count(*) FROM orders")[0][0])
    except sqlite3.OperationalError:  # the gateway is just making it
        return 0


def check_books(fleet: Fleet, account: str = "paper", *, history_complete: bool = True) -> None:
    """Check every promise about orders.

    Parameters
    ----------
    fleet : Fleet
        Stopped.
    account : str
        Which account.
    history_complete : bool
        False after a fleet that was killed: the history may lack what the journal's outbox still holds.
    """
    journal, paper = fleet.home.journal(account), fleet.home.paper(account)
    orders = {row[0]: json.loads(row[1]) for row in rows(journal, "SELECT client_id, body FROM orders")}
    assert orders, "nothing was traded, so nothing is shown"
    if history_complete:
        _every_intent_has_one_outcome(orders)
    _no_intent_has_two_orders(orders, paper)
    if history_complete:
        fills = {row[0]: json.loads(row[1]) for row in rows(journal, "SELECT fill_id, body FROM fills")}
        _every_fill_is_written_down(orders, fills, paper)
        _the_proof_holds(journal, paper)
        _no_money_is_lost(journal, paper)
        _history_equals_journal(fleet, account, orders, fills)


def _every_intent_has_one_outcome(orders: dict[str, dict[str, Any]]) -> None:
    odd = {name: order["state"] for name, order in orders.items() if order["state"] not in _WITH_OUTCOME | _WORKING}
    assert not odd, f"without an outcome: {odd}"


def _no_intent_has_two_orders(orders: dict[str, dict[str, Any]], paper: Path) -> None:
    seen = dict(rows(paper, "SELECT client_id, seen FROM clients"))
    assert not {name: count for name, count in seen.items() if count > 1}, "sent twice"
    assert set(seen) <= set(orders), f"at the broker, not in the journal: {set(seen) - set(orders)}"
    numbers = [(order["intent"]["magic"], order["intent"]["n"]) for order in orders.values()]
    assert len(numbers) == len(set(numbers))
    decisions = [
        (order["intent"]["magic"], order["intent"]["decision"])
        for order in orders.values()
        if order["intent"].get("decision")
    ]
    assert len(decisions) == len(set(decisions)), "one decision was traded twice"


def _every_fill_is_written_down(
    orders: dict[str, dict[str, Any]], fills: dict[str, dict[str, Any]], paper: Path
) -> None:
    reports = [json.loads(row[0]) for row in rows(paper, "SELECT body FROM reports WHERE kind = 'fill'")]
    missing = {report["fill_id"] for report in reports} - set(fills)
    assert not missing, f"fills the journal does not know: {missing}"
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for fill in fills.values():
        if fill.get("client_id"):
            filled[fill["client_id"]] += Decimal(fill["units"])
    for name, order in orders.items():
        if order["intent"]["action"] in ("open", "close"):
            assert filled[name] == Decimal(order["filled_units"]), name
            assert (order["state"] == "FILLED") == (filled[name] > 0 and filled[name] == Decimal(order["units"])), order


def _signed(side: str, units: str) -> Decimal:
    return Decimal(units) if side == "buy" else -Decimal(units)


def _the_proof_holds(journal: Path, paper: Path) -> None:
    virtual: dict[str, Decimal] = defaultdict(Decimal)
    for (body,) in rows(journal, "SELECT body FROM trades WHERE is_open = 1"):
        trade = json.loads(body)
        virtual[trade["instrument"]] += _signed(trade["side"], trade["units"])
    real: dict[str, Decimal] = defaultdict(Decimal)
    for (body,) in rows(paper, "SELECT body FROM tickets"):
        ticket = json.loads(body)
        real[ticket["instrument"]] += _signed(ticket["side"], ticket["units"])
    instruments = set(virtual) | set(real)
    assert {name: virtual[name] for name in instruments} == {name: real[name] for name in instruments}


def _no_money_is_lost(journal: Path, paper: Path) -> None:
    booked = Decimal(0)
    for (body,) in rows(journal, "SELECT body FROM trades"):
        trade = json.loads(body)
        booked += Decimal(trade["profit"]) + Decimal(trade["commission"]) + Decimal(trade["swap"])
    ((balance,),) = rows(paper, "SELECT balance FROM account")
    assert Decimal(balance) == _START + booked


def _history_equals_journal(
    fleet: Fleet, account: str, orders: dict[str, dict[str, Any]], fills: dict[str, dict[str, Any]]
) -> None:
    kept = {row[0]: (row[1], row[2]) for row in history_rows(fleet, "SELECT client_id, state, version FROM orders")}
    assert kept == {name: (order["state"], order["version"]) for name, order in orders.items()}
    assert {row[0] for row in history_rows(fleet, "SELECT fill_id FROM fills")} == set(fills)
    journal_trades = {}
    for (body,) in rows(fleet.home.journal(account), "SELECT body FROM trades"):
        trade = json.loads(body)
        journal_trades[trade["trade_id"]] = (trade["version"], Decimal(trade["profit"]), Decimal(trade["units"]))
    history_trades = {
        row[0]: (row[1], Decimal(row[2]), Decimal(row[3]))
        for row in history_rows(fleet, "SELECT trade_id, version, profit, units_open FROM trades")
    }
    assert history_trades == journal_trades


def wait_until_decided(fleet: Fleet, account: str = "paper") -> None:
    """Wait until every order that a killed process left in doubt has an outcome."""
    query = "SELECT client_id FROM orders WHERE state = 'UNKNOWN'"
    wait_for(lambda: not rows(fleet.home.journal(account), query), "an outcome of every order")
