"""``doctor`` in front of OANDA: what the simulator says of accounts, held against their files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from atrader.clock import SystemClock
from atrader.configuration.fleet import Installation
from manager.doctor_accounts import examine_accounts
from manager.doctor_secrets import examine_secrets
from manager.finding import Finding
from tests.oanda_simulator import HEDGING_ACCOUNT, NETTING_ACCOUNT, AccountSettings, Limits, OandaSimulator
from tests.support.loops import in_loop

MT4_ACCOUNT = "101-004-1234567-009"


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the file of a good token."""
    path = tmp_path / "token"
    path.write_text("practice-0123456789abcdef-fedcba9876543210\n")
    path.chmod(0o600)
    return path


@contextlib.asynccontextmanager
async def broker(**more: Any) -> AsyncIterator[OandaSimulator]:
    accounts = (
        NETTING_ACCOUNT, AccountSettings(HEDGING_ACCOUNT, hedging=True), AccountSettings(MT4_ACCOUNT, mt4_id=77)
    )  # fmt: skip
    async with OandaSimulator(accounts, limits=Limits.loose(), **more) as sim:
        yield sim


def installation(sim: OandaSimulator, token: Path, account_id: str, instrument: str, **account: Any) -> Installation:
    oanda = {
        "account_id": account_id,
        "token": f"file:{token}",
        "rest_url": sim.rest_url,
        "stream_url": sim.stream_url,
        "connect_timeout": "1s",
        "read_timeout": "1s",
        "new_connections_per_s": 1000,
    }
    instance = {"name": "alpha", "strategy": "sma-cross", "account": "demo", "magic": 1, "timeframe": "1m"}
    return Installation.model_validate(
        {
            "home": "/nowhere",
            "fleet": {},
            "accounts": {"demo": {"name": "demo", "broker": "oanda", "oanda": oanda, **account}},
            "instances": {"alpha": {**instance, "instrument": instrument}},
        }
    )


async def examined(
    sim: OandaSimulator, token: Path, account_id: str = NETTING_ACCOUNT, instrument: str = "EUR/USD", **account: Any
) -> dict[str, Finding]:
    """Return the findings by what they are about; doctor has a loop of its own, so it gets a thread."""
    here = installation(sim, token, account_id, instrument, **account)
    found = await asyncio.to_thread(examine_accounts, here, SystemClock())
    assert {method for method, _ in sim.requests} <= {"GET"}, "doctor only reads"
    assert all(finding.remedy for finding in found if finding.level != "ok")
    return {finding.what.removeprefix("account demo: "): finding for finding in found}


@in_loop
async def test_a_good_account_is_well_in_every_respect(token: Path) -> None:
    async with broker() as sim:
        found = await examined(sim, token, positions="netting", currency="USD")
    assert {what: finding.level for what, finding in found.items()} == dict.fromkeys(
        (
            "login",
            "permissions",
            "stream of transactions",
            "stream of prices",
            "clock",
            "kind",
            "currency",
            "EUR/USD of alpha",
        ),
        "ok",
    )
    assert found["kind"].text == "netting"
    assert found["EUR/USD of alpha"].text == "can be traded now"


@in_loop
@pytest.mark.parametrize(("host", "said"), [("nobody", "nothing was sent"), ("other", "status 404")])
async def test_streams_that_do_not_come_are_found_although_requests_are_answered(
    token: Path, host: str, said: str
) -> None:
    async with broker() as sim:
        wrong = "http://127.0.0.1:1" if host == "nobody" else f"{sim.stream_url}/elsewhere"
        here = installation(sim, token, NETTING_ACCOUNT, "EUR/USD", positions="netting")
        account = here.accounts["demo"]
        assert account.oanda is not None
        settings = account.oanda.model_copy(update={"stream_url": wrong})
        accounts = {"demo": account.model_copy(update={"oanda": settings})}
        found = await asyncio.to_thread(examine_accounts, here.model_copy(update={"accounts": accounts}), SystemClock())
    by_what = {finding.what.removeprefix("account demo: "): finding for finding in found}
    assert by_what["login"].level == "ok"
    for name in ("stream of transactions", "stream of prices"):
        assert (by_what[name].level, said in by_what[name].text) == ("error", True), by_what[name]
        assert "oanda.stream_url in etc/accounts/demo.toml" in by_what[name].remedy


@in_loop
async def test_a_file_that_says_other_than_the_broker_is_named_with_what_to_write(token: Path) -> None:
    async with broker(skew_s=3.0) as sim:
        found = await examined(sim, token, HEDGING_ACCOUNT, "BTC/USDT", positions="netting", currency="EUR")
        assert {what for what, finding in found.items() if finding.level == "error"} == {
            *("kind", "currency", "BTC/USDT of alpha")
        }
        assert found["kind"].remedy.startswith("write positions = 'hedging'")
        assert found["currency"].remedy == "write currency = 'USD'"
        assert found["clock"].level == "warning"
        assert "+3.0" in found["clock"].text or "+2.9" in found["clock"].text
        found = await examined(sim, token, trade={"max_price_age": "2s"})
        assert found["clock"].level == "error"
        assert (found["kind"].level, found["kind"].remedy) == ("error", "write positions = 'netting'")
        assert "does not say so, which means hedging" in found["kind"].text


@in_loop
async def test_an_account_linked_to_mt4_is_told_what_that_means(token: Path) -> None:
    async with broker() as sim:
        found = await examined(sim, token, MT4_ACCOUNT, positions="netting")
    assert found["ids"].level == "warning"
    assert "journal" in found["ids"].remedy


@in_loop
async def test_halted_instruments_and_closed_markets_are_told_apart(token: Path) -> None:
    async with broker() as sim:
        sim.halt("EUR_USD")
        found = await examined(sim, token)
    finding = found["EUR/USD of alpha"]
    assert (finding.level, finding.text) in (
        ("warning", "cannot be traded now, although its market (fx) ought to be open"),
        ("ok", "its market is closed now"),  # at weekends
    )


@in_loop
async def test_wrong_credentials_another_account_and_a_broker_that_is_away_are_told_apart(token: Path) -> None:
    async with broker() as sim:
        other = await examined(sim, token, "101-004-1234567-777")
        assert other["login"].level == "error"
        assert NETTING_ACCOUNT in other["login"].text
        sim.maintain()
        away = await examined(sim, token)
        assert (away["login"].level, away["login"].remedy) == ("error", "try again later")
        sim.maintain(False)
        token.write_text("live-0123456789abcdef-fedcba9876543210")
        wrong = await examined(sim, token)
        assert wrong["login"].remedy.startswith("make a new token")
        token.chmod(0o644)
        open_to_all = await examined(sim, token)
        assert open_to_all["login"].remedy == "correct etc/accounts/demo.toml, or what it refers to"
        token.chmod(0o600)
        assert "0123456789abcdef" not in str(wrong)
    gone = await examined(sim, token)
    assert (gone["login"].level, gone["login"].remedy) == ("error", "try again later")


@in_loop
async def test_secrets_that_are_missing_or_open_to_others_are_found(
    token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with broker() as sim:
        here = installation(sim, token, NETTING_ACCOUNT, "EUR/USD")
    (finding,) = examine_secrets(here)
    assert finding == Finding("ok", "secret etc/accounts/demo.toml:oanda.token", "in a file that nobody else may read")
    token.chmod(0o644)
    (finding,) = examine_secrets(here)
    assert finding.level == "error"
    assert f"chmod 600 {token}" in finding.text
    token.unlink()
    assert next(examine_secrets(here)).level == "error"


@in_loop
async def test_answers_that_say_nothing_are_findings_and_say_nothing_false(token: Path) -> None:
    async with broker() as sim:
        fleet = installation(sim, token, HEDGING_ACCOUNT, "EUR/USD", positions="hedging")
        for path, text in (
            ("/v3/accounts", "may use other accounts only: none"),
            ("/summary", "an answer that holds no account"),
            ("/instruments", "does not offer it"),
        ):
            sim.faults.next("GET", path, "empty-json")
            errors = [finding.text for finding in await asyncio.to_thread(examine_accounts, fleet, SystemClock())
                      if finding.level == "error"]  # fmt: skip
            assert len(errors) == 1, errors
            assert text in errors[0]
        sim.faults.next("GET", "/pricing", "empty-json")
        found = await asyncio.to_thread(examine_accounts, fleet, SystemClock())
        assert {finding.level for finding in found} == {"ok"}
