"""Whatever the broker sends, reading it never fails, and what it said is kept."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from atrader.clock import SystemClock
from broker_api.adapter import FillReport
from broker_api.oanda.codec import Fields, transactions_in
from broker_api.oanda.ids import OrderIds, magic_of
from broker_api.oanda.terms import AccountTerms, instruments_of, terms_of
from broker_api.oanda.translate import Translator
from broker_api.oanda.truth import snapshot_of
from tests.support.oanda import NoJournal

_KINDS = """
    MARKET_ORDER LIMIT_ORDER STOP_ORDER STOP_LOSS_ORDER LIMIT_ORDER_REJECT ORDER_FILL ORDER_CANCEL
    DAILY_FINANCING ORDER_CANCEL_REJECT DIVIDEND_ADJUSTMENT MARGIN_CALL_ENTER DELAYED_TRADE_CLOSURE
    TRANSFER_FUNDS NEW_KIND
""".split()  # noqa: SIM905
_NAMES = """
    time batchID requestID orderID clientOrderID instrument units price fullVWAP reason rejectReason pl
    financing commission homeConversionFactors gainQuoteHome factor tradeOpened tradesClosed tradeReduced
    tradeID realizedPL clientExtensions id tag tradeClose replacesOrderID intendedReplacesOrderID
    positionFinancings tradeIDs openTradeFinancings openTradeDividendAdjustments dividendAdjustment amount
    lastTransactionID trades orders positions long short balance NAV currency hedgingEnabled currentUnits
    stopLossOrderID type distance displayPrecision tradeUnitsPrecision pipLocation minimumTradeSize
    maximumOrderUnits marginRate name instruments
""".split()  # noqa: SIM905
_TEXTS = st.sampled_from(
    [
        "",
        "0",
        "-1000",
        "1.10000",
        "NaN",
        "Infinity",
        "1e999999",
        "9" * 60,
        "EUR_USD",
        "a000007w1",
        "atr:7",
        "atr:²",
        "1",
        "2026-11-20T14:47:03.123456789Z",
        "2026-99-99T99:99:99Z",
        "1795186023.123456789",
        "x.y",
        "12.٣",
    ]
)
_LEAVES = st.one_of(_TEXTS, st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(_NAMES), inner, max_size=8)
    ),
    max_leaves=25,
)  # fmt: skip
_OBJECTS = st.dictionaries(st.sampled_from(_NAMES), _JSON, max_size=12)


@given(item=_OBJECTS, kind=st.one_of(st.sampled_from(_KINDS), _JSON), hedging=st.booleans(), anonymous=st.booleans())
def test_every_transaction_is_reported_and_kept_in_its_own_words(
    item: dict[str, Any], kind: Any, hedging: bool, anonymous: bool
) -> None:
    translator = Translator(OrderIds(NoJournal()), hedging=hedging, anonymous=anonymous)
    reports = translator.of(Fields({**item, "id": "77", "type": kind}))
    assert {report.transaction_id for report in reports} == {77}
    assert json.loads(reports[0].raw)["id"] == "77"
    for report in reports:
        if isinstance(report, FillReport):
            assert report.units > 0
            assert report.price.is_finite()


@given(body=_OBJECTS)
def test_accounts_instruments_and_replies_are_read_whatever_is_in_them(body: dict[str, Any]) -> None:
    terms = AccountTerms("USD", hedging=True, anonymous=True, guaranteed_stops=False)
    snapshot = snapshot_of(Fields(body), 5, OrderIds(NoJournal()), terms, SystemClock().now_ns())
    assert snapshot.account.balance.is_finite()
    assert all(units for units in snapshot.net_units.values())
    assert terms_of(Fields(body), Fields(body)).hedging is (body.get("hedgingEnabled") is True)
    for instrument in instruments_of(Fields(body), Decimal("0.02"), {}).values():
        assert instrument.price_tick > 0
    assert all(item.number("id") for item in transactions_in({f"{name}Transaction": x for name, x in body.items()}))


@given(text=st.one_of(_TEXTS, st.text()))
def test_a_tag_is_a_magic_number_or_none(text: str) -> None:
    magic = magic_of(text)
    assert magic is None or text == f"atr:{magic}" or text.startswith("atr:0")
