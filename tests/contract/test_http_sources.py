"""Candles and picks of a real HTTP service, in good and bad moods."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from atrader.calendars import Calendar
from atrader.clock import SystemClock, parse_time
from atrader.configuration.fleet import FleetConfig, Installation
from atrader.errors import AtraderError, ConfigError
from atrader.market import Bars
from atrader.timeframes import Timeframe
from data_layer.sources import BarPage, SourceBusy, SourceRefused, checked
from data_layer.sources.choice import Sources, make_sources
from tests.support.bar_sources import MINUTE, market_bars, same, without
from tests.support.candle_server import LOGIN, PASSWORD, REFRESH, USER, CandleServer

M1 = Timeframe.parse("1m")
START = parse_time("2024-03-12T10:00Z")
END = START + 300 * MINUTE


def one_price(bars: Bars) -> Bars:
    """Return bars as they come back from a service that has one price only."""
    return Bars(*bars.columns[:5], *bars.columns[1:5], bars.columns[9])


BARS = one_price(without(market_bars(Calendar.get("fx"), "2024-03-12T09:00Z", "2024-03-12T16:00Z"), [100, 101, 200]))
ASKED = BARS[60:357]


@pytest.fixture
def server() -> Iterator[CandleServer]:
    with CandleServer() as server:
        server.bars["EUR-USD", "1m"] = BARS
        yield server


def installation(fleet: FleetConfig) -> Installation:
    return Installation(home="/nowhere", fleet=fleet, accounts={}, instances={})


def nobody(instrument: str) -> None:
    """Say that no gateway brings prices."""


class Service:
    """The sources of a configuration, asked from a plain test."""

    def __init__(self, server: CandleServer, **source: Any) -> None:
        settings = {
            "sources": {"backend": server.configuration(**source)},
            "data": {"backfill": {"screener": "backend"}},
        }
        if "screener" not in source:
            del settings["data"]
        self.fleet = FleetConfig.model_validate(settings)

    def page(self, *, times: int = 1) -> BarPage:
        async def ask(sources: Sources) -> BarPage:
            [source] = sources.bars
            for _ in range(times - 1):
                await source.page("EUR/USD", M1, START, END)
            return checked(await source.page("EUR/USD", M1, START, END), M1, Calendar.get("fx"), START, END)

        return self._run(ask)

    def pick(self) -> Any:
        async def ask(sources: Sources) -> Any:
            assert sources.screener is not None
            return await sources.screener.pick()

        return self._run(ask)

    def _run(self, ask: Any) -> Any:
        async def run() -> Any:
            sources = make_sources(installation(self.fleet), nobody, SystemClock())
            try:
                work: Coroutine[Any, Any, Any] = ask(sources)
                return await work
            finally:
                for source in sources.bars:
                    await source.close()

        return asyncio.run(run())


def login(server: CandleServer, **others: Any) -> dict[str, Any]:
    """Return an [auth] that logs in; the first token is one that nobody knows."""
    server.token = "unknown to all"
    return {"kind": "login", "login": {"user": USER, "password": "env:TEST_PASSWORD", **others}}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_PASSWORD", PASSWORD)
    monkeypatch.setenv("TEST_TOKEN", "s3cret")


def test_a_page_holds_what_was_asked_for_and_no_more(server: CandleServer) -> None:
    page = Service(server).page()
    assert same(page.bars, ASKED)
    assert page.answered_until_ns == END
    assert server.seen == [
        "/api/v1/candles/EUR-USD/1m?from=2024-03-12T10%3A00%3A00Z&to=2024-03-12T15%3A00%3A00Z&limit=200"
    ]


@pytest.mark.parametrize(
    "auth", [{"kind": "bearer", "token": "env:TEST_TOKEN"}, {"kind": "api-key", "token": "env:TEST_TOKEN"}]
)
def test_a_token_or_key_goes_with_each_request(server: CandleServer, auth: dict[str, str]) -> None:
    server.token = "s3cret"
    assert same(Service(server, auth=auth).page().bars, ASKED)
    server.token = "another"
    with pytest.raises(ConfigError, match="does not let us in") as caught:
        Service(server, auth=auth).page()
    assert "s3cret" not in str(caught.value)


def test_a_login_is_done_once_and_its_token_renewed_when_it_ends(server: CandleServer) -> None:
    service = Service(server, auth=login(server))
    server.faults = ["", "401", ""]
    assert same(service.page(times=3).bars, ASKED)
    assert (server.logins, server.refreshes) == (2, 0)
    assert server.seen.count(LOGIN) == 2


def test_a_refresh_token_is_used_before_the_password(server: CandleServer) -> None:
    service = Service(server, auth=login(server, refresh_path=REFRESH))
    server.faults = ["", "401", ""]
    assert same(service.page(times=3).bars, ASKED)
    assert (server.logins, server.refreshes) == (1, 1)


def test_when_the_refresh_token_is_too_old_the_password_is_used(server: CandleServer) -> None:
    service = Service(server, auth=login(server, refresh_path=f"{REFRESH}?old"))
    server.faults = ["", "401", ""]
    assert same(service.page(times=3).bars, ASKED)
    assert (server.logins, server.refreshes) == (2, 0)


def test_a_wrong_password_is_said_and_not_repeated(server: CandleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(server, auth=login(server))
    monkeypatch.setenv("TEST_PASSWORD", "wrong")
    with pytest.raises(ConfigError, match="does not let us in") as caught:
        service.page()
    assert server.seen == [LOGIN]
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("500", SourceBusy, "status 500: .*oops"),
        ("truncated", SourceBusy, "RemoteProtocolError"),
        ("garbage", SourceBusy, "no JSON"),
        ("html", SourceBusy, "no JSON: <html>Welcome"),
        ("deep", SourceBusy, "no JSON: "),
        ("nowhere", ConfigError, r"sends us to 'http://\[broken'"),
        ("404", SourceRefused, "status 404: .*no such candles"),
        ("403", ConfigError, "does not let us in"),
        ("away", ConfigError, "sends us to 'localhost:1'"),
    ],
)
def test_each_way_to_fail_is_one_of_three_errors(
    server: CandleServer, fault: str, error: type[AtraderError], message: str
) -> None:
    server.faults = [fault]
    service = Service(server)
    with pytest.raises(error, match=message):
        service.page()
    assert len(server.seen) == 1, "repeating is the scheduler's business"
    assert same(service.page().bars, ASKED)


def test_what_it_says_about_waiting_is_handed_on(server: CandleServer) -> None:
    server.faults = ["429"]
    with pytest.raises(SourceBusy) as caught:
        Service(server).page()
    assert caught.value.details == {"retry_after_s": 1.0}


def test_a_service_cannot_send_us_away_for_ever(server: CandleServer) -> None:
    server.faults = ["for ever"]
    with pytest.raises(SourceBusy) as caught:
        Service(server).page()
    assert caught.value.details == {"retry_after_s": 3600.0}


def test_a_token_that_no_header_can_carry_is_said_without_it(
    server: CandleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_TOKEN", "secret-\u20ac")
    service = Service(server, auth={"kind": "bearer", "token": "env:TEST_TOKEN"})
    with pytest.raises(ConfigError, match="no header can carry") as caught:
        service.page()
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_a_service_that_does_not_answer_is_given_up(server: CandleServer) -> None:
    server.faults = ["slow"]
    with pytest.raises(SourceBusy, match=r"no answer within 0.2 s|ReadTimeout"):
        Service(server, timeout="200ms").page()


def test_a_service_that_is_not_there_is_busy(server: CandleServer) -> None:
    with pytest.raises(SourceBusy, match="ConnectError"):
        Service(server, url="http://127.0.0.1:1").page()


def test_a_redirect_to_itself_is_followed_and_keeps_the_credentials(server: CandleServer) -> None:
    server.token = "s3cret"
    server.faults = ["here"]
    service = Service(server, auth={"kind": "bearer", "token": "env:TEST_TOKEN"})
    assert same(service.page().bars, ASKED)
    assert server.authorisations == ["Bearer s3cret"] * 2
    server.faults = ["here"] * 10
    with pytest.raises(ConfigError, match="more than 3 redirects"):
        service.page()


def test_candles_out_of_order_and_twice_come_out_in_order_and_once(server: CandleServer) -> None:
    server.faults = ["shuffled"]
    assert same(Service(server).page().bars, ASKED)


def test_pages_go_on_by_cursor(server: CandleServer) -> None:
    server.page = 100
    candles = {**server.configuration()["candles"], "cursor": "next"}
    assert same(Service(server, candles=candles).page().bars, ASKED)
    assert [path.partition("cursor=")[2] for path in server.seen] == ["", "160", "260"]


def test_the_cursor_is_sent_under_the_name_of_the_service(server: CandleServer) -> None:
    server.page, server.cursor_name = 100, "page_token"
    candles = {**server.configuration()["candles"], "cursor": "next", "cursor_sent": "page_token"}
    assert same(Service(server, candles=candles).page().bars, ASKED)
    assert [path.partition("page_token=")[2] for path in server.seen] == ["", "160", "260"]


@pytest.mark.parametrize(("time_sent", "scale"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_times_are_sent_as_the_service_counts_them(server: CandleServer, time_sent: str, scale: int) -> None:
    server.time_of = lambda text: int(text) * (10**9 // scale)
    candles = {**server.configuration()["candles"], "time_sent": time_sent}
    assert same(Service(server, candles=candles).page().bars, ASKED)
    assert f"from={START * scale // 10**9}&" in server.seen[0]


def test_user_and_password_are_sent_under_the_names_of_the_service(server: CandleServer) -> None:
    server.login_fields = ("email", "pass")
    assert same(Service(server, auth=login(server, user_field="email", password_field="pass")).page().bars, ASKED)
    with pytest.raises(ConfigError, match="does not let us in"):
        Service(server, auth=login(server)).page()


def test_credentials_travel_unencrypted_only_where_it_is_allowed(server: CandleServer) -> None:
    far = {"url": "http://example.com", "auth": {"kind": "bearer", "token": "env:TEST_TOKEN"}}
    with pytest.raises(ValidationError, match="allow_http = true"):
        Service(server, **far)
    Service(server, **far, allow_http=True)
    Service(server, url="http://example.com")  # none to travel


def test_candles_that_are_not_over_are_not_answered(server: CandleServer) -> None:
    now_ns = SystemClock().now_ns()
    begun_ns = now_ns - now_ns % MINUTE
    times = begun_ns + (BARS.open_time_ns[:5] - BARS.open_time_ns[3])
    server.bars["EUR-USD", "1m"] = Bars(times, *BARS[:5].columns[1:])

    async def ask() -> BarPage:
        fleet = Service(server).fleet
        [source] = make_sources(installation(fleet), nobody, SystemClock()).bars
        try:
            return await source.page("EUR/USD", M1, begun_ns - 10 * MINUTE, begun_ns + 5 * MINUTE)
        finally:
            await source.close()

    page = asyncio.run(ask())
    later = SystemClock().now_ns() >= begun_ns + MINUTE  # the minute may end while the test runs
    assert page.bars.open_time_ns.tolist() in ([times[:3].tolist()] + [times[:4].tolist()] * later)
    assert page.answered_until_ns in (begun_ns, begun_ns + MINUTE)


@pytest.mark.parametrize(
    ("candle", "message"),
    [
        ({"t": "2024-03-12T10:00:00Z", "o": 1, "h": 1, "l": 1, "v": 1}, "c: expected a number, was None"),
        ({"t": "2024-03-12T10:00:00", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}, "expected a zone"),
        ({"t": "2024-03-12T10:00:00Z", "o": 10**400, "h": 1, "l": 1, "c": 1, "v": 1}, "o: expected a number"),
        ({"t": 5, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}, "ISO 8601 text"),
        ("hello", "ISO 8601 text, was None"),
    ],
)
def test_a_candle_that_cannot_be_read_says_why(server: CandleServer, candle: object, message: str) -> None:
    server.raw = [candle]
    with pytest.raises(SourceBusy, match=message):
        Service(server).page()


def test_an_answer_without_candles_says_where_they_were_looked_for(server: CandleServer) -> None:
    with pytest.raises(SourceBusy, match=r"no list of candles in result.list \(candles.items\)"):
        Service(server, candles={"items": "result.list"}).page()


def test_prices_that_cannot_be_are_not_taken(server: CandleServer) -> None:
    wrong = market_bars(Calendar.get("fx"), "2024-03-12T09:00Z", "2024-03-12T16:00Z")
    wrong.low[100] = wrong.high[100] + 1
    server.bars["EUR-USD", "1m"] = wrong
    with pytest.raises(SourceBusy, match="10:40:00Z has prices that cannot be"):
        Service(server).page()


def test_a_screener_picks_instruments_and_names_what_nobody_knows(server: CandleServer) -> None:
    server.picked = ["GBP-USD", {"instrument_key": "EUR-USD", "score": 3}, "GBP-USD", "ACME"]
    picked = Service(server, screener={"body": {"pipeline": "liquid"}}).pick()
    assert picked.instruments == ("GBP/USD", "EUR/USD")
    assert picked.unknown == ("ACME",)
    server.picked = [{"score": 3}]
    with pytest.raises(SourceBusy, match=r"screener\.key"):
        Service(server, screener={}).pick()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "ftp://x"}, "expected http://HOST"),
        ({"url": "https://me:secret@x"}, "must not hold a user"),
        ({"url": "http://example.com", "auth": {"kind": "bearer", "token": "env:T"}}, "unencrypted"),
        ({"auth": {"kind": "bearer"}}, "needs 'token'"),
        ({"auth": {"kind": "login"}}, "needs a table"),
        ({"instrument_key": "{pair}"}, "expected {base} and {quote} in it"),
        ({"candles": {"path": "/candles"}}, "expected {instrument_key} in it"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(server: CandleServer, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Service(server, **changes)
