"""What is shown of an account: by its gateway, by its journal, to programs and to people."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.broker_health import BrokerHealth, StreamHealth
from atrader.clock import SystemClock
from atrader.errors import StoreError
from atrader.instruments import KNOWN
from atrader.messages.account import AccountView
from atrader.messages.gateway import AccountSettings
from broker_api.adapter import BrokerTrade
from broker_api.gateway.account_view import AccountViews
from broker_api.gateway.budget import Budget, Priority
from broker_api.gateway.holdings import orphans_among
from broker_api.journal.looking import looking_into
from manager.account_journal import account_from_journal
from manager.commands.account import shaped
from manager.commands.account_tables import print_account
from manager.commands.status_view import print_status
from tests.support.fault_broker import PRICE, FaultAdapter, Venue
from tests.support.gateways import GatewayBench, account_config, instance_config
from tests.support.orders import make_trade

D = Decimal
FOREIGN = BrokerTrade(
    broker_trade_id="t99", client_id="human-1", magic=None, instrument="EUR/USD", side="sell", units=D(300),
    open_price=PRICE, open_time_ns=1,
)  # fmt: skip
HEALTH = BrokerHealth(
    clock_skew_s=-0.25,
    clock_skew_age_s=4.0,
    round_trip_s=0.031,
    streams=(
        StreamHealth(name="transactions", connected=True, heard_age_s=1.5, reconnects=2),
        StreamHealth(name="prices", connected=False),
    ),
)


class Measuring(FaultAdapter):
    """Tells how it gets on with its venue."""

    def health(self) -> BrokerHealth:
        return HEALTH


def bench_of(root: Path) -> tuple[GatewayBench, Venue]:
    venue = Venue(hedging=True)
    return GatewayBench(root, lambda _: Measuring(venue, deque())), venue


def shown_of(view: AccountView, capsys: pytest.CaptureFixture[str], note: str = "") -> tuple[dict[str, Any], str]:
    """Return what programs and people see."""
    row = json.loads(json.dumps(shaped(view, note)))
    print_account(row, KNOWN)
    return row, capsys.readouterr().out


def test_a_gateway_shows_money_trades_strangers_orphans_and_its_connection(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench, venue = bench_of(tmp_path)

    async def story() -> AccountView:
        await bench.connect()
        await bench.submit(7)
        await bench.submit(7, order_type="limit", price=D("1.05"))
        await bench.submit(8, side="sell", units=D(400))
        venue.tickets["t99"] = FOREIGN
        venue.net["EUR/USD"] -= 300
        await bench.gateway.reconciler.run()
        settings = bench.installation.instances["alpha"]
        bench.gateway.reconfigure(AccountSettings.of(bench.config), [settings])  # beta is gone
        bench.quote(1.1002, 1.1004)
        view = AccountViews(bench.gateway, lambda: 5, SystemClock()).current()
        await bench.stop()
        return view

    view = asyncio.run(story())
    row, text = shown_of(view, capsys)
    assert (row["source"], row["online"], row["proof"], row["positions"]) == ("gateway", True, "holds", "hedging")
    assert [(trade["instance"], trade["units"]) for trade in row["trades"]] == [("alpha", "1000"), ("beta", "400")]
    assert [(trade["broker_trade_id"], trade["instance"]) for trade in row["foreign"]] == [("t99", "")]
    assert [(order["instance"], order["state"]) for order in row["orders"]] == [("alpha", "WORKING")]
    assert [orphan["instance"] for orphan in row["orphans"]] == ["beta"]
    (exposure,) = row["exposures"]
    assert (exposure["long_units"], exposure["short_units"], exposure["net_units"]) == ("1000", "700", "300")
    assert D(exposure["value"]) == (300 * D("1.1003")).quantize(D("0.01"))
    assert sum(D(trade["floating"]) for trade in (*row["trades"], *row["foreign"])) == D(exposure["floating"])
    assert {key: D(row["broker_says"][key]) for key in ("balance", "equity", "margin_used")} == {
        "balance": D(1_000_000),
        "equity": D(1_000_000),
        "margin_used": D(0),
    }
    assert row["broker_says"]["age_s"] >= 1.0, "told before the last quote"
    assert D(row["margin_free"]) == D(row["equity"]) - D(row["margin_used"])
    assert row["health"]["streams"][0] == {
        "name": "transactions",
        "connected": True,
        "heard_age_s": 1.5,
        "reconnects": 2,
    }
    assert row["budget"]["waiting"] == dict.fromkeys(("exit", "cancel", "query", "open", "history"), 0)
    assert 0 <= row["age_s"] < 60
    for words in (
        *("online", "proof holds", "session in the gateway", "foreign trades, never touched", "t99"),
        *(
            "beta (magic 8) is in no strategy file",
            "clock of the broker: -0.250 s",
            "newest answer took 31 ms",
            "1.5 s",
        ),
        *("rows the history does not have yet: 5", f"transaction {view.watermark}", "100 a second"),
    ):
        assert words in text, text


def test_what_nobody_answers_for_is_what_the_journal_had_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench, _ = bench_of(tmp_path)
    with pytest.raises(StoreError, match="no journal yet"):
        account_from_journal(bench.home, bench.installation, "paper")

    async def story() -> None:
        await bench.connect()
        await bench.submit(7)
        await bench.submit(8, side="sell", units=D(400))
        await bench.stop()

    asyncio.run(story())
    installation = bench.installation.model_copy(update={"instances": {"alpha": instance_config("alpha", 7)}})
    view = account_from_journal(bench.home, installation, "paper")
    row, text = shown_of(view, capsys, "nothing runs for this account")
    assert (row["source"], row["balance"], row["health"], row["proof"]) == ("journal", None, None, None)
    assert [(trade["instance"], trade["floating"]) for trade in row["trades"]] == [("alpha", None), ("beta", None)]
    assert [orphan["instance"] for orphan in row["orphans"]] == ["beta"]
    assert row["age_s"] > 0
    assert "nothing runs for this account: this is what its journal had" in text
    assert "online" not in text


def test_an_orphan_whose_name_nobody_knows_is_called_by_its_magic_number() -> None:
    trades = [make_trade("one", magic=5, instance=""), make_trade("two", magic=6, instance="beta")]
    assert [(one.instance, one.open_trades) for one in orphans_among(trades, [], {7})] == [("5", 1), ("beta", 1)]


def test_looking_into_a_journal_changes_nothing_and_sees_one_moment(tmp_path: Path) -> None:
    bench, _ = bench_of(tmp_path)

    async def story() -> None:
        await bench.connect()
        with looking_into(bench.home.journal("paper")) as seen:
            before = len(seen.open_trades())
            await bench.submit(7)
            assert len(seen.open_trades()) == before
        with looking_into(bench.home.journal("paper")) as seen:
            assert len(seen.open_trades()) == before + 1
        await bench.stop()

    asyncio.run(story())
    bench.home.journal("paper").write_bytes(b"no database at all" * 500)
    with pytest.raises(StoreError, match="cannot be read"), looking_into(bench.home.journal("paper")) as seen:
        seen.open_trades()


def test_the_state_of_a_budget_counts_who_waits_by_priority() -> None:
    async def story() -> None:
        budget = Budget(account_config(budget={"per_second": "0.5", "burst": 2}).budget, SystemClock())
        assert budget.take_at_once()
        assert budget.take_at_once()
        waiting = [asyncio.create_task(budget.take(kind)) for kind in (Priority.EXIT, Priority.OPEN, Priority.OPEN)]
        await asyncio.sleep(0)
        state = budget.state()
        assert state is not None
        assert (state.per_second, state.burst) == (0.5, 2)
        assert state.tokens < 1.0
        assert state.waiting == {"exit": 1, "cancel": 0, "query": 0, "open": 2, "history": 0}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        state = budget.state()
        assert state is not None
        assert sum(state.waiting.values()) == 0, "who was cancelled does not wait"

    asyncio.run(story())
    assert Budget(None, SystemClock()).state() is None


def test_the_status_names_a_stream_that_is_down(capsys: pytest.CaptureFixture[str]) -> None:
    account = {"name": "demo", "balance": "1", "equity": "1", "proof": "holds", "health": HEALTH.model_dump()}
    manager = {"state": "RUNNING", "pid": 1, "uptime_s": 1.0}
    print_status({"manager": manager, "processes": [], "accounts": [account]})
    text = capsys.readouterr().out
    assert "demo: the stream of prices is down; 'account demo' has more" in text
    assert "stream of transactions" not in text
