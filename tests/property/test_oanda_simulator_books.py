"""Whatever is done to the OANDA simulator, its books add up and its changes tell the whole story."""

import itertools
from decimal import Decimal

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tests.oanda_simulator import AccountSettings
from tests.oanda_simulator.changes import changes
from tests.oanda_simulator.clock import VenueClock
from tests.oanda_simulator.closing import close, close_position
from tests.oanda_simulator.order_requests import order_request
from tests.oanda_simulator.orders import cancel_by_client, replace
from tests.oanda_simulator.placing import place
from tests.oanda_simulator.protecting import set_orders
from tests.oanda_simulator.values import dumps
from tests.oanda_simulator.venue import Venue
from tests.support.oanda_desk import WEDNESDAY

KINDS = {
    "netting": AccountSettings("101-004-1234567-001"),
    "hedging": AccountSettings("101-004-1234567-002", hedging=True),
    "fifo": AccountSettings("101-004-1234567-003", fifo=True),
    "small": AccountSettings("101-004-1234567-004", hedging=True, balance=Decimal(200)),
}
PRICES = st.integers(-40, 40).map(lambda pips: Decimal("1.1000") + Decimal(pips) / 10_000)
INSTRUMENTS = st.sampled_from(["EUR_USD", "EUR_GBP"])
UNITS = st.sampled_from(["1000", "-1000", "500", "-1500", "3000", "0.5"])
PROTECTION = st.fixed_dictionaries(
    {},
    optional={
        "stopLossOnFill": st.builds(lambda pips: {"distance": f"{pips / 10_000:.4f}"}, st.integers(5, 60)),
        "takeProfitOnFill": PRICES.map(lambda price: {"price": str(price)}),
        "trailingStopLossOnFill": st.just({"distance": "0.0020"}),
    },
)
ORDERS = st.builds(
    lambda kind, units, instrument, price, fill, protection: {
        "type": kind, "units": units, "instrument": instrument, "positionFill": fill, **protection,
        **({} if kind == "MARKET" else {"price": str(price)}),
    },
    st.sampled_from(["MARKET", "MARKET", "LIMIT", "STOP", "MARKET_IF_TOUCHED"]), UNITS, INSTRUMENTS, PRICES,
    st.sampled_from(["DEFAULT", "REDUCE_FIRST", "REDUCE_ONLY", "OPEN_ONLY"]), PROTECTION,
)  # fmt: skip
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), ORDERS),
        st.tuples(st.just("quote"), PRICES),
        st.tuples(st.just("cancel"), st.integers(1, 60)),
        st.tuples(st.just("replace"), st.integers(1, 60)),
        st.tuples(st.just("close"), st.integers(1, 60)),
        st.tuples(st.just("close-position"), INSTRUMENTS),
        st.tuples(st.just("protect"), st.integers(1, 60)),
        st.tuples(st.just("wait"), st.sampled_from([60, 8 * 3_600])),
    ),
    max_size=40,
)


def act(venue, account, step):
    """Do one step; what the venue refuses is part of the story."""
    what, value = step
    if what == "order":
        place(account, order_request({"order": value}))
    elif what == "quote":
        venue.quote("EUR_USD", value, value + Decimal("0.0001"))
        venue.quote("EUR_GBP", value - Decimal("0.25"), value - Decimal("0.2498"))
    elif what == "cancel":
        cancel_by_client(account, str(value))
    elif what == "replace":
        order = {"type": "LIMIT", "units": "700", "instrument": "EUR_USD", "price": "1.0990"}
        replace(account, str(value), order_request({"order": order}))
    elif what == "close":
        close(account, str(value), {"units": "ALL"})
    elif what == "close-position":
        close_position(account, value, {})
    elif what == "protect":
        set_orders(account, str(value), {"stopLoss": {"distance": "0.0030"}, "takeProfit": None})
    else:
        venue.clock.advance(value)


def check_books(account):
    """The log explains the balance, the trades and the orders."""
    log = account.log.since(0)
    assert [int(entry["id"]) for entry in log] == list(range(1, len(log) + 1))
    assert all(int(entry["batchID"]) <= int(entry["id"]) for entry in log)
    moved = sum((entry.get("amount", entry.get("pl", entry.get("financing", 0))) for entry in log), Decimal(0))
    assert moved == account.balance
    fills = [entry for entry in log if entry["type"] == "ORDER_FILL"]
    for name in account.market.specs:
        filled = sum((entry["units"] for entry in fills if entry["instrument"] == name), Decimal(0))
        assert filled == account.net_units(name)
        if not account.settings.hedging:
            assert len({trade.long for trade in account.open_trades(name)}) <= 1
    opened = {entry["tradeOpened"]["tradeID"] for entry in fills if entry["tradeOpened"]}
    closed = [part["tradeID"] for entry in fills for part in entry["tradesClosed"] or ()]
    assert len(closed) == len(set(closed))
    assert opened - set(closed) == {str(trade.id) for trade in account.open_trades()}
    ended = [entry["orderID"] for entry in log if entry["type"] in {"ORDER_FILL", "ORDER_CANCEL"}]
    assert len(ended) == len(set(ended))  # an order ends once
    assert {str(number) for number in account.orders} - set(ended) == {str(order.id) for order in account.pending()}
    for order, trade in itertools.product(account.pending(), account.trades.values()):
        if order.trade_id == trade.id:
            assert trade.open


def check_changes(account, since, orders, trades):
    """A snapshot of then and the changes since are the snapshot of now."""
    told = changes(account, since)
    for order in told["ordersCreated"]:
        orders[order["id"]] = order
    for order in (*told["ordersFilled"], *told["ordersCancelled"]):
        orders.pop(order["id"], None)
    for trade in (*told["tradesOpened"], *told["tradesReduced"]):
        trades[trade["id"]] = trade["currentUnits"]
    for trade in told["tradesClosed"]:
        trades.pop(trade["id"], None)
    assert set(orders) == {str(order.id) for order in account.pending()}
    assert trades == {str(trade.id): trade.units for trade in account.open_trades()}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(before=STEPS, after=STEPS)
def test_the_books_add_up_and_changes_lead_from_one_snapshot_to_the_next(kind, before, after):
    venue = Venue([KINDS[kind]], VenueClock(WEDNESDAY), "fx")
    venue.quote("EUR_USD", "1.1000", "1.1001")
    [account] = venue.accounts.values()
    for step in before:
        act(venue, account, step)
    check_books(account)
    since = account.log.last_id
    orders = {str(order.id): order.fields() for order in account.pending()}
    trades = {str(trade.id): trade.units for trade in account.open_trades()}
    for step in after:
        act(venue, account, step)
    check_books(account)
    check_changes(account, since, orders, trades)
    assert dumps(changes(account, 0), in_unix=True)
