"""The old trader's files, in the shapes they have and in those that accidents give them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from framework_bridge.legacy.broker_clocks import parse_old_clocks
from framework_bridge.legacy.findings import Kind
from framework_bridge.legacy.framework_xml import FrameworkXml, parse_framework_xml
from framework_bridge.legacy.ini import parse_ini
from framework_bridge.legacy.monitor import parse_monitor
from framework_bridge.legacy.old_config import OldRates, parse_old_config
from framework_bridge.legacy.symbols import canonical, conversion_of, guessed_instrument
from framework_bridge.legacy.virtual_trades import parse_virtual_trades
from tests.support.old_trader import CLOCKS, CLOSED, CONFIG, MONITOR, OPEN, SECRETS, XML, tiny_db

pytestmark = pytest.mark.unit
D = Decimal


def texts(findings: Any, kind: Kind) -> list[str]:
    return [str(one) for one in findings if one.kind is kind]


# -- INI


def test_comments_cases_and_continued_lines_of_an_ini_are_read_as_the_old_program_read_them() -> None:
    ini = parse_ini("# one\n[Account] ; two\nName = a;b ; three\nList = x,\n  y\nEMPTY=\nurl: c\n", "a.ini")
    section = ini.section("ACCOUNT")
    assert section is not None
    assert {key: value.text for key, value in section.values.items()} == {
        "name": "a;b",
        "list": "x, y",
        "empty": "",
        "url": "c",
    }
    assert not ini.findings


def test_the_rest_of_a_value_is_no_key_whatever_it_looks_like_and_is_never_shown() -> None:
    text = CONFIG.replace("password=tokensecret", "password=abc\n  topsecret=def\n\t[hidden]\n  more: x")
    trader = parse_old_config(text, "c")
    assert [account.has_secrets for account in trader.accounts] == [("login", "password")]
    said = " ".join(map(str, trader.findings))
    assert not any(part in said for part in ("topsecret", "hidden", "more"))


def test_sections_that_are_indented_as_a_whole_are_read() -> None:
    ini = parse_ini("[a]\n  x=1\n  y=2\n    z\n  [b]\n  x=3\n", "a.ini")
    found = {name: {key: value.text for key, value in part.values.items()} for name, part in ini.sections.items()}
    assert found == {"a": {"x": "1", "y": "2 z"}, "b": {"x": "3"}}
    assert not ini.findings


def test_what_stands_twice_and_what_is_neither_is_told_with_its_line_and_never_shown() -> None:
    ini = parse_ini("stray secret\n[a]\nx=1\nX=2\n[A]\nhunter2\n", "a.ini")
    assert [str(one) for one in ini.findings] == [
        "a.ini:1: no section begins before it; correct the line, or make it a comment with ;",
        "a.ini:4: x: stands in line 3 too; the later one counts; remove one of them",
        "a.ini:5: [A]: begins in line 2 already; both are read as one; join them",
        "a.ini:6: neither [section] nor key = value; correct the line, or make it a comment with ;",
    ]
    section = ini.section("a")
    assert section is not None
    assert section.values["x"].text == "2"


# -- atrader.config


def test_accounts_and_strategies_of_the_old_configuration_are_understood() -> None:
    trader = parse_old_config(CONFIG, "atrader.config")
    (account,) = trader.accounts
    assert (account.name, account.broker, account.account_id) == ("OANDA demo", "OANDA", "101-004-1234567-001")
    assert (account.uses_wrapper, account.is_demo, account.has_secrets) == (True, True, ("login", "password"))
    morning, evening = trader.strategies
    assert morning.rates == (
        OldRates("D", 0, 300),
        OldRates("D", 1440, 200),
        OldRates(None, 0, 0),
        OldRates("GBPUSD", 60, 100),
    )
    assert (evening.set_file, evening.pair, evening.strategy_id) == ("evening", "USDJPY", 29)
    assert not texts(trader.findings, Kind.PROBLEM)


def test_no_secret_is_in_any_finding() -> None:
    typo = CONFIG.replace("login=", "logn=").replace("password=", "pasword=").replace("PASSWORD=", "passwrd=")
    findings = [*parse_old_config(typo, "c").findings, *parse_monitor(MONITOR, "m").findings]
    assert any("did you mean 'password'" in str(one) for one in findings)
    for secret in SECRETS:
        assert secret not in " ".join(map(str, findings))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("strategyID=29\npassedTimeFrame=60", "strategyID=xx", "morning.strategyID: expected a whole number"),
        ("isDemo=1", "isDemo=maybe", "account.isDemo: expected 0 or 1, was 'maybe'"),
        ("strategies=morning, evening", "strategies=morning, evning", "no section [evning] - did you mean 'evening'?"),
        ("symbolRequirements=D,D,N,GBPUSD", "symbolRequirements=D,D", "has 4 entries, symbolRequirements 2"),
        ("rateRequirements=300,200", "rateRequirements=many,200", "entry 0: 'many' bars"),
        ("[account]", "[acount]\nbrokerName=x\n[acc]", "has no section [account]"),
    ],
)
def test_each_mistake_in_the_old_configuration_is_named_and_the_rest_is_read(old: str, new: str, told: str) -> None:
    text = CONFIG.replace(old, new, 1)
    if "acount" in new:
        text = text.replace("strategies=morning, evening\n", "")
    problems = texts(parse_old_config(text, "c").findings, Kind.PROBLEM)
    assert any(told in problem for problem in problems), problems
    assert all(problem.startswith("c:") for problem in problems)


def test_several_accounts_each_have_their_strategies_and_one_that_nobody_names_is_told() -> None:
    text = CONFIG.replace("strategies=morning, evening", "strategies=morning") + "\n[account2]\nstrategies=other\n"
    trader = parse_old_config(text, "c")
    assert [account.strategies for account in trader.accounts] == [("morning",), ("other",)]
    assert any("[evening]: no account names it" in str(one) for one in trader.findings)


# -- AsirikuyConfig.xml


def test_patience_with_time_servers_is_cut_to_what_a_call_may_take() -> None:
    usual = parse_framework_xml("<Asirikuy/>", "x.xml")
    assert usual.longest_wait_s < 2
    slow = parse_framework_xml(usual.text().replace("<Timeout>400<", "<Timeout>5000<"), "x.xml")
    quick = slow.with_waits_below(2.0)
    assert (slow.longest_wait_s, quick.longest_wait_s) == (20.0, 1.6)
    assert "is ended after 2 s: 400 is written" in str(quick.findings[-1])
    assert quick.with_waits_below(2.0) is quick


def test_an_xml_that_would_crash_the_library_is_mended_and_read_again_without_a_word() -> None:
    xml = parse_framework_xml(XML, "a.xml")
    told = texts(xml.findings, Kind.CHANGED)
    assert any(one.startswith("a.xml:10: Logging/Folder: is empty, and crashes") for one in told)
    assert any("NTP/Timeout: is missing" in one for one in told)
    assert texts(xml.findings, Kind.UNKNOWN) == ["a.xml:16: Wonder: unknown element, not taken over"]
    again = parse_framework_xml(xml.with_paths(temp="t", config="c", log="l").text(), "b.xml")
    assert (again.findings, again.values["Logging/Folder"]) == ((), "l")
    assert {**again.values} == {
        **xml.values,
        "TempFileFolderPath": "t",
        "ConfigPaths/ConfigFolderPath": "c",
        "Logging/Folder": "l",
    }


@pytest.mark.parametrize("shape", ["with a root", "without a root", "no declaration", "broken at its end"])
def test_the_shapes_of_the_xml_that_the_library_takes_are_read(shape: str) -> None:
    whole = parse_framework_xml(XML, "a.xml").text().replace("./tmp", "/x/tmp & more".replace("&", "&amp;"))
    text = {
        "with a root": whole,
        "without a root": whole.replace("<Asirikuy>", "").replace("</Asirikuy>", ""),
        "no declaration": whole.partition("\n")[2],
        "broken at its end": whole.replace("</Asirikuy>", "").replace(" &amp; more", ""),
    }[shape]
    xml = parse_framework_xml(text, "a.xml")
    assert xml.values["TempFileFolderPath"].startswith("/x/tmp")
    assert [one.kind for one in xml.findings] == ([Kind.PROBLEM] if "broken" in shape else [])


def test_values_of_the_xml_that_the_library_cannot_hold_are_replaced() -> None:
    text = XML.replace("<MaxSeverity>6", "<MaxSeverity>9").replace("./config", "x" * 300)
    xml: FrameworkXml = parse_framework_xml(text, "a.xml")
    told = " ".join(texts(xml.findings, Kind.CHANGED))
    assert "expected a whole number from 0 to 7, was '9'" in told
    assert "is longer than 255 bytes" in told
    assert (xml.values["Logging/MaxSeverity"], xml.values["ConfigPaths/ConfigFolderPath"]) == ("6", "./config")


# -- broker-tz.csv


def test_a_zone_without_summer_time_gets_its_offset_in_both_columns() -> None:
    clocks = parse_old_clocks(CLOCKS, "tz.csv")
    assert texts(clocks.findings, Kind.CHANGED) == [
        "tz.csv:5: Reference: has no summer time, and the library would take 5 all year: 1 is written there",
    ]
    assert set(clocks.clocks) == {"Local", "UTC", "OANDA", "Reference"}
    again = parse_old_clocks(clocks.text, "tz.csv")
    assert (again.text, again.clocks, again.findings) == (clocks.text, clocks.clocks, ())


def test_clocks_that_the_library_needs_and_rows_that_cannot_be_are_problems() -> None:
    told = texts(parse_old_clocks(CLOCKS.replace("Local;", "local;"), "tz.csv").findings, Kind.PROBLEM)
    assert told == ["tz.csv: Local: the library expects a row of that name; add a row Local"]
    broken = parse_old_clocks(CLOCKS.replace("OANDA;3;", "OANDA;33;"), "tz.csv")
    assert broken.clocks == {}
    assert "DSTStartMonth" in texts(broken.findings, Kind.PROBLEM)[0]


# -- virtual trades


def test_open_and_closed_virtual_trades_are_read_with_units_and_times() -> None:
    trades, findings = parse_virtual_trades(tiny_db(OPEN), "o.json", "Europe/Madrid", closed=False)
    assert not findings
    long, short, limit, stranger = trades
    assert (long.side, long.units, long.symbol, long.stop_loss, long.take_profit) == (
        "buy", D(3000), "EUR/USD", D("1.07"), None,
    )  # fmt: skip
    assert long.open_ns == 1_451_988_000 * 10**9
    assert short.open_ns == 1_451_988_000 * 10**9  # 11:00 in Madrid
    assert (limit.side, limit.kind, stranger.instance_id) == (None, "buy limit", 999)
    closed, findings = parse_virtual_trades(tiny_db(CLOSED), "h.json", "UTC", closed=True)
    assert not findings
    assert [(one.close_price, one.moved) for one in closed] == [(D("1.09"), D(100)), (D("1.085"), D("-50"))]


@pytest.mark.parametrize(
    "shape",
    [
        lambda rows: json.dumps({"_default": [{**row, "_id": 1} for row in rows]}),
        lambda rows: json.dumps(list(rows)),
        lambda rows: json.dumps({"_default": {}, "orders": {"1": rows[0], "2": rows[1]}}),
        lambda rows: json.dumps({"_default": {"1": {key.upper(): str(value) for key, value in rows[0].items()}}}),
    ],
)
def test_every_shape_of_the_small_database_is_read(shape: Any) -> None:
    trades, findings = parse_virtual_trades(shape(OPEN[:2]), "o.json", "Europe/Madrid", closed=False)
    assert not findings
    assert trades[0].units == D(3000)


@pytest.mark.parametrize("empty", ["", "  \n", '{"_default": {}}', "{}", "[]"])
def test_an_empty_database_holds_nothing(empty: str) -> None:
    assert parse_virtual_trades(empty, "o.json", "UTC", closed=False) == ((), ())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"Symbol": "US500"}, "Symbol: 'US500' is no pair"),
        ({"Volume": 0}, "must be above 0"),
        ({"Type": 6}, "Type: expected 0 to 5"),
        ({"Type": "HOLD"}, "Type: expected 0 to 5"),
        ({"OpenTime": "yesterday"}, "OpenTime: expected a time such as"),
        ({"OpenTime": -5}, "is no time since 1970"),
        ({"OpenPrice": "NaN"}, "OpenPrice: expected a number"),
        ({"InstanceID": 2**31}, "does not fit 32 bits"),
        ({"Ticket": None}, "Ticket: expected a number"),
    ],
)
def test_a_row_that_is_no_trade_is_named_and_the_others_are_read(change: dict[str, Any], told: str) -> None:
    rows = [{**OPEN[0], **change}, OPEN[1]]
    trades, findings = parse_virtual_trades(tiny_db(rows), "o.json", "UTC", closed=False)
    assert [one.ticket for one in trades] == [12]
    (problem,) = map(str, findings)
    assert problem.startswith("o.json: row 1: ")
    assert told in problem


def test_a_file_that_a_crash_cut_is_a_problem_with_its_line() -> None:
    _, (finding,) = parse_virtual_trades(tiny_db(OPEN)[:-30], "o.json", "UTC", closed=False)
    assert "o.json:1: is no whole JSON" in str(finding)


def test_words_and_milliseconds_of_other_brokers_are_understood() -> None:
    row = {**OPEN[0], "Type": "OP_SELLSTOP", "OpenTime": 1_451_988_000_000}
    ((trade,), _) = parse_virtual_trades(tiny_db([row]), "o.json", "UTC", closed=False)
    assert (trade.kind, trade.open_ns) == ("sell stop", 1_451_988_000 * 10**9)


# -- the rest


def test_every_key_of_the_monitor_is_told() -> None:
    monitor = parse_monitor(MONITOR, "m.ini")
    assert (monitor.log_level, monitor.log_bytes, monitor.log_files) == ("info", 10_485_760, 6)
    lines = {one.line for one in monitor.findings}
    assert lines >= {number for number, line in enumerate(MONITOR.splitlines(), 1) if "=" in line and number < 12}
    assert texts(monitor.findings, Kind.UNKNOWN) == ["m.ini:11: general.novelty: unknown key, not taken over"]
    assert any("[two]: MetaTrader 4" in one for one in texts(monitor.findings, Kind.NO_COUNTERPART))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *(("EURUSD", "EUR/USD"), ("eur_usd", "EUR/USD"), ("EUR/JPY", "EUR/JPY"), ("XAUUSD", "XAU/USD")),
        *(("USDSEK", "USD/SEK"), ("US500", None), ("", None), ("EURUS1", None)),
    ],
)
def test_old_symbols_have_one_name_here(old: str, new: str | None) -> None:
    assert canonical(old) == new


def test_pairs_have_the_pair_that_converts_their_profit() -> None:
    assert conversion_of("EUR/USD", "USD") is None
    assert conversion_of("USD/JPY", "USD") == "USD/JPY"
    assert conversion_of("EUR/GBP", "USD") == "GBP/USD"
    assert conversion_of("EUR/USD", "EUR") == "EUR/USD"
    assert guessed_instrument("SEK/JPY").pip == D("0.01")
