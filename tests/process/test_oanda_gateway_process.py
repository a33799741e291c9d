"""One real gateway process on an OANDA account: killed at each step of the order protocol, and stopped in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from atrader.exit_codes import ExitCode
from atrader.messages.gateway import OrderAnswer
from atrader.orders.model import Intent
from broker_api.gateway.crash_points import CRASH_POINTS, VARIABLE
from tests.oanda_simulator import HEDGING_ACCOUNT, Limits
from tests.oanda_simulator.hosting import HostedSimulator, in_thread
from tests.support.fleet import wait_for
from tests.support.gateway_host import GatewayProcess
from tests.support.oanda_fleet import ALWAYS_OPEN

ANSWER_LOST = "after-send-before-answer"
ACCOUNT = """
broker = "oanda"
currency_digits = 4
order_timeout = "2s"
lookup_delays = ["50ms", "100ms"]
lost_after = "500ms"
proof_interval = "200ms"
[oanda]
account_id = "{account}"
token = "env:OANDA_TOKEN"
rest_url = "{rest}"
stream_url = "{stream}"
new_connections_per_s = 1000
"""


@pytest.fixture
def venue() -> Iterator[HostedSimulator]:
    with in_thread(limits=Limits.loose(), price_window_s=0.0) as venue:
        venue.call(lambda sim: sim.quote("EUR_USD", "1.10000", "1.10010"))
        yield venue


@pytest.fixture
def gateway(tmp_path: Path, venue: HostedSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayProcess]:
    monkeypatch.setenv("OANDA_TOKEN", venue.token)
    file = ACCOUNT.format(account=HEDGING_ACCOUNT, rest=venue.rest_url, stream=venue.stream_url)
    made = GatewayProcess(tmp_path / "home", "oanda", file, ALWAYS_OPEN)
    yield made
    made.end()


def orders_of(venue: HostedSimulator, client_id: str) -> int:
    """Return how often the venue executed something for a client id, by order or by request."""
    log = venue.call(lambda sim: list(sim.account(HEDGING_ACCOUNT).log.since(0)))
    kinds = ("MARKET_ORDER", "LIMIT_ORDER", "ORDER_CANCEL")
    return sum(
        item["type"] in kinds and client_id in ((item.get("clientExtensions") or {}).get("id"), item.get("requestID"))
        for item in log
    )


def keep_quoting(venue: HostedSimulator) -> None:
    venue.call(lambda sim: sim.quote("EUR_USD", "1.10000", "1.10010"))


def submitted(gateway: GatewayProcess, venue: HostedSimulator, intent: Intent) -> OrderAnswer:
    keep_quoting(venue)  # an open needs a fresh price
    return gateway.submit(intent)


@pytest.mark.parametrize(("action", "point"), [*(("open", point) for point in CRASH_POINTS), ("close", ANSWER_LOST)])
def test_after_a_kill_at_each_step_the_repeated_intent_has_one_outcome_and_one_order_at_the_broker(
    gateway: GatewayProcess, venue: HostedSimulator, tmp_path: Path, point: str, action: str
) -> None:
    marker = tmp_path / "crashed"
    marker.touch()  # while it is there nobody dies
    gateway.start(**{VARIABLE: f"{point}@{marker}"})
    wait_for(lambda: _filled(gateway, venue), "a first fill")
    opened = submitted(gateway, venue, gateway.intent()).order
    assert opened.state == "FILLED"
    marker.unlink()
    if action == "open":
        intent = gateway.intent(order_type="limit", price=Decimal("1.08"))
    else:
        intent = gateway.intent(action="close", side=None, units=Decimal(400), trade_id=opened.client_id)
    answers: list[OrderAnswer] = []
    worker = threading.Thread(target=lambda: answers.append(submitted(gateway, venue, intent)))
    worker.start()
    assert gateway.wait_for_end() == -signal.SIGKILL
    assert marker.exists()
    keep_quoting(venue)
    gateway.start(**{VARIABLE: f"{point}@{marker}"})
    worker.join(90)
    assert answers
    outcome = wait_for(lambda: gateway.outcome(intent), "an outcome")
    done = "WORKING" if action == "open" else "FILLED"
    # A gateway that has just started may have no price yet when the intent comes again: it opens nothing then.
    possible = {"before-journal": {done, "DENIED"}, "after-journal-before-send": {"LOST"}}.get(point, {done})
    assert outcome in possible
    assert orders_of(venue, intent.client_id) == (outcome == done)
    wait_for(lambda: gateway.client.account().proof == "holds", "the proof")
    assert gateway.stop() == ExitCode.OK


def test_a_gateway_whose_broker_is_away_waits_and_then_trades(gateway: GatewayProcess, venue: HostedSimulator) -> None:
    venue.call(lambda sim: sim.maintain())
    gateway.start()
    wait_for(lambda: len(venue.call(lambda sim: list(sim.requests))) > 2, "attempts")
    venue.call(lambda sim: sim.maintain(False))
    wait_for(lambda: _filled(gateway, venue), "a fill")
    assert gateway.stop() == ExitCode.OK


def test_a_token_that_is_refused_ends_the_gateway_with_the_code_for_that(
    gateway: GatewayProcess, venue: HostedSimulator
) -> None:
    gateway.start(OANDA_TOKEN="of-another-environment")
    assert gateway.wait_for_end() == ExitCode.AUTH
    assert venue.call(lambda sim: len(sim.requests)) == 1  # repeated wrong credentials lock an account


def test_an_account_of_another_kind_than_its_file_says_is_refused(gateway: GatewayProcess) -> None:
    path = gateway.home.etc / "accounts" / "oanda.toml"
    path.write_text('positions = "netting"\n' + path.read_text())
    gateway.start()
    assert gateway.wait_for_end() == ExitCode.CONFIG


def _filled(gateway: GatewayProcess, venue: HostedSimulator) -> bool:
    return submitted(gateway, venue, gateway.intent()).order.state == "FILLED"
