"""The risk day: reference points that roll with the account's calendar."""

from __future__ import annotations

import pytest

from atrader.clock import NS_PER_S, parse_time
from atrader.configuration.account import AccountConfig
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.limits import TradeLimits
from atrader.risk import InstanceRecord, Quote, RiskDay, RiskLimits
from tests.support.orders import D, make_fill, make_trade

NOON_NS = parse_time("2024-03-06T17:00Z")
BEFORE_CLOSE_NS = parse_time("2024-03-06T21:59:59.999999999Z")
CLOSE_NS = parse_time("2024-03-06T22:00Z")  # 17:00 in New York, still winter time
ACCOUNT_LIMITS = TradeLimits.model_validate({"max_units": 1000, "stop_required": True, "max_price_age": "3s"})


@pytest.fixture
def day() -> RiskDay:
    return RiskDay.begin("fx", NOON_NS, D(10_000), D(10_000))


def test_a_day_begins_with_the_calendars_day(day):
    assert day.day_start_ns == parse_time("2024-03-05T22:00Z")
    assert RiskDay.begin("24/7", NOON_NS, D(1), D(1)).day_start_ns == parse_time("2024-03-06T00:00Z")


def test_a_calendar_nobody_knows_is_an_error():
    with pytest.raises(ValueError, match="calendar"):
        RiskDay.begin("moon", NOON_NS, D(1), D(1))


def test_a_valuation_within_the_day_moves_nothing_but_the_peak(day):
    assert day.roll(BEFORE_CLOSE_NS, D(9_000), D(9_500)) is day
    higher = day.roll(BEFORE_CLOSE_NS, D(9_000), D(10_500))
    assert higher == day.model_copy(update={"peak_equity": D(10_500)})


def test_the_first_valuation_after_the_boundary_begins_the_day(day):
    rolled = day.roll(CLOSE_NS, D(10_400), D(10_300))
    assert (rolled.day_start_ns, rolled.day_start_equity, rolled.day_start_balance) == (CLOSE_NS, 10_300, 10_400)
    assert (rolled.peak_equity, rolled.peak_day_end_balance, rolled.best_day_profit) == (10_300, 10_400, 400)
    assert (rolled.start_equity, rolled.start_balance) == (10_000, 10_000)
    assert rolled.day_loss(D(10_200)) == 100


def test_a_losing_day_lowers_no_peak(day):
    rolled = day.roll(CLOSE_NS, D(9_000), D(9_000))
    assert (rolled.peak_equity, rolled.peak_day_end_balance, rolled.best_day_profit) == (10_000, 10_000, 0)


def test_a_clock_that_steps_back_brings_no_old_day_back(day):
    rolled = day.roll(CLOSE_NS, D(9_000), D(9_000))
    assert rolled.roll(NOON_NS, D(8_000), D(8_000)) is rolled


def test_the_day_boundary_moves_with_summer_time():
    day = RiskDay.begin("fx", parse_time("2024-03-11T20:59Z"), D(1), D(1))
    assert day.roll(parse_time("2024-03-11T21:00Z"), D(1), D(1)).day_start_ns == parse_time("2024-03-11T21:00Z")


def test_realised_and_floating_loss_of_an_instance_are_measured_from_the_start_of_the_day(day):
    day = day.filled(make_fill("f1", "sell", "10", "1.1", profit=D(-50), commission=D(-2)))
    assert day.instance_day_loss(7, D(-8)) == 60
    rolled = day.roll(CLOSE_NS, D(9_948), D(9_940), {7: D(-8), 8: D(3)})
    assert rolled.instance(7) == InstanceRecord(floating_at_day_start=D(-8))
    assert rolled.instance_day_loss(7, D(-8)) == 0
    assert rolled.instance_day_loss(7, D(-20)) == 12
    assert rolled.booked(8, D(5)).instance_day_loss(8, D(0)) == -2


def test_losses_in_a_row_survive_the_night_and_end_with_a_trade_that_does_not_lose(day):
    loser = make_trade("t1", units=D(0), profit=D("0.50"), commission=D("-0.60"), close_time_ns=NOON_NS)
    winner = make_trade("t2", units=D(0), profit=D("0.50"), commission=D("-0.50"), close_time_ns=NOON_NS + 5)
    lost = day.closed(loser).closed(loser).roll(CLOSE_NS, D(1), D(1))
    assert lost.instance(7) == InstanceRecord(losses_in_row=2, last_loss_ns=NOON_NS)
    assert lost.closed(winner).instance(7).losses_in_row == 0
    assert day.closed(make_trade("t3", profit=D(-1))) is day  # closed in part only


def test_a_risk_day_survives_being_written_down(day):
    day = day.filled(make_fill("f1", "sell", "10", "1.1", profit=D("-50.25"))).closed(
        make_trade("t1", units=D(0), profit=D(-1), close_time_ns=NOON_NS)
    )
    assert RiskDay.model_validate_json(day.model_dump_json()) == day


def test_what_an_instance_says_about_its_orders_wins_and_the_rest_stays_the_accounts():
    account = AccountConfig(name="paper", broker="paper", trade=ACCOUNT_LIMITS)
    config = InstanceConfig(
        name="alpha",
        strategy="sma-cross",
        account="paper",
        magic=7,
        instrument="EUR/USD",
        timeframe="1m",
        trade=TradeLimits(max_units=D(50)),
    )
    limits = RiskLimits.of(account, config)
    assert limits.trade == ACCOUNT_LIMITS.model_copy(update={"max_units": D(50)})
    assert RiskLimits.of(account).trade == account.trade


def test_a_quote_from_a_tick_is_money_and_never_younger_than_now():
    from atrader.instruments import KNOWN
    from atrader.market import Tick

    tick = Tick("EUR/USD", NOON_NS, NOON_NS, 1.0999, 1.1000)
    quote = Quote.from_tick(tick, KNOWN["EUR/USD"], NOON_NS + NS_PER_S // 2)
    assert quote == Quote(D("1.09990"), D("1.10000"), 0.5)
    assert quote.mid == D("1.09995")
    assert Quote.from_tick(tick, KNOWN["EUR/USD"], NOON_NS - 5).age_s == 0
