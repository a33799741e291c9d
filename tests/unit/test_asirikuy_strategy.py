"""The strategy over the stand-in library: limits, gaps, repeated bars, what is not called and why."""

from __future__ import annotations

from decimal import Decimal

import pytest

from atrader.orders.states import OrderState
from tests.support.asirikuy_desk import MINUTE_NS
from tests.support.asirikuy_fixtures import MakeStage
from tests.support.asirikuy_fleet import METRONOME
from tests.support.asirikuy_stage import OPEN_BUY, a_trade, an_order, preset

CLOSE_BUY, UPDATE_BUY, CLOSE_BUYLIMIT = 0x2, 0x4, 0x10


def test_a_new_bar_runs_the_strategy_once(make_stage: MakeStage) -> None:
    stage = make_stage(preset(OPEN_BUY, 0, 0.25, 0.5))
    (wish,) = stage.bar()
    assert (wish["side"], wish["units"], wish["order_type"]) == ("buy", 1, "market")
    assert (wish["stop_loss"], wish["take_profit"]) == (Decimal("1.4"), Decimal("2.1"))  # from the ask, 1.6; tick 0.1
    assert len(stage.bar()) == 1


def test_the_library_follows_bar_by_bar_and_reads_anew_after_a_gap_or_late_bars(make_stage: MakeStage) -> None:
    stage = make_stage(preset())
    for _ in range(3):
        stage.bar()
    assert stage.world.signals.count("library-initialised") == 1
    stage.bar(minutes=3)
    assert stage.world.signals.count("library-initialised") == 2
    stage.world.missing = 2
    stage.bar()
    assert stage.world.signals.count("library-initialised") == 3
    stage.world.missing = 0
    stage.bar()
    assert stage.world.signals.count("library-initialised") == 4


def test_with_too_few_bars_it_is_not_called_and_says_how_many_there_are(make_stage: MakeStage) -> None:
    stage = make_stage(preset())
    stage.world.stored = 12
    assert stage.bar() == []
    ((kind, text),) = stage.world.alerts
    assert kind == "not-enough-bars"
    assert "rates[0] BTC/USD: 12 bars of 1m are stored, 13 are needed" in text
    assert stage.bar() == []
    stage.world.stored = 100
    assert len(stage.bar()) == 1
    assert len(stage.world.alerts) == 2, "once when it began, once when it was over"


def test_monitor_mode_records_signals_and_sends_nothing(make_stage: MakeStage) -> None:
    stage = make_stage(preset(OPEN_BUY | CLOSE_BUY | UPDATE_BUY, 0, 0.25, text="OPERATIONAL_MODE=2"))
    stage.world.open_trades = [a_trade(1)]
    assert stage.bar() == []
    assert stage.world.signals == ["library-initialised", "monitor-close", "monitor-open"]


@pytest.mark.parametrize(("spread", "opened"), [(0.4, 1), (0.6, 0)])
def test_a_spread_wider_than_the_preset_says_opens_nothing_but_closes(
    make_stage: MakeStage, spread: float, opened: int
) -> None:
    stage = make_stage(preset(OPEN_BUY | CLOSE_BUY, text="MAX_SPREAD_PIPS=5"))  # of 0.1
    stage.world.open_trades = [a_trade(1)]
    stage.world.spread = spread
    actions = [wish["action"] for wish in stage.bar()]
    assert actions == ["close", "open"][: 1 + opened]
    assert ("open-refused-spread" in stage.world.signals) is not bool(opened)


def test_a_drawdown_beyond_the_preset_opens_nothing_any_more_and_tells_people(make_stage: MakeStage) -> None:
    stage = make_stage(preset(OPEN_BUY | CLOSE_BUY, text="MAX_DRAWDOWN_PERCENT=10"))
    assert [wish["action"] for wish in stage.bar()] == ["open"]
    loss = a_trade(1).model_copy(
        update={"units": Decimal(0), "profit": Decimal(-1500), "close_time_ns": stage.world.time_ns}
    )
    stage.world.closed = (loss,)
    stage.world.open_trades = [a_trade(2)]
    assert [wish["action"] for wish in stage.bar()] == ["close"]
    stage.world.open_trades = []
    assert stage.bar() == []
    (text,) = (text for kind, text in stage.world.alerts if kind == "max-drawdown")
    assert "15.0 % below its peak" in text


def test_orders_are_passed_newest_first_with_their_tickets_and_a_waiting_one_is_cancelled(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(preset(CLOSE_BUYLIMIT))
    stage.world.live_orders = [an_order(5, OrderState.WORKING, order_type="limit")]
    stage.world.open_trades = [a_trade(3), a_trade(9)]
    (wish,) = stage.bar()
    assert (wish["action"], wish["order_id"]) == ("cancel", stage.world.live_orders[0].client_id)
    passed = stage.strategy._session.call.orders.rows
    assert passed["ticket"][:4].tolist() == [9, 5, 3, 0]
    assert passed["type"][:3].tolist() == [0, 2, 0]


def test_nothing_is_decided_while_it_is_unknown_what_became_of_an_open(make_stage: MakeStage) -> None:
    stage = make_stage(preset(text="RUN_EVERY_TICK=1"))
    stage.world.live_orders = [an_order(1, OrderState.UNKNOWN)]
    assert stage.bar() == []
    stage.world.live_orders = []
    assert len(stage.tick()) == 1, "called at the next quote"


def test_while_the_gateway_does_not_answer_it_is_not_called_and_called_a_second_later(
    make_stage: MakeStage, ntp_server: str
) -> None:
    stage = make_stage(preset(), ntp_server)
    stage.world.is_away = True
    assert stage.bar() == []
    assert stage.tick(0.5) == []
    ((kind, _),) = stage.world.alerts
    assert kind == "not-answered"
    stage.world.is_away = False
    assert len(stage.tick(1)) == 1


def test_a_bar_that_is_history_is_not_decided(make_stage: MakeStage) -> None:
    stage = make_stage(preset())
    stage.bar()
    stage.world.time_ns += 600 * 10**9
    old = stage.world.time_ns
    stage.world.time_ns -= 300 * 10**9
    bar = stage.world.bars(1).row(-1)
    stage.world.time_ns = old
    stage.strategy.on_bar(bar)
    assert stage.world.take() == []


def test_live_a_bar_runs_once_whatever_quotes_come_and_the_heartbeat_is_there_for_old_monitors(
    make_stage: MakeStage, ntp_server: str
) -> None:
    stage = make_stage(preset(), ntp_server)
    stage.tick(1)
    assert [stage.tick(2) for _ in range(3)] == [[], [], []]
    hour, minute = (stage.temp / "7_heartBeat.hb").read_text().splitlines()
    assert minute.endswith(f"{hour}:{minute[-2:]}")
    assert (stage.temp / "7.ui").read_text().startswith("bars, ")
    assert not (stage.temp / "7_orderFail.of").exists()
    assert not (stage.temp / "\n7_orderFail.of").exists()


def test_a_bar_on_which_nothing_was_said_may_still_open_when_it_is_run_later(
    make_stage: MakeStage, ntp_server: str
) -> None:
    stage = make_stage(preset(4, mode=METRONOME), ntp_server)  # says something at even bars only
    for _ in range(2):
        stage.bar()
        number = stage.world.minute_ns() // MINUTE_NS
        assert (stage.world.state.get("ran") == number) is (number % 2 == 0)


def test_live_a_refused_open_has_the_bar_run_again_and_only_it_is_repeated(
    make_stage: MakeStage, ntp_server: str
) -> None:
    stage = make_stage(preset(OPEN_BUY | 0x10000), ntp_server)
    assert [wish["side"] for wish in stage.tick(1)] == ["buy", "sell"]
    stage.strategy.on_order(an_order(1, OrderState.REJECTED))
    assert [wish["side"] for wish in stage.tick(1)] == ["buy"], "the sell was not refused"
    assert stage.tick(1) == []


def test_live_a_refused_open_is_repeated_so_often_and_no_more(make_stage: MakeStage, ntp_server: str) -> None:
    stage = make_stage(preset(), ntp_server, order_retries=2)
    stage.tick(1)
    for expected in (1, 1, 0):
        stage.strategy.on_order(an_order(1, OrderState.REJECTED))
        assert len(stage.tick(1)) == expected


def test_live_a_bar_that_died_with_its_process_is_run_again_by_the_next_one(
    make_stage: MakeStage, ntp_server: str
) -> None:
    stage = make_stage(preset(), ntp_server)
    before = dict(stage.world.state)
    assert len(stage.bar()) == 1, "decided, and the process dies before it can say so"
    stage.strategy.on_stop()
    stage.world.state = before
    stage.life()
    assert len(stage.bar(minutes=0)) == 1, "the library's own state says that the bar was run; it runs again"
    assert stage.tick(1) == []


def test_live_a_bar_that_was_done_is_not_run_again_by_the_next_life(make_stage: MakeStage, ntp_server: str) -> None:
    stage = make_stage(preset(), ntp_server)
    stage.bar()
    stage.strategy.on_stop()
    stage.life()
    assert [stage.tick(2) for _ in range(3)] == [[], [], []]


def test_live_a_trade_that_lost_its_stop_gets_one_and_nothing_is_opened_again(
    make_stage: MakeStage, ntp_server: str
) -> None:
    stage = make_stage(preset(OPEN_BUY | UPDATE_BUY, 0, 0.2), ntp_server, call_every="10s")
    stage.bar()
    stage.world.open_trades = [a_trade(1, initial_stop=Decimal("1.4"))]
    (wish,) = stage.tick(20)
    assert (wish["action"], wish["stop_loss"]) == ("modify", Decimal("1.4"))


def test_live_without_a_time_server_it_is_not_called(make_stage: MakeStage) -> None:
    stage = make_stage(preset(), "127.0.0.1:9")
    assert stage.bar() == []
    ((kind, text),) = stage.world.alerts
    assert kind == "clock"
    assert "would wait for one for ever" in text


def test_with_a_clock_of_its_own_it_needs_no_time_server_and_writes_no_files(make_stage: MakeStage) -> None:
    stage = make_stage(preset(), "127.0.0.1:9", clock_check="own")
    assert len(stage.bar()) == 1
    assert {path.name for path in stage.temp.iterdir() if not path.name.startswith("interface-known")} == {"7.state"}


def test_with_a_clock_of_its_own_quotes_of_another_time_keep_it_from_being_called(make_stage: MakeStage) -> None:
    stage = make_stage(preset(), "127.0.0.1:9", clock_check="own")
    stage.world.venue_ahead_ns = 7200 * 10**9
    assert stage.bar() == []
    ((kind, text),) = stage.world.alerts
    assert (kind, "clock is -7200 s off" in text) == ("clock", True)


def test_lots_follow_the_instances_own_balance_where_the_preset_says_so(make_stage: MakeStage) -> None:
    stage = make_stage(preset(text="USE_INSTANCE_BALANCE=true\nINIT_INSTANCE_BALANCE=500"))
    stage.bar()
    won = a_trade(1).model_copy(
        update={"units": Decimal(0), "profit": Decimal(70), "close_time_ns": stage.world.time_ns + 1}
    )
    stage.world.closed = (won,)
    stage.bar()
    account = stage.strategy._session.call._account
    assert account[1:3].tolist() == [570.0, 570.0]


def test_the_equity_it_began_with_is_kept_for_presets_without_compounding(make_stage: MakeStage) -> None:
    stage = make_stage(preset(text="DISABLE_COMPOUNDING=1"))
    stage.bar()
    stage.strategy.on_stop()
    stage.world.equity_now = Decimal(20_000)
    stage.life()
    stage.bar()
    assert stage.strategy._session.call._settings[49] == 10_000.0
