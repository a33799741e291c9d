"""The position ledger, against numbers worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from atrader.errors import InvariantBroken
from atrader.ledger import AVERAGE_DECIMALS, Break, Ledger, average_price, profit_of
from tests.support.orders import D, make_fill, make_intent, make_order, make_trade


@pytest.fixture
def ledger() -> Ledger:
    return Ledger("paper", 2)


def test_a_fill_opens_a_trade_with_the_id_and_protection_of_its_order(ledger):
    order = make_order(make_intent(stop_loss=D("1.09"), take_profit=D("1.13"), trailing_distance=D(0)))
    trade = ledger.apply_open(
        order, make_fill("f1", "buy", "1000", "1.10", commission=D("-0.03")), broker_trade_id="b9"
    )
    assert trade.trade_id == order.client_id == "a000007w1"
    assert (trade.units, trade.units_opened, trade.open_price) == (1000, 1000, D("1.10"))
    assert (trade.stop_loss, trade.take_profit, trade.trailing_distance) == (D("1.09"), D("1.13"), None)
    assert (trade.broker_trade_id, trade.commission, trade.version) == ("b9", D("-0.03"), 1)


def test_partial_fills_make_one_trade_with_the_average_price(ledger):
    order = make_order(make_intent(units=D(4000)))
    ledger.apply_open(order, make_fill("f1", "buy", "1000", "1.10"))
    later = order.model_copy(update={"filled_units": D(1000)})
    trade = ledger.apply_open(later, make_fill("f2", "buy", "3000", "1.12"))
    assert (trade.units, trade.open_price, trade.version) == (4000, D("1.115"), 2)
    assert ledger.open_trades() == (trade,)


def test_a_moved_stop_survives_the_next_partial_fill(ledger):
    order = make_order(make_intent(units=D(2000)))
    opened = ledger.apply_open(order, make_fill("f1", "buy", "1000", "1.10"))
    ledger.protect(opened.trade_id, stop_loss=D("1.095"))
    trade = ledger.apply_open(
        order.model_copy(update={"filled_units": D(1000)}), make_fill("f2", "buy", "1000", "1.10")
    )
    assert trade.stop_loss == D("1.095")


def test_a_fill_after_its_trade_was_stopped_out_opens_a_trade_of_its_own(ledger):
    order = make_order(make_intent(units=D(2000)))
    opened = ledger.apply_open(order, make_fill("f1", "buy", "1000", "1.10"))
    ledger.apply_close(opened.trade_id, make_fill("f2", "sell", "1000", "1.09", reason="stop-loss"))
    later = order.model_copy(update={"filled_units": D(1000)})
    trade = ledger.apply_open(later, make_fill("f3", "buy", "1000", "1.08"))
    assert trade.trade_id == "a000007w1-f3"
    assert trade.units == 1000


def test_partial_closes_keep_the_open_price_and_average_the_close_price(ledger):
    trade_id = ledger.apply_open(make_order(make_intent()), make_fill("f1", "buy", "1000", "1.10")).trade_id
    first, half = ledger.apply_close(trade_id, make_fill("f2", "sell", "400", "1.12", commission=D("-0.01")))
    assert (first.profit, first.trade_id) == (D("8.00"), trade_id)
    assert (half.units, half.units_closed, half.open_price, half.close_price) == (600, 400, D("1.10"), D("1.12"))
    assert half.close_time_ns is None
    second, closed = ledger.apply_close(trade_id, make_fill("f3", "sell", "600", "1.07", time_ns=9), reason="stop-loss")
    assert second.profit == D("-18.00")
    assert (closed.units, closed.profit, closed.commission) == (0, D("-10.00"), D("-0.01"))
    assert closed.close_price == D("1.09")  # (400 * 1.12 + 600 * 1.07) / 1000
    assert (closed.close_time_ns, closed.close_reason, closed.version) == (9, "stop-loss", 3)
    assert ledger.open_trades() == ()


def test_short_trades_win_when_prices_fall_and_profit_is_in_account_currency(ledger):
    order = make_order(make_intent(instrument="USD/JPY", side="sell", stop_loss=D(151)))
    trade = ledger.apply_open(order, make_fill("f1", "sell", "1000", "150.00", instrument="USD/JPY"))
    fill, _ = ledger.apply_close(
        trade.trade_id, make_fill("f2", "buy", "1000", "149.00", instrument="USD/JPY", home_rate=D("0.0067"))
    )
    assert fill.profit == D("6.70")


@pytest.mark.parametrize(
    ("move", "profit"),
    [("0.005", "0.00"), ("0.015", "0.02"), ("-0.005", "0.00"), ("-0.015", "-0.02"), ("0.0051", "0.01")],
)
def test_profit_is_rounded_half_to_even(move, profit):
    assert profit_of("buy", D(1), D(1), 1 + D(move), D(1), 2) == D(profit)


def test_closing_more_than_is_open_breaks_an_invariant_and_changes_nothing(ledger):
    trade = ledger.apply_open(make_order(make_intent()), make_fill("f1", "buy", "1000", "1.10"))
    with pytest.raises(InvariantBroken, match="closes 1001 units"):
        ledger.apply_close(trade.trade_id, make_fill("f2", "sell", "1001", "1.12"))
    assert ledger.open_trades() == (trade,)


@pytest.mark.parametrize(
    "fill",
    [
        make_fill("f2", "buy", "1000", "1.12"),
        make_fill("f2", "sell", "1000", "1.12", instrument="GBP/USD"),
        make_fill("f2", "sell", "1000", "1.12", account="other"),
        make_fill("f2", "sell", "0", "1.12"),
        make_fill("f2", "sell", "-5", "1.12"),
    ],
)
def test_a_fill_that_does_not_fit_its_trade_breaks_an_invariant(ledger, fill):
    trade = ledger.apply_open(make_order(make_intent()), make_fill("f1", "buy", "1000", "1.10"))
    with pytest.raises(InvariantBroken):
        ledger.apply_close(trade.trade_id, fill)


def test_a_trade_that_is_not_open_can_be_neither_closed_nor_changed(ledger):
    with pytest.raises(InvariantBroken, match="no open trade nowhere"):
        ledger.apply_close("nowhere", make_fill("f1", "sell", "1", "1"))
    with pytest.raises(InvariantBroken, match="no open trade nowhere"):
        ledger.protect("nowhere", stop_loss=D(1))
    with pytest.raises(InvariantBroken, match="no open trade nowhere"):
        ledger.add_swap("nowhere", D(1))


def test_a_fill_of_another_side_cannot_add_to_a_trade(ledger):
    order = make_order(make_intent())
    ledger.apply_open(order, make_fill("f1", "buy", "500", "1.10"))
    with pytest.raises(InvariantBroken, match="cannot add"):
        ledger.apply_open(order, make_fill("f2", "sell", "500", "1.10"))


def test_protection_none_keeps_zero_removes_and_no_change_is_no_new_version(ledger):
    trade = ledger.apply_open(make_order(make_intent()), make_fill("f1", "buy", "1000", "1.10"))
    changed = ledger.protect(trade.trade_id, take_profit=D("1.2"))
    assert (changed.stop_loss, changed.take_profit, changed.version) == (D("1.09"), D("1.2"), 2)
    assert ledger.protect(trade.trade_id, take_profit=D("1.2")) is changed
    assert ledger.protect(trade.trade_id, stop_loss=D(0)).stop_loss is None


def test_swap_adds_up_on_the_trade(ledger):
    trade_id = ledger.apply_open(make_order(make_intent()), make_fill("f1", "buy", "1000", "1.10")).trade_id
    ledger.add_swap(trade_id, D("-0.30"))
    assert ledger.add_swap(trade_id, D("0.10")).swap == D("-0.20")


def test_trades_of_two_instances_net_in_the_proof(ledger):
    ledger.apply_open(make_order(make_intent()), make_fill("f1", "buy", "1000", "1.10"))
    other = make_order(make_intent(magic=8, instance="beta", side="sell", stop_loss=D("1.2")))
    ledger.apply_open(other, make_fill("f2", "sell", "400", "1.10", magic=8, instance="beta"))
    assert ledger.net_units() == {"EUR/USD": 600}
    assert ledger.net_units(magic=8) == {"EUR/USD": -400}
    assert [trade.magic for trade in ledger.open_trades(magic=8)] == [8]
    assert ledger.proof({"EUR/USD": D("600.0")}) == []
    assert ledger.proof({}) == [Break("EUR/USD", D(600), D(0))]
    assert ledger.proof({"EUR/USD": D(600), "GBP/USD": D(-5)}) == [Break("GBP/USD", D(0), D(-5))]


def test_instruments_that_net_to_nothing_are_flat(ledger):
    ledger.apply_open(make_order(make_intent()), make_fill("f1", "buy", "1000", "1.10"))
    other = make_order(make_intent(n=2, side="sell", stop_loss=D("1.2")))
    ledger.apply_open(other, make_fill("f2", "sell", "1000", "1.10"))
    assert ledger.net_units() == {}
    assert ledger.proof({"EUR/USD": D(0)}) == []


def test_a_foreign_ticket_is_kept_apart_under_magic_zero(ledger):
    fill = make_fill("f1", "buy", "50", "1.10", magic=0, instance="", reason="foreign")
    trade = ledger.apply_open(None, fill, broker_trade_id="t77")
    assert (trade.trade_id, trade.magic) == ("foreign-t77", 0)
    assert ledger.open_trades(magic=0) == (trade,)


def test_a_foreign_fill_on_a_netting_account_closes_foreign_trades_then_opens_one(ledger):
    first = make_fill("f1", "buy", "60", "1.10", magic=0, instance="", reason="foreign")
    assert [trade.units for _, trade in ledger.apply_foreign(first)] == [60]
    second = make_fill("f2", "sell", "100", "1.20", magic=0, instance="", reason="foreign", commission=D("-1"))
    (closing, closed), (opening, opened) = ledger.apply_foreign(second)
    assert (closing.fill_id, closing.units, closing.profit, closing.commission) == ("f2/1", 60, D("6.00"), D(-1))
    assert (closed.units, closed.close_price) == (0, D("1.20"))
    assert (opening.fill_id, opening.units, opening.commission) == ("f2/2", 40, 0)
    assert (opened.side, opened.units) == ("sell", 40)
    assert ledger.net_units() == {"EUR/USD": -40}


def test_restore_takes_open_trades_of_this_account_and_each_once(ledger):
    trade = make_trade("t1")
    ledger.restore([trade])
    assert ledger.trade("t1") == trade
    for wrong in (make_trade("t2", account="other"), make_trade("t2", units=D(0)), trade):
        with pytest.raises(InvariantBroken, match="cannot be restored"):
            ledger.restore([trade, wrong])
    assert ledger.open_trades() == (trade,)


def test_averages_do_not_depend_on_the_decimal_context_of_the_caller(ledger):
    from decimal import localcontext

    order = make_order(make_intent(units=D(3)))
    with localcontext() as context:
        context.prec = 3
        ledger.apply_open(order, make_fill("f1", "buy", "1", "1.12345"))
        trade = ledger.apply_open(
            order.model_copy(update={"filled_units": D(1)}), make_fill("f2", "buy", "1", "1.12347")
        )
    assert trade.open_price == Decimal("1.12346")


def test_averages_have_a_readable_number_of_decimals():
    thirds = average_price(D(1), D("1.10000"), D(2), D("1.10001"))
    assert AVERAGE_DECIMALS == 10
    assert thirds == D("1.1000066667")
    assert str(average_price(D(1), D("1.12345"), D(1), D("1.12347"))) == "1.12346"
    assert str(average_price(D(0), D(0), D(3), D("1.5"))) == "1.5"
    assert str(average_price(D(2), D("149.10"), D(4), D("149.10"))) == "149.10"


def test_initial_risk_is_what_the_first_stop_would_lose_over_all_opening_fills(ledger):
    order = make_order(make_intent(stop_loss=D("1.09")))
    ledger.apply_open(order, make_fill("f1", "buy", "600", "1.10000", home_rate=D("0.5")))
    filled = order.model_copy(update={"filled_units": D(600)})
    ledger.protect(order.client_id, stop_loss=D("1.0999"))  # a stop that moved changes no risk
    trade = ledger.apply_open(filled, make_fill("f2", "buy", "400", "1.10100", home_rate=D("0.5")))
    # 600 * 0.01000 * 0.5 + 400 * 0.01100 * 0.5
    assert (trade.initial_stop, trade.initial_risk) == (D("1.09"), D("5.20"))
    _, closed = ledger.apply_close(order.client_id, make_fill("f3", "sell", "1000", "1.0999"))
    assert closed.initial_risk == D("5.20")


@pytest.mark.parametrize(
    ("protection", "stop", "risk"),
    [
        ({"stop_loss": None}, None, None),
        ({"stop_loss": None, "trailing_distance": D("0.002")}, D("1.098"), D(2)),
        ({"stop_loss": D("1.099"), "trailing_distance": D("0.002")}, D("1.099"), D(1)),
        ({"stop_loss": D("1.11")}, D("1.11"), None),  # on the winning side: it can lose nothing
    ],
)
def test_initial_risk_needs_a_stop_on_the_losing_side(ledger, protection, stop, risk):
    order = make_order(make_intent(**protection))
    trade = ledger.apply_open(order, make_fill("f1", "buy", "1000", "1.10000"))
    assert (trade.initial_stop, trade.initial_risk) == (stop, risk)
