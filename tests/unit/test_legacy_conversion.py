"""What an old installation becomes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.instance import InstanceConfig
from framework_bridge.legacy.broker_clocks import parse_old_clocks
from framework_bridge.legacy.conversion import OldFiles, Plan, Wish, convert
from framework_bridge.legacy.findings import Kind
from framework_bridge.legacy.framework_xml import parse_framework_xml
from framework_bridge.legacy.monitor import parse_monitor
from framework_bridge.legacy.old_config import parse_old_config
from framework_bridge.legacy.old_trades import convert_trades
from framework_bridge.legacy.presets import parse_preset
from framework_bridge.legacy.virtual_trades import parse_virtual_trades
from tests.support.old_trader import CLOCKS, CLOSED, CONFIG, MONITOR, OPEN, PRESET, SECRETS, XML, library_state, tiny_db

pytestmark = pytest.mark.unit
D = Decimal
ACCOUNT_ID = "101-004-1234567-001"
LIBRARY = "/opt/lib.so"
PRESETS = {"morning.set": PRESET.format(magic=2001, timeframe=60), "evening": PRESET.format(magic=2002, timeframe=15)}


def old_files(config: str = CONFIG, presets: Mapping[str, str] = PRESETS, **changes: Any) -> OldFiles:
    values: dict[str, Any] = {
        "presets": {name: (parse_preset(text, name), text) for name, text in presets.items()},
        "clocks": parse_old_clocks(CLOCKS, "broker-tz.csv"),
        "xml": parse_framework_xml(XML, "AsirikuyConfig.xml"),
        "open_trades": {ACCOUNT_ID: parse_virtual_trades(tiny_db(OPEN), "o.json", "UTC", closed=False)},
        "closed_trades": {ACCOUNT_ID: parse_virtual_trades(tiny_db(CLOSED), "h.json", "UTC", closed=True)},
        **changes,
    }
    return OldFiles(parse_old_config(config, "atrader.config"), **values)


def plan_of(*old: OldFiles, **wish: Any) -> Plan:
    return convert(old or (old_files(),), Wish(**{"library": LIBRARY, **wish}))


def toml_of(plan: Plan, path: str) -> dict[str, Any]:
    return tomllib.loads(plan.files[path], parse_float=D)


def told(plan: Plan, kind: Kind) -> str:
    return "\n".join(str(one) for one in plan.findings if one.kind is kind)


def test_an_account_of_the_order_wrapper_is_a_netting_account_whose_token_is_a_reference() -> None:
    plan = plan_of()
    account = AccountConfig.model_validate({"name": "oanda-demo", **toml_of(plan, "etc/accounts/oanda-demo.toml")})
    assert (account.broker, account.positions, account.currency, account.enabled) == ("oanda", "netting", "USD", True)
    assert account.oanda is not None
    assert (account.oanda.account_id, account.oanda.environment) == (ACCOUNT_ID, "practice")
    assert account.oanda.token.kind == "env"
    assert "ATRADER_OANDA_DEMO_TOKEN" in told(plan, Kind.TO_DO)


def test_strategies_keep_magic_pair_preset_and_each_rates_index() -> None:
    plan = plan_of()
    morning = InstanceConfig.model_validate({"name": "morning", **toml_of(plan, "etc/strategies/morning.toml")})
    assert (morning.magic, morning.instrument, morning.timeframe, morning.account) == (
        2001,
        "EUR/USD",
        "1h",
        "oanda-demo",
    )
    assert morning.parameters == {
        "library": LIBRARY,
        "framework_config": "etc/asirikuy/oanda-demo/AsirikuyConfig.xml",
        "preset": "etc/asirikuy/morning.set",
        "strategy_id": 29,
        "broker_name": "OANDA",
        "reference_name": "Reference",
        "account_number": 1234567,
        "rates": [
            {"symbol": "EUR/USD", "timeframe": "1h", "bars": 300},
            {"symbol": "EUR/USD", "timeframe": "1d", "bars": 200},
            "",
            {"symbol": "GBP/USD", "timeframe": "1h", "bars": 100},
        ],
    }
    evening = InstanceConfig.model_validate({"name": "evening", **toml_of(plan, "etc/strategies/evening.toml")})
    assert (evening.magic, evening.timeframe) == (2002, "15m")
    assert plan.files["etc/asirikuy/morning.set"] == PRESETS["morning.set"]


def test_the_fleet_quotes_everything_that_is_looked_at_and_takes_the_log_settings_over() -> None:
    plan = plan_of(old_files(monitor=parse_monitor(MONITOR, "m.ini")))
    fleet = FleetConfig.model_validate(toml_of(plan, "etc/atrader.toml"))
    assert fleet.market.instruments == ("EUR/USD", "GBP/USD", "USD/JPY")
    assert (fleet.log.level, fleet.log.files, fleet.market.feed) == ("info", 6, "none")


def test_open_virtual_trades_wait_for_the_gateway_with_their_owners_and_none_is_dropped() -> None:
    plan = plan_of()
    (trades,) = plan.take_over.values()
    assert [(one.trade_id, one.instance, one.magic, one.side, one.units) for one in trades] == [
        ("old-11-1451988000", "morning", 2001, "buy", D(3000)),
        ("old-14-1451988000", "old-999", 999, "buy", D(2000)),
        ("old-12-1451991600", "evening", 2002, "sell", D(1000)),
    ]
    assert "buy limit 1000 EUR/USD at 1.05 (ticket 13) waited in the old trader" in told(plan, Kind.NO_COUNTERPART)
    assert "3 open virtual trades wait for the gateway" in told(plan, Kind.TO_DO)


def test_trades_of_an_instance_id_that_is_no_magic_number_follow_their_strategy_to_its_new_one() -> None:
    presets = {**PRESETS, "morning.set": PRESETS["morning.set"].replace("2001", "0")}
    trades = parse_virtual_trades(tiny_db([{**OPEN[0], "InstanceID": 0}]), "o.json", "UTC", closed=False)
    plan = plan_of(old_files(presets=presets, open_trades={ACCOUNT_ID: trades}))
    magic = toml_of(plan, "etc/strategies/morning.toml")["magic"]
    ((trade,),) = plan.take_over.values()
    assert (trade.instance, trade.magic) == ("morning", magic)
    both = {name: text.replace("2001", "0").replace("2002", "0") for name, text in PRESETS.items()}
    ((trade,),) = plan_of(old_files(presets=both, open_trades={ACCOUNT_ID: trades})).take_over.values()
    assert (trade.instance, trade.magic) == ("old-0", 0)  # nobody knows which of the two it is


@pytest.mark.parametrize(
    ("changes", "levels", "why"),
    [
        ({"StopLoss": -1, "TakeProfit": -1}, (None, None), ""),
        ({"TakeProfit": 0.08}, (D("1.07"), None), "take_profit 0.08 is on the side of the loss"),
        ({"TakeProfit": 2.17}, (D("1.07"), None), "take_profit 2.17 is more than half the price away"),
        ({"StopLoss": 2.08}, (None, None), "stop_loss 2.08 is more than half the price away"),
        ({"StopLoss": 0.01}, (None, None), "stop_loss 0.01 is more than half the price away"),
        ({"Type": 1, "StopLoss": 1.1, "TakeProfit": 1.09}, (D("1.1"), None), "take_profit 1.09 is on the side of"),
        ({"StopLoss": 1.085, "TakeProfit": 1.1}, (D("1.085"), D("1.1")), ""),  # it follows the price
        ({"Type": 1, "StopLoss": 1.075, "TakeProfit": 1.06}, (D("1.075"), D("1.06")), ""),
    ],
)
def test_stops_and_targets_that_the_old_trader_set_by_mistake_are_left_out_and_told(
    changes: Mapping[str, Any], levels: tuple[Decimal | None, Decimal | None], why: str
) -> None:
    trades = parse_virtual_trades(tiny_db([{**OPEN[0], **changes}]), "o.json", "UTC", closed=False)
    plan = plan_of(old_files(open_trades={ACCOUNT_ID: trades}))
    ((trade,),) = plan.take_over.values()
    assert (trade.stop_loss, trade.take_profit) == levels
    problems = told(plan, Kind.PROBLEM)
    assert why in problems
    assert ("left out" in problems) == bool(why)


def test_a_state_of_the_library_is_carried_over_under_the_magic_number() -> None:
    states = {0: ("tmp/0.state", library_state(0, 1_451_988_000)), 2002: ("tmp/2002.state", library_state(7, 1))}
    presets = {**PRESETS, "morning.set": PRESETS["morning.set"].replace("2001", "0")}
    plan = plan_of(old_files(presets=presets, states=states))
    magic = toml_of(plan, "etc/strategies/morning.toml")["magic"]
    assert plan.states == {f"data/asirikuy/oanda-demo/{magic}.state": library_state(magic, 1_451_988_000)}
    assert "[evening]: tmp/2002.state is the state of 7: its first call runs the bar that forms" in told(
        plan, Kind.TO_DO
    )


@pytest.mark.parametrize(
    ("states", "why"),
    [({}, "the library's state was not found"), ({2001: ("2001.state", b"cut")}, "2001.state: 3 bytes, but a state")],
)
def test_a_strategy_without_a_usable_state_is_to_be_started_when_a_bar_begins(
    states: Mapping[int, tuple[str, bytes]], why: str
) -> None:
    assert why in told(plan_of(old_files(states=states)), Kind.TO_DO)
    assert why not in told(plan_of(old_files(states=states), paper=True), Kind.TO_DO)


def test_closed_virtual_trades_are_marked_as_imported_and_repeated_tickets_stay_two_trades() -> None:
    ((first, second),) = plan_of().closed.values()
    assert {first.close_reason, second.close_reason} == {"imported"}
    assert (first.trade_id, second.trade_id) == ("old-1-1451901600", "old-1-1451901600-2")
    assert (first.profit, second.profit, first.units, first.units_closed) == (D(100), D(-50), D(0), D(10_000))
    assert plan_of().closed == plan_of().closed


@pytest.mark.parametrize(
    ("money", "other", "profits", "told_from"),
    [
        ("ProfitPL", "Profit", [D(100), D(-50)], "ProfitPL"),
        ("Profit", "ProfitPL", [D(100), D(-50)], "Profit"),
        ("Neither", "Profit", [D(100), D(-50)], "the prices, and 0 without USD"),
    ],
)
def test_the_field_that_agrees_with_the_prices_is_the_profit(
    money: str, other: str, profits: list[Decimal], told_from: str
) -> None:
    rows = [
        {**{key: value for key, value in row.items() if not key.startswith("Profit")}, money: row["ProfitPL"], other: 7}
        for row in CLOSED
    ]
    trades, _ = parse_virtual_trades(tiny_db(rows), "h.json", "UTC", closed=True)
    converted = convert_trades(trades, "a", "USD", {})
    assert ([one.profit for one in converted.trades], converted.profit_from) == (profits, told_from)


def test_what_the_old_program_did_wrong_is_told_where_it_concerns_the_user() -> None:
    text = told(plan_of(), Kind.OLD_DEFECT)
    for line in (
        "morning.set:10: MAX_SPREAD_PIPS: was passed as a price",
        "DISABLE_COMPOUNDING: the original equity was passed as 0",
        "MAX_OPEN_ORDERS: the library was shown 20 orders",
        "morning.rateRequirements: all rates indices got the bars loaded last",
        "evening.pair: USDJPY had 5 digits",
        "account.useOrderWrapper: net orders were sent again",
        "account.useStreaming: streaming always failed",
    ):
        assert line in text
    assert "OPERATIONAL_MODE" not in text


def test_no_secret_is_in_any_new_file_or_finding() -> None:
    plan = plan_of(old_files(monitor=parse_monitor(MONITOR, "m.ini")))
    everything = "\n".join([*plan.files.values(), *map(str, plan.findings)])
    for secret in SECRETS:
        assert secret not in everything


# -- what cannot go as it was


@pytest.mark.parametrize("told_id", ["-1", "0", None])
def test_a_random_instance_id_becomes_a_magic_number_that_is_written_into_the_preset(told_id: str | None) -> None:
    line = "STRATEGY_INSTANCE_ID =2001"
    text = PRESETS["morning.set"].replace(line, "; none" if told_id is None else line.replace("2001", told_id))
    plan = plan_of(old_files(presets={**PRESETS, "morning.set": text}))
    magic = toml_of(plan, "etc/strategies/morning.toml")["magic"]
    written = parse_preset(plan.files["etc/asirikuy/morning.set"], "x")
    assert written.instance_id == magic > 10**9
    assert {**written.values, "STRATEGY_INSTANCE_ID": 0} == {
        **parse_preset(PRESETS["morning.set"], "y").values,
        "STRATEGY_INSTANCE_ID": 0,
    }
    assert "no magic number" in told(plan, Kind.CHANGED)
    assert plan_of(old_files(presets={**PRESETS, "morning.set": text})).files == plan.files


def test_a_second_strategy_with_an_instance_id_is_not_enabled_and_gets_another() -> None:
    plan = plan_of(old_files(presets={**PRESETS, "evening": PRESETS["morning.set"]}))
    evening = toml_of(plan, "etc/strategies/evening.toml")
    assert evening["enabled"] is False
    assert evening["magic"] != 2001
    assert "2001 is that of morning already" in told(plan, Kind.PROBLEM)


@pytest.mark.parametrize(
    ("config", "presets", "lack"),
    [
        (CONFIG, {"evening": PRESETS["evening"]}, "its preset morning.set was not found"),
        (CONFIG, {**PRESETS, "morning.set": "ACCOUNT_RISK_PERCENT=x"}, "its preset has problems"),
        (CONFIG.replace("pair=EURUSD", "pair=US500"), PRESETS, "its pair US500 is not known"),
        (CONFIG.replace("strategyID=29", "strategyID=", 1), PRESETS, "it has no strategyID"),
        (CONFIG.replace("300,200,0,100", "300,200,0,100,5"), PRESETS, "its lists of requirements have problems"),
        (CONFIG.replace("300,200,0,100", "300,many,0,100"), PRESETS, "its lists of requirements have problems"),
        (CONFIG.replace("D,D,N,GBPUSD", "D,D,N,US500"), PRESETS, "its lists of requirements have problems"),
        (CONFIG.replace("0,1440,0,60", "0,1441,0,60"), PRESETS, "its lists of requirements have problems"),
    ],
)
def test_a_strategy_that_lacks_something_is_written_as_far_as_it_goes(
    config: str, presets: Mapping[str, str], lack: str
) -> None:
    plan = plan_of(old_files(config, presets))
    assert lack in told(plan, Kind.PROBLEM)
    assert "etc/strategies/morning.toml" not in plan.files
    assert f"Incomplete: {lack}" in plan.files["etc/strategies/morning.toml.incomplete"]
    assert "etc/strategies/evening.toml" in plan.files


def test_an_entry_that_asks_for_too_much_is_told_once_and_not_as_a_list_without_entries() -> None:
    plan = plan_of(old_files(CONFIG.replace("rateRequirements=300\n", "rateRequirements=3000000\n")))
    told_of_bars = [one.text for one in plan.findings if one.kind is Kind.PROBLEM]
    assert told_of_bars == ["cannot run: rates[0].bars: input should be less than or equal to 200000, was 3000000"]


def test_a_strategy_that_the_library_no_longer_has_is_not_enabled() -> None:
    plan = plan_of(old_files(CONFIG.replace("strategyID=29", "strategyID=18", 1)))
    assert toml_of(plan, "etc/strategies/morning.toml")["enabled"] is False
    assert "no longer has strategy 18" in told(plan, Kind.PROBLEM)


def test_a_broker_without_adapter_becomes_a_paper_account_that_is_not_enabled() -> None:
    config = CONFIG.replace("brokerName=OANDA", "brokerName=AlpariUS-JForex").replace("OANDA demo", "Alpari")
    plan = plan_of(old_files(config.replace(ACCOUNT_ID, "1234")))
    assert toml_of(plan, "etc/accounts/alpari.toml")["enabled"] is False
    assert toml_of(plan, "etc/strategies/morning.toml")["enabled"] is False
    assert "AlpariUS-JForex no longer exists" in told(plan, Kind.NO_COUNTERPART)
    assert "AlpariUS-JForex' of [account] is no row of broker-tz.csv" in told(plan, Kind.PROBLEM)


def test_an_account_number_of_the_old_interface_has_to_be_replaced_by_the_user() -> None:
    plan = plan_of(old_files(CONFIG.replace(ACCOUNT_ID, "7654321")))
    account = toml_of(plan, "etc/accounts/oanda-demo.toml")
    assert (account["enabled"], account["oanda"]["account_id"]) == (False, "000-000-0000000-000")
    assert "7654321 is no account of OANDA's v20 interface" in told(plan, Kind.TO_DO)
    assert f"4 virtual trades of account {ACCOUNT_ID}" not in told(plan, Kind.PROBLEM)
    assert f"6 virtual trades of account {ACCOUNT_ID}, which this configuration does not name" in told(
        plan, Kind.PROBLEM
    )


def test_for_paper_every_account_is_enabled_on_synthetic_prices_and_begins_flat() -> None:
    plan = plan_of(paper=True)
    account = AccountConfig.model_validate({"name": "x", **toml_of(plan, "etc/accounts/oanda-demo.toml")})
    assert (account.broker, account.enabled, account.paper.initial_balance) == ("paper", True, D(10_000))
    assert toml_of(plan, "etc/atrader.toml")["market"]["feed"] == "synthetic"
    assert toml_of(plan, "etc/strategies/morning.toml")["parameters"]["clock_check"] == "own"
    assert plan.take_over == {"oanda-demo": ()}
    assert "3 open virtual trades stay in the old files" in told(plan, Kind.CHANGED)


def test_a_pair_that_nobody_knows_gets_terms_that_the_fleet_accepts() -> None:
    plan = plan_of(old_files(CONFIG.replace("pair=EURUSD", "pair=USDSEK")))
    table = toml_of(plan, "etc/atrader.toml")
    instruments = {symbol: {"symbol": symbol, **terms} for symbol, terms in table["instruments"].items()}
    fleet = FleetConfig.model_validate({**table, "instruments": instruments})
    assert fleet.instruments["USD/SEK"].pip == D("0.0001")


def test_two_installations_share_one_fleet_without_sharing_names() -> None:
    other = (
        CONFIG.replace(ACCOUNT_ID, "101-004-7654321-001").replace("[morning]", "[late]").replace("=morning,", "=late,")
    )
    presets = {"morning.set": PRESETS["morning.set"].replace("2001", "2003"), "evening": PRESETS["evening"]}
    plan = plan_of(old_files(), old_files(other, presets, open_trades={}, closed_trades={}))
    strategies = {path: toml_of(plan, path) for path in plan.files if path.startswith("etc/strategies/")}
    assert {(one["account"], one["magic"]) for one in strategies.values() if one.get("enabled", True)} == {
        ("oanda-demo", 2001), ("oanda-demo", 2002), ("oanda-demo-2", 2003),
    }  # fmt: skip
    assert toml_of(plan, "etc/strategies/evening-2.toml")["enabled"] is False
    assert toml_of(plan, "etc/atrader.toml")["market"]["price_account"] == "oanda-demo"


@pytest.mark.parametrize(
    ("symbol", "currency"), [("USD", "USD"), ("eur", "EUR"), ("EURUSD", "EUR"), ("USDCHF", "CHF"), ("x?", "USD")]
)
def test_the_deposit_symbol_tells_the_currency(symbol: str, currency: str) -> None:
    plan = plan_of(old_files(CONFIG.replace("depositSymbol=USD", f"depositSymbol={symbol}")))
    assert toml_of(plan, "etc/accounts/oanda-demo.toml")["currency"] == currency
    assert ("expected a currency" in told(plan, Kind.PROBLEM)) == (symbol == "x?")
