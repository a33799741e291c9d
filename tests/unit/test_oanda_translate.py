"""What transactions of OANDA mean: worked lines of the protocol."""

import json
from decimal import Decimal
from typing import Any

import pytest

from atrader.clock import parse_time
from atrader.orders.ids import IntentId, client_id_of
from atrader.orders.states import OrderState
from broker_api.adapter import AnyReport, FillReport, NoticeReport, OrderReport, SwapReport
from broker_api.oanda.codec import Fields, transactions_in
from broker_api.oanda.ids import OrderIds
from broker_api.oanda.refusals import refused_in
from broker_api.oanda.translate import Translator

D = Decimal
OURS, OTHER = client_id_of(IntentId(7, 1)), client_id_of(IntentId(7, 2))
TIME = "2026-11-20T14:47:03.123456789Z"


class Journal:
    """Knows one working order and one close."""

    def working(self, broker_id: str) -> str | None:
        return OURS if broker_id == "900" else None

    def closing(self, broker_trade_id: str, units: Decimal) -> str | None:
        return OTHER if (broker_trade_id, units) == ("502", D(1000)) else None


def translator(*, hedging: bool = True, anonymous: bool = False) -> Translator:
    return Translator(OrderIds(Journal()), hedging=hedging, anonymous=anonymous)


def tx(number: int, kind: str, batch: int | None = None, **fields: Any) -> Fields:
    return Fields({"id": str(number), "batchID": str(batch or number), "type": kind, "time": TIME, **fields})


def extensions(client_id: str = OURS) -> dict[str, Any]:
    return {"clientExtensions": {"id": client_id, "tag": "atr:7"}}


def states(reports: list[AnyReport]) -> list[tuple[str, OrderState, str]]:
    return [(item.client_id, item.state, item.reason) for item in reports if isinstance(item, OrderReport)]


MARKET = tx(501, "MARKET_ORDER", instrument="EUR_USD", units="-1000", reason="CLIENT_ORDER", **extensions())
FILL = tx(
    502, "ORDER_FILL", 501, orderID="501", clientOrderID=OURS, instrument="EUR_USD", units="-1000",
    fullVWAP="1.08501", pl="0.0000", financing="0.0000", commission="0.0500", guaranteedExecutionFee="0.0100",
    reason="MARKET_ORDER", homeConversionFactors={"gainQuoteHome": {"factor": "0.99"}},
    tradeOpened={"tradeID": "502", "units": "-1000", "price": "1.08501", **extensions()},
)  # fmt: skip


def test_a_market_order_and_its_fill_are_one_execution_of_our_ticket() -> None:
    first, second = translator().all_of([MARKET, FILL])
    assert isinstance(first, NoticeReport)
    assert isinstance(second, FillReport)
    assert second.model_copy(update={"raw": ""}) == FillReport(
        transaction_id=502, time_ns=parse_time(TIME), fill_id="502", client_id=OURS, broker_id="501",
        broker_trade_id="502", instrument="EUR/USD", side="sell", units=D(1000), price=D("1.08501"), reason="order",
        commission=D("-0.0600"), home_rate=D("0.99"), profit=None, magic=7, ends_order=True,
    )  # fmt: skip
    assert [json.loads(item.raw) for item in (first, second)] == [MARKET.source, FILL.source]


def test_a_201_that_is_a_refusal_is_one() -> None:
    reply = {
        "orderCreateTransaction": MARKET.source,
        "orderCancelTransaction": tx(502, "ORDER_CANCEL", 501, orderID="501", reason="MARKET_HALTED").source,
        "relatedTransactionIDs": ["501", "502"],
    }
    reports = translator().all_of(transactions_in(reply), OURS)
    assert states(reports) == [(OURS, OrderState.REJECTED, "market-halted")]
    assert refused_in(reports, OURS) == "market-halted"
    assert refused_in(reports, OTHER) is None


CANCELS = [
    ("CLIENT_REQUEST", OrderState.CANCELLED, "by-request"),
    ("TIME_IN_FORCE_EXPIRED", OrderState.EXPIRED, "time-in-force"),
    ("INSUFFICIENT_MARGIN", OrderState.CANCELLED, "insufficient-margin"),
    ("BOUNDS_VIOLATION", OrderState.CANCELLED, "price-bound"),
    ("SOMETHING_NEW", OrderState.CANCELLED, "something-new"),
]


@pytest.mark.parametrize(("code", "state", "reason"), CANCELS)
def test_a_working_order_ends_with_the_reason_that_the_broker_gives(code: str, state: OrderState, reason: str) -> None:
    limit = tx(510, "LIMIT_ORDER", reason="CLIENT_ORDER", **extensions())
    end = tx(600, "ORDER_CANCEL", orderID="510", clientOrderID=OURS, reason=code)
    assert states(translator().all_of([limit, end])) == [(OURS, OrderState.WORKING, ""), (OURS, state, reason)]


REJECTS = [
    ("UNITS_MIMIMUM_NOT_MET", "units-too-small"),
    ("UNITS_MINIMUM_NOT_MET", "units-too-small"),
    ("PRICE_PRECISION_EXCEEDED", "price-precision"),
    ("ACCOUNT_LOCKED", "account-locked"),
    ("", "refused"),
]


@pytest.mark.parametrize(("code", "reason"), REJECTS)
def test_a_rejected_order_is_rejected(code: str, reason: str) -> None:
    item = tx(520, "LIMIT_ORDER_REJECT", rejectReason=code, **extensions())
    assert states(translator().all_of([item])) == [(OURS, OrderState.REJECTED, reason)]


def test_the_refusal_of_a_second_order_with_an_id_says_nothing_of_the_first() -> None:
    item = tx(520, "LIMIT_ORDER_REJECT", rejectReason="CLIENT_ORDER_ID_ALREADY_EXISTS", **extensions())
    assert states(translator().all_of([item])) == []


def test_a_replaced_order_works_on_under_a_new_number_and_the_change_is_done() -> None:
    ids = OrderIds(Journal())
    reports = Translator(ids, hedging=True, anonymous=False).all_of([
        tx(510, "LIMIT_ORDER", reason="CLIENT_ORDER", **extensions()),
        tx(511, "ORDER_CANCEL", orderID="510", clientOrderID=OURS, reason="CLIENT_REQUEST_REPLACED", requestID=OTHER),
        tx(512, "LIMIT_ORDER", 511, reason="REPLACEMENT", replacesOrderID="510", requestID=OTHER, **extensions()),
    ])  # fmt: skip
    assert states(reports) == [
        (OURS, OrderState.WORKING, ""),
        (OTHER, OrderState.DONE, ""),
        (OURS, OrderState.WORKING, ""),
    ]
    assert ids.broker_id(OURS) == "512"


def test_a_refused_replacement_refuses_the_change_and_not_the_order() -> None:
    item = tx(
        520, "LIMIT_ORDER_REJECT", rejectReason="PRICE_INVALID", intendedReplacesOrderID="510", requestID=OTHER,
        **extensions(),
    )  # fmt: skip
    assert states(translator().all_of([item])) == [(OTHER, OrderState.REJECTED, "price-invalid")]


def test_a_cancellation_ends_the_order_and_is_done() -> None:
    limit = tx(510, "STOP_ORDER", reason="CLIENT_ORDER", **extensions())
    end = tx(511, "ORDER_CANCEL", orderID="510", clientOrderID=OURS, reason="CLIENT_REQUEST", requestID=OTHER)
    assert states(translator().all_of([limit, end]))[1:] == [
        (OURS, OrderState.CANCELLED, "by-request"),
        (OTHER, OrderState.DONE, ""),
    ]


def test_a_refused_cancellation_is_rejected() -> None:
    item = tx(520, "ORDER_CANCEL_REJECT", orderID="510", rejectReason="ORDER_DOESNT_EXIST", requestID=OTHER)
    assert states(translator().all_of([item])) == [(OTHER, OrderState.REJECTED, "order-not-working")]


def test_changed_protection_is_done_once_however_many_transactions_it_takes() -> None:
    reports = translator().all_of([
        tx(530, "ORDER_CANCEL", orderID="503", reason="CLIENT_REQUEST_REPLACED", requestID=OTHER),
        tx(531, "STOP_LOSS_ORDER", 530, tradeID="502", price="1.09", reason="REPLACEMENT", requestID=OTHER),
        tx(532, "TAKE_PROFIT_ORDER", 530, tradeID="502", price="1.01", reason="CLIENT_ORDER", requestID=OTHER),
    ])  # fmt: skip
    assert states(reports) == [(OTHER, OrderState.DONE, "")]
    assert len(reports) == 3


CLOSED = {"tradeID": "502", "units": "1000", "price": "1.08000", "realizedPL": "5.0100", "financing": "-0.1200"}


def close_fill(reason: str, **more: Any) -> Fields:
    fields: dict[str, Any] = {"orderID": "540", "instrument": "EUR_USD", "units": "1000", "fullVWAP": "1.08000"}
    fields |= {"pl": "5.0100", "financing": "-0.1200", "tradesClosed": [CLOSED], **more}
    return tx(541, "ORDER_FILL", 540, reason=reason, **fields)


def test_our_close_of_a_ticket_is_known_by_the_request_that_asked_for_it() -> None:
    ask = tx(540, "MARKET_ORDER", reason="TRADE_CLOSE", units="1000", tradeClose={"tradeID": "9"}, requestID=OTHER)
    swap, fill = translator().all_of([ask, close_fill("MARKET_ORDER_TRADE_CLOSE")])[1:]
    assert isinstance(swap, SwapReport)
    assert (swap.broker_trade_id, swap.amount, swap.transaction_id) == ("502", D("-0.1200"), 541)
    assert isinstance(fill, FillReport)
    assert (fill.client_id, fill.reason, fill.profit, fill.broker_trade_id) == (OTHER, "order", D("5.0100"), "502")


def test_our_close_of_a_ticket_is_known_by_the_journal_where_the_broker_repeats_no_request() -> None:
    ask = tx(540, "MARKET_ORDER", reason="TRADE_CLOSE", units="1000", tradeClose={"tradeID": "502"}, requestID="42")
    fill = translator().all_of([ask, close_fill("MARKET_ORDER_TRADE_CLOSE")])[-1]
    assert isinstance(fill, FillReport)
    assert fill.client_id == OTHER


FOREIGN = [
    ("MARKET_ORDER_TRADE_CLOSE", "manual-close"),
    ("MARKET_ORDER_POSITION_CLOSEOUT", "manual-close"),
    ("STOP_LOSS_ORDER", "stop-loss"),
    ("GUARANTEED_STOP_LOSS_ORDER", "stop-loss"),
    ("TAKE_PROFIT_ORDER", "take-profit"),
    ("TRAILING_STOP_LOSS_ORDER", "trailing-stop"),
    ("MARKET_ORDER_MARGIN_CLOSEOUT", "margin-closeout"),
    ("MARKET_ORDER_DELAYED_TRADE_CLOSE", "margin-closeout"),
    ("MARKET_ORDER", "foreign"),
    ("SOMETHING_NEW", "foreign"),
]


@pytest.mark.parametrize(("told", "reason"), FOREIGN)
def test_an_execution_without_an_order_of_ours_says_why(told: str, reason: str) -> None:
    fill = translator().of(close_fill(told))[-1]
    assert isinstance(fill, FillReport)
    assert (fill.client_id, fill.reason) == (None, reason)


def several() -> Fields:
    return close_fill(
        "MARKET_ORDER", units="1500", pl="3.0000", commission="0.3000", financing="0.0000",
        tradesClosed=[{**CLOSED, "financing": "0"}, {**CLOSED, "tradeID": "499", "units": "300", "realizedPL": "-2"}],
        tradeReduced={"tradeID": "400", "units": "100", "price": "1.08001", "realizedPL": "-0.0100"},
        tradeOpened={"tradeID": "541", "units": "100", "price": "1.08002", "clientExtensions": {"tag": "atr:9"}},
    )  # fmt: skip


def test_one_fill_of_several_tickets_is_told_ticket_by_ticket() -> None:
    reports = list(translator().of(several()))
    assert isinstance(reports[0], SwapReport)
    fills = [item for item in reports if isinstance(item, FillReport)]
    assert [(f.fill_id, f.broker_trade_id, f.units, f.profit, f.magic) for f in fills] == [
        ("541-502", "502", D(1000), D("5.0100"), None),
        ("541-499", "499", D(300), D(-2), None),
        ("541-400", "400", D(100), D("-0.0100"), None),
        ("541-541", "541", D(100), None, 9),
    ]
    assert sum((f.commission for f in fills), D(0)) == D("-0.3000")
    assert {f.side for f in fills} == {"buy"}
    assert [bool(item.raw) for item in reports] == [True, False, False, False, False]


def test_a_ticket_that_lost_converts_at_the_rate_of_losses_whatever_the_others_won() -> None:
    told = several().source
    factors = {"gainQuoteHome": {"factor": "0.0067"}, "lossQuoteHome": {"factor": "0.0068"}}
    fills = translator().of(Fields({**told, "homeConversionFactors": factors}))
    rates = [item.home_rate for item in fills if isinstance(item, FillReport)]
    assert rates == [D("0.0067"), D("0.0068"), D("0.0068"), D("0.0067")]
    older = {"gainQuoteHomeConversionFactor": "0.0067", "lossQuoteHomeConversionFactor": "0.0068"}
    fills = translator().of(Fields({**told, **older}))
    assert [item.home_rate for item in fills if isinstance(item, FillReport)] == rates


def test_a_fill_ends_its_order_whatever_it_says_was_asked_for() -> None:
    told = {"orderID": "501", "clientOrderID": OURS, "instrument": "EUR_USD", "price": "1.08501"}
    item = tx(502, "ORDER_FILL", 501, units="-400", requestedUnits="-400", reason="STOP_ORDER", **told)
    (fill,) = translator(hedging=False).of(item)
    assert isinstance(fill, FillReport)
    assert (fill.units, fill.ends_order) == (D(400), True)
    assert [getattr(item, "ends_order", False) for item in translator().of(several())] == [*[False] * 4, True]


def test_on_a_net_position_a_fill_is_one_whatever_tickets_it_touched() -> None:
    (fill,) = translator(hedging=False).of(several())
    assert isinstance(fill, FillReport)
    assert (fill.units, fill.price, fill.profit, fill.broker_trade_id) == (D(1500), D("1.08000"), D("3.0000"), None)


def test_on_a_net_position_a_person_who_closes_a_ticket_closes_that_of_its_tag() -> None:
    at = translator(hedging=False)
    at.know_ticket("502", "atr:7")
    fills = [at.of(close_fill(told))[-1] for told in ("MARKET_ORDER_TRADE_CLOSE", "MARKET_ORDER")]
    assert [item.magic for item in fills if isinstance(item, FillReport)] == [7, None]


def test_financing_is_booked_ticket_by_ticket_and_dividends_as_well() -> None:
    trades = [{"tradeID": "1", "financing": "-0.5"}, {"tradeID": "2", "financing": "0.0000"}]
    others = [{"tradeID": "3", "financing": "-0.2"}]
    financing = tx(
        700, "DAILY_FINANCING", financing="-0.7",
        positionFinancings=[
            {"instrument": "EUR_USD", "financing": "-0.5", "openTradeFinancings": trades},
            {"instrument": "USD_JPY", "financing": "-0.2", "openTradeFinancings": others},
        ],
    )  # fmt: skip
    dividend = tx(
        701, "DIVIDEND_ADJUSTMENT", instrument="SPX500_USD", dividendAdjustment="1.5",
        openTradeDividendAdjustments=[{"tradeID": "9", "dividendAdjustment": "1.5"}],
    )  # fmt: skip
    found = [
        (item.transaction_id, item.part, item.instrument, item.broker_trade_id, item.amount)
        for item in translator().all_of([financing, dividend])
        if isinstance(item, SwapReport)
    ]
    assert found == [
        (700, 0, "EUR/USD", "1", D("-0.5")),
        (700, 1, "USD/JPY", "3", D("-0.2")),
        (701, 0, "SPX500/USD", "9", D("1.5")),
    ]
    netting = [item for item in translator(hedging=False).of(financing) if isinstance(item, SwapReport)]
    assert [(item.broker_trade_id, item.amount) for item in netting] == [(None, D("-0.5")), (None, D("-0.2"))]


def test_on_an_account_linked_to_mt4_the_journal_says_whose_a_working_order_is() -> None:
    at = translator(anonymous=True)
    end = tx(950, "ORDER_CANCEL", orderID="900", reason="CLIENT_REQUEST")
    assert states(list(at.of(end))) == [(OURS, OrderState.CANCELLED, "by-request")]
    assert states(list(translator().of(end))) == []


def test_a_margin_call_is_told_to_a_person_and_an_unknown_transaction_is_kept() -> None:
    call, unknown = translator().all_of([tx(800, "MARGIN_CALL_ENTER"), tx(801, "NEVER_SEEN", strange={"a": [1, None]})])
    assert isinstance(call, NoticeReport)
    assert "margin call" in call.text
    assert isinstance(unknown, NoticeReport)
    assert (unknown.kind, unknown.text) == ("NEVER_SEEN", "")
    assert json.loads(unknown.raw)["strange"] == {"a": [1, None]}


def test_a_fill_that_does_not_say_what_was_executed_is_no_fill_but_told() -> None:
    (report,) = translator().of(tx(802, "ORDER_FILL", orderID="1", clientOrderID=OURS))
    assert isinstance(report, NoticeReport)
    assert "802" in report.text
