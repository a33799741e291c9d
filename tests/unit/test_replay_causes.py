"""Why a day that is run again differs, and what was open when its session began: told from what is recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import pytest

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, iso_from_ns
from atrader.messages.history import GetStatistics, QueryHistory
from atrader.orders.model import Intent
from atrader.risk import InstanceRecord, RiskDay
from atrader.runtime.session_file import Life, SeenBar
from manager.rerun.carried import begin_of
from manager.rerun.causes import Kind, causes_of
from manager.rerun.moment import Moment
from manager.rerun.risk_day import risk_day_of
from manager.rerun.sessions import Recorded, pending_of
from research.rerun import BarNews, Difference, Record
from tests.support.event_runs import account_of, instance_of

D = Decimal
HOUR = 3600 * NS_PER_S
AT = 1_709_640_000 * NS_PER_S  # 12:00
CONFIG = instance_of(strategy="rsi", timeframe="1h", parameters={"rsi_period": 6})
TODAY = (CONFIG, account_of())
Row = dict[str, Any]


def life(**values: Any) -> Life:
    usual: dict[str, Any] = {
        "market_ns": AT - 10 * HOUR, "strategy": "rsi", "code": "abc", "program": version("atrader-platform"),
        "instrument": "EUR/USD", "timeframe": "1h", "parameters": {"rsi_period": 6}, "window": 10,
        "bar_ns": AT - 11 * HOUR, "newest_ns": AT - 11 * HOUR, "n": 3, "state": {}, "pending": [],
    }  # fmt: skip
    return Life(**{**usual, **values})


def recorded(**values: Any) -> Recorded:
    usual: dict[str, Any] = {
        "instance": "rsi-1", "life": life(), "seen": (), "last_ns": AT + HOUR, "end_ns": AT + HOUR,
        "own": Record([], [], {}, {}), "wanted": (), "pending": (), "intents": (), "orders": (), "trades": (),
        "alerts": (),
    }  # fmt: skip
    return Recorded(**{**usual, **values})


def trade(trade_id: str, open_ns: int, close_ns: int | None = None, **values: Any) -> Row:
    usual: Row = {
        "trade_id": trade_id, "account": "paper", "magic": 1, "instance": "one", "instrument": "EUR/USD",
        "side": "buy", "units": "1000", "units_open": "0" if close_ns else "1000", "open_time_ns": open_ns,
        "open_price": "1.1", "initial_stop": "1.09", "broker_trade_id": "17", "version": 4, "close_time_ns": close_ns,
        "close_reason": "stop-loss",
    }  # fmt: skip
    return {**usual, **values}


def kinds(
    found: Recorded, *, news: tuple[BarNews, ...] = (), code: str = "abc", chance: tuple[str, ...] = (), **values: Any
) -> list[str]:
    usual: dict[str, Any] = {"kind": "decision", "time_ns": AT, "bar": f"1h|{AT - HOUR}", "live": None, "again": None}
    difference = Difference(**{**usual, **values})
    causes = causes_of(difference, found, CONFIG, TODAY, code, news, Calendar.get("fx"), is_live=True, chance=chance)
    return [cause.kind for cause in causes]


HAND: Row = {
    "instance": "rsi-1", "intent_id": "1:-1", "time_ns": AT, "reason": "flatten", "action": "close", "trade_id": "t1",
    "order_id": None,
}  # fmt: skip
CASES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "parameters": ({"life": life(parameters={"rsi_period": 7})}, {}),
    "code": ({}, {"code": "def"}),
    "revised-bar": ({}, {"news": (BarNews("revised", AT - HOUR, "x"),)}),
    "missing-bar": ({}, {"news": (BarNews("missing", AT - HOUR, "x"),)}),
    "unseen-bar": ({}, {"news": (BarNews("unseen", AT - 3 * HOUR, "x"),)}),
    "late-bar": ({"seen": (SeenBar(AT - HOUR, 1, AT + 8 * NS_PER_S),)}, {}),
    "exception": ({"alerts": ({"kind": "strategy-error", "time_ns": AT, "text": "on_bar raised\nx"},)}, {}),
    "refused": ({}, {"kind": "refused", "live": {"state": "DENIED", "reason": "stale-price"}}),
    "unheard": ({"trades": (trade("t1", AT - HOUR, AT - 5),)}, {"live": {"action": "close", "trade_id": "t1"}}),
    "by-hand": (
        {
            "intents": (
                {
                    "instance": "rsi-1",
                    "intent_id": "1:-1",
                    "time_ns": AT,
                    "reason": "flatten",
                    "action": "close",
                    "trade_id": "t1",
                    "order_id": None,
                },
            )
        },
        {},
    ),
    "settings": ({"life": life(account={"positions": "netting"})}, {"kind": "size"}),
    "chance": ({}, {"chance": ("it throws dice",)}),
    "price": ({}, {"kind": "price"}),
    "carried": ({"trades": (trade("t1", AT - 20 * HOUR),)}, {}),
    "unknown": ({}, {}),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_cause_is_named_when_it_is_there_and_alone(kind: str) -> None:
    found, values = CASES[kind]
    assert kinds(recorded(**found), **values) == [kind]


@pytest.mark.parametrize("change", [{"reason": "session-end"}, {"reason": "stop-loss"}, {"instance": "other"}])
def test_what_a_rule_or_a_stop_closed_and_what_others_had_closed_was_nobodys_hand(change: Row) -> None:
    assert kinds(recorded(intents=({**HAND, **change},))) == ["unknown"]


def test_what_came_after_the_difference_is_no_cause_of_it() -> None:
    found = recorded(alerts=({"kind": "strategy-error", "time_ns": AT + 1, "text": "x"},))
    assert kinds(found, news=(BarNews("revised", AT, "x"),)) == ["unknown"]


def test_of_many_bars_the_last_before_the_difference_are_shown_and_the_others_counted() -> None:
    news = tuple(BarNews("revised", AT - number * HOUR, iso_from_ns(AT)) for number in range(9, 0, -1))
    difference = Difference("signal", AT, None, None, None)
    causes = causes_of(difference, recorded(), CONFIG, TODAY, "abc", news, Calendar.get("fx"), is_live=False)
    assert [cause.bar_ns for cause in causes[:-1]] == [AT - number * HOUR for number in range(5, 0, -1)]
    assert causes[-1].text == "and 4 bars before these"


def test_the_documentation_names_every_cause() -> None:
    text = (Path(__file__).parents[2] / "docs" / "backtests.md").read_text()
    table = text[text.index("| why | what it means |") : text.index("After a replay at full speed prices")]
    assert set(re.findall(r"`([a-z-]+)`", table)) >= set(get_args(Kind)) == set(CASES)


class Rows:
    """A history of some rows."""

    def __init__(self, **tables: list[Row]) -> None:
        self._tables = tables

    def query(self, query: QueryHistory) -> list[Row]:
        """Return the rows of a period, newest so many of them."""
        first, end = query.start_ns or 0, query.end_ns or 10**19
        rows = [row for row in self._tables.get(query.table, []) if first <= row["time_ns"] < end]
        return rows[-query.limit :] if query.limit else rows

    def statistics(self, request: GetStatistics) -> list[Row]:
        """Nobody asks for them."""
        raise NotImplementedError


def fill(time_ns: int, profit: str, **values: Any) -> Row:
    return {
        "time_ns": time_ns, "magic": 1, "profit": profit, "commission": "-1", "client_id": "c", "fill_id": "9",
        "side": "sell", "reason": "order", "trade_id": "t1", "units": "400", **values,
    }  # fmt: skip


def test_a_session_goes_on_with_the_balance_the_units_and_the_stops_of_when_it_began() -> None:
    begin_ns = AT - 10 * HOUR
    history = Rows(
        equity=[{"time_ns": begin_ns - HOUR, "balance": "5000"}, {"time_ns": begin_ns + HOUR, "balance": "7000"}],
        fills=[fill(begin_ns - 2 * HOUR, "50"), fill(begin_ns - 1, "20", fill_id="31"), fill(begin_ns + 5, "40")],
        intents=[
            {"time_ns": begin_ns - 5 * HOUR, "client_id": "t1", "action": "open", "trade_id": None,
             "stop_loss": "1.09", "take_profit": "1.2", "trailing_distance": None},
            {"time_ns": begin_ns - HOUR, "client_id": "m1", "action": "modify", "trade_id": "t1",
             "stop_loss": "1.095", "take_profit": "0", "trailing_distance": None},
            {"time_ns": begin_ns + HOUR, "client_id": "m2", "action": "modify", "trade_id": "t1",
             "stop_loss": "1.099", "take_profit": None, "trailing_distance": None},
        ],
    )  # fmt: skip
    trades = [
        trade("t0", begin_ns - 9 * HOUR, begin_ns - HOUR),
        trade("t1", begin_ns - 5 * HOUR, AT, units_open="0"),
        trade("t2", begin_ns + HOUR),
    ]
    begin = begin_of(recorded(trades=trades), "one", account_of(), history)
    assert (begin.time_ns, begin.balance, begin.last_id) == (begin_ns, D(5019), 31)
    (held,) = begin.trades
    assert (held.trade_id, held.units, held.stop_loss, held.take_profit) == ("t1", D(400), D("1.095"), None)


@pytest.mark.parametrize("recorded_first", [True, False])
def test_a_balance_of_the_moment_of_a_fill_may_be_from_before_it_or_after_it(recorded_first: bool) -> None:
    begin_ns = AT - 10 * HOUR
    history = Rows(
        equity=[
            {"time_ns": begin_ns - 2 * HOUR, "balance": "5000"},
            {"time_ns": begin_ns - HOUR, "balance": "5000" if recorded_first else "5049"},
        ],
        fills=[fill(begin_ns - HOUR, "50")],
    )
    assert begin_of(recorded(), "one", account_of(), history).balance == D(5049)


def test_what_the_session_did_in_its_first_moment_is_not_carried_but_done_again() -> None:
    begin_ns = AT - 10 * HOUR
    wanted = [
        {"client_id": "c9", "action": "close", "trade_id": "t1", "time_ns": begin_ns},
        {"client_id": "t3", "action": "open", "trade_id": None, "time_ns": begin_ns},
    ]
    trades = [trade("t1", begin_ns - 5 * HOUR, begin_ns - 1), trade("t3", begin_ns - 1)]
    history = Rows(fills=[fill(begin_ns - 1, "20", client_id="c9", units="1000", fill_id="31")])
    begin = begin_of(recorded(trades=trades, wanted=wanted), "one", account_of(), history)
    assert [(held.trade_id, held.units) for held in begin.trades] == [("t1", D(1000))]
    assert (begin.balance, begin.last_id) == (account_of().paper.initial_balance, 0)


def test_of_the_moment_in_which_a_session_began_all_is_carried_but_the_next_quotes_stops_and_what_it_did_itself() -> (
    None
):
    begin_ns = AT - 10 * HOUR
    trades = [
        trade("t1", begin_ns - HOUR, begin_ns),  # closed by the life before
        trade("t2", begin_ns),  # opened by it
        trade("t3", begin_ns - HOUR, begin_ns),  # by its stop, at the quote that came next
        trade("t4", begin_ns - HOUR, begin_ns),  # by this life
    ]
    history = Rows(
        fills=[
            fill(begin_ns, "10", trade_id="t1", client_id="c1", units="1000", fill_id="30"),
            fill(begin_ns, "0", trade_id="t2", client_id="t2", side="buy", fill_id="31"),
            fill(begin_ns, "-5", trade_id="t3", client_id=None, units="1000", fill_id="40"),
            fill(begin_ns, "20", trade_id="t4", client_id="c4", units="1000", fill_id="41"),
        ],
        intents=[
            {"time_ns": begin_ns, "client_id": "m1", "action": "modify", "trade_id": "t2", "stop_loss": "1.07",
             "take_profit": None, "trailing_distance": None, "magic": 1, "intent_id": "1:5"},
        ],
    )  # fmt: skip
    wanted = [{"client_id": "c4", "action": "close", "trade_id": "t4", "time_ns": begin_ns}]
    begin = begin_of(recorded(trades=trades, wanted=wanted), "one", account_of(), history)
    assert [(held.trade_id, held.units) for held in begin.trades] == [("t2", D(1000)), ("t3", D(1000)), ("t4", D(1000))]
    assert begin.recent == [(1, begin_ns)]
    assert begin.trades[0].stop_loss == D("1.07")
    assert (begin.balance, begin.last_id) == (account_of().paper.initial_balance + 8, 31)


def test_what_the_gateway_got_in_the_moment_in_which_a_session_began_is_handed_over_again() -> None:
    began = life()
    left = [
        Intent(
            n=n, magic=1, instance="one", instrument="EUR/USD", action="close", trade_id="t1", time_ns=began.market_ns
        )
        for n in (1, 2)
    ]
    orders = [
        {"client_id": intent.client_id, "created_ns": began.market_ns - 1 + number}
        for number, intent in enumerate(left)
    ]
    pending = pending_of(life(pending=[intent.model_dump(mode="json") for intent in left]), orders)
    assert pending == left[1:]


def test_the_risk_day_is_that_of_the_gateway_but_for_what_is_done_again() -> None:
    """Two losses, one of them in the very moment; a profit of that moment comes again with the next quote."""
    begin_ns = AT - 10 * HOUR
    day = RiskDay.begin("fx", begin_ns - HOUR, D(1000), D(1010))
    day = day.model_copy(
        update={
            "instances": {
                1: InstanceRecord(realised_today=D(77), financing_today=D(-2), losses_in_row=9, last_loss_ns=3),
                2: InstanceRecord(realised_today=D(5), losses_in_row=4),
            }
        }
    )
    trades = [
        trade("t0", begin_ns - 9 * HOUR, begin_ns - 8 * HOUR, profit="3", commission="0", swap="0"),
        trade("t1", begin_ns - 9 * HOUR, begin_ns - HOUR, profit="-4", commission="-1", swap="0"),
        trade("t2", begin_ns - 9 * HOUR, begin_ns, profit="-10", commission="0", swap=None),
        trade("t3", begin_ns - 9 * HOUR, begin_ns, profit="30", commission="0", swap="0"),
    ]
    fills = [
        fill(day.day_start_ns - 1, "1000", trade_id="t0"),
        fill(begin_ns - HOUR, "-4", trade_id="t1", commission="-1"),
        fill(begin_ns, "-10", trade_id="t2", client_id="c2"),
        fill(begin_ns, "30", trade_id="t3", client_id=None, fill_id="41"),
    ]
    moment = Moment(begin_ns, [], [], fills)
    found = risk_day_of(day.model_dump_json(), trades, fills, moment)
    assert found is not None
    assert found.instances[1] == InstanceRecord(
        realised_today=D(-18), financing_today=D(-2), losses_in_row=2, last_loss_ns=begin_ns
    )
    assert found.instances[2] == day.instances[2]
    assert found.day_start_equity == D(1010)
    assert risk_day_of("", trades, fills, moment) is None
    assert risk_day_of('{"of": "another release"}', trades, fills, moment) is None
