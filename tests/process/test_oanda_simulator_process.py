"""The simulator by hand and from tests that are not asynchronous: its process, its commands, its thread."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from atrader.clock import parse_time
from atrader.configuration.account import AccountConfig
from tests.oanda_simulator.hosting import in_process, in_thread
from tests.oanda_simulator.recorded import RecordedPrices

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "101-004-1234567-002"


@pytest.fixture(scope="module")
def remote():
    with in_process("--loose", "--every", "0", "--history-days", "2", "--start", "2026-11-18T15:00:00Z") as found:
        yield found


def test_commands_from_another_process_move_prices_time_and_trades(remote):
    assert remote.accounts[0] == ACCOUNT
    remote.do("quote", instrument="EUR_USD", bid="1.20000", ask="1.20010")
    body = remote.do("trade", account=ACCOUNT, instrument="EUR_USD", units="500", stopLossOnFill={"price": "1.19"})
    assert body["orderFillTransaction"]["price"] == "1.20010"
    before = remote.do("advance", seconds=0)
    assert remote.do("advance", seconds=2.5) - before == 2_500_000_000
    remote.do("quote", instrument="EUR_USD", bids=[["1.18000", 5]], asks=[["1.18010", 5], ["1.18020", 1000]])
    trade = body["orderFillTransaction"]["id"]
    remote.do("close_trade", account=ACCOUNT, trade=trade, units="5")
    reasons = [entry.get("reason") for entry in remote.do("transactions", account=ACCOUNT, since=int(trade))]
    assert "MARKET_ORDER_TRADE_CLOSE" in reasons
    assert remote.do("account", account=ACCOUNT)["hedgingEnabled"] is True


def test_faults_can_be_commanded_and_are_told(remote):
    remote.do("fault", method="GET", path="/summary", kind="503")
    with httpx.Client(headers={"Authorization": f"Bearer {remote.token}"}, trust_env=False) as client:
        url = f"{remote.rest_url}/v3/accounts/{ACCOUNT}/summary"
        assert [client.get(url).status_code for _ in range(2)] == [503, 200]
    assert remote.do("drawn_faults") == [["GET", f"/v3/accounts/{ACCOUNT}/summary", "503"]]
    assert ["GET", f"/v3/accounts/{ACCOUNT}/summary"] in remote.do("requests")


def test_a_wrong_command_is_refused_with_its_reason(remote):
    with pytest.raises(ValueError, match="one of"):
        remote.do("fly")
    with pytest.raises(ValueError, match="unknown fault"):
        remote.do("fault", method="GET", path="/", kind="explode")
    with pytest.raises(ValueError, match="unexpected keyword"):
        remote.do("halt", instrument="EUR_USD", colour="red")
    listed = httpx.get(remote.control_url, trust_env=False).json()["result"]
    assert listed["maintain"].startswith("(on: bool = True) -> None Begin or end maintenance")


def test_it_has_history_before_its_start(remote):
    with httpx.Client(headers={"Authorization": f"Bearer {remote.token}"}, trust_env=False) as client:
        url = f"{remote.rest_url}/v3/accounts/{ACCOUNT}/instruments/EUR_GBP/candles"
        query = {"granularity": "H1", "price": "BA", "to": "2026-11-18T15:00:00Z", "count": "40"}
        found = client.get(url, params=query).json()["candles"]
    assert len(found) == 40
    assert all(float(c["bid"]["l"]) <= float(c["bid"]["o"]) <= float(c["bid"]["h"]) for c in found)
    assert abs(float(found[-1]["ask"]["c"]) - 0.8543) < 0.002


def started(*arguments):
    command = [sys.executable, "-P", "-m", "tests.oanda_simulator", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)


ANY_PORTS = ("--port", "0", "--stream-port", "0", "--control-port", "0", "--history-days", "0.1")


def test_by_hand_it_prints_an_account_file_that_is_one_and_ends_cleanly():
    with started(*ANY_PORTS) as process:
        lines: list[str] = []
        while not (lines and lines[-1].startswith("Ctrl-C")):
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr.read() == ""
    first = next(row for row, line in enumerate(lines) if line.startswith("broker"))
    settings = AccountConfig.model_validate({"name": "oanda", **tomllib.loads("".join(lines[first:-1]))})
    assert (settings.broker, settings.positions) == ("oanda", "hedging")
    assert settings.oanda is not None
    assert settings.oanda.account_id == ACCOUNT
    assert any(settings.oanda.stream_base in line for line in lines[:6])


def test_a_port_in_use_is_told_with_the_options_that_change_it(remote):
    port = remote.rest_url.rpartition(":")[2]
    with started(*ANY_PORTS[2:], "--port", port) as process:
        assert process.wait(60) == 1
        assert "--stream-port" in process.stderr.read()


def test_prices_move_by_the_seed_and_crosses_follow():
    with in_process("--loose", "--every", "0.02", "--history-days", "0", "--seed", "3", "--window", "0") as remote:
        headers = {"Authorization": f"Bearer {remote.token}"}
        query = {"instruments": "EUR_USD,GBP_USD,EUR_GBP", "snapshot": "false"}
        url = f"{remote.stream_url}/v3/accounts/{ACCOUNT}/pricing/stream"
        seen: dict[str, list[float]] = {}
        with httpx.stream("GET", url, params=query, headers=headers, timeout=60, trust_env=False) as answer:
            for line in answer.iter_lines():
                price = httpx.Response(200, text=line).json()
                seen.setdefault(price["instrument"], []).append(float(price["bids"][0]["price"]))
                if len(seen) == 3 and len(seen["EUR_GBP"]) == 5:
                    break
    assert len(set(seen["EUR_USD"])) > 1
    cross = seen["EUR_USD"][-1] / seen["GBP_USD"][-1]
    assert abs(seen["EUR_GBP"][-1] / cross - 1) < 1e-3


def test_a_simulator_in_a_thread_is_called_from_here():
    with in_thread(start_ns=0, hours="always") as host:
        quote = host.call(lambda sim: sim.quote("EUR_USD", "1.3", "1.4"))
        host.call(lambda sim: sim.advance(3))
        assert host.call(lambda sim: sim.clock.now()) == 3_000_000_000
        assert quote == host.call(lambda sim: sim.venue.market.get("EUR_USD"))
        headers = {"Authorization": f"Bearer {host.token}"}
        assert httpx.get(f"{host.rest_url}/v3/accounts", headers=headers, trust_env=False).status_code == 200


def test_a_simulator_in_a_thread_that_cannot_start_says_why():
    with pytest.raises(TypeError, match="colour"), in_thread(colour="red"):
        pass


RECORDING = """\
timestamp,bid,ask
2026-11-18 15:00:01.500000+00:00,1.20000,1.20010
2026-11-18 15:00:03.000000+00:00,1.20100,1.20110
"""


def test_recorded_prices_move_a_virtual_clock_to_their_times(tmp_path):
    for name in ("EUR_USD", "GBP_USD"):
        (tmp_path / name).write_text(RECORDING.replace("01.500000", "01.750000" if name == "GBP_USD" else "01.500000"))
    files = {name: tmp_path / name for name in ("EUR_USD", "GBP_USD")}
    with in_thread(start_ns=parse_time("2026-11-18T15:00:00Z")) as host:
        first = host.call(lambda sim: RecordedPrices(sim, files).step())
        assert first.instrument == "EUR_USD"
        host.call(lambda sim: RecordedPrices(sim, files, speed=1e6).run())
        assert host.call(lambda sim: sim.clock.now()) == parse_time("2026-11-18T15:00:03Z")
        assert str(host.call(lambda sim: sim.venue.market.get("GBP_USD")).bid) == "1.20100"


def test_a_recording_that_is_none_ends_the_simulator_with_file_and_line(tmp_path):
    wrong = tmp_path / "prices.csv"
    wrong.write_text(RECORDING + "yesterday,1,2\n")
    with started(*ANY_PORTS, "--recorded", f"EUR_USD={wrong}", "--speed", "1000") as process:
        assert process.wait(60) == 1
        assert f"{wrong}, line 4" in process.stderr.read()
    with started("--recorded", "EUR_XXX=nowhere") as process:
        assert process.wait(60) == 2
        assert "INSTRUMENT=FILE" in process.stderr.read()
