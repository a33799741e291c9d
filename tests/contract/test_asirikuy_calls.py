"""What the library sees of what we pass, and what we see of what it answers. In this process: nothing here kills."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from atrader.errors import ConfigError
from atrader.market import Bars
from framework_bridge.abi.account import Prices
from framework_bridge.abi.call import StrategyCall
from framework_bridge.abi.codes import LibraryError, ReturnCode
from framework_bridge.abi.library import FrameworkLibrary, Version
from framework_bridge.abi.orders import OrderEntry, pack
from framework_bridge.abi.rates import RatesPlan
from framework_bridge.abi.settings import Setting, StrategyId
from framework_bridge.abi.signals import BITS, Command, OrderKind
from tests.support.asirikuy import framework_files, fresh_library
from tests.support.asirikuy_desk import ACCOUNT, MINUTE_NS, PRICES, Desk, bars_until

ROW, AVERAGES, ECHO = 200, 201, 203
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
ORDER = OrderEntry(
    ticket=41, instance_id=7, type=0, open_time=1_718_100_000, close_time=0, stop_loss=0, take_profit=1.3, expiration=0,
    open_price=1.1, close_price=1.2, lots=0.5, profit=12, commission=-1, swap=-2, is_open=1,
)  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, fresh_library(tmp_path))


def seen(call: StrategyCall) -> NDArray[np.float64]:
    return call.results.rows.view(np.float64).reshape(-1, 10)


def test_the_library_says_its_version(desk: Desk) -> None:
    assert desk.library.version == Version(4, 5, 10)


def test_the_library_sees_every_array_as_it_was_passed(desk: Desk) -> None:
    passed = [bars_until(desk.now_ns, count) for count in range(11, 21)]
    call = desk.call(mode=ECHO, bars=passed, common={Setting.ORDERINFO_ARRAY_SIZE: 2})
    call.orders.fill([pack(ORDER)])
    assert desk.run(call) == ReturnCode.SUCCESS
    for index, bars in enumerate(passed):
        last = bars.row(-1)
        times = bars.open_time_ns[[0, -1]] / 1e9
        want = [len(bars), 0, *times, *last[1:5], bars.close.sum(), bars.volume.sum()]
        assert seen(call)[index].tolist() == pytest.approx(want)
    assert seen(call)[10].tolist() == [*PRICES, 0, 0, 0, 0]
    assert seen(call)[11].tolist() == list(ACCOUNT)
    assert seen(call)[12].tolist() == list(ORDER[:10])
    assert not seen(call)[13].any()


@pytest.mark.parametrize("command", BITS, ids=lambda command: f"{command.verb}-{command.kind.name.lower()}")
def test_every_command_comes_back_as_it_was_meant(desk: Desk, command: Command) -> None:
    call = desk.call(mode=ROW, additional={25: BITS[command], 26: -1, 27: 0.25, 28: 0.01, 29: 0.002, 30: -1, 32: 3600})
    assert desk.run(call) == ReturnCode.SUCCESS
    (row,) = call.results.read()
    assert row.commands == (command,)
    price = PRICES.ask if command.kind.side == "buy" else PRICES.bid
    assert row.entry_price == pytest.approx(price + 0.01)
    assert (row.ticket, row.lots, row.broker_sl, row.broker_tp) == (-1, 0.25, 0.002, -1.0)
    assert row.expires_s == desk.now_ns // 10**9 + 3600


def test_a_row_can_name_one_order(desk: Desk) -> None:
    call = desk.call(mode=ROW, common={Setting.ORDERINFO_ARRAY_SIZE: 3}, additional={25: 2, 26: -2})
    call.orders.fill([pack(ORDER._replace(ticket=2**31 - 1)), pack(ORDER)])
    assert desk.run(call) == ReturnCode.SUCCESS
    assert [row.ticket for row in call.results.read()] == [2**31 - 1]


def test_stops_are_given_to_the_orders_that_lack_one_and_targets_kept(desk: Desk) -> None:
    call = desk.call(strategy=StrategyId.TAKEOVER, common={Setting.ORDERINFO_ARRAY_SIZE: 3}, additional={1: 0.005})
    sell = ORDER._replace(ticket=43, type=1)
    call.orders.fill(map(pack, (sell, ORDER._replace(ticket=42, stop_loss=1.0), ORDER)))
    assert desk.run(call) == ReturnCode.SUCCESS
    rows = [(row.ticket, row.commands, row.broker_sl, row.broker_tp) for row in call.results.read()]
    updates = [Command("update", OrderKind.SELL), Command("update", OrderKind.BUY)]
    assert rows == [(43, (updates[0],), 0.005, -1.0), (41, (updates[1],), 0.005, -1.0)]


def test_the_cross_of_two_averages_is_the_one_of_the_passed_bars(desk: Desk) -> None:
    fast, slow = 3, 8
    bars = bars_until(desk.now_ns, 150)
    means = [np.convolve(bars.close, np.ones(count) / count)[slow - 1 : 150] for count in (fast, slow)]
    above = (means[0] > means[1]).tolist()
    found = []
    for end in range(60, 150):
        part = bars[end - 59 : end + 1]
        call = desk.call(mode=AVERAGES, bars=[part], additional={25: fast, 26: slow, 27: 0.1})
        call.set_now(int(part.open_time_ns[-1]), PRICES, ACCOUNT)
        desk.library.init_instance(desk.magic, desk.config, testing=True)
        assert desk.run(call) == ReturnCode.SUCCESS
        found.append([row.bits for row in call.results.read()])
    crosses = {(True, False): [0x20001], (False, True): [0x10002]}
    # the last complete bar is end - 1; above[k] is about bar k + slow - 1
    wanted = [crosses.get((above[end - slow], above[end - slow - 1]), []) for end in range(60, 150)]
    known = [at for at in range(90) if not weekend(bars, at + 60)]
    assert [found[at] for at in known] == [wanted[at] for at in known]
    assert {tuple(wanted[at]) for at in known} == {(), (0x20001,), (0x10002,)}


def weekend(bars: Bars, end: int) -> bool:
    """Whether one of the bars an average looks at is dropped, or the call comes when nothing runs."""
    days = (bars.open_time_ns[end - 12 : end + 1] // DAY_NS + 3) % 7  # 0 is Monday
    return bool((days >= 5).any())


def test_the_same_bar_again_runs_nothing_and_leaves_no_old_results(desk: Desk) -> None:
    call = desk.call(mode=ROW, additional={25: 0x1, 26: -1, 27: 0.1})
    assert desk.run(call) == ReturnCode.SUCCESS
    assert [row.bits for row in call.results.read()] == [0x1]
    assert desk.run(call) == ReturnCode.SUCCESS
    assert call.results.read() == ()
    call.set_setting(Setting.RUN_EVERY_TICK, 1)
    assert desk.run(call) == ReturnCode.SUCCESS
    assert [row.bits for row in call.results.read()] == [0x1]


def test_a_setting_that_decides_a_length_cannot_change(desk: Desk) -> None:
    with pytest.raises(ValueError, match="MAX_OPEN_ORDERS decides"):
        desk.call().set_setting(Setting.MAX_OPEN_ORDERS, 30)


def test_results_beyond_the_rows_are_dropped_by_the_library(desk: Desk) -> None:
    call = desk.call(strategy=StrategyId.TAKEOVER, common={Setting.ORDERINFO_ARRAY_SIZE: 5, Setting.MAX_OPEN_ORDERS: 2})
    call.orders.fill([pack(ORDER)] * 5)
    assert desk.run(call) == ReturnCode.SUCCESS
    assert len(call.results.read()) == 2


def test_skipped_bars_stay_a_hole_until_the_instance_is_initialised_again(desk: Desk) -> None:
    bars = bars_until(desk.now_ns, 60)
    call = desk.call(mode=ECHO, bars=[bars[:50]])
    assert desk.run(call) == ReturnCode.SUCCESS
    call.set_bars(0, bars[6:56])
    assert desk.run(call) == ReturnCode.SUCCESS
    whole, holed = seen(call)[0][0], 51  # one more bar: the one before the last went over the one that was last
    assert whole == holed
    assert seen(call)[0][8] == pytest.approx(bars.close[:49].sum() + bars.close[54:56].sum())
    desk.library.init_instance(desk.magic, desk.config, testing=True)
    assert desk.run(call) == ReturnCode.SUCCESS
    assert seen(call)[0][8] == pytest.approx(bars.close[6:56].sum())


def test_a_day_whose_first_bar_was_skipped_goes_into_the_day_before(desk: Desk) -> None:
    midnight = desk.now_ns // DAY_NS * DAY_NS
    bars = bars_until(midnight + 3 * HOUR_NS, 150)
    plans = [RatesPlan(5, 60, 60, 5), RatesPlan(3, 1440, 60, 5)]

    def days_after(*moments: int) -> float:
        desk.library.init_instance(desk.magic, desk.config, testing=True)
        call = desk.call(mode=ECHO, bars=[bars[:100]] * 2, plans=plans)
        for last in moments:
            part = bars[: 147 + last]
            call.set_bars(0, part[-100:])
            call.set_bars(1, part[-100:])
            call.set_now(int(part.open_time_ns[-1]), PRICES, ACCOUNT)
            assert desk.run(call) == ReturnCode.SUCCESS
        return float(seen(call)[1][3])

    assert days_after(-1, 0, 1) == midnight / 1e9
    assert days_after(-1, 1, 2) == (midnight - DAY_NS) / 1e9


@pytest.mark.parametrize(
    ("broker", "reference", "shift_h"),
    [
        ("UTC", "Plus three", 3),
        ("Plus three", "UTC", 0),
        ("Helsinki", "UTC", 0),
        ("Helsinki", "Plus three", 3),
    ],
)
def test_the_library_sees_the_clock_of_the_reference_broker(
    tmp_path: Path, broker: str, reference: str, shift_h: int
) -> None:
    desk = Desk(tmp_path, fresh_library(tmp_path), zone=broker)
    call = desk.call(mode=ECHO, reference=reference)
    assert desk.run(call) == ReturnCode.SUCCESS
    assert seen(call)[0][3] == desk.now_ns / 1e9 + shift_h * 3600


@pytest.mark.parametrize(("hours", "runs"), [(24, True), (48, True), (72, False), (96, False), (120, True)])
def test_nothing_runs_on_a_weekend_and_the_answer_is_zero(desk: Desk, hours: int, runs: bool) -> None:
    desk.now_ns += hours * HOUR_NS
    call = desk.call(mode=ROW, additional={25: 2, 26: -1}, bars=[bars_until(desk.now_ns, 80)])
    assert desk.run(call) == ReturnCode.SUCCESS
    assert bool(call.results.read()) is runs


def test_the_bars_that_are_needed_are_enough_and_one_below_the_rule_is_not(desk: Desk) -> None:
    plan = RatesPlan(20, 60, 60, 5)
    for count, wanted in ((plan.bars_needed - 2, ReturnCode.NOT_ENOUGH_RATES_DATA), (plan.bars_needed, 0)):
        call = desk.call(mode=ECHO, bars=[bars_until(desk.now_ns, count)], plans=[plan])
        assert desk.run(call) == wanted


def test_what_is_refused_has_its_code(desk: Desk) -> None:
    assert desk.run(desk.call(strategy=18)) == ReturnCode.INVALID_STRATEGY
    assert desk.run(desk.call(reference="Nobody")) == ReturnCode.UNKNOWN_TIMEZONE
    assert desk.run(desk.call(common={Setting.STRATEGY_INSTANCE_ID: 8})) == ReturnCode.UNKNOWN_INSTANCE_ID
    call = desk.call()
    call.set_now(desk.now_ns, Prices(0.0, 1.1), ACCOUNT)
    assert desk.run(call) == ReturnCode.BID_ASK_IS_ZERO
    call = desk.call()
    call.set_setting(Setting.IS_BACKTESTING, 3)
    assert desk.run(call) == ReturnCode.INVALID_PARAMETER


def test_a_process_has_room_for_two_hundred_instances(desk: Desk) -> None:
    for magic in range(8, 207):
        desk.library.init_instance(magic, desk.config, testing=True)
    desk.library.deinit_instance(8)
    with pytest.raises(LibraryError, match="3022 TOO_MANY_INSTANCES"):
        desk.library.init_instance(207, desk.config, testing=True)


@pytest.mark.parametrize(
    ("symbol", "currency", "base", "quote"),
    [
        ("EURJPY", "USD", "EURUSD", "USDJPY"),
        ("EURGBP", "USD", "EURUSD", "GBPUSD"),
        ("EURUSD", "USD", "", ""),
        ("EUR/USD", "EUR", "", ""),
        ("XAUUSD", "EUR", "XAUEUR", "EURUSD"),
        ("pEUR_JPY.x", "CHF", "EURCHF", "CHFJPY"),
        ("EURJPY", "XYZ", "EURUSD", "USDJPY"),
    ],
)
@pytest.mark.parametrize("names", ["clean", "newlines"])
def test_conversion_symbols_come_without_the_newlines_before_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, names: str, symbol: str, currency: str, base: str, quote: str
) -> None:
    monkeypatch.setenv("ASIRIKUY_STANDIN_NAMES", names)
    assert desk.library.conversion_symbols(symbol, currency) == (base, quote)


def test_symbols_are_normalised_and_unknown_ones_named(desk: Desk) -> None:
    assert desk.library.normalize_symbol("pEUR/USD.x") == "EURUSD"
    assert desk.library.normalize_symbol("SpotCrudeUSD") == "SpotCrudeUSD"
    with pytest.raises(ConfigError, match="symbol NAS100: the library answers 3001 UNKNOWN_SYMBOL"):
        desk.library.conversion_symbols("NAS100", "USD")


def test_a_configuration_that_cannot_be_is_named_before_anything_runs(tmp_path: Path) -> None:
    library = FrameworkLibrary(fresh_library(tmp_path))
    with pytest.raises(ConfigError, match=r"nowhere\.xml: no such file"):
        library.init_instance(7, tmp_path / "nowhere.xml")
    long = tmp_path / ("d" * 200) / "AsirikuyConfig.xml"
    with pytest.raises(ConfigError, match="the library has room for 255"):
        library.init_instance(7, long)
    config = framework_files(tmp_path / "home")
    text = config.read_text()
    for spoilt, code in (
        (text.removeprefix("<?xml"), "3023 INVALID_CONFIG"),
        (text.replace("TempFileFolderPath", "Temp"), "3023 INVALID_CONFIG"),
        (text.replace("<TradingWeekBoundaries>", "<Week>"), "3005 NULL_POINTER"),
        (text.replace("broker-tz.csv", " broker-tz.csv "), "3005 NULL_POINTER"),
    ):
        config.write_text(spoilt)
        with pytest.raises(ConfigError, match=code):
            library.init_instance(7, config)
    config.write_text(text)
    library.init_instance(7, config)  # a failed first time may be repeated


def test_a_second_configuration_is_refused_because_the_library_would_ignore_it(desk: Desk, tmp_path: Path) -> None:
    other = framework_files(tmp_path / "other")
    with pytest.raises(ConfigError, match=r"this process reads .*home.* already"):
        desk.library.init_instance(8, other)
